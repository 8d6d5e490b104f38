"""One process a profile: the port and the token, both in a file that its owner alone can read."""

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import uvicorn

from paiza_client.sdk import connect
from paiza_client.sdk.exports import Intent
from paiza_client.web.bridge.app import build
from paiza_client.web.bridge.guard import Guard
from paiza_client.web.connections import BACKLOG, Connection
from paiza_client.web.serve import STOP_SECONDS, ended_by_signals, hold, listen
from paiza_officer.errors import Unreachable
from paiza_officer.profiles import Profile, write_private

LOCK_FILE: Final = "bridge.lock"
STATE_FILE: Final = "bridge.json"

Announce = Callable[[str], None]
"""Called with the address once the bridge answers."""


def run(profile: Profile, port: int, intent: Intent, passphrase: Callable[[], bytes], announce: Announce) -> None:
    """Serve until the process is interrupted; ``passphrase`` opens the authentication key, the signing key stays shut.

    ``port`` 0 is any free one. The file `bridge.json` of the profile holds ``address`` and ``token`` while it runs.

    Unreachable("console_unavailable") where another program has the port, or a bridge of the profile runs; otherwise as
    `connect`.
    """
    held = hold(profile, LOCK_FILE)
    if held is None:
        raise Unreachable("console_unavailable", str(profile.folder / LOCK_FILE), "a bridge of this profile runs")
    with held, listen(port) as listening, ended_by_signals():
        taken: int = listening.getsockname()[1]
        token, address = secrets.token_urlsafe(32), f"http://127.0.0.1:{taken}"

        async def serve() -> None:
            async with connect(profile, passphrase) as session:
                await session.whoami()
                config = uvicorn.Config(
                    Guard(build(session, intent), taken, token),
                    access_log=False,
                    backlog=BACKLOG,
                    http=Connection,
                    log_config=None,
                    log_level="critical",
                    proxy_headers=False,
                    server_header=False,
                    timeout_graceful_shutdown=STOP_SECONDS,
                    ws="none",
                )
                serving = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listening]))
                write_private(profile.folder / STATE_FILE, json.dumps({"address": address, "token": token}).encode())
                announce(address)
                await serving

        try:
            asyncio.run(serve())
        finally:
            with suppress(OSError):
                (profile.folder / STATE_FILE).unlink(missing_ok=True)
