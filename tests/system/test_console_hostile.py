"""Every page of the console asked with hostile words in its path, its query and its form: none breaks."""

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import pytest
from starlette.routing import Route

from paiza_client.sdk import notifications
from paiza_client.web import pages, rendering, signing_in
from paiza_officer import profiles
from tests.federation import Federation
from tests.integration.client.conftest import Paiza, paiza
from tests.integration.client.test_console_writing import browser, command, surroundings
from tests.unit.paiza_client.web.asking import OWN, Answer, Browser

__all__ = ["paiza", "surroundings"]

NOTE: Final = """\
kind: free-message
to: [tjk]
handling: {tlp: AMBER, code: H0, classification: 0}
review: 3 years
content:
  subject: Exercise
  text: Nothing of this is real.
"""
HUGE: Final = "9" * 5_000
"""More digits than Python turns into a number."""
HOSTILE: Final = (
    "",
    HUGE,
    f"-{HUGE}",
    "0",
    "1",
    "-1",
    "²",
    "1e999",
    "nan",
    "2026-13-45",
    "0001-01-01",
    "9999-12-31",
    "99:99",
    "../../../profile.toml",
    "//evil.example/x",
    "http://[",
    "\x00",
    "\u202e\x1b[31m\r\nSet-Cookie: a=b",
    "\ud800",
    "\ufeff",
    "x" * 20_000,
    "[" * 3_000,
    "a[0]." * 500,
    "'\"><script>alert(1)</script>{{ 191919191919*7000000 }}",
    "%s{0}%(a)s",
    "KAZ-2026-00001",
    "kaz",
    "all",
    "spiffe://kaz.drugs.example/officer/liaison",
)
IN_ADDRESSES: Final = frozenset({HUGE, "-1", "../../../profile.toml", "\x00", "kaz"})
"""Those of them that are tried as parts of a path as well."""
NEVER: Final = frozenset({"/lock", "/language", "/keys/close"})
"""Paths that change what the next request meets."""
REFUSED: Final = frozenset({200, 303, 400, 403, 404, 409, 413})
"""Statuses of answers. Not 503: a page that the node was too busy for was not tried."""
UNLIMITED: Final = Path(__file__).with_name("unlimited_node.py")
_NAMES: Final = re.compile(r'name="([a-z_]+)"')
_HEADING: Final = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_REFUSAL: Final = 'class="errors"'
"""In a page that says what was refused (`error_box`)."""


def names() -> list[str]:
    """Return the names of the fields of all forms, and those of queries."""
    found = {name for path in rendering.TEMPLATES.glob("*.html") for name in _NAMES.findall(path.read_text("utf-8"))}
    return sorted((found | {"back", "since", "until", "of", "page", "period", "open"}) - {"form_token"})


def routes(method: str) -> Iterator[str]:
    """Yield the paths of all pages that take a method."""
    for each in (*signing_in.ROUTES, *pages.ROUTES):
        assert isinstance(each, Route)
        if method in (each.methods or ()) and each.path not in NEVER | {"/launch", "/second-start"}:
            yield each.path


def filled(path: str, real: str, hostile: str) -> Iterator[str]:
    """Yield the addresses of a page with hostile words in each place, the others being real."""
    places = re.findall(r"\{[^}]+\}", path)
    for wanted in places:
        found = path
        for each in places:
            found = found.replace(each, quote(hostile if each == wanted else real, safe="", errors="surrogatepass"))
        yield found


def heading(answer: Answer) -> str:
    """Return the heading of a page that refuses nothing; empty for any other answer."""
    found = _HEADING.search(answer.text)
    return "" if answer.status != 200 or found is None or _REFUSAL in answer.text else found[1]


async def asked(console: Browser, method: str, path: str, fields: list[tuple[str, str]], usual: str) -> None:
    """Send one request, with fields in its query or its form, and look at the answer.

    ``usual`` is the heading of the page without hostile words, which it shows with them, or else their refusal.
    """
    login = console.console.login(console.cookie.partition("=")[2])
    assert login is not None
    text = urlencode(fields, errors="surrogatepass")
    if method == "GET":
        answer = await console.get(f"{path}?{text}")
    else:
        body = f"form_token={login.form_token}&{text}".encode()
        headers = {"origin": OWN, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
        answer = await console.ask("POST", path, body, headers)
    assert answer.status in REFUSED, (method, path[:200], text[:200], answer.status)
    assert "<script>alert" not in answer.text, path
    assert str(191919191919 * 7000000) not in answer.text, path
    assert "\r\nSet-Cookie" not in str(answer.headers), path
    if answer.status == 200 and method == "GET":
        assert heading(answer) == usual, (path[:200], text[:200], answer.text[:2_000])
        assert usual, (path[:200], text[:200])
    elif answer.status == 200:  # a form answers with the next page to look at, or with a file
        assert answer.headers.get("content-disposition", "").startswith("attachment"), path
    if answer.status == 303:
        assert answer.headers["location"].startswith("/"), path
        assert not answer.headers["location"].startswith("//"), path


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Two members; the node of kaz answers more questions in a minute than an officer usually may ask."""
    with Federation.create(tmp_path_factory.mktemp("hostile") / "f", ["kaz", "tjk"]) as made:
        made.node("kaz").program = (sys.executable, str(UNLIMITED))
        made.start()
        yield made
        made.stop()


@pytest.fixture
async def real(paiza: Paiza, tmp_path: Path) -> str:
    """The id of a message of kaz."""
    path = tmp_path / "note.yaml"
    await asyncio.to_thread(path.write_text, NOTE)
    return str((await command(paiza, "kaz-liaison", "send", "free-message", path, "--json")).json["id"])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_words_break_a_page(real: str, method: str) -> None:
    """Each page says what is wrong, or shows what it usually shows; none fails, and none leads away."""
    async with browser("kaz-liaison") as console:
        usual = {path: heading(await console.get(re.sub(r"\{[^}]+\}", real, path))) for path in routes("GET")}
        assert usual["/message/{id}"] == "Exercise"
        for hostile in HOSTILE:
            fields = [(name, hostile) for name in names()]
            for path in routes(method):
                plain = re.sub(r"\{[^}]+\}", real, path)
                await asked(console, method, plain, fields, usual.get(path, ""))
                for address in filled(path, real, hostile) if hostile in IN_ADDRESSES else ():
                    await asked(console, method, address, [], usual.get(path, ""))
        await console.console.close_keys()  # a form has started the agent


async def test_a_locked_console_leads_to_its_lock(real: str) -> None:
    """No page of a locked console shows or does anything."""
    async with browser("kaz-liaison") as console:
        await console.console.lock()
        led: dict[str, str] = {}
        for method in ("GET", "POST"):
            for path in set(routes(method)) - {"/", "/unlock"}:
                address = re.sub(r"\{[^}]+\}", real, path)
                answer = await (console.get(address) if method == "GET" else console.post(address, {}))
                led[f"{method} {path}"] = answer.headers.get("location", str(answer.status)).partition("?")[0]
        assert {each: where for each, where in led.items() if where != "/unlock"} == {}


async def test_a_program_with_arguments_is_told_line_by_line(federation: Federation) -> None:
    """A browser ends the lines of a field in its own way."""
    async with browser("kaz-liaison") as console:
        fields = {"command": "/bin/true\r\n--quietly", "repeat_minutes": "2", "bell": "1"}
        assert (await console.post("/settings/notify", fields)).status == 303
        found = notifications.read(profiles.load(federation.home / "kaz-liaison"))
        assert found.command == ("/bin/true", "--quietly")
        assert (await console.post("/settings/notify", fields | {"command": ""})).status == 303
