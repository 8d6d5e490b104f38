"""What arrives while pages are open, as Server-Sent Events: the one thing that needs the script.

One watch of the node serves every open page. An event says what changed and holds no content: the page asks for the
counts, and for the list, as it would at any time. Counts cost several questions to the node: a page is told of the same
once a second at most, however much arrives.

After the process has ended another user may take its port. A page therefore asks for a proof first, which only the
console that made it can give, and sends nothing any more once the stream breaks off.
"""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from paiza_client.sdk import Session, notifications
from paiza_client.sdk.model import MessageSummary
from paiza_client.web import counts, texts
from paiza_client.web.console import Console, Login
from paiza_client.web.page import console_of, login_of
from paiza_wire.errors import PaizaError

BEAT_SECONDS: Final = 25.0
"""A comment that keeps the line open, and finds out that the page was closed."""
PACE_SECONDS: Final = 1.0
"""Between what a page is told and what it is told next."""
PAUSE_SECONDS: Final = 5.0  # before the node is tried again

Event = dict[str, object]


@dataclass(eq=False)
class _Listener:
    """What one page was not told yet: different events, of which there are few."""

    waiting: list[Event] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)


class Watcher:
    """One watch of the node, and the pages that listen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._listeners: set[_Listener] = set()

    async def follow(self, session: Session) -> None:
        """Watch the node of a session, without end; the console cancels it before the session is closed."""
        settings = notifications.read(session.profile)
        async with notifications.Notifications(settings, ring=self._ring, failed=self._console.warn) as notified:
            self._console.notified = notified
            try:
                await self._follow(session, notified)
            finally:
                self._console.notified = None
                self._tell({"what": "changed"})  # an open page learns at once that the console was locked

    async def _follow(self, session: Session, notified: notifications.Notifications) -> None:
        after: int | None = None
        while True:
            with suppress(PaizaError):  # the node is away for now
                async for item in session.news(after):
                    self._console.changes += 1
                    notified.tell(item)
                    if isinstance(item, MessageSummary):
                        after = max(after or 0, item.sequence)
                        if item.received and not item.opened:
                            self._console.newest = max(self._console.newest, item.sequence)
                            self._tell({"what": "arrived", "urgency": texts.urgency(item.header)})
                            continue
                    self._tell({"what": "changed"})
            await asyncio.sleep(PAUSE_SECONDS)

    def _ring(self) -> None:
        self._tell({"what": "rang"})

    def _tell(self, event: Event) -> None:
        for each in self._listeners:
            if event not in each.waiting:
                each.waiting.append(event)
            each.came.set()

    async def listen(self) -> AsyncIterator[Event | None]:
        """Yield what happens, each once where it happens several times; None now and then where nothing does."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while True:
                try:
                    await asyncio.wait_for(listener.came.wait(), BEAT_SECONDS)
                except TimeoutError:
                    yield None
                    continue
                listener.came.clear()
                told, listener.waiting = listener.waiting, []
                for event in told:
                    yield event
                await asyncio.sleep(PACE_SECONDS)
        finally:
            self._listeners.discard(listener)


async def events(request: Request) -> Response:
    """Return the stream for one page; it ends when the console is locked, and begins with proof and present counts."""
    console = console_of(request)
    proof = proof_of(login_of(request), request.query_params.get("nonce", ""))
    watcher: Watcher = request.app.state.watcher

    async def lines() -> AsyncIterator[str]:
        yield f"event: proof\ndata: {proof}\n\n"
        was_open = not console.is_locked
        if was_open:
            yield await _line(console, {"what": "counts"})
            async for event in watcher.listen():
                if console.is_locked:
                    break
                yield ": still here\n\n" if event is None else await _line(console, event)
        yield "event: locked\ndata: {}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


def proof_of(login: Login, nonce: str) -> str:
    """Return what shows a page that the console knows its form token, which it has told nobody else."""
    return hmac.digest(login.form_token.encode(), nonce.encode(), "sha256").hex()


async def _line(console: Console, event: Event) -> str:
    found = await counts.of(console)
    numbers = {name: found[name] for name in ("tasks", "unread", "to_sign", "deliveries")}
    told = {**event, "counts": numbers, "late": found.late, "sequence": console.newest}
    return f"data: {json.dumps(told)}\n\n"


ROUTES: Final = (Route("/events", events, methods=["GET"]),)
