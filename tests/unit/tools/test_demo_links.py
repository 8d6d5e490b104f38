"""The links of `make up`: each for one profile, and nothing for those who have none."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.demo import links

LAUNCH = "http://127.0.0.1:1/launch?token=once"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[links.Server, list[str]]]:
    """Serve the links of two profiles; return the server, and the profiles whose consoles it was to start."""
    for name in ("kaz-liaison", "tjk-duty"):
        (tmp_path / "home" / name).mkdir(parents=True)
    started: list[str] = []

    def launch(_server: links.Server, profile: str) -> str:
        started.append(profile)
        return LAUNCH

    monkeypatch.setattr(links.Server, "launch", launch)
    with links.Server(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server, started
        server.shutdown()
        thread.join()


def _status(server: links.Server, path: str, host: str = "") -> int:
    with closing(HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)) as connection:
        connection.request("GET", path, headers={"Host": host or server.host})
        return connection.getresponse().status


def test_a_link_starts_the_console_of_its_profile(served: tuple[links.Server, list[str]], tmp_path: Path) -> None:
    """Its secret opens no other one, nor does it under another name of this machine."""
    server, started = served
    written: dict[str, str] = json.loads((tmp_path / links.FILE).read_text())
    assert (tmp_path / links.FILE).stat().st_mode & 0o077 == 0
    secret = written["kaz-liaison"].rpartition("/")[2]
    assert _status(server, f"/tjk-duty/{secret}") == 404
    assert _status(server, f"/kaz-liaison/{secret}", "evil.example") == 404
    assert not started
    assert _status(server, f"/kaz-liaison/{secret}") == 303
    assert started == ["kaz-liaison"]


@pytest.mark.parametrize("path", ["/", "//", "/kaz-liaison/", "/nobody/", "/nobody", "/../", "/--help/"])
def test_without_a_secret_nothing_is_started(served: tuple[links.Server, list[str]], path: str) -> None:
    """A profile that there is not has no secret, not an empty one: no name would mean the profile of PAIZA_PROFILE."""
    server, started = served
    assert _status(server, path) == 404
    assert not started
