"""Watches of officers: what changed is read once for all of them, and put before those who see it.

A read for each watch and change would cost the node more than its messages. The scope of a watch is that of its
officer's lists (`Audience`); what differs between two who see a message is told from what was read. A watch that is
read too slowly ends, and its client lists anew (`Notifier`); so do all of them when changes cannot be read.

A response costs the node much, and one with more messages little more. So news gathers while the watches have had their
share of responses (`PER_SECOND`); only what overtakes is shown at once, and however much of it comes, the rest has its
turn.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from time import monotonic
from typing import Final

import structlog

from paiza.officer.v1 import notice_pb2, officer_pb2
from paiza_node.core.access.audience import Audience
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import list_scope
from paiza_node.core.log.changes import Change, MessagesChanged
from paiza_node.core.log.notifier import Notifier, Subscription
from paiza_node.core.storage import Store
from paiza_node.features.listing import listing
from paiza_node.features.listing.listing import message_info
from paiza_node.features.listing.model import ReadMessage
from paiza_node.features.search import store as search_store

BATCH: Final = 1024  # messages shown at once; when so many wait, they gather no longer
READ_TOGETHER: Final = 128  # messages read at once
MOST_READ: Final = 4 * 1024 * 1024  # bytes of messages that were read and are not shown, but for those read last
MESSAGE_BYTES: Final = 4 * 1024  # of memory that a changed message takes beside twice its own bytes, as measured
MOST_WAITING: Final = 65_536  # changed messages that wait to be read: some seconds of a busy node
PER_SECOND: Final = 160  # responses to all watches: 0.2 ms of processor time each
BURST: Final = 100  # responses after a pause that are sent at once

log = structlog.get_logger("paiza.inbox")


@dataclass(frozen=True, slots=True)
class ChangedMessage:
    """A message that changed, as it was read, and as it is shown to all who did not open it.

    If it is marked as linked, whether it is for an officer is left to find out.
    """

    read: ReadMessage
    info: officer_pb2.MessageInfo


class Watches:
    """The watches of all officers. Belongs to one event loop."""

    def __init__(self, store: Store, notifier: Notifier) -> None:
        """Begin without watches; ``notifier`` tells them of everything but messages."""
        self._store = store
        self._notifier = notifier
        self._audience: Audience[Subscription] = Audience()
        self._watches: set[Subscription] = set()
        self._ahead: dict[bytes, None] = {}  # changed messages that are shown first, in order
        self._rest: dict[bytes, None] = {}
        self._reading: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()  # what waits gathers no longer
        self._rest_due = -inf  # from when on, by `monotonic`, the responses sent so far are within the share

    def subscribe(self, officer: Officer) -> Subscription:
        """Begin a watch: of notices for this officer, and of messages that they see in lists."""
        watch = self._notifier.subscribe(officer.id)
        self._watches.add(watch)
        self._audience.add(list_scope(officer), watch)
        return watch

    def unsubscribe(self, officer: Officer, watch: Subscription) -> None:
        """End a watch that began with this officer."""
        self._notifier.unsubscribe(watch)
        self._watches.discard(watch)
        self._audience.discard(list_scope(officer), watch)

    def begin(self, watch: Subscription, notices: Iterable[notice_pb2.Notice]) -> None:
        """Put the pending notices before a watch that began: they come before its backlog."""
        for notice in notices:
            self._notifier.put_notice([watch], notice, first=True)

    def notify(self, changes: Sequence[Change]) -> None:
        """Note changed messages, and begin to read them; on failure end every watch, so that clients list anew."""
        if not self._watches:
            return
        try:
            for change in changes:
                if isinstance(change, MessagesChanged):
                    for digest in change.digests:
                        (self._ahead if digest in change.ahead else self._rest)[digest] = None
        except Exception:
            self._end_all()
            raise
        if len(self._ahead) + len(self._rest) > MOST_WAITING:
            self._end_all()
        elif self._reading is None and (self._ahead or self._rest):
            self._reading = asyncio.create_task(self._show())
        if self._ahead or len(self._rest) >= BATCH:
            self._hurry.set()

    def catch_up(self) -> None:
        """Do nothing: a watch begins with the stored state, and one that missed a change has ended."""

    def _end_all(self) -> None:
        """End every watch; what was put before it is still shown."""
        self._ahead.clear()
        self._rest.clear()
        for watch in self._watches:
            watch.end()

    async def _show(self) -> None:
        """Show changed messages until none waits: what overtakes first, and in turns with it the rest that is due."""
        first = False
        try:
            while self._ahead or self._rest:
                await self._gather()
                is_due = bool(self._rest) and (monotonic() >= self._rest_due or len(self._rest) >= BATCH)
                first = bool(self._ahead) and not (first and is_due)
                waiting = self._ahead if first else self._rest
                batch = list(islice(waiting, BATCH))
                for digest in batch:
                    del waiting[digest]
                await self._show_together(batch, first=first)
        except Exception:  # of the database, mostly: officers list anew, and learn then what is wrong
            log.exception("changes_not_read")
            self._end_all()
        finally:
            self._reading = None

    async def _show_together(self, digests: Sequence[bytes], *, first: bool) -> None:
        """Read changed messages, and put them before those who see them: all at once, unless they are large."""
        found: list[ChangedMessage] = []
        for start in range(0, len(digests), READ_TOGETHER):
            found += await asyncio.to_thread(self._read, digests[start : start + READ_TOGETHER])
            if sum(each.info.ByteSize() for each in found) > MOST_READ:
                self._put(found, first=first)
                found = []
        self._put(found, first=first)

    async def _gather(self) -> None:
        """Let news gather until the watches may have more responses, something overtakes, or there is enough of it."""
        self._hurry.clear()
        pause = self._rest_due - monotonic()
        if pause > 0 and not self._ahead and len(self._rest) < BATCH:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), pause)

    def _put(self, found: Sequence[ChangedMessage], *, first: bool) -> None:
        """Put messages before those who see them: the watches wake once all are there.

        The responses of what overtakes are not counted: nobody bounds it, and the rest would wait for as long.
        """
        shown: set[Subscription] = set()
        for each in found:
            watches = self._audience.of(each.read.listed.row.unit, each.read.readers)
            size = each.info.ByteSize()
            self._notifier.put(watches, each, size, memory=2 * size + MESSAGE_BYTES, first=first)
            shown |= watches
        if not first:
            self._rest_due = max(self._rest_due, monotonic() - BURST / PER_SECOND) + len(shown) / PER_SECOND

    def _read(self, digests: Sequence[bytes]) -> list[ChangedMessage]:
        """Return these messages, in this order; ``linked`` if one may be linked for some officers."""
        with self._store.reads() as reads:
            found = {each.listed.row.digest: each for each in listing.read(reads, digests)}
            linked = search_store.linked(reads, [each.listed.row.seq for each in found.values()])
        for digest, each in found.items():
            if each.listed.row.seq in linked:
                found[digest] = replace(each, listed=replace(each.listed, linked=True))
        shown = [found[digest] for digest in digests if digest in found]
        return [ChangedMessage(each, message_info(each.listed)) for each in shown]
