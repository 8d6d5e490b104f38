"""Log retention: after audit retention, entries and headers are replaced by the leaf hashes of the log's tree.

A message is retired as a whole, once the newest entry about it is old enough: its entries, header, proofs and all rows
about it. It stays while its content is stored, it is under legal hold, or work on it is unfinished: a node that keeps a
message also keeps its proofs. Entries about no message are retired one by one, except those on which signatures or
decisions of others depend (keys, registers, misbehaviour, grants, reconciliations). The tree still verifies, and the
remaining entries are proven as before. Only those who kept a copy of a retired entry can show its content.

A crash leaves a batch complete or not begun. The progress of a round is kept in memory: a restart begins a new round.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.time_index import index_at
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.features.retention import store as retention_store
from paiza_wire import log_entries

BATCH: Final = 256  # entries considered for one commit; those of their messages may be some more
ROUND_SECONDS: Final = 24 * 3600.0  # between rounds
PAUSE_SECONDS: Final = 1.0  # between batches: traffic goes first

STANDING: Final = frozenset({
    log_pb2.LOG_EVENT_OFFICER_INVITED,
    log_pb2.LOG_EVENT_OFFICER_CERTIFIED,
    log_pb2.LOG_EVENT_OFFICER_CONFIRMED,
    log_pb2.LOG_EVENT_OFFICER_RENEWAL,
    log_pb2.LOG_EVENT_OFFICER_CHANGED,
    log_pb2.LOG_EVENT_OFFICER_SUSPENDED,
    log_pb2.LOG_EVENT_OFFICER_REINSTATED,
    log_pb2.LOG_EVENT_OFFICER_REMOVED,
    log_pb2.LOG_EVENT_DEPUTY_APPOINTED,
    log_pb2.LOG_EVENT_DEPUTY_ENDED,
    log_pb2.LOG_EVENT_KEY_ADDED,
    log_pb2.LOG_EVENT_KEY_ANNOUNCED,
    log_pb2.LOG_EVENT_NODE_CERTIFIED,
    log_pb2.LOG_EVENT_REGISTER_UPDATED,
    log_pb2.LOG_EVENT_CONFIG_CHANGED,
    log_pb2.LOG_EVENT_FORK_FOUND,
    log_pb2.LOG_EVENT_TRUST_RESTORED,
    log_pb2.LOG_EVENT_DEFAULT_FOUND,
    log_pb2.LOG_EVENT_DEFAULT_ENDED,
    log_pb2.LOG_EVENT_RECONCILED,
    log_pb2.LOG_EVENT_AUDIT_GRANTED,
    log_pb2.LOG_EVENT_AUDIT_WITHDRAWN,
    log_pb2.LOG_EVENT_LOG_CONTINUED,
    log_pb2.LOG_EVENT_RETIRED,
    log_pb2.LOG_EVENT_PEER_BLOCKED,
    log_pb2.LOG_EVENT_PEER_UNBLOCKED,
    log_pb2.LOG_EVENT_PROPOSAL_SIGNED,
    log_pb2.LOG_EVENT_PROPOSAL_REFUSED,
    log_pb2.LOG_EVENT_PROPOSAL_PUBLISHED,
    log_pb2.LOG_EVENT_PROPOSAL_DROPPED,
})  # fmt: skip
"""Events on whose entries other rows, other members or the issuer's journal depend.

DIRECTORY_CHANGED is none of them: the archived register holds what was published.
"""

log = structlog.get_logger("paiza.retention")


class LogRetention:
    """Retires entries and messages. One per node."""

    def __init__(self, core: Core, lifecycles: Sequence[Lifecycle], retention: timedelta) -> None:
        """Store the lifecycles of all tables; entries are kept for ``retention``."""
        self._core = core
        self._lifecycles = lifecycles
        self._retention = retention
        self.task = PeriodicTask(self._round, period=ROUND_SECONDS, failed="not_retired")

    async def _round(self) -> None:
        await self.once()

    async def once(self) -> int:
        """Retire all that is old enough now; return the number of entries."""
        core = self._core
        before = core.clock() - self._retention
        end = await asyncio.to_thread(self._end, before)
        first = retired = 0
        while first < end:
            looked_at = await asyncio.to_thread(self._entries, first, end)
            if not looked_at:
                break
            first = looked_at[-1].index + 1
            going = await asyncio.to_thread(self._may_go, looked_at, end)
            if not going:
                continue
            committed = await core.ledger.commit(
                lambda tx, going=going: self._retire(tx, going, end, before)  # type: ignore[misc]
            )
            retired += committed.result
            await asyncio.sleep(PAUSE_SECONDS)
        if await asyncio.to_thread(self._anything):  # always: an earlier round may have been interrupted
            await asyncio.to_thread(retention_store.purge, core.store, self._lifecycles)
        if retired:
            log.info("retired", entries=retired, before=before.isoformat())
        return retired

    def _end(self, before: datetime) -> int:
        with self._core.store.reads() as reads:
            return index_at(reads, before, self._core.ledger.checkpoint.size) or 0

    def _anything(self) -> bool:
        with self._core.store.reads() as reads:
            return log_store.retired_end(reads) > 0

    def _entries(self, first: int, end: int) -> list[StoredEntry]:
        with self._core.store.reads() as reads:
            return [entry for entry in log_store.entries(reads, first, BATCH) if entry.index < end]

    def _may_go(self, entries: Sequence[StoredEntry], end: int) -> list[StoredEntry]:
        with self._core.store.reads() as reads:
            return [entry for entry in entries if self._goes(reads, entry, end)]

    def _retire(self, tx: LogTransaction, entries: Sequence[StoredEntry], end: int, before: datetime) -> int:
        """Retire entries with the messages they are about, as far as they still may be; runs in the transaction."""
        gone: dict[int, StoredEntry] = {}
        about: set[bytes] = set()
        for entry in entries:
            if entry.index in gone or not self._goes(tx.conn, entry, end):
                continue
            gone[entry.index] = entry
            digest = log_pb2.LogEntry.FromString(entry.entry).message_digest
            if digest:
                gone.update((each.index, each) for each in log_store.entries_of(tx.conn, digest))
                about.add(digest)
        messages = retention_store.retire_messages(tx.conn, self._lifecycles, about)
        retention_store.retire_entries(tx.conn, self._lifecycles, [gone[index] for index in sorted(gone)])
        if gone:
            retired = log_entries.retired(actor=self._core.node_id)
            tx.append(retired, text=f"{len(gone)} entries and {messages} messages before {before:%Y-%m-%d}")
        return len(gone)

    def _goes(self, reads: ReadConnection, stored: StoredEntry, end: int) -> bool:
        """Return whether an entry may be retired: nothing depends on it, and its message is old enough and finished."""
        entry = log_pb2.LogEntry.FromString(stored.entry)
        if entry.event in STANDING:
            return False
        if not entry.message_digest:
            return True
        last = log_store.last_entry_of(reads, entry.message_digest)
        if last is None or last >= end:
            return False
        return retention_store.may_retire(reads, self._lifecycles, entry.message_digest)
