"""What the console refuses: other hosts, origins, users and browsers; and the headers of every answer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from starlette.routing import Route

from paiza_client.web import form_body, guard, language
from paiza_client.web.console import LAUNCH_SECONDS, Console
from paiza_client.web.page import local_path
from paiza_officer.profiles import Profile
from paiza_wire.identity import SpiffeId
from tests.unit.paiza_client.web.asking import OWN, PORT, Browser, named

if TYPE_CHECKING:
    from starlette.applications import Starlette


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The console's clock."""
    return Clock()


@pytest.fixture
def console(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Console:
    """A console that is locked, of a profile without keys."""
    officer = SpiffeId.parse("spiffe://kaz.paiza.example/officer/liaison")
    here = tmp_path / "kaz-liaison"
    here.mkdir()
    monkeypatch.setattr("paiza_client.web.console.signing_key_is_open", lambda _profile: False)
    return Console(
        Profile("kaz-liaison", here, officer, "localhost:1", here, here, here, here, here),
        clock=clock,
    )


async def test_every_answer_allows_nothing_from_elsewhere(console: Console) -> None:
    """Pages, refusals and files alike carry the policy, are no frame of others and are kept by nobody."""
    browser = await Browser(console).sign_in()
    for path in ("/unlock", "/nothing", "/static/console.css", "/launch?token=x"):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_launch_link_signs_in_once(console: Console) -> None:
    """The token gives one cookie, which scripts and other sites do not get; a second use is refused."""
    browser = Browser(console)
    token = console.new_launch()
    first = await browser.get(f"/launch?token={token}")
    assert first.status == 200
    assert first.headers["set-cookie"].startswith(f"paiza_{PORT}=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(first.headers["set-cookie"].split("; "))
    assert 'http-equiv="refresh"' in first.text
    again = await browser.get(f"/launch?token={token}")
    assert again.status == 403
    assert "set-cookie" not in again.headers
    assert (await browser.get("/launch")).status == 403


async def test_a_launch_link_grows_old(console: Console, clock: Clock) -> None:
    """A link that nobody followed is void after ten minutes."""
    token = console.new_launch()
    clock.now += LAUNCH_SECONDS + 1
    assert (await Browser(console).get(f"/launch?token={token}")).status == 403


async def test_nothing_is_shown_without_the_cookie(console: Console) -> None:
    """Every path but the launch link and the files of the look wants the cookie, and one of ours."""
    browser = Browser(console)
    for path in ("/", "/tasks", "/unlock", "/events", "/settings", "/nothing"):
        assert (await browser.get(path)).status == 401, path
        assert (await browser.get(path, cookie=f"paiza_{PORT}=guess")).status == 401, path
    assert (await browser.get("/static/console.css")).status == 200


async def test_cookies_of_other_ports_hide_none_of_ours(console: Console) -> None:
    """Browsers send the cookies of every port of this machine; a malformed one keeps nobody out."""
    browser = await Browser(console).sign_in()
    for other in ('chosen={"a": "b"}', "a b=c", "=", '"'):
        assert (await browser.get("/unlock", cookie=f"{other}; {browser.cookie}")).status == 200, other


@pytest.mark.parametrize("host", ["localhost:8765", "paiza.evil.example:8765", "127.0.0.1", "127.0.0.1:80", None])
async def test_other_names_of_this_machine_are_refused(console: Console, host: str | None) -> None:
    """A name that was made to point here opens nothing, with the cookie or without."""
    browser = await Browser(console).sign_in()
    assert (await browser.get("/unlock", host=host)).status == 421


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8765", None]
)
async def test_forms_of_other_pages_are_refused(console: Console, origin: str | None) -> None:
    """A form is taken from our own origin alone, even with cookie and token."""
    browser = await Browser(console).sign_in()
    answer = await browser.post("/language", {"language": "ru"}, origin=origin)
    assert answer.status == 403
    assert "other_origin" in answer.text


async def test_pages_are_not_fetched_by_others(console: Console) -> None:
    """What another page loads, frames or links to with our cookie is refused, another port of this machine included."""
    browser = await Browser(console).sign_in()
    for site in ("cross-site", "same-site"):
        assert (await browser.get("/unlock", sec_fetch_site=site)).status == 403
    assert (await browser.get("/unlock", origin="https://evil.example")).status == 403
    assert (await browser.get("/unlock", sec_fetch_site="same-origin")).status == 200


async def test_every_form_wants_the_token_of_its_login(console: Console) -> None:
    """Each route that takes a form refuses one without the token, or with that of another browser."""
    browser, other = await Browser(console).sign_in(), await Browser(console).sign_in()
    stolen = console.login(other.cookie.partition("=")[2])
    assert stolen is not None
    inner = cast("Starlette", cast("Any", browser.app)._app)
    forms = [each for each in inner.routes if isinstance(each, Route) and "POST" in (each.methods or ())]
    paths = [each.path for each in forms if each.path != guard.SECOND_START]
    assert len(paths) >= 4
    for path in paths:
        wanted = path.replace("{", "").replace("}", "")
        for token in ("", "guess", stolen.form_token):
            answer = await browser.post(wanted, {"form_token": token})
            assert (answer.status, "form_token" in answer.text) == (403, True), (path, token)


async def test_a_form_is_bounded_before_it_is_read(console: Console) -> None:
    """Bytes, fields and files are counted while a form arrives; what is too much is refused, and nothing kept."""
    browser = await Browser(console).sign_in()
    usual = {"origin": OWN, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}

    async def asked(body: bytes, **headers: str) -> int:
        return (await browser.ask("POST", "/language", body, usual | named(headers))).status

    assert await asked(b"", content_length=str(form_body.MAX_FORM_BYTES + 1)) == 413
    assert await asked(b"", content_length="-1") == 413
    field = b"a=" + b"x" * (form_body.MAX_FIELD_BYTES - 1)
    assert await asked(b"&".join([field] * 9)) == 413
    assert await asked(field + b"x") == 400
    assert await asked(b"&" * 10 + b"a=1&" * (form_body.MAX_FIELDS + 1)) == 400
    multipart = "multipart/form-data; boundary=x"
    part = b'--x\r\nContent-Disposition: form-data; name="a"%s\r\n\r\n%s\r\n'
    assert await asked(part % (b"", b"1") * (form_body.MAX_FIELDS + 1) + b"--x--", content_type=multipart) == 400
    assert await asked(part % (b'; filename="b"', b"1") + b"--x--", content_type=multipart) == 400
    assert await asked(b"--y", content_type="multipart/form-data") == 400
    # No token, otherwise as it should be.
    assert await asked(part % (b"", b"1") + b"--x--", content_type=multipart) == 403


async def test_fields_beside_files_are_bounded_as_well(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that may bring large files keeps no more of its fields in memory than another."""
    monkeypatch.setattr(form_body, "MAX_FORM_BYTES", 1_000)
    browser = await Browser(console).sign_in()
    part = b'--x\r\nContent-Disposition: form-data; name="a"%s\r\n\r\n%s\r\n'
    headers = {"origin": OWN, "content-type": "multipart/form-data; boundary=x"}
    for file, status in ((b'; filename="b"', 403), (b"", 413)):
        body = part % (file, b"x" * 600) * 2 + b"--x--"
        assert (await browser.ask("POST", "/audit/verify", body, headers)).status == status


async def test_no_other_method_is_known(console: Console) -> None:
    """Methods that no form and no link has are refused."""
    browser = await Browser(console).sign_in()
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        assert (await browser.ask(method, "/unlock", headers={"origin": OWN})).status == 405


async def test_a_second_start_needs_the_secret(console: Console) -> None:
    """Only a program that read the secret in the folder of the profile gets a link."""
    browser = Browser(console, secret="s3cret")
    for shown in ("", "Bearer ", "Bearer wrong", "s3cret"):
        answer = await browser.ask("POST", "/second-start", headers={"authorization": shown})
        assert answer.status == 403
    answer = await browser.ask("POST", "/second-start", headers={"authorization": "Bearer s3cret"})
    assert json.loads(answer.text)["link"].startswith(f"{OWN}/launch?token=")
    assert (await Browser(console).ask("POST", "/second-start", headers={"authorization": "Bearer "})).status == 403


async def test_a_program_of_another_user_is_refused(console: Console) -> None:
    """A peer that the system's tables give to another user, or do not know, gets nothing; not even a launch."""
    browser = Browser(console, check_user=lambda _peer, _port: False)
    token = console.new_launch()
    assert (await browser.get(f"/launch?token={token}")).status == 403
    assert (await browser.get("/static/console.css")).status == 403


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "//[",
        "/\n//evil.example",
        "/\t/evil.example",
        "evil",
        "",
        "javascript:alert(1)",
    ],
)
def test_no_form_leads_away(wanted: str) -> None:
    """Where a form leads back to is a path of the console."""
    assert local_path(wanted) == "/tasks"
    assert local_path("/inbox?kind=alert") == "/inbox?kind=alert"


async def test_locked_pages_lead_to_the_passphrase_and_back(console: Console) -> None:
    """A locked console shows nothing but the page that unlocks; a form that came meanwhile is said to be lost."""
    browser = await Browser(console).sign_in()
    answer = await browser.get("/tasks?scope=mine")
    assert (answer.status, answer.headers["location"]) == (303, "/unlock?back=%2Ftasks%3Fscope%3Dmine")
    shown = await browser.get("/unlock?back=%2F%2Fevil.example")
    assert 'name="back" value="/tasks"' in shown.text


async def test_a_wrong_passphrase_is_told_on_the_page(console: Console) -> None:
    """What is wrong with the key stands on the page, with what to do; no internal error."""
    browser = await Browser(console).sign_in()
    answer = await browser.post("/unlock", {"secret": "wrong", "back": "/tasks"})
    assert answer.status == 400
    assert "Reason code" in answer.text
    assert "Traceback" not in answer.text


async def test_the_console_speaks_the_language_of_the_browser(console: Console) -> None:
    """Until the officer chooses one: then that, at the next start too."""
    try:
        for follows, header, spoken in (
            (True, "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
            (True, "en-GB,ru;q=0.9", "en"),
            (True, "kk-KZ, ru;q=0.7, en;q=0.3", "ru"),
            (True, "de", "en"),
            (False, "ru", "en"),
        ):
            language.use("en")
            console.follows_browser = follows
            answer = await Browser(console).get(f"/launch?token={console.new_launch()}", accept_language=header)
            assert f'lang="{spoken}"' in answer.text, header
        language.use("en")
        console.follows_browser = True
        browser = await Browser(console).sign_in()
        assert language.remembered(console.profile) is None
        await browser.post("/language", {"language": "ru"})
        assert language.remembered(console.profile) == "ru"
        await browser.post("/language", {"language": "en"})
        answer = await Browser(console).get(f"/launch?token={console.new_launch()}", accept_language="ru")
        assert 'lang="en"' in answer.text
    finally:
        language.use("en")


@pytest.mark.parametrize("header", ["", ",", "ru;q=0", "ru;q=x", ";q=1", "*", "ru-" * 1000 + ";q=" + "9" * 400])
def test_a_strange_wish_for_a_language_is_none(header: str) -> None:
    """Whatever a browser sends is read or left."""
    assert language.of_browser(header) in {None, "ru"}


async def test_idle_time_is_counted_by_pages(console: Console, clock: Clock) -> None:
    """A page asked for begins the idle time anew; a file of the look does not."""
    browser = await Browser(console).sign_in()
    clock.now += 100
    await browser.get("/static/console.css")
    assert console.idle_seconds == 100
    await browser.get("/unlock")
    assert console.idle_seconds == 0
