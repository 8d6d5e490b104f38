"""Verification of grants and reconciled periods: the log records exactly these."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.exchange.checks import Proofs
from paiza_node.core.log import store as log_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.peer_audit import store as peer_audit_store
from paiza_node.features.peer_audit.grants import COUNTER, grant_text
from paiza_node.features.peer_audit.reconciliation import period_text
from paiza_wire.errors import Rejected


class PeerAudit(Check):
    """Verifies grants and reconciled periods."""

    events = (log_pb2.LOG_EVENT_AUDIT_GRANTED, log_pb2.LOG_EVENT_AUDIT_WITHDRAWN)

    def __init__(self, scan: ReadConnection, proofs: Proofs, own: str) -> None:
        """``own`` is our member id."""
        self._scan = scan
        self._proofs = proofs
        self._own = own
        self._granted, self._ended = Tally(), Tally()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        who, time = entry.counterpart.encode(), _micros(entry.entry_time.ToDatetime(tzinfo=UTC))
        if entry.event == log_pb2.LOG_EVENT_AUDIT_GRANTED:
            self._granted.add(who, entry.audit_granted.grant_sha256, time)
        else:
            self._ended.add(who, entry.audit_withdrawn.grant_sha256, time)

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check grants and reconciled periods.

        1. The log records exactly these grants: to whom, what, until when; and those that ended.
        2. Each reconciled period has its RECONCILED entry, with that member and over that digest.
        3. The other side's entry is proven to its log, and agrees.
        """
        # 1.
        given, ended = Tally(), Tally()
        grants = peer_audit_store.audit_grants(self._scan)
        for grant in grants:
            fields = (grant.member.encode(), sha256(grant_text(grant).encode()).digest())
            given.add(*fields, _micros(grant.granted_time))
            if grant.withdrawn_time is not None:
                ended.add(*fields, _micros(grant.withdrawn_time))
        step(len(grants))
        if settings_store.counter(self._scan, COUNTER) != max((each.id for each in grants), default=0):
            part.find("log_damaged", N_("The counter of grants is not the number of the last grant."), "counter")
        for known, logged in ((given, self._granted), (ended, self._ended)):
            if not known.same(logged):
                part.find("log_damaged", N_("The grants are not those that the log records."), "audit_grant")
        # 2. and 3.
        periods = 0
        for rows in scanning.rows(self._scan, peer_audit_store.reconciled_period_table):
            for row in rows:
                periods += 1
                with part.refusals("bad_proof", N_("reconciled period with {member}"), member=row.counterpart):
                    _check_period(self._scan, self._proofs, row, self._own)
            step(len(rows))
        part.counts = {"grants": len(grants), "periods": periods}


def _micros(time: datetime) -> bytes:
    return b"%d" % to_micros(time)


def _check_period(scan: ReadConnection, proofs: Proofs, row: Any, own: str) -> None:
    # 2.
    found = log_store.entries_at(scan, [row.log_index])
    if not found:
        raise Rejected("proof_missing", f"there is no entry {row.log_index}")
    _check_says(log_pb2.LogEntry.FromString(found[0].entry), row.counterpart, row.digest)
    # 3.
    theirs = row.entry, row.entry_index, row.hashes, row.note_digest, row.register_version
    if any(each is None for each in theirs) and theirs != (None,) * len(theirs):
        raise Rejected("bad_proof", "a part of the other side's proof is missing")
    if row.entry is not None:
        _check_says(proofs.check_entry(row, row.counterpart, row.entry_index), own, row.digest)


def _check_says(entry: log_pb2.LogEntry, counterpart: str, digest: bytes) -> None:
    if (entry.event, entry.counterpart, entry.reconciled.period_digest) != (
        log_pb2.LOG_EVENT_RECONCILED,
        counterpart,
        digest,
    ):
        raise Rejected("bad_proof", "the entry does not say that this period agrees")


class Periods(Check):
    """Verifies that every period of which the log records that it agreed is stored, with its begin and end."""

    events = (log_pb2.LOG_EVENT_RECONCILED,)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._logged: dict[int, str] = {}  # few: officers asked for them all

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        self._logged[index] = entry.counterpart

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Compare the text beside the last entry about a period with its row; texts that were erased say nothing."""
        texts = log_store.texts(self._scan, list(self._logged))
        logged = {(self._logged[index], texts[index].text): index for index in sorted(texts)}
        stored: dict[tuple[str, str], int] = {}
        for rows in scanning.rows(self._scan, peer_audit_store.reconciled_period_table):
            for row in rows:
                span = period_text(from_micros(row.since_time), from_micros(row.until_time))
                if row.log_index in texts:
                    stored[row.counterpart, span] = row.log_index
        if stored != logged:
            part.find(
                "log_damaged", N_("The reconciled periods are not those that the log records."), "reconciled_period"
            )
