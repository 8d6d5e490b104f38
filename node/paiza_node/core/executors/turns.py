"""Turns: of all that waits, the next is of the caller that was served least. Nobody waits for another's pile.

Each caller is charged for what was done for it, in any one unit: messages, seconds. A caller that begins to wait counts
as served no less than the one whose turn it is: it does not catch up on a time in which it asked for nothing, and so
nobody waits for more than one piece of work of each other caller.
"""

from collections import deque
from collections.abc import Collection
from typing import Final, Generic, TypeVar

from paiza_node.core.caller import CallerKey
from paiza_wire.errors import Unavailable

BUSY_SECONDS: Final = 1.0

T = TypeVar("T")


class Turns(Generic[T]):
    """What waits, by caller, in the order in which each caller's came. Not for use by several threads at once."""

    def __init__(self, *, most: int, most_of_one: int) -> None:
        """Begin empty; at most ``most`` pieces of work wait, and of one caller ``most_of_one``."""
        self._most = most
        self._most_of_one = most_of_one
        self._lines: dict[CallerKey, deque[T]] = {}  # only callers of whom something waits, in the order of ties
        self._served: dict[CallerKey, float] = {}
        self._turn = 0.0  # what the caller had been served whose turn came last
        self._waiting = 0

    def __len__(self) -> int:
        """Return how many pieces of work wait."""
        return self._waiting

    def put(self, caller: CallerKey, work: T) -> None:
        """Add work behind the caller's other; Unavailable("busy") if too much waits already."""
        line = self._lines.get(caller)
        if self._waiting >= self._most or (line is not None and len(line) >= self._most_of_one):
            raise Unavailable("busy", "too much work waits for its turn", BUSY_SECONDS)
        self._line(caller).append(work)
        self._waiting += 1

    def put_back(self, caller: CallerKey, work: T) -> None:
        """Add the rest of a piece of work that was begun, ahead of the caller's other."""
        self._line(caller).appendleft(work)
        self._waiting += 1

    def next(self) -> tuple[CallerKey, T] | None:
        """Return what `take` returns next, and leave it."""
        if not self._lines:
            return None
        caller = min(self._lines, key=self._served.__getitem__)
        return caller, self._lines[caller][0]

    def take(self, passed_over: Collection[CallerKey] = ()) -> tuple[CallerKey, T] | None:
        """Return the next piece of work and its caller; None if nothing waits but of callers that are passed over."""
        waiting = [caller for caller in self._lines if caller not in passed_over] if passed_over else self._lines
        if not waiting:
            return None
        caller = min(waiting, key=self._served.__getitem__)
        self._turn = max(self._turn, self._served[caller])
        line = self._lines.pop(caller)
        work = line.popleft()
        if line:
            self._lines[caller] = line  # behind the others that were served as much
        self._waiting -= 1
        if not self._lines:  # callers that owe nothing are forgotten
            self._served = {each: served for each, served in self._served.items() if served > self._turn}
        return caller, work

    def charge(self, caller: CallerKey, cost: float) -> None:
        """Count what was done for a caller."""
        self._served[caller] = max(self._served.get(caller, 0.0), self._turn) + cost

    def _line(self, caller: CallerKey) -> deque[T]:
        line = self._lines.get(caller)
        if line is None:
            line = self._lines[caller] = deque()
            self._served[caller] = max(self._served.get(caller, 0.0), self._turn)
        return line
