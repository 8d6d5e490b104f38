"""Witnessed notes of the own log, and proofs of other members' logs to cosigned notes, in the database."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    select,
)

from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import split_path
from paiza_node.core.exchange.store import note_table, proof_path_table, proof_table
from paiza_node.core.log.model import origin_of
from paiza_node.core.peers.store import former_known_log_table
from paiza_node.core.storage import ReadConnection, WriteConnection, scanning
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.records import TIME, WORDS, Records
from paiza_node.core.storage.scanning import Rows
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.shared_rows import SharedRows
from paiza_node.core.storage.statements import Lookup, Query, Statement, blocks, insertion
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.witness.model import CosignedProof, CosignedSpan, Uncosigned, WitnessedNote, WitnessedTime
from paiza_wire.tlog.merkle import leaf_hash

# Checkpoints of the own log that a quorum cosigned: of each size the first such note, and the latest if an idle log
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

# Entries of other members' logs whose stored proof is not cosigned yet; each is deleted when it is.
uncosigned_table = Table(
    "uncosigned",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("member", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=True),
    sqlite_with_rowid=False,
)

# The same entries proven to a note that a quorum cosigned. The original proof stays in its own table. Within its block
# of 16 entries, once that was full, the path is the same: `hashes` is NULL if it is that of the row of `proof` that has
# this entry of this log.
cosigned_proof_table = Table(
    "cosigned_proof",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=True),
    Column("path", Number, nullable=False),
    sqlite_with_rowid=False,
)

# The data that the cosigned proofs of neighbouring entries share: the notes, and the upper hashes.
cosigned_path_table = Table(
    "cosigned_path",
    METADATA,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("span", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
)

# Two consecutive cosigned notes of a log; the entries between them share it. Identified by the SHA-256 of
# its content.
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
    """Return the first witnessed note of the own log with at least ``size`` entries."""
    return _WITNESSED.first(conn, select(witnessed_note_table).where(_W.size >= size).order_by(_W.size, _W.again))


def witnessed_before(conn: ReadConnection, index: int) -> WitnessedNote | None:
    """Return the last witnessed note that does not contain the entry at ``index``."""
    newest = (_W.size.desc(), _W.again.desc())
    return _WITNESSED.first(conn, select(witnessed_note_table).where(_W.size <= index).order_by(*newest))


def last_witnessed(conn: ReadConnection) -> WitnessedNote | None:
    """Return the largest witnessed note of the own log."""
    return _WITNESSED.first(conn, select(witnessed_note_table).order_by(_W.size.desc(), _W.again.desc()))


def witnessed_size(conn: ReadConnection) -> int:
    """Return the size of the largest witnessed note of the own log; 0 if there is none."""
    return conn.execute(select(_W.size).order_by(_W.size.desc()).limit(1)).scalar() or 0


def witnessed_until(conn: ReadConnection, since: datetime, until: datetime) -> list[int]:
    """Return the sizes of the witnessed notes of a short period, both its ends included, in order of time."""
    wanted = select(_W.size).where(_W.time >= to_micros(since), _W.time <= to_micros(until)).order_by(_W.time)
    return list(conn.execute(wanted).scalars())


def was_witnessed(conn: ReadConnection, size: int, since: datetime) -> bool:
    """Return whether the first witnessed note of this size is stored, and is of this time or later."""
    wanted = select(_W.time).where(_W.size == size, _W.again.is_(False))
    time = conn.execute(wanted).scalar()
    return time is not None and time >= to_micros(since)


def witnessed_by_time(conn: ReadConnection, since: datetime, until: datetime, limit: int) -> list[WitnessedNote]:
    """Return the witnessed notes from one time on and before another, oldest first."""
    return _WITNESSED.find(
        conn,
        select(witnessed_note_table)
        .where(_W.time >= to_micros(since), _W.time < to_micros(until))
        .order_by(_W.time, _W.size)
        .limit(limit),
    )


def witnessed_times(conn: ReadConnection, since: datetime, until: datetime, limit: int) -> list[WitnessedTime]:
    """Return the times of witnessed notes from one time on and before another, oldest first, without the notes."""
    rows = conn.execute(
        select(_W.size, _W.again, _W.time)
        .where(_W.time >= to_micros(since), _W.time < to_micros(until))
        .order_by(_W.time, _W.size)
        .limit(limit)
    )
    return [WitnessedTime(row[0], row[1], from_micros(row[2])) for row in rows]


def cosigned_proof(
    conn: ReadConnection, member: str, origin: str, index: int, message_digest: bytes
) -> CosignedProof | None:
    """Return the proof of an entry of a member's log, named by its origin, to a cosigned note; None if missing.

    ``message_digest`` is that of the message that the entry is about.
    """
    p, path, span = cosigned_proof_table.c, cosigned_path_table.c, cosigned_span_table.c
    original, shared = proof_table.c, proof_path_table.c
    note, before, kept = (note_table.alias(name) for name in ("after", "before", "kept"))
    # A former log of the member may have another entry about the same message at the same index.
    first_line = origin.encode() + b"\n"
    of_this_log = func.substr(kept.c.note, 1, len(first_line), type_=LargeBinary) == first_line
    rows = conn.execute(
        select(
            func.coalesce(p.hashes, case((of_this_log, original.hashes))).label("hashes"),
            path.hashes.label("upper_hashes"),
            span.consistency_proof,
            span.register_version,
            note.c.note,
            before.c.note.label("before"),
        )
        .select_from(
            cosigned_proof_table.join(cosigned_path_table, path.id == p.path)
            .join(cosigned_span_table, span.id == path.span)
            .join(note, note.c.digest == span.note_digest)
            .outerjoin(before, before.c.digest == span.before_digest)
            .outerjoin(
                proof_table,
                and_(
                    original.digest == message_digest,
                    original.member == member,
                    original.log_index == p.log_index,
                ),
            )
            .outerjoin(proof_path_table, shared.id == original.path)
            .outerjoin(kept, kept.c.digest == shared.note_digest)
        )
        .where(p.origin == origin, p.log_index == index)
    )
    row = next((each for each in rows if each.hashes is not None), None)
    if row is None:
        return None
    found = CosignedSpan(row.before or b"", row.note, row.consistency_proof, row.register_version)
    return CosignedProof(member, index, row.hashes + row.upper_hashes, found)


def cosigned_places(conn: ReadConnection) -> Iterator[Rows]:
    """Return (origin, log_index, span) of all cosigned proofs; the span is None if the shared data is missing."""
    path = cosigned_path_table.c
    wanted = select(cosigned_proof_table, path.span).outerjoin(
        cosigned_path_table, path.id == cosigned_proof_table.c.path
    )
    yield from scanning.pages(conn, wanted, cosigned_proof_table)


def uncosigned(conn: ReadConnection, origin: str, limit: int, *, after: int = -1) -> list[Uncosigned]:
    """Return entries of a log, after an index, that wait for a cosigned proof, in order of index."""
    return [_UNCOSIGNED.read(row) for row in _UNCOSIGNED_AFTER.run(conn, origin, after, limit)]


def uncosigned_counts(conn: ReadConnection) -> dict[str, int]:
    """Return how many entries of each member's log wait for a cosigned proof."""
    u = uncosigned_table.c
    return {row[0]: row[1] for row in conn.execute(select(u.member, func.count()).group_by(u.member))}


def foreign_entries(
    conn: ReadConnection, kept_proofs: Sequence[Lookup], digests: Collection[bytes]
) -> list[Uncosigned]:
    """Return the stored entries of other members' logs about these messages that have no cosigned proof.

    ``kept_proofs`` find the stored entries (`paiza_node.core.exchange.store.KEPT_PROOFS`). Former logs of members are
    not cosigned any more.
    """
    found_rows = [row for lookup in kept_proofs for row in lookup.run(conn, digests)]
    origins = {digest: origin_of(note) for digest, note in _NOTES.run(conn, {row[3] for row in found_rows})}
    kept = [row for row in found_rows if row[3] in origins]  # without its note an entry is damaged
    left = _left_behind(conn, set(origins.values()))
    found = {
        (member, origins[note], index): (leaf_hash(entry), hashes)
        for member, index, entry, note, hashes in kept
        if origins[note] not in left
    }
    known: set[tuple[str, int]] = set()
    for origin in {origin for _, origin, _ in found}:
        indices = [index for _, of, index in found if of == origin]
        known.update((origin, row[0]) for row in _COSIGNED_OF.run(conn, indices, origin))
    return [Uncosigned(*place, *found[place]) for place in sorted(found) if place[1:] not in known]


def _left_behind(conn: ReadConnection, origins: Collection[str]) -> set[str]:
    """Return those logs of other members that are former ones."""
    f = former_known_log_table.c
    return set(conn.execute(select(f.origin).where(f.origin.in_(origins))).scalars())


def put_witnessed(conn: WriteConnection, note: WitnessedNote) -> None:
    """Store a witnessed note; it replaces one of the same size, cosigned as often."""
    _WITNESSED.put(conn, [note])


def drop_witnessed(conn: WriteConnection, notes: Collection[tuple[int, bool]]) -> None:
    """Delete witnessed notes: (size, whether cosigned again)."""
    for again in (False, True):
        for block in blocks([size for size, cosigned_again in notes if cosigned_again == again]):
            conn.execute(delete(witnessed_note_table).where(_W.size.in_(block), _W.again == again))


def add_uncosigned(conn: WriteConnection, entries: Sequence[Uncosigned]) -> None:
    """Store entries that wait for a cosigned proof; known ones are ignored."""
    _UNCOSIGNED.add_new(conn, entries)


def add_cosigned(conn: WriteConnection, proofs: Sequence[CosignedProof]) -> None:
    """Store cosigned proofs; their entries wait no longer. An existing one is unchanged."""
    ids = {span: _span_row(span) for span in {proof.span for proof in proofs}}
    exchange_store.add_notes(conn, [note for span in ids for note in (span.before, span.note) if note])
    _ADD_SPAN.run(conn, list(ids.values()))
    split = [(proof, *split_path(proof.hashes)) for proof in proofs]
    shared = [(ids[proof.span][0], upper) for proof, _, upper in split]
    paths = _PATHS.add(conn, shared)
    stored = _stored_hashes(conn, proofs)
    rows = [
        (proof.origin, proof.index, None if own == stored.get((proof.origin, proof.index)) else own, paths[path])
        for (proof, own, _), path in zip(split, shared, strict=True)
    ]
    _ADD_COSIGNED.run(conn, rows)
    _DROP_UNCOSIGNED.run(conn, [(proof.origin, proof.index) for proof in proofs])


def _stored_hashes(conn: ReadConnection, proofs: Sequence[CosignedProof]) -> dict[tuple[str, int], bytes | None]:
    """Return the lower hashes that `proof` has of these entries, which still wait: by log and index."""
    indices: dict[str, list[int]] = {}
    for proof in proofs:
        indices.setdefault(proof.origin, []).append(proof.index)
    return {(origin, row[0]): row[1] for origin, of in indices.items() for row in _STORED_HASHES.run(conn, of, origin)}


def drop_left_behind(conn: WriteConnection) -> None:
    """Delete waiting entries of former logs."""
    left = select(former_known_log_table.c.origin)
    conn.execute(delete(uncosigned_table).where(uncosigned_table.c.origin.in_(left)))


def _span_row(span: CosignedSpan) -> tuple[bytes, bytes | None, bytes, bytes, bytes]:
    before = sha256(span.before).digest() if span.before else None
    note = sha256(span.note).digest()
    return sha256((before or b"") + note).digest(), before, note, span.consistency_proof, span.register_version


_WITNESSED: Final = Records(witnessed_note_table, WitnessedNote, time=TIME, witnesses=WORDS)

_UNCOSIGNED: Final = Records(uncosigned_table, Uncosigned, renamed={"log_index": "index"})

_U: Final = uncosigned_table.c

_UNCOSIGNED_AFTER: Final = Query(
    select(uncosigned_table)
    .where(_U.origin == bindparam("origin"), _U.log_index > bindparam("after"))
    .order_by(_U.log_index)
    .limit(bindparam("most")),
    "origin",
    "after",
    "most",
)

_DROP_UNCOSIGNED: Final = Statement(
    lambda _database, given: delete(uncosigned_table).where(
        _U.origin == given["origin"], _U.log_index == given["log_index"]
    ),
    {"origin": _U.origin.type, "log_index": _U.log_index.type},
)

_STORED_HASHES: Final = Lookup(
    select(_U.log_index, _U.hashes).where(_U.origin == bindparam("origin")),
    _U.log_index,
)

_ADD_SPAN: Final = insertion(cosigned_span_table, ignore_known=True)

_PATHS: Final = SharedRows(cosigned_path_table)

_ADD_COSIGNED: Final = insertion(cosigned_proof_table, ignore_known=True)

_COSIGNED_OF: Final = Lookup(
    select(cosigned_proof_table.c.log_index).where(cosigned_proof_table.c.origin == bindparam("origin")),
    cosigned_proof_table.c.log_index,
)

_NOTES: Final = Lookup(select(note_table.c.digest, note_table.c.note), note_table.c.digest)


LIFECYCLES: Final = (
    Lifecycle(witnessed_note_table),
    Lifecycle(uncosigned_table),
    Lifecycle(cosigned_proof_table),
    Lifecycle(cosigned_path_table),
    Lifecycle(cosigned_span_table),
)
