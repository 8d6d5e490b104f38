"""Changes: what was committed is passed on to those who act on it or show it, once it is proven and on disk.

A piece of work announces typed changes (`LogTransaction.announce`); the ledger publishes those of a commit group
together, after the group's checkpoint was signed and saved. So a caller who hangs up during a commit loses nobody a
notification.

A change is a hint, the rows are the truth: a subscriber marks what may have changed and wakes, and its own loop reads
the rows. What was announced and not published (a crash after the commit) is found by `Subscriber.catch_up`, at the
start and periodically after it, and at once where a subscriber failed to hear it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from paiza_node.core.executors.periodic import PeriodicTask

CATCH_UP_SECONDS: Final = 300.0  # between two looks for what no change spoke of; each costs some queries

log = structlog.get_logger("paiza.log")


class Change:
    """Something that was committed. Subclasses are frozen dataclasses; a capability's own stand in its folder."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class MessagesChanged(Change):
    """Messages were stored, or what lists show of them changed; officers are shown those in ``ahead`` first."""

    digests: tuple[bytes, ...]
    ahead: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class WorkflowsMoved(Change):
    """Threads got a step of a workflow."""

    thread_ids: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class DeliveriesQueued(Change):
    """Something waits to be delivered to these members, now."""

    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class AttachmentsExpected(Change):
    """Attachments may be due: to be fetched, or to be answered for."""


@dataclass(frozen=True, slots=True)
class HoldersChanged(Change):
    """Messages of our own were passed on to other members."""

    digests: tuple[bytes, ...]


class Subscriber(Protocol):
    """Acts on changes. Belongs to one event loop; neither method blocks, awaits or raises.

    A subscriber whose `hear` raises all the same, by a defect, is told to catch up at once.
    """

    def hear(self, changes: Sequence[Change]) -> None:
        """Mark what may have changed, and wake who looks at it."""

    def catch_up(self) -> None:
        """Have the rows looked at as if every change since the last look had been missed."""


class ChangeFeed:
    """Passes the changes of every commit group on to the subscribers, in the thread of their event loop."""

    def __init__(self) -> None:
        """Begin without subscribers: what is published before there are any is found when they catch up."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscribers: tuple[Subscriber, ...] = ()
        self.task = PeriodicTask(self._catch_up, period=CATCH_UP_SECONDS, failed="not_caught_up")
        """Has subscribers catch up at the start and periodically."""

    def subscribe(self, subscribers: Sequence[Subscriber]) -> None:
        """Set the subscribers. Called once, in the thread of the event loop they belong to."""
        self._loop = asyncio.get_running_loop()
        self._subscribers = tuple(subscribers)

    def publish(self, changes: Sequence[Change]) -> None:
        """Pass changes on, from any thread and without waiting: one call into the event loop for all of them."""
        if self._loop is not None and changes:
            with suppress(RuntimeError):  # the loop is closed: no subscriber is left
                self._loop.call_soon_threadsafe(self._hear, changes)

    async def _catch_up(self) -> None:
        for subscriber in self._subscribers:
            subscriber.catch_up()

    def _hear(self, changes: Sequence[Change]) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber.hear(changes)
            except Exception:  # one subscriber's error must not keep the changes from the others
                log.exception("change_not_heard", subscriber=type(subscriber).__name__)
                subscriber.catch_up()
