"""A stretch of network between two nodes that a test can cut, stall or listen to: a TCP proxy on the loopback."""

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

BLOCK_BYTES: Final = 64 * 1024
KEPT_BYTES: Final = 64 * 1024  # of what flowed, for a test that reads it: more than any handshake


class Proxy:
    """Forwards connections from one port to another. `cut`, `stall` and `mend` change the weather."""

    def __init__(self, listen_port: int, target: str) -> None:
        """Take the port that callers know and the "host:port" behind it."""
        self._port = listen_port
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()  # bytes flow
        self._open.set()
        self._refuse = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.from_server = bytearray()
        """The first bytes that the server of the last connection sent."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection and every new one."""
        self._refuse = True
        self._abort()

    def stall(self) -> None:
        """Keep connections open but let no byte through: neither side is told anything."""
        self._open.clear()

    def half_close(self) -> None:
        """Tell both ends of every connection that the other will send no more, and keep listening."""
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.write_eof()

    def mend(self) -> None:
        """Let everything through again."""
        self._refuse = False
        self._open.set()

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._refuse:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        self.from_server = bytearray()
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._flow(reader, far_writer, None))
                ways.create_task(self._flow(far_reader, writer, self.from_server))
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _flow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(BLOCK_BYTES):
                if kept is not None and len(kept) < KEPT_BYTES:
                    kept += block
                await self._open.wait()
                writer.write(block)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
