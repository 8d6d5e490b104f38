"""A stretch of network between two nodes that a test can cut, stall or listen to: a TCP proxy on the loopback."""

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Final, Self

BLOCK_BYTES: Final = 64 * 1024
INODE: Final = 9  # column of /proc/net/tcp
KEPT_BYTES: Final = 64 * 1024  # of what flowed, for a test that reads it: more than any handshake


class Proxy:
    """Forwards connections from one port to another. `cut`, `stall` and `mend` change the weather."""

    def __init__(self, listen_port: int, target: str) -> None:
        """Store the port that callers know and the "host:port" behind it."""
        self._port = listen_port
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()  # bytes flow
        self._open.set()
        self._refuse = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._callers: dict[asyncio.StreamWriter, int] = {}  # local port of the caller
        self._refused_pids: set[int] = set()
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

    def cut_caller(self, pid: int) -> None:
        """Reset every connection that one process has made, and every new one it makes."""
        self._refused_pids.add(pid)
        ports = ports_of(pid)
        for writer, port in self._callers.items():
            if port in ports:
                writer.transport.abort()

    def stall(self) -> None:
        """Keep connections open but let no byte through: neither side is told anything."""
        self._open.clear()

    def half_close(self) -> None:
        """Close every connection's write side towards both ends, and keep listening."""
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.write_eof()

    def mend(self) -> None:
        """Forward everything again."""
        self._refuse = False
        self._refused_pids.clear()
        self._open.set()

    def _is_refused(self, port: int) -> bool:
        return self._refuse or any(port in ports_of(pid) for pid in self._refused_pids)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        port = writer.get_extra_info("peername")[1]
        if self._is_refused(port):
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        if self._is_refused(port):  # cut while this one was made
            writer.transport.abort()
            far_writer.transport.abort()
            return
        self.connections += 1
        self.from_server = bytearray()
        ends = {writer, far_writer}
        self._writers |= ends
        self._callers[writer] = port
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._flow(reader, far_writer, None))
                ways.create_task(self._flow(far_reader, writer, self.from_server))
        finally:
            self._writers -= ends
            del self._callers[writer]
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


def ports_of(pid: int) -> set[int]:
    """Return the local TCP ports of one process, by its open sockets (Linux); none where it has ended."""
    folder = Path(f"/proc/{pid}")
    inodes = set()
    try:
        for link in (folder / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                if (target := str(link.readlink())).startswith("socket:["):
                    inodes.add(target.removeprefix("socket:[").removesuffix("]"))
        lines = [line.split() for name in ("tcp", "tcp6") for line in (folder / "net" / name).read_text().splitlines()]
    except OSError:
        return set()
    return {int(words[1].rpartition(":")[2], 16) for words in lines if len(words) > INODE and words[INODE] in inodes}
