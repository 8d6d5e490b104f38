"""The queue before the next commit: its callers take turns, and a commit group is of bounded size.

One caller's many or large pieces of work do not stand before another's one: a caller is charged for the items of its
work, such as messages, and the next piece is of the caller that was served least (`paiza_node.core.executors.turns`).
Urgent work comes first, up to a share of each group, so that a flood of it holds up the rest for no longer than that.
"""

import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.executors.turns import Turns
from paiza_wire.errors import Unavailable

MAX_GROUP: Final = 64  # pieces of work in one commit; each is itself a bounded batch
MAX_GROUP_ITEMS: Final = 256  # after which a group takes no more: who comes next waits some 60 ms for it
FIRST_GROUP: Final = 16  # pieces of urgent work ahead of the rest in one commit
FIRST_GROUP_ITEMS: Final = 64  # the same in items
MAX_WAITING: Final = 1024  # pieces of work, urgent ones apart; further ones are answered "busy"
MAX_WAITING_OF_ONE: Final = 256  # pieces of work of one caller


@dataclass(slots=True)
class Waiting:
    """A piece of work, and where its result goes. ``items``: what its caller is charged for it.

    ``counts_messages``: see `paiza_node.core.log.ledger.Ledger.commit`.
    """

    work: Any
    caller: CallerKey
    items: int
    counts_messages: bool = False
    future: "Future[Any]" = field(default_factory=Future)
    outcome: Any = None


class WaitingWork:
    """What waits for the next commit. Any thread adds to it, and one gathers it."""

    def __init__(self) -> None:
        """Begin without work."""
        self._changed = threading.Condition()
        self._first: Turns[Waiting] = Turns(most=MAX_WAITING, most_of_one=MAX_WAITING_OF_ONE)
        self._rest: Turns[Waiting] = Turns(most=MAX_WAITING, most_of_one=MAX_WAITING_OF_ONE)
        self._closed = False

    def add(self, work: Any, *, first: bool = False, items: int = 1, counts_messages: bool = False) -> "Future[Any]":
        """Add work of the present caller; Unavailable("busy") if too much waits."""
        waiting = Waiting(work, CALLER.get(), items, counts_messages)
        with self._changed:
            if self._closed:
                raise Unavailable("busy", "the node stops", 1.0)
            (self._first if first else self._rest).put(waiting.caller, waiting)
            self._changed.notify()
        return waiting.future

    def close(self) -> None:
        """Take no more work; what waits is still gathered."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def gather(self) -> list[Waiting]:
        """Wait for work, then return that of the next commit; empty once it is closed and nothing waits."""
        group: list[Waiting] = []
        with self._changed:
            while not group:
                while not (self._first or self._rest or self._closed):
                    self._changed.wait()
                if not (self._first or self._rest):
                    return group
                _fill(group, self._first, FIRST_GROUP, FIRST_GROUP_ITEMS)
                _fill(group, self._rest, MAX_GROUP - len(group), MAX_GROUP_ITEMS)
        return group

    def drain(self) -> list[Waiting]:
        """Return all that waits, to be refused: nothing of it was begun."""
        group: list[Waiting] = []
        with self._changed:
            _fill(group, self._first, MAX_WAITING, sys.maxsize)
            _fill(group, self._rest, MAX_WAITING, sys.maxsize)
        return group


def _fill(group: list[Waiting], turns: Turns[Waiting], most: int, items: int) -> None:
    """Move work to a group in turn, until it grew by ``most`` pieces or by ``items``; the last piece may go beyond."""
    left, pieces = items, most
    while left > 0 and pieces > 0 and (turn := turns.take()) is not None:
        caller, waiting = turn
        turns.charge(caller, waiting.items)
        # From here on the caller can no longer cancel. Callers that did before are skipped; nothing was begun for them.
        if waiting.future.set_running_or_notify_cancel():
            group.append(waiting)
            left -= waiting.items
            pieces -= 1
