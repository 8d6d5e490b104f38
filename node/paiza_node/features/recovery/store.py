"""Recovered entries of a lost log, and the data to return of a member's lost log."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, func, literal, select

from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.exchange.store import PROOFS, foreign_proof, forwarding_table, note_table, proof_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.statements import insertion
from paiza_node.features.recovery.model import RecoveredEntry

# Lost entries of an earlier log of this node, as the member concerned returned them; `log_index` is the
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
    """Return the stored proofs of one kind from one log of a member, from an index on, in its order.

    No index serves it: it reads the table through, once for each page of a recovery.
    """
    p, beginning = proof_table.c, origin.encode() + b"\n"
    rows = conn.execute(
        PROOFS.where(p.member == member, p.kind == int(kind), p.log_index >= from_index)
        .where(func.substr(note_table.c.note, 1, len(beginning)) == literal(beginning))
        .order_by(p.log_index)
        .limit(limit)
    )
    return list(map(foreign_proof, rows))


def lost_passings(
    conn: ReadConnection, forwarder: str, holder: str, origin: str, from_index: int, limit: int
) -> list[ForeignProof]:
    """Return the entries of one log of a member that it forwarded a message to ``holder``, from an index on."""
    p, beginning = forwarding_table.c, origin.encode() + b"\n"
    rows = conn.execute(
        select(forwarding_table, note_table.c.note)
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
    """Return which of these entries of an earlier log were recovered already."""
    r = recovered_entry_table.c
    found = select(r.entry_index).where(r.origin == origin, r.entry_index.in_(sorted(indices)))
    return set(conn.execute(found).scalars())


def add_recovered(conn: WriteConnection, entries: Sequence[RecoveredEntry]) -> None:
    """Store recovered entries."""
    notes = exchange_store.add_notes(conn, [each.checkpoint for each in entries])
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
                notes[each.checkpoint],
                each.log_index,
            )
            for each in entries
        ],
    )


_ADD_RECOVERED: Final = insertion(recovered_entry_table, ignore_known=True)


LIFECYCLES: Final = (Lifecycle(recovered_entry_table, Key.DIGEST, recovered_entry_table.c.digest),)
