"""The program `paiza web` without a node: its port, its link, its second start, what it leaves behind."""

import http.client
import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from paiza_client.web.opened import FOLDER
from tests import hangups

PROFILE = """\
id = "spiffe://kaz.paiza.example/officer/liaison"
member = "kaz"
federation = "paiza.example"
node = "127.0.0.1:1"
authentication_key = "authentication.key"
authentication_certificate = "authentication.crt"
signing_key = "signing.key"
signing_certificate = "signing.crt"
root = "root.json"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one profile; its keys are nowhere, and its node does not answer."""
    (tmp_path / "kaz-liaison").mkdir()
    (tmp_path / "kaz-liaison" / "profile.toml").write_text(PROFILE)
    return tmp_path


@contextmanager
def console(home: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run `paiza web`; yield the process and the link that it prints."""
    command = [sys.executable, "-m", "paiza_client", "web", "--no-open", "--json", *options]
    environment = {"PAIZA_HOME": str(home), "PATH": "", "LANGUAGE": "en"}
    with hangups.heard():
        started = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with started as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())["link"]
        finally:
            process.kill()


def get(link: str, headers: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Return status, cookie and text of an answer."""
    origin, _slash, path = link.removeprefix("http://").partition("/")
    with closing(http.client.HTTPConnection(origin, timeout=60)) as connection:
        connection.request("GET", f"/{path}", headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.getheader("set-cookie", ""), answer.read().decode()


def test_a_second_start_shows_the_first(home: Path) -> None:
    """One process a profile: the second prints another link of the first and ends; each link works once."""
    with console(home) as (first, link), console(home) as (second, other):
        assert second.wait(60) == 0
        assert first.poll() is None
        assert link != other
        assert link.partition("?")[0] == other.partition("?")[0]
        cookie = ""
        for each in (link, other):
            status, cookie, _text = get(each)
            assert status == 200
            assert cookie.startswith("paiza_")
            assert get(each)[0] == 403
        status, _cookie, text = get(link.partition("/launch")[0] + "/unlock", {"Cookie": cookie.partition(";")[0]})
        assert (status, "Passphrase of your key" in text) == (200, True)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_it_writes_is_for_its_owner_alone(home: Path, end: signal.Signals) -> None:
    """The secret for a second start is readable by its owner alone, and goes with the process, however that ends."""
    state = home / "kaz-liaison" / "console.json"
    with console(home) as (process, _link):
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        process.send_signal(end)
        assert process.wait(60) in {0, 130, 128 + signal.SIGTERM}
        assert not state.exists()


def test_what_a_killed_process_left_goes_at_the_next_start(home: Path) -> None:
    """Files that were fetched lie in a private folder of the profile; a kill leaves them, the next start does not."""
    left = home / "kaz-liaison" / FOLDER / "abc" / "photo.jpg"
    with console(home) as (process, _link):
        left.parent.mkdir(parents=True)
        left.write_bytes(b"picture")
        process.kill()
        process.wait(60)
    assert left.exists()
    with console(home):
        assert not left.parent.parent.exists()


def test_the_first_language_is_that_of_the_browser(home: Path) -> None:
    """An option wins, then what was chosen on a page, then the browser."""
    chosen = home / "kaz-liaison" / "console-language"
    for options, kept, spoken in (((), "", "ru"), (("--lang", "en"), "ru", "en"), ((), "en", "en"), ((), "ru", "ru")):
        chosen.write_text(kept)
        with console(home, *options) as (_process, link):
            asked = "en" if kept == "ru" else "ru"
            assert f'lang="{spoken}"' in get(link, {"Accept-Language": asked})[2]


def test_no_header_makes_another_peer(home: Path) -> None:
    """What a header says of the peer is not believed: the tables of the system name a connection's user."""
    with console(home) as (_process, link):
        lies = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Forwarded-Host": "evil.example"}
        assert get(link, lies)[0] == 200
        assert get(link.partition("/launch")[0] + "/static/console.css", {"Host": "evil.example"})[0] == 421


def test_a_taken_port_is_told(home: Path) -> None:
    """A port that another program has is named, with what to do; nothing is left behind."""
    with console(home) as (_process, link):
        port = link.partition("127.0.0.1:")[2].partition("/")[0]
        (home / "kaz-duty").mkdir()
        (home / "kaz-duty" / "profile.toml").write_text(PROFILE.replace("liaison", "duty"))
        command = [sys.executable, "-m", "paiza_client", "--profile", "kaz-duty", "web", "--no-open", "--port", port]
        ran = subprocess.run(
            [*command, "--json"],
            env={"PAIZA_HOME": str(home), "PATH": "", "LANGUAGE": "en"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 4
        assert json.loads(ran.stderr)["reason"] == "console_unavailable"
