"""Notices for officers with an open watch. Stores nothing on disk."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterator
from typing import Final

from paiza.officer.v1 import notice_pb2

MAX_PENDING: Final = 4 * 1024 * 1024  # bytes a watch may lag behind; beyond that it ends and the client lists anew
TOGETHER_BYTES: Final = 64 * 1024  # of the items that are taken together, the last one apart

Item = object
"""A notice, or what a capability puts beside the notices, such as a message that changed."""


class _Waiting:
    """Items in order, and the bytes of all of them."""

    def __init__(self) -> None:
        self._items: deque[tuple[Item, int]] = deque()
        self.bytes = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    def append(self, item: Item, size: int) -> None:
        self._items.append((item, size))
        self.bytes += size

    def take(self, most: int) -> Iterator[Item]:
        """Remove and yield the items that begin within the first so many bytes."""
        while self._items and most > 0:
            item, size = self._items.popleft()
            self.bytes -= size
            most -= size
            yield item


class Subscription:
    """The items for one watch: urgent ones first, the others in order. Belongs to one event loop."""

    def __init__(self, officer: str = "") -> None:
        """Begin without items; ``officer`` is the watching officer."""
        self.officer = officer
        self._ahead, self._rest = _Waiting(), _Waiting()
        self._came = asyncio.Event()
        self._over = False

    def put(self, item: Item, size: int, *, first: bool) -> bool:
        """Add an item of about so many bytes; False if the watch lags too far behind and has ended."""
        waiting = self._ahead if first else self._rest
        if waiting.bytes + size > MAX_PENDING:
            self.end()
            return False
        waiting.append(item, size)
        self._came.set()
        return True

    def end(self) -> None:
        """End the watch; items added before are still delivered."""
        self._over = True
        self._came.set()

    async def take(self) -> list[Item]:
        """Wait for items, and return those that are there, as many as go together; none when the watch is over."""
        while not (self._ahead or self._rest or self._over):
            self._came.clear()
            await self._came.wait()
        return self.take_ahead() or list(self._rest.take(TOGETHER_BYTES))

    def take_ahead(self) -> list[Item]:
        """Return the urgent items that are there, as many as go together, without waiting."""
        return list(self._ahead.take(TOGETHER_BYTES))


class Notifier:
    """Distributes notices to all watches. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin without watches."""
        self._watches: set[Subscription] = set()
        self._closed = False

    def tell(self, notice: notice_pb2.Notice, *, first: bool = False, only: Collection[str] = ()) -> None:
        """Send a notice to every watch, or to ``only`` these officers."""
        size = notice.ByteSize()
        for watch in list(self._watches):
            if only and watch.officer not in only:
                continue
            if not watch.put(notice, size, first=first):
                self._watches.discard(watch)

    def subscribe(self, officer: str = "") -> Subscription:
        """Begin a watch; it has ended already if all are closed. End it with `unsubscribe`."""
        watch = Subscription(officer)
        if self._closed:
            watch.end()
        else:
            self._watches.add(watch)
        return watch

    def unsubscribe(self, watch: Subscription) -> None:
        """End a watch."""
        self._watches.discard(watch)

    def close(self) -> None:
        """End every watch, and every later one: a call may have been on its way when the node stopped."""
        self._closed = True
        for watch in self._watches:
            watch.end()
        self._watches.clear()
