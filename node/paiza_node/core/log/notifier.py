"""Notices for officers with an open watch. Stores nothing on disk."""

import asyncio
from collections import deque
from collections.abc import Collection
from typing import Final

from paiza.officer.v1 import notice_pb2

MAX_PENDING: Final = 1024  # items a watch may lag behind; beyond that it ends and the client lists anew

Item = object
"""A notice, or what a capability puts beside the notices, such as a message that changed."""


class Subscription:
    """The items for one watch: urgent ones first, the others in order. Belongs to one event loop."""

    def __init__(self, officer: str = "") -> None:
        """Begin without items; ``officer`` is the watching officer."""
        self.officer = officer
        self._ahead: deque[Item] = deque()
        self._rest: deque[Item] = deque()
        self._came = asyncio.Event()
        self._over = False

    def put(self, item: Item, *, first: bool) -> bool:
        """Add an item; False if the watch lags too far behind and has ended."""
        waiting = self._ahead if first else self._rest
        if len(waiting) >= MAX_PENDING:
            self.end()
            return False
        waiting.append(item)
        self._came.set()
        return True

    def end(self) -> None:
        """End the watch; items added before are still delivered."""
        self._over = True
        self._came.set()

    async def get(self) -> Item | None:
        """Wait for the next item; None when the watch is over."""
        while not (self._ahead or self._rest or self._over):
            self._came.clear()
            await self._came.wait()
        if self._ahead:
            return self._ahead.popleft()
        return self._rest.popleft() if self._rest else None

    def get_ahead(self) -> Item | None:
        """Return the next urgent item, if there is one, without waiting."""
        return self._ahead.popleft() if self._ahead else None


class Notifier:
    """Distributes notices to all watches. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin without watches."""
        self._watches: set[Subscription] = set()
        self._closed = False

    def tell(self, notice: notice_pb2.Notice, *, first: bool = False, only: Collection[str] = ()) -> None:
        """Send a notice to every watch, or to ``only`` these officers."""
        for watch in list(self._watches):
            if only and watch.officer not in only:
                continue
            if not watch.put(notice, first=first):
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
