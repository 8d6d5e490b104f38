"""Verification of earlier logs of this node within its log: their remaining entries, and the recovered ones."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import FormerLog
from paiza_node.core.log.store import entry_leaves
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Part, Step, Tally
from paiza_node.features.recovery import store as recovery_store
from paiza_register import Member
from paiza_wire import receipts
from paiza_wire.errors import PaizaError
from paiza_wire.tlog import merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.merkle import split_hashes

_WHERE: Final = N_("the earlier log {origin}")


def verify_earlier(scan: ReadConnection, member: Member, part: Part, step: Step) -> None:
    """Check the earlier logs that the log continues.

    1. The remaining entries of each are, entry for entry, those that log signed: they lead to a checkpoint of it.
    2. The entry before them names the largest known checkpoint of that log, which that log signed too.
    3. Every recovered entry is proven to a checkpoint of its log, and logged as RECOVERED.
    """
    formers = log_store.former_logs(scan)
    for former in formers:
        try:
            kept = _signed(member, former.origin, former.kept_note)
            largest = _signed(member, former.origin, former.largest_note)
        except PaizaError as error:
            part.find(error.reason, "{detail}", _WHERE, detail=error.detail, origin=former.origin)
            continue
        _check_kept(scan, former, kept, part, step)
        _check_named(scan, former, largest, part)
    recovered = _check_recovered(scan, member, part)
    part.counts = {"earlier logs": len(formers), "recovered entries": recovered}


def _check_kept(scan: ReadConnection, former: FormerLog, kept: VerifiedCheckpoint, part: Part, step: Step) -> None:
    # 1.
    end = former.first_index + kept.size
    if kept.size > former.size or _root(_leaves(scan, former.first_index, end, step)) != kept.root:
        part.find(
            "log_damaged",
            N_("The remaining entries of the earlier log do not lead to the checkpoint of size {size} that it signed."),
            _WHERE,
            size=kept.size,
            origin=former.origin,
        )


def _check_named(scan: ReadConnection, former: FormerLog, largest: VerifiedCheckpoint, part: Part) -> None:
    # 2.
    first = log_store.entry_at(scan, former.first_index - 1)
    entry = log_pb2.LogEntry.FromString(first.entry)
    named = sha256(largest.note).digest()
    if (entry.event, entry.log_continued.note_sha256) != (log_pb2.LOG_EVENT_LOG_CONTINUED, named):
        part.find(
            "log_damaged",
            N_("The log does not name the checkpoint it goes on from."),
            N_("entry {entry}"),
            entry=first.index,
        )


def _check_recovered(scan: ReadConnection, member: Member, part: Part) -> int:
    # 3.
    in_log, in_rows = Tally(), Tally()
    for rows in log_store.entry_rows(scan, 0, log_store.head(scan).size):
        for index, raw, _digest in rows:
            entry = log_pb2.LogEntry.FromString(raw)
            if entry.event == log_pb2.LOG_EVENT_RECOVERED:
                lost = entry.recovered.lost_sha256
                in_log.add(b"%d" % index, entry.message_digest, entry.counterpart.encode(), lost)
    for rows in scanning.rows(scan, recovery_store.recovered_entry_table):
        for row in rows:
            note = exchange_store.note(scan, row.note_digest) or b""
            hashes = split_hashes(row.hashes)
            proven = log_pb2.ProvenEntry(entry=row.entry, index=row.entry_index, inclusion_hashes=hashes)
            try:
                receipts.verify_entry(proven, _signed(member, row.origin, note))
            except PaizaError as error:
                part.find(error.reason, "{detail}", _WHERE, detail=error.detail, origin=row.origin)
                continue
            evidence = receipts.evidence_digest(row.entry, note)
            in_rows.add(b"%d" % row.log_index, row.digest, row.counterpart.encode(), evidence)
    part.compare("RECOVERED / recovered_entry", in_log, in_rows)
    return in_rows.count


def _leaves(scan: ReadConnection, first: int, end: int, step: Step) -> Iterator[bytes]:
    for leaves in entry_leaves(scan, first, end):
        yield from leaves
        step(len(leaves))


def _root(leaves: Iterator[bytes]) -> bytes:
    """Return the root over leaf hashes, holding only the roots of whole subtrees (RFC 9162 section 2.1.2)."""
    peaks: list[tuple[int, bytes]] = []
    for leaf in leaves:
        height, digest = 0, leaf
        while peaks and peaks[-1][0] == height:
            digest = merkle.node_hash(peaks.pop()[1], digest)
            height += 1
        peaks.append((height, digest))
    if not peaks:
        return merkle.EMPTY_ROOT
    root = peaks.pop()[1]
    while peaks:
        root = merkle.node_hash(peaks.pop()[1], root)
    return root


def _signed(member: Member, origin: str, note: bytes) -> VerifiedCheckpoint:
    return member.checkpoint(note, origin)
