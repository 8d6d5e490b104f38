"""The application: every page behind the guard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from paiza_client.web import events, export_store, guard, pages, signing_in
from paiza_client.web.console import Console
from paiza_client.web.page import HANDLERS

STATIC: Final = Path(__file__).parent / "static"
SWEEP_SECONDS: Final = 60.0
"""How often it is looked for exported files whose time is over."""


def build(console: Console, port: int, *, secret: str = "", check_user: guard.CheckUser | None = None) -> ASGIApp:
    """Return the console as an application for a server on 127.0.0.1 and this port.

    ``secret`` lets a second start of the program ask for a launch link. ``check_user`` judges the other end of a
    connection; by default the kernel names its user.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        running = {asyncio.create_task(console.lock_when_idle()), asyncio.create_task(_delete_exports(console))}
        try:
            yield
        finally:
            for each in running:
                each.cancel()
            await asyncio.wait(running)
            await console.lock()

    watcher = events.Watcher(console)
    console.while_open = watcher.follow
    routes = [
        *signing_in.ROUTES,
        *events.ROUTES,
        *pages.ROUTES,
        Mount(guard.STATIC.rstrip("/"), StaticFiles(directory=STATIC)),
    ]
    inner = Starlette(routes=routes, exception_handlers=dict(HANDLERS), lifespan=lifespan)
    inner.state.console = console
    inner.state.watcher = watcher
    inner.state.secret = secret
    inner.state.port = port
    return guard.Guard(inner, console, port, check_user)


async def _delete_exports(console: Console) -> None:
    """Delete exported files when their time is over, locked or not; without end."""
    while True:
        with suppress(OSError):  # the next time
            await asyncio.to_thread(export_store.delete_old, console.profile, datetime.now(UTC))
        await asyncio.sleep(SWEEP_SECONDS)
