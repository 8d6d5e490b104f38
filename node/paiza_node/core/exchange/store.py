"""Proofs from other members' logs: of messages released, answered and forwarded, and of certificates."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    SmallInteger,
    Table,
    Text,
    delete,
    null,
    select,
)

from paiza_node.core.exchange.model import (
    ForeignProof,
    ForwardingRow,
    ProofKind,
    ProofRow,
    ProvenCertificate,
    split_path,
)
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.store import log_entry_table
from paiza_node.core.storage import ReadConnection, WriteConnection, scanning
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.shared_rows import SharedRows
from paiza_node.core.storage.statements import Lookup, blocks, insertion

answer_table = Table(
    "answer",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("log_index", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

proof_table = Table(
    "proof",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("member", Text, primary_key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("path", Number, nullable=False),
)

Index("ix_proof_path", proof_table.c.path)  # for retirement

# The data that the proofs of neighbouring entries share: the checkpoint that they lead to, the register that was in
# force, and the upper hashes. A row goes with the last of these proofs.
proof_path_table = Table(
    "proof_path",
    METADATA,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
)

# Entries of other members' logs that they forwarded a message, to us or (of our own messages) to others.
forwarding_table = Table(
    "forwarding",
    METADATA,
    Column("forwarder", Text, primary_key=True),
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("holder", Text, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("denied", Boolean, nullable=False),
    Column("held", Boolean, nullable=False),
)
Index("ix_forwarding_digest", forwarding_table.c.digest)

# Entries of other members' logs about the signing certificates of their officers, proven with a first message.
certificate_table = Table(
    "proven_certificate",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("certificate_sha256", LargeBinary, primary_key=True),
    Column("message_digest", LargeBinary, nullable=False),  # of the message that it came with
    Column("entry", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
)
Index("ix_proven_certificate_message", certificate_table.c.message_digest)

# Checkpoint notes that proofs lead to; a batch of proofs shares one.
note_table = Table(
    "note",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("note", LargeBinary, nullable=False),
)


# A proof with everything that it shares: columns of `proof`, and upper_hashes, note_digest, register_version, note.
PROOFS: Final = (
    select(
        proof_table,
        proof_path_table.c.hashes.label("upper_hashes"),
        proof_path_table.c.note_digest,
        proof_path_table.c.register_version,
        note_table.c.note,
    )
    .join(proof_path_table, proof_path_table.c.id == proof_table.c.path)
    .join(note_table, note_table.c.digest == proof_path_table.c.note_digest)
)


def foreign_proof(row: Row[Any]) -> ForeignProof:
    """Return the proof of a row of `PROOFS`."""
    return ForeignProof(
        digest=row.digest,
        member=row.member,
        kind=ProofKind(row.kind),
        entry=row.entry,
        index=row.log_index,
        hashes=row.hashes + row.upper_hashes,
        checkpoint=row.note,
        register_version=row.register_version,
    )


def proof_rows(conn: ReadConnection) -> Iterator[ProofRow]:
    """Return all proofs; one whose shared data is missing leads to no checkpoint."""
    p = proof_path_table.c
    shared = p.hashes.label("upper_hashes"), p.note_digest, p.register_version
    wanted = select(proof_table, *shared).outerjoin(proof_path_table, p.id == proof_table.c.path)
    for rows in scanning.pages(conn, wanted, proof_table):
        for row in rows:
            yield ProofRow(
                digest=row.digest,
                member=row.member,
                kind=row.kind,
                entry=row.entry,
                log_index=row.log_index,
                hashes=row.hashes + (row.upper_hashes or b""),
                note_digest=row.note_digest or b"",
                register_version=row.register_version or b"",
            )


_FORWARDED: Final = select(forwarding_table, note_table.c.note).join(
    note_table, note_table.c.digest == forwarding_table.c.note_digest
)


def forwarding(conn: ReadConnection, forwarder: str, index: int) -> ForwardingRow | None:
    """Return the forwarding that an entry of a member's log records, as far as it is known here."""
    p = forwarding_table.c
    found = _forwarding_rows(conn, _FORWARDED.where(p.forwarder == forwarder, p.entry_index == index))
    return found[0] if found else None


def forwardings_about(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, list[ForwardingRow]]:
    """Return all known forwarding of these messages, by digest, each in order of our answers."""
    p = forwarding_table.c
    found: dict[bytes, list[ForwardingRow]] = {}
    for block in blocks(list(digests)):
        for row in _forwarding_rows(conn, _FORWARDED.where(p.digest.in_(block)).order_by(p.log_index)):
            found.setdefault(row.digest, []).append(row)
    return found


def forwardings_of_message(conn: ReadConnection, digest: bytes) -> list[ForwardingRow]:
    """Return all known forwarding of one message, in order of our answers."""
    p = forwarding_table.c
    return _forwarding_rows(conn, _FORWARDED.where(p.digest == digest).order_by(p.log_index))


def _forwarding_rows(conn: ReadConnection, statement: Select[Any]) -> list[ForwardingRow]:
    return [_forwarding_row(row) for row in conn.execute(statement)]


def add_forwardings(conn: WriteConnection, rows: Sequence[ForwardingRow]) -> None:
    """Store entries of other members' logs about forwarded messages."""
    notes = add_notes(conn, [row.checkpoint for row in rows])
    _ADD_FORWARDING.run(
        conn,
        [
            (
                row.forwarder,
                row.index,
                row.digest,
                row.holder,
                row.entry,
                row.hashes,
                notes[row.checkpoint],
                row.register_version,
                row.log_index,
                row.denied,
                row.held,
            )
            for row in rows
        ],
    )


def _forwarding_row(row: Row[Any]) -> ForwardingRow:
    return ForwardingRow(
        forwarder=row.forwarder,
        index=row.entry_index,
        digest=row.digest,
        holder=row.holder,
        entry=row.entry,
        hashes=row.hashes,
        checkpoint=row.note,
        register_version=row.register_version,
        log_index=row.log_index,
        denied=row.denied,
        held=row.held,
    )


_ADD_NOTE: Final = insertion(note_table, ignore_known=True)

_ADD_FORWARDING: Final = insertion(forwarding_table)


def answers(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, StoredEntry]:
    """Return our own RECEIVED or REFUSED entry for each of these messages that was answered before."""
    return {row[0]: StoredEntry(row[1], row[2]) for row in _ANSWERS.run(conn, digests)}


def proofs(conn: ReadConnection, digest: bytes, kind: ProofKind | None = None) -> list[ForeignProof]:
    """Return the proofs from other members' logs kept for one message."""
    p = proof_table.c
    of_kind = [p.kind == int(kind)] if kind is not None else []
    rows = conn.execute(PROOFS.where(p.digest == digest, *of_kind).order_by(p.kind, p.member))
    return list(map(foreign_proof, rows))


def proofs_about(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, list[ForeignProof]]:
    """Return the proofs from other members' logs kept for these messages, by digest."""
    p = proof_table.c
    found: dict[bytes, list[ForeignProof]] = {}
    for block in blocks(list(digests)):
        for row in conn.execute(PROOFS.where(p.digest.in_(block)).order_by(p.kind, p.member)):
            found.setdefault(row.digest, []).append(foreign_proof(row))
    return found


_ANSWERS: Final = Lookup(
    select(answer_table.c.digest, log_entry_table.c.index, log_entry_table.c.entry).join_from(
        answer_table, log_entry_table, log_entry_table.c.index == answer_table.c.log_index
    ),
    answer_table.c.digest,
)


def add_notes(conn: WriteConnection, notes: Iterable[bytes]) -> dict[bytes, bytes]:
    """Store checkpoint notes that proofs lead to; return the digest that identifies each."""
    digests = {note: sha256(note).digest() for note in notes}
    _ADD_NOTE.run(conn, [(digest, note) for note, digest in digests.items()])
    return digests


def releases(conn: ReadConnection, digest: bytes) -> list[bytes]:
    """Return the stored entries of its author's log that a message was released."""
    p = proof_table.c
    kinds = (int(ProofKind.RELEASED), int(ProofKind.ORIGIN))
    return list(conn.execute(select(p.entry).where(p.digest == digest, p.kind.in_(kinds))).scalars())


def add_proofs(conn: WriteConnection, proofs: Sequence[ForeignProof]) -> None:
    """Store proofs from other members' logs; one that is stored already is unchanged."""
    notes = add_notes(conn, [proof.checkpoint for proof in proofs])
    split = [(proof, *split_path(proof.hashes)) for proof in proofs]
    shared = [(notes[proof.checkpoint], proof.register_version, upper) for proof, _, upper in split]
    paths = _PATHS.add(conn, shared)
    rows = [
        (p.digest, p.member, int(p.kind), p.entry, p.index, own, paths[path])
        for (p, own, _), path in zip(split, shared, strict=True)
    ]
    _ADD_PROOF.run(conn, rows)


def add_answers(conn: WriteConnection, answers: Sequence[tuple[bytes, int]]) -> None:
    """Store which entry answered which message."""
    _ADD_ANSWER.run(conn, answers)


def paths_of(conn: ReadConnection, digests: Collection[bytes]) -> set[int]:
    """Return the numbers of the shared data that the proofs of these messages lead over."""
    return {row[0] for row in _PATHS_OF.run(conn, digests)}


def drop_paths(conn: WriteConnection, paths: Collection[int]) -> None:
    """Delete those of these shared data that no proof leads over any more."""
    for block in blocks(sorted(paths)):
        used = set(conn.execute(select(proof_table.c.path).where(proof_table.c.path.in_(block))).scalars())
        conn.execute(delete(proof_path_table).where(proof_path_table.c.id.in_(set(block) - used)))


_PATHS_OF: Final = Lookup(select(proof_table.c.path), proof_table.c.digest)

_ADD_PROOF: Final = insertion(proof_table, ignore_known=True)

_PATHS: Final = SharedRows(proof_path_table)

_ADD_ANSWER: Final = insertion(answer_table)


def proofs_at(conn: ReadConnection, member: str, index: int) -> list[ForeignProof]:
    """Return the stored proofs of one entry of a member's log. Reads every proof: only for rare suspicion."""
    p = proof_table.c
    return list(map(foreign_proof, conn.execute(PROOFS.where(p.member == member, p.log_index == index))))


def held_proofs(conn: ReadConnection, digests: Collection[bytes], member: str) -> dict[bytes, list[ForeignProof]]:
    """Return the stored proofs of one member's log about these messages: releases, forwarding and answers."""
    p, o = proof_table.c, forwarding_table.c
    found: dict[bytes, list[ForeignProof]] = {}
    for block in blocks(list(digests)):
        kept = PROOFS.where(p.digest.in_(block), p.member == member, p.kind != int(ProofKind.ORIGIN))
        for r in conn.execute(kept):
            found.setdefault(r.digest, []).append(foreign_proof(r))
        passed = conn.execute(
            select(forwarding_table, note_table.c.note)
            .join(note_table, note_table.c.digest == o.note_digest)
            .where(o.digest.in_(block), o.forwarder == member)
        )
        for r in passed:
            found.setdefault(r.digest, []).append(
                ForeignProof(
                    r.digest,
                    member,
                    ProofKind.RELEASED,
                    r.entry,
                    r.entry_index,
                    r.hashes,
                    r.note,
                    r.register_version,
                )
            )
    return found


def proven_signers(conn: ReadConnection) -> set[tuple[str, bytes]]:
    """Return every proven certificate: (member, SHA-256)."""
    c = certificate_table.c
    return {(row[0], row[1]) for row in conn.execute(select(c.member, c.certificate_sha256))}


def proven_certificates(conn: ReadConnection, member: str, digests: Collection[bytes]) -> list[ProvenCertificate]:
    """Return the stored proofs of a member's certificates, of those that are known."""
    c = certificate_table.c
    rows = conn.execute(
        select(certificate_table, note_table.c.note)
        .join(note_table, note_table.c.digest == c.note_digest)
        .where(c.member == member, c.certificate_sha256.in_(list(digests)))
        .order_by(c.certificate_sha256)
    )
    return [ProvenCertificate(r.member, r.certificate_sha256, r.entry, r.log_index, r.hashes, r.note) for r in rows]


def add_certificates(conn: WriteConnection, proofs: Mapping[ProvenCertificate, bytes], register_version: bytes) -> None:
    """Store proofs of certificates, each with the message that it came with; one that is stored is unchanged."""
    notes = add_notes(conn, [proof.checkpoint for proof in proofs])
    rows = [
        (p.member, p.certificate_sha256, message, p.entry, p.index, p.hashes, notes[p.checkpoint], register_version)
        for p, message in proofs.items()
    ]
    _ADD_CERTIFICATE.run(conn, rows)


_ADD_CERTIFICATE: Final = insertion(certificate_table, ignore_known=True)


def note(conn: ReadConnection, digest: bytes) -> bytes | None:
    """Return a checkpoint note that proofs lead to."""
    found: bytes | None = conn.scalar(select(note_table.c.note).where(note_table.c.digest == digest))
    return found


KEPT_PROOFS: Final = (
    Lookup(
        select(
            proof_table.c.member,
            proof_table.c.log_index,
            proof_table.c.entry,
            proof_path_table.c.note_digest,
            proof_table.c.hashes,
        ).join(proof_path_table, proof_path_table.c.id == proof_table.c.path),
        proof_table.c.digest,
    ),
    Lookup(
        select(
            forwarding_table.c.forwarder,
            forwarding_table.c.entry_index,
            forwarding_table.c.entry,
            forwarding_table.c.note_digest,
            null(),
        ),
        forwarding_table.c.digest,
    ),
    Lookup(
        select(
            certificate_table.c.member,
            certificate_table.c.log_index,
            certificate_table.c.entry,
            certificate_table.c.note_digest,
            null(),
        ),
        certificate_table.c.message_digest,
    ),
)
"""Finds the stored entries of other members' logs about messages: (member, index, entry, digest of the note, hashes).

The hashes are those that `proof` has of its entry, NULL for the other tables. Among the entries are those of the
certificates that came with a message.
"""

LIFECYCLES: Final = (
    Lifecycle(answer_table, Key.DIGEST, answer_table.c.digest),
    Lifecycle(proof_table, Key.DIGEST, proof_table.c.digest),
    Lifecycle(proof_path_table),
    Lifecycle(forwarding_table, Key.DIGEST, forwarding_table.c.digest),
    Lifecycle(certificate_table),
    Lifecycle(note_table),
)
