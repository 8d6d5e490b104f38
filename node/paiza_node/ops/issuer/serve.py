"""Starts an issuer from its configuration and serves until stopped."""

import asyncio
import fcntl
import grp
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import structlog

from paiza_node.core.api.issuer_server import issuer_server
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.issuer.issue import Issuer
from paiza_node.ops.issuer.journal import Journal
from paiza_node.ops.issuer.keys import ask_pin, load_authorities
from paiza_node.ops.issuer.service import IssuerService
from paiza_node.ops.issuer.settings import IssuerSettings
from paiza_register import RegisterReader
from paiza_wire.identity.tokens import Tokens

DRAIN_SECONDS: Final = 10.0  # for calls in progress when the issuer is stopped

log = structlog.get_logger("paiza.issuer")


def open_register(settings: IssuerSettings) -> RegisterReader:
    """Open the issuer's own copy of the register; NodeStopped if it does not begin at the configured root."""
    try:
        root = settings.root.read_bytes()
    except OSError as error:
        raise _bad_root(settings, N_("The first root cannot be read: {error}."), error=error.strerror) from error
    if sha256(root).digest() != settings.root_sha256:
        raise _bad_root(settings, N_("The first root is another one than root_sha256 names."))
    return RegisterReader(settings.register, root)


async def serve(settings: IssuerSettings) -> None:
    """Run the issuer until it receives SIGTERM or SIGINT."""
    os.umask(0o077)
    with _alone(settings), Tokens(ask_pin) as tokens:
        reader = await asyncio.to_thread(open_register, settings)
        journal = await asyncio.to_thread(Journal, settings.journal)
        authorities = await asyncio.to_thread(load_authorities, settings, tokens)
        issuer = Issuer(
            settings.member, reader, journal, authorities, settings.administrators, lambda: datetime.now(UTC)
        )
        server = issuer_server(settings.socket, _group(settings), IssuerService(issuer))
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await server.start()
        log.info("issuer_serving", member=settings.member, socket=str(settings.socket), issued=len(journal.lines))
        try:
            await stop.wait()
        finally:
            await server.stop(DRAIN_SECONDS)
            with suppress(OSError):
                settings.socket.unlink(missing_ok=True)
    log.info("stopped")


@contextmanager
def _alone(settings: IssuerSettings) -> Iterator[None]:
    """Hold the journal, of which one process at a time writes."""
    path = settings.journal.with_name(f"{settings.journal.name}.lock")
    with path.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NodeStopped(
                "database_locked",
                what=N_("Another issuer writes to this journal."),
                where="{path}",
                remedy=N_("Stop it first."),
                path=settings.journal,
            ) from error
        yield


def _now() -> datetime:
    return datetime.now(UTC)


def _group(settings: IssuerSettings) -> int | None:
    if not settings.socket_group:
        return None
    try:
        return grp.getgrnam(settings.socket_group).gr_gid
    except KeyError as error:
        raise NodeStopped(
            "bad_configuration",
            what=N_("There is no group {group} on this machine."),
            where="{path}: socket_group",
            remedy=N_("Name the group of the node's user."),
            group=settings.socket_group,
            path=settings.path,
        ) from error


def _bad_root(settings: IssuerSettings, what: str, **values: object) -> NodeStopped:
    remedy = N_("Make the issuer's folder anew with `paiza-node issuer init`, and keep its journal.")
    return NodeStopped("bad_configuration", what=what, where="{path}", remedy=remedy, path=settings.root, **values)
