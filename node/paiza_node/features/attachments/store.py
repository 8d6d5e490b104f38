"""Attachments in the database: officers' uploads, pending downloads, and recipients' answers about ours."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    case,
    delete,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import UpdateBase

from paiza.core.v1 import delivery_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.store import note_table
from paiza_node.core.messages.store import erased_table
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.blocks import REASON as BLOCKED
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Key, Lifecycle, Subject
from paiza_node.core.storage.records import TIME, Kept, Records
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.statements import Lookup, blocks, insertion
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.attachments.model import AttachmentProof, AttachmentRow, Upload

# Ciphertexts that officers uploaded and no message names yet.
upload_table = Table(
    "upload",
    METADATA,
    Column("ciphertext_sha256", LargeBinary, primary_key=True),
    Column("officer", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("started_time", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),
)
Index("ix_upload_officer", upload_table.c.officer)

# The state of each attachment: at ourselves for a received message, by the member that serves it, at each recipient for
# a sent one. The files lie beside the database.
attachment_table = Table(
    "attachment",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("part_number", Integer, primary_key=True, autoincrement=False),
    Column("member", Text, primary_key=True),
    Column("source", Text, primary_key=True),  # the member that serves it to us; empty if we serve it
    Column("ciphertext_sha256", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("pending_since_time", BigInteger, nullable=False),  # pending since
    Column("due_time", BigInteger, nullable=True),  # our next action: to download it, or to inform the sender
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("settled_time", BigInteger, nullable=True),
    Column("log_index", BigInteger, nullable=True),  # the entry of our log that settled it
)
Index("ix_attachment_ciphertext_sha256", attachment_table.c.ciphertext_sha256)
Index("ix_attachment_source", attachment_table.c.source)  # for a member that lost our answers
_WHERE_DUE: Final = text("due_time IS NOT NULL")
Index(
    "ix_attachment_due",
    attachment_table.c.source,
    attachment_table.c.due_time,
    sqlite_where=_WHERE_DUE,
    postgresql_where=_WHERE_DUE,
)
_WHERE_UNSETTLED: Final = text("state <> 2")
Index(
    "ix_attachment_open",
    attachment_table.c.pending_since_time,
    sqlite_where=_WHERE_UNSETTLED,
    postgresql_where=_WHERE_UNSETTLED,
)

# A recipient's entry about an attachment of ours, proven to its log.
attachment_proof_table = Table(
    "attachment_proof",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("part_number", Integer, primary_key=True, autoincrement=False),
    Column("member", Text, primary_key=True),
    Column("entry", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
)


MAX_DETAIL: Final = 500  # stored characters of a reason's detail

PENDING: Final = delivery_pb2.ATTACHMENT_STATE_PENDING

RECEIVED: Final = delivery_pb2.ATTACHMENT_STATE_RECEIVED
ERASED: Final = delivery_pb2.ATTACHMENT_STATE_ERASED


# A literal, so that the databases see that the partial index applies.
_UNSETTLED: Final = attachment_table.c.state != literal_column("2")


def uploads(conn: ReadConnection, officers: Collection[str], ciphertexts: Collection[bytes]) -> dict[bytes, Upload]:
    """Return those of these ciphertexts that these officers uploaded and no message names yet; whole ones first."""
    u = upload_table
    found: dict[bytes, Upload] = {}
    wanted = list(ciphertexts)
    for block in blocks(wanted):
        query = select(u).where(u.c.ciphertext_sha256.in_(block), u.c.officer.in_(list(officers)))
        for upload in _UPLOADS.find(conn, query):
            if upload.ciphertext_sha256 not in found or upload.whole:
                found[upload.ciphertext_sha256] = upload
    return found


def uploads_of(conn: ReadConnection, officer: str) -> list[Upload]:
    """Return one officer's uploads that no message names yet."""
    u = upload_table
    return _UPLOADS.find(conn, select(u).where(u.c.officer == officer))


def half_uploads(conn: ReadConnection) -> list[Upload]:
    """Return the uploads that are not whole."""
    u = upload_table
    return _UPLOADS.find(conn, select(u).where(u.c.whole.is_(False)))


def old_uploads(conn: ReadConnection, before: datetime, limit: int) -> list[Upload]:
    """Return uploads that were begun before a time."""
    u = upload_table
    return _UPLOADS.find(conn, select(u).where(u.c.started_time < to_micros(before)).limit(limit))


def attachment(conn: ReadConnection, digest: bytes, part_number: int, member: str, source: str) -> AttachmentRow | None:
    """Return the state of one attachment at one member, from ``source`` if that is ourselves."""
    a = attachment_table.c
    one = (a.digest == digest) & (a.part_number == part_number) & (a.member == member) & (a.source == source)
    return _ATTACHMENTS.first(conn, select(attachment_table).where(one))


def attachment_rows(conn: ReadConnection, digests: Collection[bytes]) -> list[AttachmentRow]:
    """Return all rows about the attachments of these messages, in no particular order."""
    return [_ATTACHMENTS.read(row) for row in _ATTACHMENTS_OF.run(conn, digests)]


def attachments_of(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, list[AttachmentRow]]:
    """Return the states of the attachments of these messages, by message, in order of part and member.

    Where several members served one, it is received if it was received from any; else the last of them counts.
    """
    rows = sorted(attachment_rows(conn, digests), key=lambda row: (row.state == RECEIVED, row.pending_since_time))
    counts = {(row.digest, row.part_number, row.member): row for row in rows}.values()
    found: dict[bytes, list[AttachmentRow]] = {}
    for row in _with_blocks(conn, sorted(counts, key=attrgetter("part_number", "member"))):
        found.setdefault(row.digest, []).append(row)
    return found


def _with_blocks(conn: ReadConnection, rows: list[AttachmentRow]) -> list[AttachmentRow]:
    """Return the rows as they are shown: a pending transfer with a blocked member has that as its reason."""
    blocked = peers_store.peer_blocks(conn) if any(row.state == PENDING for row in rows) else {}
    return [
        replace(row, reason=BLOCKED, detail="")
        if row.state == PENDING and (row.source or row.member) in blocked
        else row
        for row in rows
    ]


def attachments_due(conn: ReadConnection, source: str, now: datetime, limit: int) -> list[AttachmentRow]:
    """Return the attachments to acknowledge to a member, then those to download from it.

    The least tried come first, and the smallest of them: those that a member never serves hold up no others.
    """
    a = attachment_table.c
    query = select(attachment_table).where(a.source == source, a.due_time <= to_micros(now))
    order = a.state == PENDING, a.attempts, a.size, a.digest, a.part_number
    return _ATTACHMENTS.find(conn, query.order_by(*order).limit(limit))


def attachment_sources(conn: ReadConnection) -> dict[str, datetime]:
    """Return the members with due downloads or acknowledgements, and the time of the next."""
    a = attachment_table.c
    query = select(a.source, func.min(a.due_time)).where(a.due_time.is_not(None)).group_by(a.source)
    return {row[0]: from_micros(row[1]) for row in conn.execute(query)}


def attachments_expired(conn: ReadConnection, before: datetime, limit: int) -> list[AttachmentRow]:
    """Return the attachments that have been pending here since before a time."""
    a = attachment_table.c
    query = select(attachment_table).where(
        _UNSETTLED, a.state == PENDING, a.source != literal_column("''"), a.pending_since_time < to_micros(before)
    )
    return _ATTACHMENTS.find(conn, query.limit(limit))


def attachment_queue(
    conn: ReadConnection, member: str, limit: int, after: tuple[datetime, bytes, int, str, str] | None = None
) -> list[AttachmentRow]:
    """Return pending and failed attachments, oldest first; only those that concern ``member`` if it is given.

    ``after`` is the sort key of the preceding one: pending since, message, part, member, source.
    """
    a = attachment_table.c
    query = select(attachment_table).where(_UNSETTLED)
    if member:
        query = query.where(or_(a.member == member, a.source == member))
    if after is not None:
        since = to_micros(after[0])
        behind = tuple_(a.digest, a.part_number, a.member, a.source) > tuple_(*(literal(each) for each in after[1:]))
        query = query.where(a.pending_since_time >= since, or_(a.pending_since_time > since, behind))
    query = query.order_by(a.pending_since_time, a.digest, a.part_number, a.member, a.source)
    return _with_blocks(conn, _ATTACHMENTS.find(conn, query.limit(limit)))


def pending_counts(conn: ReadConnection) -> dict[tuple[str, str], int]:
    """Count pending attachments: here, by the member that serves it, and there, by the recipient."""
    a = attachment_table.c
    query = select(a.source, a.member, func.count()).where(_UNSETTLED, a.state == PENDING)
    return {
        ("here", row[0]) if row[0] else ("there", row[1]): row[2]
        for row in conn.execute(query.group_by(a.source, a.member))
    }


def attachment_bytes_since(conn: ReadConnection, source: str, since: datetime) -> int:
    """Return how many bytes were received from a member since a time."""
    a = attachment_table.c
    query = select(func.sum(a.size)).where(a.source == source, a.state == RECEIVED, a.settled_time >= to_micros(since))
    return int(conn.execute(query).scalar_one_or_none() or 0)


def named_ciphertexts(conn: ReadConnection, ciphertexts: Collection[bytes]) -> set[bytes]:
    """Return those of these ciphertexts that an upload or a message here names whose content was not erased."""
    found: set[bytes] = set()
    wanted = list(ciphertexts)
    for block in blocks(wanted):
        uploaded, attached = upload_table.c.ciphertext_sha256, attachment_table.c.ciphertext_sha256
        living = attachment_table.c.digest.not_in(select(erased_table.c.digest))
        found |= set(conn.execute(select(uploaded).where(uploaded.in_(block))).scalars())
        found |= set(conn.execute(select(attached).where(attached.in_(block), living)).scalars())
    return found


def messages_naming(conn: ReadConnection, ciphertext: bytes) -> set[bytes]:
    """Return the messages whose attachments include a ciphertext, without those whose content was erased."""
    a = attachment_table.c
    living = a.digest.not_in(select(erased_table.c.digest))
    return set(conn.execute(select(a.digest).where(a.ciphertext_sha256 == ciphertext, living)).scalars())


def attachment_proofs(conn: ReadConnection, digest: bytes) -> list[AttachmentProof]:
    """Return recipients' proven answers about the attachments of one message."""
    p = attachment_proof_table
    query = select(p, note_table.c.note).join(note_table, note_table.c.digest == p.c.note_digest)
    rows = conn.execute(query.where(p.c.digest == digest).order_by(p.c.part_number, p.c.member))
    return [
        AttachmentProof(
            digest=row.digest,
            part_number=row.part_number,
            member=row.member,
            entry=row.entry,
            index=row.log_index,
            hashes=row.hashes,
            checkpoint=row.note,
            register_version=row.register_version,
        )
        for row in rows
    ]


def put_upload(conn: WriteConnection, upload: Upload) -> None:
    """Store an upload, or its progress."""
    _UPLOADS.put(conn, [upload])


def drop_uploads(conn: WriteConnection, given_up: Collection[Upload]) -> None:
    """Delete uploads: a message names them now, or they were given up."""
    u = upload_table.c
    for each in given_up:
        conn.execute(
            delete(upload_table).where(u.ciphertext_sha256 == each.ciphertext_sha256, u.officer == each.officer)
        )


def put_attachments(conn: WriteConnection, rows: Sequence[AttachmentRow]) -> None:
    """Store states of attachments; they replace earlier ones."""
    _ATTACHMENTS.put(conn, rows)


def drop_attachments(conn: WriteConnection, rows: Collection[AttachmentRow]) -> None:
    """Delete states of attachments that another member serves now."""
    a = attachment_table.c
    for row in rows:
        one = (a.digest == row.digest) & (a.part_number == row.part_number)
        conn.execute(delete(attachment_table).where(one, a.member == row.member, a.source == row.source))


def plan_attachment(
    conn: WriteConnection, row: AttachmentRow, due: datetime | None, attempts: int, reason: str, detail: str
) -> None:
    """Store the time and the reason of an attachment's next attempt, unless it has ended or another serves it now."""
    found = attachment(conn, row.digest, row.part_number, row.member, row.source)
    if found is not None and found.state == row.state:
        put_attachments(conn, [replace(found, due_time=due, attempts=attempts, reason=reason, detail=detail)])


def tell_again(conn: WriteConnection, source: str, now: datetime) -> None:
    """Plan to inform a member again of the results of its attachments here."""
    a = attachment_table.c
    answered = (a.source == source) & a.log_index.is_not(None)
    conn.execute(update(attachment_table).where(answered).values(due_time=to_micros(now), attempts=0))


def add_attachment_proofs(conn: WriteConnection, proofs: Sequence[AttachmentProof]) -> None:
    """Store recipients' answers about attachments; existing ones are unchanged."""
    notes = exchange_store.add_notes(conn, [proof.checkpoint for proof in proofs])
    _ADD_PROOF.run(
        conn,
        [
            (
                p.digest,
                p.part_number,
                p.member,
                p.entry,
                p.index,
                p.hashes,
                notes[p.checkpoint],
                p.register_version,
            )
            for p in proofs
        ],
    )


_UPLOADS: Final = Records(upload_table, Upload, started_time=TIME)
_ATTACHMENTS: Final = Records(
    attachment_table,
    AttachmentRow,
    pending_since_time=TIME,
    due_time=TIME,
    settled_time=TIME,
    detail=Kept(lambda detail: detail[:MAX_DETAIL], str),
)

_ATTACHMENTS_OF: Final = Lookup(select(attachment_table), attachment_table.c.digest)

_ADD_PROOF: Final = insertion(attachment_proof_table, ignore_known=True)


def sole_ciphertexts(conn: ReadConnection, digest: bytes, ciphertexts: Collection[bytes]) -> set[bytes]:
    """Return those of these ciphertexts that no upload and no message but this one (and erased ones) names."""
    a, u = attachment_table.c, upload_table.c
    erased = select(erased_table.c.digest)
    named: set[bytes] = set()
    for block in blocks(list(ciphertexts)):
        living = select(a.ciphertext_sha256).where(
            a.ciphertext_sha256.in_(block), a.digest != digest, a.digest.not_in(erased)
        )
        named |= set(conn.execute(living).scalars())
        uploaded = select(u.ciphertext_sha256).where(u.ciphertext_sha256.in_(block))
        named |= set(conn.execute(uploaded).scalars())
    return set(ciphertexts) - named


def _erase(subject: Subject, now: datetime) -> UpdateBase:
    """Settle the message's unsettled attachments as erased; the caller removes the files.

    The holder of one that was answered is still told the answer.
    """
    a = attachment_table.c
    here = (a.digest == subject.digest) & ((a.source != "") | (a.state == PENDING))
    values = {
        "state": ERASED,
        "due_time": case((a.log_index.is_not(None), a.due_time)),
        "detail": "",
        "settled_time": func.coalesce(a.settled_time, to_micros(now)),
    }
    return update(attachment_table).where(here).values(values)


KEPT_PROOFS: Final = (
    Lookup(
        select(
            attachment_proof_table.c.member,
            attachment_proof_table.c.log_index,
            attachment_proof_table.c.entry,
            attachment_proof_table.c.note_digest,
            null(),
        ),
        attachment_proof_table.c.digest,
    ),
)

LIFECYCLES: Final = (
    Lifecycle(upload_table),
    Lifecycle(attachment_table, Key.DIGEST, attachment_table.c.digest, on_erase=_erase),
    Lifecycle(attachment_proof_table, Key.DIGEST, attachment_proof_table.c.digest),
)
