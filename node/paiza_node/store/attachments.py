"""Where attachments stand: what officers brought, what is awaited from whom, what recipients said of ours."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, func, literal_column, or_, select

from paiza.core.v1 import delivery_pb2
from paiza_node.model import AttachmentProof, AttachmentRow, Upload
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.statements import blocks, insertion, replacement

MAX_DETAIL: Final = 500  # characters of a reason's detail that are kept
AWAITED: Final = delivery_pb2.ATTACHMENT_STATE_AWAITED
RECEIVED: Final = delivery_pb2.ATTACHMENT_STATE_RECEIVED

# A literal, so that the databases see that the partial index applies.
_UNSETTLED: Final = s.attachment.c.state != literal_column("2")


class AttachmentReads:
    """Questions about attachments, asked over one connection."""

    _connection: Connection

    def uploads(self, ciphertexts: Collection[bytes]) -> dict[bytes, Upload]:
        """Give those of these ciphertexts that officers brought and no message names yet."""
        u = s.upload
        found: dict[bytes, Upload] = {}
        wanted = list(ciphertexts)
        for block in blocks(wanted):
            for row in self._connection.execute(select(u).where(u.c.ciphertext_sha256.in_(block))):
                found[row.ciphertext_sha256] = _upload(row)
        return found

    def uploads_of(self, officer: str) -> list[Upload]:
        """Give what one officer brought and no message names yet."""
        u = s.upload
        return [_upload(row) for row in self._connection.execute(select(u).where(u.c.officer == officer))]

    def old_uploads(self, before: datetime, limit: int) -> list[Upload]:
        """Give uploads that were begun before a time."""
        u = s.upload
        rows = self._connection.execute(select(u).where(u.c.started_time < to_micros(before)).limit(limit))
        return [_upload(row) for row in rows]

    def attachment(self, digest: bytes, part_number: int, member: str) -> AttachmentRow | None:
        """Give where one attachment stands at one member."""
        a = s.attachment.c
        found = self._attachments(
            select(s.attachment).where(a.digest == digest, a.part_number == part_number, a.member == member)
        )
        return found[0] if found else None

    def attachments_of(self, digests: Collection[bytes]) -> dict[bytes, list[AttachmentRow]]:
        """Give where the attachments of these messages stand, by message, in order of part and member."""
        a = s.attachment.c
        found: dict[bytes, list[AttachmentRow]] = {}
        wanted = list(digests)
        for block in blocks(wanted):
            query = select(s.attachment).where(a.digest.in_(block)).order_by(a.part_number, a.member)
            for row in self._attachments(query):
                found.setdefault(row.digest, []).append(row)
        return found

    def attachments_due(self, source: str, now: datetime, limit: int) -> list[AttachmentRow]:
        """Give what is to be fetched from a member or told to it, the smallest first: a photograph before a film."""
        a = s.attachment.c
        query = select(s.attachment).where(a.source == source, a.due_time <= to_micros(now))
        return self._attachments(query.order_by(a.size, a.digest, a.part_number).limit(limit))

    def attachment_sources(self) -> dict[str, datetime]:
        """Give the members from whom something is to be fetched, or to whom something is to be told, and when next."""
        a = s.attachment.c
        query = select(a.source, func.min(a.due_time)).where(a.due_time.is_not(None)).group_by(a.source)
        return {row[0]: from_micros(row[1]) for row in self._connection.execute(query)}

    def attachments_expired(self, before: datetime, limit: int) -> list[AttachmentRow]:
        """Give what has been awaited here since before a time."""
        a = s.attachment.c
        query = select(s.attachment).where(
            _UNSETTLED, a.state == AWAITED, a.source != literal_column("''"), a.awaited_time < to_micros(before)
        )
        return self._attachments(query.limit(limit))

    def attachment_queue(self, member: str, limit: int) -> list[AttachmentRow]:
        """Give what is awaited or failed, oldest first; only what concerns one other member where one is named."""
        a = s.attachment.c
        query = select(s.attachment).where(_UNSETTLED)
        if member:
            query = query.where(or_(a.member == member, a.source == member))
        return self._attachments(query.order_by(a.awaited_time, a.digest, a.part_number, a.member).limit(limit))

    def attachments_awaited(self) -> dict[tuple[str, str], int]:
        """Count what is awaited: here, by the member who hands it over, and there, by the member who awaits it."""
        a = s.attachment.c
        query = select(a.source, a.member, func.count()).where(_UNSETTLED, a.state == AWAITED)
        return {
            ("here", row[0]) if row[0] else ("there", row[1]): row[2]
            for row in self._connection.execute(query.group_by(a.source, a.member))
        }

    def attachment_bytes_since(self, source: str, since: datetime) -> int:
        """Give how many bytes were taken from a member since a time."""
        a = s.attachment.c
        query = select(func.sum(a.size)).where(
            a.source == source, a.state == RECEIVED, a.settled_time >= to_micros(since)
        )
        return int(self._connection.execute(query).scalar_one_or_none() or 0)

    def named_ciphertexts(self, ciphertexts: Collection[bytes]) -> set[bytes]:
        """Give those of these ciphertexts that an upload or a message here names whose content was not erased."""
        found: set[bytes] = set()
        wanted = list(ciphertexts)
        for block in blocks(wanted):
            uploaded, attached = s.upload.c.ciphertext_sha256, s.attachment.c.ciphertext_sha256
            living = s.attachment.c.digest.not_in(select(s.erased.c.digest))
            found |= set(self._connection.execute(select(uploaded).where(uploaded.in_(block))).scalars())
            found |= set(self._connection.execute(select(attached).where(attached.in_(block), living)).scalars())
        return found

    def attachment_proofs(self, digest: bytes) -> list[AttachmentProof]:
        """Give what recipients' logs say of the attachments of one message."""
        p = s.attachment_proof
        query = select(p, s.note.c.note).join(s.note, s.note.c.digest == p.c.note_digest)
        rows = self._connection.execute(query.where(p.c.digest == digest).order_by(p.c.part_number, p.c.member))
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

    def _attachments(self, query: Select[Any]) -> list[AttachmentRow]:
        return [_attachment(row) for row in self._connection.execute(query)]


class AttachmentWrites(AttachmentReads):
    """The writes of it, in the one transaction of one connection."""

    def put_upload(self, upload: Upload) -> None:
        """Store an upload, or how far it has come."""
        row = (upload.ciphertext_sha256, upload.size, upload.officer, to_micros(upload.started_time), upload.whole)
        _PUT_UPLOAD.run(self._connection, [row])

    def drop_uploads(self, ciphertexts: Collection[bytes]) -> None:
        """Forget uploads: a message names them now, or they were given up."""
        for ciphertext in ciphertexts:
            self._connection.execute(delete(s.upload).where(s.upload.c.ciphertext_sha256 == ciphertext))

    def put_attachments(self, rows: Sequence[AttachmentRow]) -> None:
        """Store where attachments stand, instead of what was stored of them before."""
        _PUT_ATTACHMENT.run(
            self._connection,
            [
                (
                    row.digest,
                    row.part_number,
                    row.member,
                    row.source,
                    row.ciphertext_sha256,
                    row.size,
                    row.state,
                    to_micros(row.awaited_time),
                    None if row.due_time is None else to_micros(row.due_time),
                    row.attempts,
                    row.reason,
                    row.detail[:MAX_DETAIL],
                    None if row.settled_time is None else to_micros(row.settled_time),
                    row.log_index,
                )
                for row in rows
            ],
        )

    def plan_attachment(
        self, row: AttachmentRow, due: datetime | None, attempts: int, reason: str, detail: str
    ) -> None:
        """Say when something is to be done about an attachment, and why it was not done now; unless it has ended."""
        found = self.attachment(row.digest, row.part_number, row.member)
        if found is not None and found.state == row.state:
            self.put_attachments([replace(found, due_time=due, attempts=attempts, reason=reason, detail=detail)])

    def add_attachment_proofs(self, proofs: Sequence[AttachmentProof]) -> None:
        """Keep what recipients' logs say of attachments; what is there already stays as it is."""
        notes = {proof.checkpoint: sha256(proof.checkpoint).digest() for proof in proofs}
        _ADD_NOTE.run(self._connection, [(digest, note) for note, digest in notes.items()])
        _ADD_PROOF.run(
            self._connection,
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


def _upload(row: Row[Any]) -> Upload:
    return Upload(row.ciphertext_sha256, row.size, row.officer, from_micros(row.started_time), row.whole)


def _attachment(row: Row[Any]) -> AttachmentRow:
    return AttachmentRow(
        digest=row.digest,
        part_number=row.part_number,
        member=row.member,
        source=row.source,
        ciphertext_sha256=row.ciphertext_sha256,
        size=row.size,
        awaited_time=from_micros(row.awaited_time),
        due_time=None if row.due_time is None else from_micros(row.due_time),
        state=row.state,
        attempts=row.attempts,
        reason=row.reason,
        detail=row.detail,
        settled_time=None if row.settled_time is None else from_micros(row.settled_time),
        log_index=row.log_index,
    )


_PUT_UPLOAD: Final = replacement(s.upload)
_PUT_ATTACHMENT: Final = replacement(s.attachment)
_ADD_NOTE: Final = insertion(s.note, ignore_known=True)
_ADD_PROOF: Final = insertion(s.attachment_proof, ignore_known=True)
