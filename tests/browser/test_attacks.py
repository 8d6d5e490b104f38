"""Pages of others against the console, in a real browser: frames, forms, requests and links."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from typing_extensions import override

from tests.browser.conftest import PROFILE
from tests.browser.surroundings import Morning, second_link, serving


@contextmanager
def taken(port: int) -> Iterator[list[str]]:
    """Listen on a port that a console had; yield what is asked there."""
    asked: list[str] = []

    class Taker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Note what is asked."""
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET  # noqa: N815 - the name that the server looks for

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield asked
    server.shutdown()
    server.server_close()


ATTACK = """<!doctype html><title>another page</title>
<iframe id="frame" src="{origin}/tasks"></iframe>
<img id="picture" src="{origin}/static/icon.svg">
<script src="{origin}/static/console.js"></script>
<form id="form" method="post" action="{origin}/language" target="_self"><input name="language" value="ru"></form>
<a id="link" href="{origin}/tasks">link</a>
"""

INJECTED = """() => {
  const script = document.createElement("script");
  script.textContent = "window.taken = 1";
  document.body.append(script);
}"""


@pytest.fixture
def other(origin: str) -> Iterator[str]:
    """A page of another origin on this machine; a browser calls it the same site."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Return the attack."""
            data = ATTACK.format(origin=origin).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_page_without_its_console_sends_nothing(browser: Browser, at: Morning) -> None:
    """After the process has ended another user may take the port: an open page is dead, its form and its links too."""
    with serving(at.home, "kaz-duty") as link:
        page = browser.new_page()
        page.goto(link)
        page.wait_for_url("**/tasks")
        expect(page.locator("body")).not_to_have_attribute("data-ended", "1")
    port = int(link.rpartition(":")[2].partition("/")[0])
    expect(page.locator("body")).to_have_attribute("data-ended", "1")
    expect(page.locator("#arrivals")).to_be_visible()
    with taken(port) as asked:
        page.locator(".foot form button").dispatch_event("click")
        page.evaluate("document.querySelector('.foot form').requestSubmit()")
        page.locator(".nav li a").first.click()
        page.wait_for_timeout(500)
        assert asked == []


def test_a_page_believes_its_own_console_alone(page: Page, origin: str) -> None:
    """What answers in the place of the console does not know the proof that the page asks for."""
    lie = 'event: proof\ndata: 00\n\ndata: {"counts": {}}\n\n'
    page.route("**/events*", lambda route: route.fulfill(status=200, content_type="text/event-stream", body=lie))
    page.goto(f"{origin}/tasks")
    expect(page.locator("body")).to_have_attribute("data-ended", "1")
    expect(page.locator(".foot form button")).to_be_disabled()


def test_another_page_frames_and_loads_nothing(page: Page, other: str) -> None:
    """Neither a frame nor a picture nor the script of the console is given to a page of another origin."""
    page.goto(other)
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 0
    frame = page.frames[1]
    assert frame.url.startswith("chrome-error:"), "the browser itself refuses the frame"


def test_another_page_sends_no_form(page: Page, other: str) -> None:
    """A form sent by another page changes nothing, although the browser sends the cookie."""
    page.goto(other)
    page.evaluate("document.getElementById('form').submit()")
    expect(page.locator("body")).to_contain_text("other_origin")


def test_another_page_reads_nothing(page: Page, other: str, origin: str) -> None:
    """A request of a script of another page gets no answer that it could read."""
    page.goto(other)
    found = page.evaluate(f"fetch('{origin}/tasks', {{credentials: 'include'}}).then(r => r.text()).catch(e => 'none')")
    assert found == "none"


def test_a_link_of_another_page_opens_nothing(page: Page, other: str) -> None:
    """A link from another page, with the cookie of the same host, leads to the refusal and to no page."""
    page.goto(other)
    page.locator("#link").click()
    expect(page.locator("body")).to_contain_text("other_origin")


def test_a_launch_link_works_once(browser: Browser, at: Morning, origin: str) -> None:
    """A link that was followed opens nothing in a second browser."""
    link = second_link(at.home, PROFILE)
    first, second = browser.new_context(), browser.new_context()
    page = first.new_page()
    page.goto(link)
    page.wait_for_url(f"{origin}/tasks")
    late = second.new_page()
    late.goto(link)
    expect(late.locator("body")).to_contain_text("launch_void")
    late.goto(f"{origin}/tasks")
    expect(late.locator("body")).to_contain_text("no_login")


def test_scripts_are_not_read_by_the_cookie(page: Page, origin: str) -> None:
    """No script sees the cookie, and none that is written into a page runs."""
    page.goto(f"{origin}/tasks")
    assert page.evaluate("document.cookie") == ""
    page.evaluate(INJECTED)
    assert page.evaluate("window.taken") is None


def test_a_locked_console_shows_nothing(browser: Browser, at: Morning, origin: str) -> None:
    """After the officer locks it, every page leads to the lock, also one that is open, until it is opened again."""
    context = browser.new_context()
    page, other = context.new_page(), context.new_page()
    page.goto(second_link(at.home, PROFILE))
    page.wait_for_url(f"{origin}/tasks")
    other.goto(f"{origin}/inbox")
    subjects = other.locator(".cover").all_inner_texts()
    assert all(subjects)
    assert subjects
    page.locator(".foot form button").click()
    page.wait_for_url("**/unlock*")
    other.wait_for_url("**/unlock?back=%2Finbox")
    for path in ("/inbox", f"/message/{at.hostile}"):
        page.goto(f"{origin}{path}")
        for shown in (page, other):
            expect(shown.locator("main form[action='/unlock'] button")).to_be_visible()
            expect(shown.locator(".nav, .cover")).to_have_count(0)
            assert not [each for each in subjects if each in shown.locator("body").inner_text()]
    other.locator("main form[action='/unlock'] button").click()
    other.wait_for_url("**/inbox")
    assert other.locator(".cover").all_inner_texts() == subjects
