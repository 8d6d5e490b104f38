"""A process that waits until it becomes the writer of the database, and says so on its own addresses."""

import asyncio
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog

from paiza.admin.v1 import admin_pb2
from paiza_node.core.api import metrics
from paiza_node.core.api.standby_server import standby_admin_server, standby_server
from paiza_node.core.errors import NodeStopped
from paiza_node.core.log.checkpoint_file import read_checkpoint
from paiza_node.core.storage import Store, open_store
from paiza_node.core.version import VERSION
from paiza_node.ops.config import Config
from paiza_node.ops.keys import load_keys
from paiza_node.ops.offline import last_register
from paiza_wire.errors import PaizaError, Unavailable

STANDBY_SECONDS: Final = 1.0  # between two attempts of a standby to become the writer
STANDBY_TOLD: Final = 60  # one in so many attempts is logged

log = structlog.get_logger("paiza.node")


async def become_writer(config: Config, places: int) -> Store:
    """Open the database; if another process is its writer, wait and answer as its standby until that one has ended."""
    waited = 0
    standby = Standby(config, places)
    try:
        while True:
            try:
                store = await asyncio.to_thread(open_store, config.database)
            except Unavailable as error:
                if error.reason != "standby":
                    raise
                if waited % STANDBY_TOLD == 0:
                    log.info("standby", detail=error.detail)
                if waited == 0:
                    await standby.serve()
            else:
                if waited:
                    log.warning("took_over", database=store.describe())
                return store
            waited += 1
            await asyncio.sleep(STANDBY_SECONDS)
    finally:
        await standby.close()


class Standby:
    """The servers of a process that waits. Belongs to one event loop."""

    def __init__(self, config: Config, places: int) -> None:
        """Answer nothing until `serve`; ``places`` is the number of connections that are taken."""
        self._config = config
        self._places = places
        self._started = datetime.now(UTC)
        self._servers: list[Any] = []
        self._metrics: Any = None

    async def serve(self) -> None:
        """Listen on the addresses of the configuration. What cannot be served is logged, and the process waits.

        The port for peers and officers needs a register: before the first start there is none.
        """
        config = self._config
        if await asyncio.to_thread(_is_served, config.admin_socket):
            # A second process with the configuration of the writer: to listen there would cut the operator off from it.
            log.warning("standby_not_served", reason="bad_configuration", detail="another process uses admin_socket")
            return
        if config.metrics_listen:
            try:
                self._metrics = metrics.serve_standby(config.metrics_listen)
            except NodeStopped as error:
                log.warning("standby_not_served", reason=error.reason, detail=str(error))
        admin = standby_admin_server(config.admin_socket, self._status)
        await admin.start()
        self._servers.append(admin)
        try:
            register = (await asyncio.to_thread(last_register, config))[1]
            keys = await asyncio.to_thread(load_keys, config, register.described_member(config.member))
            public = standby_server(config.listen, keys.tls, register, config.member, self._places)
        except (PaizaError, NodeStopped) as error:
            log.warning("standby_not_served", reason=error.reason, detail=str(error))
            return
        await public.start()
        self._servers.append(public)

    async def close(self) -> None:
        """Stop listening, so that the node itself can."""
        for server in self._servers:
            await server.stop(None)
        if self._servers:
            with suppress(OSError):
                self._config.admin_socket.unlink(missing_ok=True)
        if self._metrics is not None:
            await asyncio.to_thread(metrics.close, self._metrics)

    async def _status(self) -> admin_pb2.GetStatusResponse:
        note: bytes | None = await asyncio.to_thread(read_checkpoint, self._config.data / "checkpoint")
        response = admin_pb2.GetStatusResponse(
            member=self._config.member,
            version=VERSION,
            checkpoint=note or b"",
            database="postgresql",
            standby=True,
        )
        response.started_time.FromDatetime(self._started)
        return response


def _is_served(path: Path) -> bool:
    """Return whether a process listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True
