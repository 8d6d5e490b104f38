"""What others have witnessed of the own log, and proofs of other members' logs that lead to cosigned notes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    delete,
    func,
    select,
)

from paiza_node.core.exchange.store import note_table, passed_on_table, proof_table
from paiza_node.core.peers.store import former_known_log_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.statements import Lookup, blocks, insertion, replacement
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.attachments.store import attachment_proof_table
from paiza_node.features.retention.store import erasure_answer_table
from paiza_node.features.witness.model import CosignedProof, CosignedSpan, Uncosigned, WitnessedNote, WitnessedTime
from paiza_wire.tlog.merkle import leaf_hash

# Checkpoints of the own log that a quorum cosigned: of each size the first such note, and the latest where an idle log
# was cosigned anew.
witnessed_note_table = Table(
    "witnessed_note",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("again", Boolean, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("witnesses", Text, nullable=False),
)
Index("ix_witnessed_note_time", witnessed_note_table.c.time)

# Entries of other members' logs whose proof as it was kept is not cosigned yet; each goes when it is.
uncosigned_table = Table(
    "uncosigned",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# The same entries proven to a note that a quorum cosigned. The proof as it was first kept stays in its own table. Of
# a log that its member has left behind, `member` is the origin.
cosigned_proof_table = Table(
    "cosigned_proof",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("span", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Two cosigned notes of a log, one right after the other; the entries between them share it. Named by the SHA-256 of
# what it holds.
cosigned_span_table = Table(
    "cosigned_span",
    METADATA,
    Column("id", LargeBinary, primary_key=True),
    Column("before_digest", LargeBinary, nullable=True),
    Column("note_digest", LargeBinary, nullable=False),
    Column("consistency_proof", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
)


_W: Final = witnessed_note_table.c


def witnessed_after(conn: ReadConnection, size: int) -> WitnessedNote | None:
    """Give the first witnessed note of the own log with at least ``size`` entries."""
    return _witnessed(conn, select(witnessed_note_table).where(_W.size >= size).order_by(_W.size, _W.again))


def witnessed_before(conn: ReadConnection, index: int) -> WitnessedNote | None:
    """Give the last witnessed note that does not hold the entry at ``index``."""
    newest = (_W.size.desc(), _W.again.desc())
    return _witnessed(conn, select(witnessed_note_table).where(_W.size <= index).order_by(*newest))


def last_witnessed(conn: ReadConnection) -> WitnessedNote | None:
    """Give the largest witnessed note of the own log."""
    return _witnessed(conn, select(witnessed_note_table).order_by(_W.size.desc(), _W.again.desc()))


def witnessed_by_time(conn: ReadConnection, since: datetime, until: datetime, limit: int) -> list[WitnessedNote]:
    """Give the witnessed notes from one time on and before another, oldest first."""
    rows = conn.execute(
        select(witnessed_note_table)
        .where(_W.time >= to_micros(since), _W.time < to_micros(until))
        .order_by(_W.time, _W.size)
        .limit(limit)
    )
    return [_witnessed_note(row) for row in rows]


def witnessed_times(conn: ReadConnection, since: datetime, until: datetime, limit: int) -> list[WitnessedTime]:
    """Give the times of witnessed notes from one time on and before another, oldest first, without the notes."""
    rows = conn.execute(
        select(_W.size, _W.again, _W.time)
        .where(_W.time >= to_micros(since), _W.time < to_micros(until))
        .order_by(_W.time, _W.size)
        .limit(limit)
    )
    return [WitnessedTime(row[0], row[1], from_micros(row[2])) for row in rows]


def cosigned_proof(conn: ReadConnection, member: str, index: int, origin: str = "") -> CosignedProof | None:
    """Give the proof of an entry of another member's log to a cosigned note; None where none was had yet.

    ``origin`` names the log where it may be one that the member has left behind.
    """
    of = origin if origin and _left_behind(conn, [origin]) else member
    p, span = cosigned_proof_table.c, cosigned_span_table.c
    note, before = note_table.alias("after"), note_table.alias("before")
    row = conn.execute(
        select(p.hashes, span.consistency_proof, span.register_version, note.c.note, before.c.note.label("before"))
        .select_from(
            cosigned_proof_table.join(cosigned_span_table, span.id == p.span)
            .join(note, note.c.digest == span.note_digest)
            .outerjoin(before, before.c.digest == span.before_digest)
        )
        .where(p.member == of, p.log_index == index)
    ).one_or_none()
    if row is None:
        return None
    found = CosignedSpan(row.before or b"", row.note, row.consistency_proof, row.register_version)
    return CosignedProof(member, index, row.hashes, found)


def uncosigned(conn: ReadConnection, member: str, limit: int, *, after: int = -1) -> list[Uncosigned]:
    """Give entries of a member's log, behind an index, that wait for a cosigned proof, in order of index."""
    u = uncosigned_table.c
    rows = conn.execute(
        select(u.log_index, u.leaf).where(u.member == member, u.log_index > after).order_by(u.log_index).limit(limit)
    )
    return [Uncosigned(member, row[0], row[1]) for row in rows]


def uncosigned_counts(conn: ReadConnection) -> dict[str, int]:
    """Give how many entries of each member's log wait for a cosigned proof."""
    u = uncosigned_table.c
    return {row[0]: row[1] for row in conn.execute(select(u.member, func.count()).group_by(u.member))}


def foreign_entries(conn: ReadConnection, digests: Collection[bytes]) -> list[Uncosigned]:
    """Give the entries of other members' logs kept about these messages of which no cosigned proof is had."""
    kept = [row for lookup in _FOREIGN for row in lookup.run(conn, digests)]
    left = _of_logs_left_behind(conn, {(row[0], row[3]) for row in kept})
    found = {(row[0], row[1]): leaf_hash(row[2]) for row in kept if row[3] not in left}
    known: set[tuple[str, int]] = set()
    p = cosigned_proof_table.c
    for member in {member for member, _ in found}:
        indices = [index for by, index in found if by == member]
        for block in blocks(indices):
            rows = conn.execute(select(p.log_index).where(p.member == member, p.log_index.in_(block)))
            known.update((member, row[0]) for row in rows)
    return [Uncosigned(*place, leaf) for place, leaf in sorted(found.items()) if place not in known]


def _of_logs_left_behind(conn: ReadConnection, notes: Collection[tuple[str, bytes]]) -> set[bytes]:
    """Give those checkpoints, by digest, whose log its member has left behind: they are cosigned no more."""
    members = {member for member, _ in notes}
    f, n = former_known_log_table.c, note_table.c
    leavers = set(conn.execute(select(f.member).where(f.member.in_(members)).distinct()).scalars())
    digests = [digest for member, digest in notes if member in leavers]
    if not digests:
        return set()
    origins: dict[bytes, str] = {}
    for block in blocks(digests):
        for digest, note in conn.execute(select(n.digest, n.note).where(n.digest.in_(block))):
            origins[digest] = note.split(b"\n", 1)[0].decode()
    left = _left_behind(conn, set(origins.values()))
    return {digest for digest, origin in origins.items() if origin in left}


def _left_behind(conn: ReadConnection, origins: Collection[str]) -> set[str]:
    """Give those logs of other members that they have left behind."""
    f = former_known_log_table.c
    return set(conn.execute(select(f.origin).where(f.origin.in_(origins))).scalars())


def _witnessed(conn: ReadConnection, statement: Select[Any]) -> WitnessedNote | None:
    row = conn.execute(statement.limit(1)).one_or_none()
    return None if row is None else _witnessed_note(row)


def put_witnessed(conn: WriteConnection, note: WitnessedNote) -> None:
    """Keep a witnessed note; one of the same size, cosigned as often, is replaced."""
    row = (note.size, note.again, note.origin, note.root, note.note, to_micros(note.time), " ".join(note.witnesses))
    _PUT_WITNESSED.run(conn, [row])


def drop_witnessed(conn: WriteConnection, notes: Collection[tuple[int, bool]]) -> None:
    """Let go of witnessed notes: (size, whether cosigned again)."""
    for again in (False, True):
        for block in blocks([size for size, cosigned_again in notes if cosigned_again == again]):
            conn.execute(delete(witnessed_note_table).where(_W.size.in_(block), _W.again == again))


def add_uncosigned(conn: WriteConnection, entries: Sequence[Uncosigned]) -> None:
    """Remember entries that wait for a cosigned proof; known ones are passed over."""
    _ADD_UNCOSIGNED.run(conn, [(each.member, each.index, each.leaf) for each in entries])


def add_cosigned(conn: WriteConnection, proofs: Sequence[CosignedProof]) -> None:
    """Keep cosigned proofs; their entries wait no longer. One that is there already stays as it is."""
    ids = {proof.span: _span_row(proof.span) for proof in proofs}
    notes = [note for span in ids for note in (span.before, span.note) if note]
    _ADD_NOTE.run(conn, [(sha256(note).digest(), note) for note in notes])
    _ADD_SPAN.run(conn, list(ids.values()))
    _ADD_COSIGNED.run(conn, [(each.member, each.index, each.hashes, ids[each.span][0]) for each in proofs])
    u = uncosigned_table.c
    for member in {proof.member for proof in proofs}:
        for block in blocks([proof.index for proof in proofs if proof.member == member]):
            conn.execute(delete(uncosigned_table).where(u.member == member, u.log_index.in_(block)))


def _span_row(span: CosignedSpan) -> tuple[bytes, bytes | None, bytes, bytes, bytes]:
    before = sha256(span.before).digest() if span.before else None
    note = sha256(span.note).digest()
    return sha256((before or b"") + note).digest(), before, note, span.consistency_proof, span.register_version


def _witnessed_note(row: Row[Any]) -> WitnessedNote:
    return WitnessedNote(
        origin=row.origin,
        size=row.size,
        root=row.root,
        note=row.note,
        time=from_micros(row.time),
        witnesses=tuple(row.witnesses.split()),
        again=row.again,
    )


_PUT_WITNESSED: Final = replacement(witnessed_note_table)

_ADD_UNCOSIGNED: Final = insertion(uncosigned_table, ignore_known=True)

_ADD_NOTE: Final = insertion(note_table, ignore_known=True)

_ADD_SPAN: Final = insertion(cosigned_span_table, ignore_known=True)

_ADD_COSIGNED: Final = insertion(cosigned_proof_table, ignore_known=True)

_FOREIGN: Final = (
    Lookup(
        select(proof_table.c.member, proof_table.c.log_index, proof_table.c.entry, proof_table.c.note_digest),
        proof_table.c.digest,
    ),
    Lookup(
        select(
            passed_on_table.c.forwarder,
            passed_on_table.c.entry_index,
            passed_on_table.c.entry,
            passed_on_table.c.note_digest,
        ),
        passed_on_table.c.digest,
    ),
    Lookup(
        select(
            attachment_proof_table.c.member,
            attachment_proof_table.c.log_index,
            attachment_proof_table.c.entry,
            attachment_proof_table.c.note_digest,
        ),
        attachment_proof_table.c.digest,
    ),
    Lookup(
        select(
            erasure_answer_table.c.member,
            erasure_answer_table.c.log_index,
            erasure_answer_table.c.entry,
            erasure_answer_table.c.note_digest,
        ),
        erasure_answer_table.c.digest,
    ),
)
