"""The queue before the next commit: its callers take turns, and a commit group is of bounded size.

One caller's many or large pieces of work do not stand before another's one: a caller is charged for the items of its
work, such as messages, and the next piece is of the caller that was served least (`paiza_node.core.executors.turns`).
Urgent work comes first, up to a share of each group, so that a flood of it holds up the rest for no longer than that.

Who sends one message waits for the group under way. While such small or urgent work comes, groups are therefore short,
and every other one leaves out what would make it longer; otherwise groups are long, which costs less for each message.
Work that can be divided is granted no more items than a group holds when it is gathered, so that a batch that waits
when a single message comes does not make a long group.

Background work *rides*: it is added to groups of other work that hold nothing urgent, and makes one of its own only
once nothing else came for a moment. In a flood of urgent work it rides once it is overdue, in a long group.

Nothing here is on disk. A crash loses what waits: its callers were not answered and ask again, and what rides is found
from the rows at the next start.
"""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.executors.turns import Turns
from paiza_wire.errors import Unavailable

MAX_GROUP: Final = 64  # pieces of work in one commit; each is itself a bounded batch
LONG_GROUP_ITEMS: Final = 256  # after which a group takes no more: who comes next waits some 40 ms for it
SHORT_GROUP_ITEMS: Final = 32  # the same while small or urgent work comes
SMALL_ITEMS: Final = 8  # messages that a person sends at once
SHORT_SECONDS: Final = 2.0  # for so long after small or urgent work more of it is expected
FIRST_GROUP: Final = 16  # pieces of urgent work ahead of the rest in one commit
FIRST_GROUP_ITEMS: Final = 64  # the same in items
QUIET_SECONDS: Final = 0.1  # without other work, after which background work is committed alone
LONGEST_WAIT_SECONDS: Final = 0.5  # of background work in a flood of urgent work; then a long group is made
MAX_RIDING: Final = 8  # pieces of background work in one commit
MAX_WAITING: Final = 1024  # pieces of work, urgent ones apart; further ones are answered "busy"
MAX_WAITING_OF_ONE: Final = 256  # pieces of work of one caller


@dataclass(slots=True)
class Waiting:
    """A piece of work, and where its result goes. ``items``: what its caller is charged for it.

    ``least``: what of them it cannot do with less; it is given those ``granted``. ``counts_messages``: see
    `paiza_node.core.log.ledger.Ledger.commit`.
    """

    work: Any
    caller: CallerKey
    items: int
    least: int
    counts_messages: bool = False
    granted: int = 0
    future: "Future[Any]" = field(default_factory=Future)
    outcome: Any = None


class WaitingWork:
    """What waits for the next commit. Any thread adds to it, and one gathers it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin without work; ``clock`` returns seconds that never go back."""
        self._clock = clock
        self._changed = threading.Condition()
        self._first: Turns[Waiting] = Turns(most=MAX_WAITING, most_of_one=MAX_WAITING_OF_ONE)
        self._rest: Turns[Waiting] = Turns(most=MAX_WAITING, most_of_one=MAX_WAITING_OF_ONE)
        self._riding: Turns[Waiting] = Turns(most=MAX_WAITING, most_of_one=MAX_WAITING)
        self._riding_since = 0.0  # when the first of it came, or the last group that took some of it
        self._traffic_until = 0.0
        self._short_until = 0.0
        self._left_out = False  # the last group left out work that would have made it longer
        self._closed = False

    @property
    def group_items(self) -> int:
        """Return after how many items a group takes no more."""
        return SHORT_GROUP_ITEMS if self._clock() < self._short_until else LONG_GROUP_ITEMS

    @property
    def has_traffic(self) -> bool:
        """Return whether other work than what rides waits, or came a moment ago."""
        return bool(self._first or self._rest) or self._clock() < self._traffic_until

    def add(
        self,
        work: Any,
        *,
        first: bool = False,
        rides: bool = False,
        items: int = 1,
        least: int | None = None,
        is_rest: bool = False,
        counts_messages: bool = False,
    ) -> "Future[Any]":
        """Add work of the present caller, whole without ``least``; Unavailable("busy") if too much waits already.

        ``is_rest``: of larger work, of which the other items were granted before.
        """
        waiting = Waiting(work, CALLER.get(), items, items if least is None else least, counts_messages)
        with self._changed:
            if self._closed:
                raise Unavailable("busy", "the node stops", 1.0)
            if rides:
                if not self._riding:
                    self._riding_since = self._clock()
                self._riding.put(waiting.caller, waiting)
                self._changed.notify()
                return waiting.future
            (self._first if first else self._rest).put(waiting.caller, waiting)
            is_small = items <= SMALL_ITEMS and not is_rest
            if first or (is_small and (counts_messages or waiting.caller.kind == "officer")):
                self._short_until = self._clock() + SHORT_SECONDS
            self._changed.notify()
        return waiting.future

    def close(self) -> None:
        """Refuse further work; what waits is still gathered."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def gather(self) -> list[Waiting]:
        """Wait for work, then return that of the next commit; empty once it is closed and nothing waits."""
        group: list[Waiting] = []
        with self._changed:
            while not group:
                while not (self._first or self._rest or self._closed or self._goes_alone):
                    self._changed.wait(max(0.0, self._traffic_until - self._clock()) if self._riding else None)
                if not (self._first or self._rest or self._riding):
                    return group
                self._gather(group)
        return group

    def _gather(self, group: list[Waiting]) -> None:
        items = self.group_items
        _fill(group, self._first, FIRST_GROUP, FIRST_GROUP_ITEMS)
        urgent = bool(group)
        strict = items < LONG_GROUP_ITEMS and not self._left_out
        self._left_out = _fill(group, self._rest, MAX_GROUP - len(group), items, strict=strict)
        if group:
            self._traffic_until = self._clock() + QUIET_SECONDS
        overdue = self._clock() >= self._riding_since + LONGEST_WAIT_SECONDS
        if overdue or not urgent:
            _fill(group, self._riding, MAX_RIDING, LONG_GROUP_ITEMS if overdue else items)
            self._riding_since = self._clock()

    @property
    def _goes_alone(self) -> bool:
        return bool(self._riding) and self._clock() >= self._traffic_until

    def drain(self) -> list[Waiting]:
        """Return all that waits, to be refused: nothing of it was begun."""
        group: list[Waiting] = []
        with self._changed:
            _fill(group, self._first, MAX_WAITING, sys.maxsize)
            _fill(group, self._rest, MAX_WAITING, sys.maxsize)
            _fill(group, self._riding, MAX_WAITING, sys.maxsize)
        return group


def _fill(group: list[Waiting], turns: Turns[Waiting], most: int, items: int, *, strict: bool = False) -> bool:
    """Move work to a group in turn, until it grew by ``most`` pieces or by ``items``; the last piece may go beyond.

    A piece is granted at most ``items`` if it can be divided: not what is left, so that no tiny rest needs a group of
    its own. ``strict``: the last may not go beyond, unless it is the first; return whether one was left out for that.
    """
    left, pieces, before = items, most, len(group)
    while left > 0 and pieces > 0 and (turn := turns.next()) is not None:
        caller, waiting = turn
        if strict and len(group) > before and waiting.items > left:
            return True
        turns.take()
        waiting.granted = min(waiting.items, max(waiting.least, items))
        turns.charge(caller, waiting.granted)
        # From here on the caller can no longer cancel. Callers that did before are skipped; nothing was begun for them.
        if waiting.future.set_running_or_notify_cancel():
            group.append(waiting)
            left -= waiting.granted
            pieces -= 1
    return False
