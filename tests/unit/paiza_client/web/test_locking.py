"""Locking while something is under way: nothing of it is kept or shown."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from paiza_client.web.console import Login
from paiza_client.web.events import Watcher, events
from paiza_client.web.opened import OpenedParts
from paiza_client.web.page import route

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from paiza_client.sdk import Session
    from paiza_client.sdk.model import MessageSummary
    from paiza_client.web.console import Console

MESSAGE = cast("MessageSummary", SimpleNamespace(digest=b"d" * 32, recalled_by=()))


class SlowSession:
    """A session whose node answers when the test wants it to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def open_part(self, *_of: Any) -> str:
        """Return a content."""
        self.asked.set()
        await self.answers.wait()
        return "content"

    async def save_attachment(self, _message: Any, _part: int, folder: Path, _reason: str) -> Any:
        """Return where a file would be."""
        self.asked.set()
        await self.answers.wait()
        return SimpleNamespace(path=folder / "file", info=SimpleNamespace(size=1))


@pytest.mark.parametrize("what", ["part", "file"])
async def test_what_is_under_way_is_not_kept(what: str, tmp_path: Path) -> None:
    """A part or file that arrives after the console was locked is forgotten like the others."""
    opened, slow = OpenedParts(tmp_path / "files"), SlowSession()
    session = cast("Session", slow)
    asked = opened.open(session, MESSAGE) if what == "part" else opened.fetch(session, MESSAGE, 1)
    task = asyncio.create_task(cast("Any", asked))
    await slow.asked.wait()
    opened.forget()
    slow.answers.set()
    await task
    assert opened.known(MESSAGE) is None
    assert opened.file(MESSAGE.digest, 1) is None


async def test_a_page_under_way_is_not_shown() -> None:
    """A page that was made while the console was locked leads to the passphrase."""
    console = SimpleNamespace(touch=lambda: None, is_locked=False)

    async def page(_request: Request) -> Response:
        console.is_locked = True
        return PlainTextResponse("content")

    app = cast("Starlette", SimpleNamespace(state=SimpleNamespace(console=console)))
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "app": app})
    answer = await cast("Any", route("/", page)).endpoint(request)
    assert (answer.status_code, answer.headers["location"]) == (303, "/unlock")


async def test_an_open_page_learns_at_once(tmp_path: Path) -> None:
    """The end of the session is an event: a page does not stand open until the next beat."""
    watching = asyncio.Event()

    async def news(_after: Any) -> AsyncIterator[Any]:
        watching.set()
        await asyncio.Event().wait()
        yield

    console = SimpleNamespace(notified=None, warn=lambda _text: None, changes=0, newest=0)
    session = SimpleNamespace(profile=SimpleNamespace(folder=tmp_path), news=news)
    watcher = Watcher(cast("Console", console))
    page = cast("Any", watcher.listen())
    event = asyncio.create_task(anext(page))
    following = asyncio.create_task(watcher.follow(cast("Session", session)))
    await watching.wait()
    following.cancel()
    assert await asyncio.wait_for(event, 60) == {"what": "changed"}
    await page.aclose()


async def test_a_page_that_is_looked_at_again_learns_at_once() -> None:
    """A page that gave its line up while it was hidden is told with the first event that the console is locked."""
    state = SimpleNamespace(console=SimpleNamespace(is_locked=True), watcher=None)
    app = cast("Starlette", SimpleNamespace(state=state))
    login, query = Login(), b"nonce=abc"
    scope = {"type": "http", "method": "GET", "path": "/events", "headers": [], "query_string": query, "app": app}
    answer = cast("Any", await events(Request(scope | {"login": login})))
    proof = hmac.new(login.form_token.encode(), b"abc", "sha256").hexdigest()
    assert [each async for each in answer.body_iterator] == [
        f"event: proof\ndata: {proof}\n\n",
        "event: locked\ndata: {}\n\n",
    ]
