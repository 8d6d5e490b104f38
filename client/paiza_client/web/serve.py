"""One process a profile: the port, the launch link, the browser; a second start shows the first.

The folder of the profile holds `console.lock`, held as long as the process runs, and `console.json`, readable by its
owner alone, with the port and a secret for a second start. The launch link is never on a command line, where every user
of the machine could read it: the browser is given a file that leads to it.
"""

import asyncio
import fcntl
import html
import json
import os
import secrets
import signal
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import IO, Final, NoReturn

import uvicorn

from paiza_client.sdk import draft_store
from paiza_client.web import export_store, guard, import_store
from paiza_client.web.app import build
from paiza_client.web.connections import BACKLOG, Connection
from paiza_client.web.console import Console
from paiza_client.web.signing_in import launch_link
from paiza_officer.errors import Unreachable, disk_problem
from paiza_officer.profiles import Profile, write_private
from paiza_wire.errors import PaizaError

LOCK_FILE: Final = "console.lock"
STATE_FILE: Final = "console.json"
LAUNCH_FILE: Final = "console.html"
ASK_SECONDS: Final = 5.0
STOP_SECONDS: Final = 2
_KILLED: Final = 128  # and the number of the signal: the exit code, as shells have it

Announce = Callable[[str], None]
"""Called with a launch link once the console answers."""


def run(
    profile: Profile,
    port: int,
    passphrase: Callable[[], bytes] | None,
    announce: Announce,
    *,
    follows_browser: bool = False,
) -> None:
    """Serve until the process is interrupted; where a console of the profile runs, announce a new link of it instead.

    ``port`` 0 is any free one. ``passphrase`` opens the session at the start; with None the page asks for it, unless
    the agent holds the keys or they are under none. ``follows_browser``: nobody has named a language.

    Unreachable("console_unavailable") where another program has the port.
    """
    held = hold(profile, LOCK_FILE)
    if held is None:
        announce(_link_of_the_first(profile))
        return
    with held, listen(port) as listening, ended_by_signals():
        console = Console(profile)
        _clear(console)
        console.follows_browser = follows_browser
        asyncio.run(_serve(console, listening, passphrase, announce))


def show_in_browser(profile: Profile, link: str) -> bool:
    """Open a link in the officer's browser; return whether one was found."""
    page = profile.folder / LAUNCH_FILE
    target = html.escape(link, quote=True)
    leads_on = f'<meta http-equiv="refresh" content="0; url={target}">'
    text = f'<!doctype html><meta charset="utf-8">{leads_on}<title>Paiza</title>'
    write_private(page, text.encode())
    return webbrowser.open(page.resolve().as_uri())


async def _serve(
    console: Console, listening: socket.socket, passphrase: Callable[[], bytes] | None, announce: Announce
) -> None:
    port: int = listening.getsockname()[1]
    profile, secret = console.profile, secrets.token_urlsafe(32)
    write_private(profile.folder / STATE_FILE, json.dumps({"port": port, "secret": secret}).encode())
    config = uvicorn.Config(
        build(console, port, secret=secret),
        access_log=False,
        backlog=BACKLOG,
        http=Connection,
        lifespan="on",
        log_config=None,
        log_level="critical",  # what goes wrong is on the page
        proxy_headers=False,  # nobody stands between: a header that names another peer is a lie
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws="none",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        with suppress(PaizaError):  # the page asks, and says what is wrong
            await console.open_at_start(passphrase)
        announce(launch_link(port, console.new_launch()))  # the port listens already
        await serving
    finally:
        for name in (STATE_FILE, LAUNCH_FILE):
            (profile.folder / name).unlink(missing_ok=True)


def _clear(console: Console) -> None:
    """Delete what a killed process left in the clear, where no page would list it."""
    console.opened.forget()
    console.broken_uploads = import_store.clear_unfinished(console.profile)
    export_store.delete_damaged(console.profile)
    draft_store.clear_unfinished(console.profile, datetime.now(UTC))


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let the end of the terminal or of the system delete what an interruption deletes: links, tokens, opened files.

    SIGTERM and SIGHUP kill a process where it is. While it listens, uvicorn ends it in good order for a SIGTERM, and
    then raises the signal again.
    """

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(_KILLED + number)

    def terminate(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, end)}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hold(profile: Profile, name: str) -> IO[bytes] | None:
    """Return the held lock of a file in the profile's folder; None where another process holds it."""
    path = profile.folder / name
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb")
    except OSError as error:
        raise disk_problem(error, str(path)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def listen(port: int) -> socket.socket:
    """Return a socket that listens on 127.0.0.1; Unreachable("console_unavailable") where another has the port."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise Unreachable("console_unavailable", f"127.0.0.1:{port}", error.strerror or "") from error
    return listening


def _link_of_the_first(profile: Profile) -> str:
    """Ask the console that runs for a launch link."""
    path = profile.folder / STATE_FILE
    try:
        state = json.loads(Path(path).read_bytes())
        with closing(HTTPConnection("127.0.0.1", int(state["port"]), timeout=ASK_SECONDS)) as connection:
            connection.request("POST", guard.SECOND_START, headers={"Authorization": f"Bearer {state['secret']}"})
            return str(json.loads(connection.getresponse().read())["link"])
    except (OSError, ValueError, KeyError, TypeError, HTTPException) as error:
        raise Unreachable("console_unavailable", str(path), type(error).__name__) from error
