"""The log index: the queried attributes of entries of the own log, recorded shortly after they were appended.

Not in the commit path: the rows of entries that were appended meanwhile ride on a later commit. The cursor is the index
of the next entry to process; it is committed with the rows, so that a crash repeats a batch or nothing. Whether an
officer needed what they opened is decided here, a moment after: they did if the message was of their unit, was assigned
to them, or was signed by them, or if they were the deputy of an officer of whom this is true. This does not prove
misuse: a duty officer who helps another unit had a reason, and the stated reason is beside the log.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from functools import partial
from time import perf_counter
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer, StandIn
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.dependencies import Core
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.audit import store as audit_store
from paiza_node.features.audit.model import LogIndexRow
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

BATCH: Final = 512  # entries of one commit
REST: Final = 2.0  # pause after a batch, as a multiple of the time it took to read it, while there is traffic
PAUSE_SECONDS: Final = 0.25  # between checks
CURSOR: Final = "log_facts"

log = structlog.get_logger("paiza.audit")


class LogIndex:
    """Maintains the log index. One per node."""

    def __init__(
        self, core: Core, unit_directory: UnitDirectory, officers: Callable[[], Mapping[str, Officer]]
    ) -> None:
        """Store the core and the unit directory; ``officers`` returns the present ones, by id."""
        self._core = core
        self._unit_directory = unit_directory
        self._officers = officers
        self._under_way = asyncio.Lock()
        self._end = -1  # the size of the log up to which it is indexed; -1 if it was not read yet
        self.task = PeriodicTask(self._round, period=PAUSE_SECONDS, failed="log_index_waits")

    async def _round(self) -> None:
        await self._index(rides=True)

    async def catch_up(self) -> int:
        """Index all entries that a signed checkpoint covers; return the size of the log up to which that was done."""
        return await self._index(rides=False)

    async def _index(self, *, rides: bool) -> int:
        core = self._core
        async with self._under_way:
            while self._end < (size := core.ledger.checkpoint.size):
                began = perf_counter()
                first, facts = await asyncio.to_thread(self._read, size)
                if not facts:
                    self._end = first
                    break
                end = facts[-1].index + 1
                seconds = perf_counter() - began
                await core.ledger.commit(partial(_note, facts=facts, end=end), rides=rides, items=len(facts))
                self._end = end
                if rides and len(facts) < BATCH:
                    break  # a batch for each commit would cost more than its messages
                if rides and core.ledger.has_traffic:
                    await asyncio.sleep(seconds * REST)
            return self._end

    def _read(self, size: int) -> tuple[int, list[LogIndexRow]]:
        with self._core.store.reads() as reads:
            first = settings_store.counter(reads, CURSOR)
            entries = [each for each in log_store.entries(reads, first, BATCH) if each.index < size]
            return first, [self._fact(reads, each) for each in entries]

    def _fact(self, reads: ReadConnection, stored: StoredEntry) -> LogIndexRow:
        entry = log_pb2.LogEntry.FromString(stored.entry)
        needless = self._is_needless(reads, stored.index, entry)
        return LogIndexRow(stored.index, int(entry.event), entry.actor, entry.counterpart, needless)

    def _is_needless(self, reads: ReadConnection, index: int, entry: log_pb2.LogEntry) -> bool:
        """Return whether an officer opened what they did not need: by unit, assignment, authorship, or as a deputy.

        The messages of an entry about several are judged together: one query for all.
        """
        opened = _opened(reads, index, entry)
        if not opened:
            return False
        rows = {row.digest: row for row in access_store.seen_messages(reads, opened)}
        # One that is not stored is pending approval, and shown only to those it names.
        if any(digest not in rows and approvals_store.approval(reads, digest) is None for digest in opened):
            return True
        seen: set[int] = set()
        if officer := self._officers().get(entry.actor):
            then = replace(officer, stands_in=self._stood_in(reads, entry.actor, entry, index))
            seen = access_store.visible(reads, [row.seq for row in rows.values()], self._unit_directory.viewer_of(then))
        return not all(row.seq in seen or _signed(row, entry.actor) for row in rows.values())

    def _stood_in(self, reads: ReadConnection, actor: str, entry: log_pb2.LogEntry, index: int) -> tuple[StandIn, ...]:
        """Return for whom an officer stood in at an entry: an appointment may have ended since."""
        moment, officers = entry.entry_time.ToDatetime(tzinfo=UTC), self._officers()
        return tuple(
            StandIn(each.officer, officers[each.officer].unit, each.end_time)
            for each in access_store.appointments_of(reads, actor)
            if each.officer in officers
            and each.log_index < index
            and (each.ended_index is None or index < each.ended_index)
            if moment < each.end_time
        )


def _signed(row: MessageRow, officer: str) -> bool:
    """Return whether an officer is among the signers of a message."""
    try:
        return officer in {signer.id for signer in wire.parse_header(row.header).required_signers}
    except Rejected:
        return False


def _opened(reads: ReadConnection, index: int, entry: log_pb2.LogEntry) -> list[bytes]:
    """Return the messages that an entry records as opened; none for any other event."""
    if entry.event == log_pb2.LOG_EVENT_OPENED:
        return [entry.message_digest]
    return log_store.listed(reads, [index]).get(index, []) if entry.event == log_pb2.LOG_EVENT_OPENED_TOGETHER else []


def _note(tx: LogTransaction, *, facts: Sequence[LogIndexRow], end: int) -> None:
    audit_store.add_facts(tx.conn, facts)
    settings_store.put_counter(tx.conn, CURSOR, end)
