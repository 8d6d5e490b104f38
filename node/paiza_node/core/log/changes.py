"""Changes: notifications about committed data for the code that acts on it or shows it.

They are sent once the data is proven and on disk.

A piece of work announces typed changes (`LogTransaction.announce`); the ledger publishes those of a commit group
together, after the group's checkpoint was signed and saved. A caller that disconnects during a commit therefore
suppresses no notification.

A change is a hint, the rows are the truth: a subscriber marks what may have changed and wakes, and its own loop reads
the rows. Changes that were announced and not published (a crash after the commit) are found by `Subscriber.catch_up`:
at the start, periodically, and at once if a subscriber's `notify` failed.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from paiza_node.core.executors.periodic import PeriodicTask
from paiza_wire.errors import PaizaError

CATCH_UP_SECONDS: Final = 300.0  # between two full checks for unannounced changes; each costs some queries

log = structlog.get_logger("paiza.log")


class Change:
    """A committed change. Subclasses are frozen dataclasses; those of a capability are declared in its folder."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class MessagesChanged(Change):
    """Messages were stored, or their data in lists changed; those in ``ahead``, FLASH and stops, are shown at once."""

    digests: tuple[bytes, ...]
    ahead: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class WorkflowsMoved(Change):
    """Threads received a step of a workflow."""

    thread_ids: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class DeliveriesQueued(Change):
    """Deliveries to these members are due now; ``urgencies`` are those they are queued with, empty if not stated."""

    members: frozenset[str]
    urgencies: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class AttachmentsExpected(Change):
    """Attachments may be due: for download, or for an answer to their holder."""


@dataclass(frozen=True, slots=True)
class ErasuresPlanned(Change):
    """Erasures may be due, or answers to those who requested them."""


@dataclass(frozen=True, slots=True)
class HoldersChanged(Change):
    """Messages of our own were forwarded to other members."""

    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ProposalsChanged(Change):
    """Proposals to change the register were stored, or signatures added to them."""


class Subscriber(Protocol):
    """Acts on changes. Belongs to one event loop; neither method blocks, awaits or raises.

    If `notify` raises nevertheless, by an internal error, `catch_up` is called at once.
    """

    def notify(self, changes: Sequence[Change]) -> None:
        """Mark what may have changed, and wake the loop that reads it."""

    def catch_up(self) -> None:
        """Mark everything, as if all changes since the last check had been missed."""


class ChangeFeed:
    """Delivers the changes of every commit group to the subscribers, in the thread of their event loop."""

    def __init__(self) -> None:
        """Begin without subscribers: changes published before there are any are found when they catch up."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscribers: tuple[Subscriber, ...] = ()
        self.task = PeriodicTask(self._catch_up, period=CATCH_UP_SECONDS, failed="not_caught_up")
        """Makes subscribers catch up at the start and periodically."""

    def subscribe(self, subscribers: Sequence[Subscriber]) -> None:
        """Set the subscribers. Called once, in the thread of the event loop they belong to."""
        self._loop = asyncio.get_running_loop()
        self._subscribers = tuple(subscribers)

    def publish(self, changes: Sequence[Change]) -> None:
        """Publish changes from any thread without waiting: one call into the event loop for all of them."""
        if self._loop is not None and changes:
            with suppress(RuntimeError):  # the loop is closed: no subscriber is left
                self._loop.call_soon_threadsafe(self._notify, changes)

    async def _catch_up(self) -> None:
        for subscriber in self._subscribers:
            subscriber.catch_up()

    def _notify(self, changes: Sequence[Change]) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber.notify(changes)
            except PaizaError as error:  # of a damaged row
                name = type(subscriber).__name__
                log.warning("change_not_delivered", subscriber=name, reason=error.reason, detail=error.detail)
                subscriber.catch_up()
            except Exception:  # one subscriber's error must not withhold the changes from the others
                log.exception("change_not_delivered", subscriber=type(subscriber).__name__)
                subscriber.catch_up()
