"""Notifying new holders: a recall, correction or request to erase follows its message to later holders.

Its officers address everyone who holds the message when they write it. A node that forwards a message informs its
author's node, and may do so before it has received a recall. The author's node therefore checks for new holders on
every such notice, at its start and when it catches up (`changes`), and forwards its own recalls, corrections and
requests to erase to those that have not received them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import structlog

from paiza.core.v1 import message_pb2
from paiza_domain.threads import thread
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import MessageQuery
from paiza_node.core.exchange.holders import holders
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import Change, HoldersChanged
from paiza_node.core.messages import markings
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import ReadConnection, Store
from paiza_wire.errors import Rejected, Unavailable

LOOKED_AT: Final = 500  # recalls, and as many corrections, the newest: older ones have reached whom they can
IDLE_SECONDS: Final = 3600.0  # between two checks without a wake-up; they find nothing

Share = Callable[[Sequence[bytes], str, str], Awaitable[Mapping[bytes, Rejected]]]
"""Forwards messages to a member, on behalf of an actor."""

log = structlog.get_logger("paiza.forwarding")


class NotifyNewHolders:
    """Forwards recalls and corrections to new holders. Belongs to one event loop."""

    def __init__(self, *, node_id: str, register_cache: RegisterCache, store: Store, share: Share) -> None:
        self._node_id = node_id
        self._register_cache = register_cache
        self._store = store
        self._share = share
        self._told: set[bytes] = set()
        self._everything = True  # check everything, not only what was announced
        self.task = PeriodicTask(self._round, period=IDLE_SECONDS, failed="new_holders_not_read")

    def notify(self, changes: Sequence[Change]) -> None:
        """Mark messages of our own that have new holders."""
        for change in changes:
            if isinstance(change, HoldersChanged):
                self._told.update(change.digests)
                self.task.wake()

    def catch_up(self) -> None:
        """Mark everything for a check."""
        self._everything = True
        self.task.wake()

    async def _round(self) -> None:
        """Check everything, or the messages with new holders."""
        everything, self._everything = self._everything, False
        told, self._told = self._told, set()
        try:
            await self._send(await asyncio.to_thread(self._owed_by, None if everything else told))
        except Unavailable:  # announced messages are checked again
            self._told |= told
            self._everything = self._everything or everything
            raise

    async def _send(self, owed: Collection[tuple[bytes, str]]) -> None:
        for digest, member in owed:
            try:
                refused = list((await self._share([digest], member, self._node_id)).values())
            except Rejected as error:  # the member has left meanwhile
                refused = [error]
            for each in refused:
                log.warning("new_holder_not_notified", member=member, reason=each.reason, detail=each.detail)

    def _owed_by(self, told: Collection[bytes] | None) -> list[tuple[bytes, str]]:
        return self._all() if told is None else self._about(told)

    def _all(self) -> list[tuple[bytes, str]]:
        with self._store.reads() as reads:
            found = [
                row
                for kind in (thread.RECALL, thread.CORRECTION, thread.ERASURE)
                for row in access_store.find_messages(reads, MessageQuery(received=False, kind=kind, limit=LOOKED_AT))
            ]
            return [each for row in found for each in self._owed(reads, row)]

    def _about(self, told: Collection[bytes]) -> list[tuple[bytes, str]]:
        """Return what is owed for messages with new holders that were recalled or corrected."""
        with self._store.reads() as reads:
            rows = [
                row
                for digest in told
                if (row := messages_store.message(reads, digest)) and row.state is MessageState.RELEASED
            ]
            marks = markings.marks(reads, rows)
            afterwards = {each for mark in marks.values() for each in (*mark.recalled_by, *mark.corrected_by)}
            requests = messages_store.children(reads, [row.digest for row in rows], (thread.ERASURE,))
            afterwards |= {each for children in requests.values() for each in children}
            found = [row for digest in sorted(afterwards) if (row := messages_store.message(reads, digest))]
            return [each for row in found for each in self._owed(reads, row)]

    def _owed(self, reads: ReadConnection, row: MessageRow) -> list[tuple[bytes, str]]:
        """Return the active members that hold a message that a recall, correction or erasure request of ours concerns.

        Its addressees are left out.
        """
        header = message_pb2.Header.FromString(row.header)
        if row.state is not MessageState.RELEASED:
            return []
        reached = {header.author, *(each.member for each in header.recipients)}
        reached |= {recipient for recipient, _index, _state in deliveries_store.forwarded_indices(reads, row.digest)}
        held_by = {
            member
            for digest in (*thread.affected_digests(header), *thread.to_be_erased(header))
            for member in holders(reads, digest)
        }
        active = {member.id for member in self._register_cache.current.active_members()}
        return [(row.digest, member) for member in sorted((held_by - reached) & active)]
