"""A stretch of network that breaks by itself, after so many bytes: wherever in a transfer that may be."""

import asyncio
import contextlib

from typing_extensions import override

from tests.system.proxy import BLOCK_BYTES, Proxy


class BreakingProxy(Proxy):
    """Counts what flows, either way together; `break_every` resets all connections again and again."""

    def __init__(self, listen_port: int, target: str) -> None:
        """Store the port that callers know and the "host:port" behind it."""
        super().__init__(listen_port, target)
        self.flowed = 0
        self.breaks = 0
        self._every = 0
        self._left = 0
        self._next = 0
        self._reached: list[tuple[int, asyncio.Event]] = []

    def break_every(self, size: int, times: int) -> None:
        """Reset every connection whenever so many further bytes have flowed, so many times."""
        self._every, self._left, self._next = size, times, self.flowed + size
        self.breaks = 0

    async def after(self, size: int) -> None:
        """Return when so many further bytes have flowed."""
        event = asyncio.Event()
        self._reached.append((self.flowed + size, event))
        await event.wait()

    @override
    async def _flow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _kept: bytearray | None) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(BLOCK_BYTES):
                self._count(len(block))
                await self._open.wait()
                writer.write(block)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    def _count(self, size: int) -> None:
        self.flowed += size
        for at, event in self._reached:
            if self.flowed >= at:
                event.set()
        if self._left and self.flowed >= self._next:
            self._left -= 1
            self.breaks += 1
            self._next = self.flowed + self._every
            self._abort()
