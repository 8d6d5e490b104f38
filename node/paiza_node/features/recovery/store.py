"""Entries of a lost log that were given back, and what can be given back of a member's lost log."""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    func,
    literal,
    select,
    update,
)

from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.exchange.store import note_table, passed_on_table, proof_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.statements import insertion
from paiza_node.core.storage.times import to_micros
from paiza_node.features.attachments.store import attachment_table
from paiza_node.features.recovery.model import RecoveredEntry
from paiza_node.features.retention.store import erasure_table

# Entries of an earlier log of this node that were lost, as the member concerned gave them back; `log_index` is the
# RECOVERED entry of the present log.
recovered_entry_table = Table(
    "recovered_entry",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False),
    Column("counterpart", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
Index("ix_recovered_entry_digest", recovered_entry_table.c.digest)


def lost_entries(
    conn: ReadConnection, member: str, kind: ProofKind, origin: str, from_index: int, limit: int
) -> list[ForeignProof]:
    """Give the kept proofs of one kind from one log of a member, from an index on, in its order.

    No index serves it: it reads the table through, once for each page of a recovery.
    """
    p, beginning = proof_table.c, origin.encode() + b"\n"
    rows = conn.execute(
        select(proof_table, note_table.c.note)
        .join(note_table, note_table.c.digest == p.note_digest)
        .where(p.member == member, p.kind == int(kind), p.log_index >= from_index)
        .where(func.substr(note_table.c.note, 1, len(beginning)) == literal(beginning))
        .order_by(p.log_index)
        .limit(limit)
    )
    return [
        ForeignProof(r.digest, r.member, kind, r.entry, r.log_index, r.hashes, r.note, r.register_version) for r in rows
    ]


def lost_passings(
    conn: ReadConnection, forwarder: str, holder: str, origin: str, from_index: int, limit: int
) -> list[ForeignProof]:
    """Give the entries of one log of a member that say it passed a message on to ``holder``, from an index on."""
    p, beginning = passed_on_table.c, origin.encode() + b"\n"
    rows = conn.execute(
        select(passed_on_table, note_table.c.note)
        .join(note_table, note_table.c.digest == p.note_digest)
        .where(p.forwarder == forwarder, p.holder == holder, p.entry_index >= from_index)
        .where(func.substr(note_table.c.note, 1, len(beginning)) == literal(beginning))
        .order_by(p.entry_index)
        .limit(limit)
    )
    return [
        ForeignProof(
            r.digest, forwarder, ProofKind.RELEASED, r.entry, r.entry_index, r.hashes, r.note, r.register_version
        )
        for r in rows
    ]


def recovered_entries(conn: ReadConnection, origin: str, indices: Collection[int]) -> set[int]:
    """Say which of these entries of an earlier log were given back already."""
    r = recovered_entry_table.c
    found = select(r.entry_index).where(r.origin == origin, r.entry_index.in_(sorted(indices)))
    return set(conn.execute(found).scalars())


def add_recovered(conn: WriteConnection, entries: Sequence[RecoveredEntry]) -> None:
    """Keep entries that were given back."""
    notes = {sha256(each.checkpoint).digest(): each.checkpoint for each in entries}
    _ADD_NOTE.run(conn, list(notes.items()))
    _ADD_RECOVERED.run(
        conn,
        [
            (
                each.origin,
                each.index,
                each.counterpart,
                each.digest,
                each.entry,
                each.hashes,
                sha256(each.checkpoint).digest(),
                each.log_index,
            )
            for each in entries
        ],
    )


def tell_again(conn: WriteConnection, member: str, now: datetime) -> set[bytes]:
    """Have a member told again what became of its attachments and of its requests to erase; gives the erased."""
    a, e, at = attachment_table.c, erasure_table.c, to_micros(now)
    answered = (a.source == member) & a.log_index.is_not(None)
    conn.execute(update(attachment_table).where(answered).values(due_time=at, attempts=0))
    decided = (e.requester == member) & e.log_index.is_not(None)
    conn.execute(update(erasure_table).where(decided).values(tell_time=at))
    return set(conn.execute(select(e.digest).where(decided)).scalars())


_ADD_NOTE: Final = insertion(note_table, ignore_known=True)

_ADD_RECOVERED: Final = insertion(recovered_entry_table, ignore_known=True)
