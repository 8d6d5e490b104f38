"""Telling officers who watch what arrived and what became of what they sent. Holds nothing on disk."""

import asyncio
from collections.abc import Iterable
from typing import Final

MAX_PENDING: Final = 1024  # digests a watcher may lag behind; then it is told to list anew


class News:
    """Fans digests of changed messages out to whoever watches. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin with nobody watching."""
        self._queues: set[asyncio.Queue[bytes | None]] = set()

    def publish(self, digests: Iterable[bytes]) -> None:
        """Tell every watcher; one that lags too far behind is cut off and must begin anew."""
        fresh = list(digests)
        for waiting in list(self._queues):
            for digest in fresh:
                if waiting.qsize() >= MAX_PENDING:
                    self._queues.discard(waiting)
                    waiting.put_nowait(None)
                    break
                waiting.put_nowait(digest)

    def subscribe(self) -> "asyncio.Queue[bytes | None]":
        """Begin to watch: digests come in the queue, and None when the watch is over. End it with `unsubscribe`."""
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues.add(waiting)
        return waiting

    def unsubscribe(self, waiting: "asyncio.Queue[bytes | None]") -> None:
        """End a watch."""
        self._queues.discard(waiting)

    def close(self) -> None:
        """End every watch."""
        for waiting in self._queues:
            waiting.put_nowait(None)
        self._queues.clear()
