"""Notices for officers with an open watch. Stores nothing on disk.

All watches share one budget of memory for what they were not sent yet. An item counts once, however many watches wait
for it. Where the budget is spent, the watch that waits longest for its reader ends, and its items with it.
"""

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Final

from paiza.officer.v1 import notice_pb2

MOST_HELD: Final = 24 * 1024 * 1024  # bytes of all that waits in all watches: thousands of usual messages
NOTICE_BYTES: Final = 1024  # of memory that a notice takes beside twice its own bytes
PLACE_BYTES: Final = 8  # of memory that an item takes in each watch
TOGETHER_BYTES: Final = 64 * 1024  # of the items that are taken together, if they are several

Item = object
"""A notice, or what a capability puts beside the notices, such as a message that changed."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """An item of so many bytes that waits in some watches; ``number`` grows with each item, ``memory`` is in bytes."""

    item: Item
    size: int
    number: int
    memory: int
    watches: int = 0


class _Budget:
    """The memory of what waits in all watches, in bytes."""

    def __init__(self) -> None:
        self.held = 0

    def leave(self, waiting: _Waiting) -> None:
        """Note that an item left one watch."""
        waiting.watches -= 1
        if not waiting.watches:
            self.held -= waiting.memory


class Subscription:
    """The items for one watch: urgent ones first, the others in order. Belongs to one event loop."""

    def __init__(self, budget: _Budget, officer: str) -> None:
        """Begin without items; ``officer`` is the watching officer."""
        self.officer = officer
        self.lagged = False
        """Whether it ended because it was read slowest when more waited than may."""
        self._budget = budget
        self._ahead: deque[_Waiting] = deque()
        self._rest: deque[_Waiting] = deque()
        self._came = asyncio.Event()
        self._over = False

    def put(self, waiting: _Waiting, *, first: bool) -> None:
        """Add an item, unless the watch is over."""
        if self._over:
            return
        (self._ahead if first else self._rest).append(waiting)
        waiting.watches += 1
        self._came.set()

    def end(self) -> None:
        """End the watch; items added before are still delivered."""
        self._over = True
        self._came.set()

    def drop(self) -> None:
        """End the watch, and forget its items."""
        self.end()
        for waiting in (*self._ahead, *self._rest):
            self._budget.leave(waiting)
        self._ahead.clear()
        self._rest.clear()

    @property
    def oldest(self) -> int | None:
        """Return the number of the item that waits longest; None if none waits."""
        return min((waiting[0].number for waiting in (self._ahead, self._rest) if waiting), default=None)

    async def take(self) -> list[Item]:
        """Wait for items, and return those that are there, as many as go together; none when the watch is over."""
        while not (self._ahead or self._rest or self._over):
            self._came.clear()
            await self._came.wait()
        return self.take_ahead() or self._take(self._rest)

    def take_ahead(self) -> list[Item]:
        """Return the urgent items that are there, as many as go together, without waiting."""
        return self._take(self._ahead)

    def _take(self, waiting: deque[_Waiting]) -> list[Item]:
        found: list[Item] = []
        size = 0
        while waiting and (not found or size + waiting[0].size <= TOGETHER_BYTES):
            taken = waiting.popleft()
            self._budget.leave(taken)
            size += taken.size
            found.append(taken.item)
        return found


class Notifier:
    """Distributes notices to all watches. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin without watches."""
        self._watches: set[Subscription] = set()
        self._budget = _Budget()
        self._numbers = count()
        self._closed = False

    def tell(self, notice: notice_pb2.Notice, *, first: bool = False, only: Collection[str] = ()) -> None:
        """Send a notice to every watch, or to ``only`` these officers."""
        self.put_notice([watch for watch in self._watches if not only or watch.officer in only], notice, first=first)

    def put_notice(self, watches: Collection[Subscription], notice: notice_pb2.Notice, *, first: bool) -> None:
        """Put a notice before these watches."""
        size = notice.ByteSize()
        self.put(watches, notice, size, memory=2 * size + NOTICE_BYTES, first=first)

    def put(self, watches: Collection[Subscription], item: Item, size: int, *, memory: int, first: bool) -> None:
        """Put an item before these watches; ``size`` is its bytes in a response, ``memory`` those that it takes here.

        The watches that are read slowest end if more waits than may.
        """
        waiting = _Waiting(item, size, next(self._numbers), memory + PLACE_BYTES * len(watches))
        for watch in watches:
            watch.put(waiting, first=first)
        if waiting.watches:
            self._budget.held += waiting.memory
        while self._budget.held > MOST_HELD:
            slowest = min((each for each in self._watches if each.oldest is not None), key=attrgetter("oldest"))
            slowest.lagged = True
            slowest.drop()

    def subscribe(self, officer: str = "") -> Subscription:
        """Begin a watch; it has ended already if all are closed. End it with `unsubscribe`."""
        watch = Subscription(self._budget, officer)
        self._watches.add(watch)
        if self._closed:
            watch.end()
        return watch

    def unsubscribe(self, watch: Subscription) -> None:
        """End a watch."""
        watch.drop()
        self._watches.discard(watch)

    def close(self) -> None:
        """End every watch, and every later one: a call may have been on its way when the node stopped."""
        self._closed = True
        for watch in self._watches:
            watch.end()
