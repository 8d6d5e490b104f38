"""The attachments in a message's header, as rows with the state of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from paiza.core.v1 import delivery_pb2, message_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.open_rules import Opening, OpenRule
from paiza_node.core.errors import as_result
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, RedeliveredMessage
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission
from paiza_node.core.log.changes import AttachmentsExpected, Change
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.model import AttachmentRow, Upload
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import TriedMessage
from paiza_wire.message.attachment import part_numbers


@dataclass(frozen=True, slots=True)
class AttachmentsMoved(Change):
    """The author of these attachments serves them now; ``rows`` name the forwarder who did before."""

    rows: tuple[AttachmentRow, ...]


def pending_attachments(
    digest: bytes, header: message_pb2.Header, member: str, now: datetime, *, source: str = ""
) -> list[AttachmentRow]:
    """Return the attachments of a message as pending at ``member``, from ``source`` if that is ourselves."""
    return [
        AttachmentRow(
            digest=digest,
            part_number=number,
            member=member,
            source=source,
            ciphertext_sha256=header.parts[number].ciphertext_sha256,
            size=header.parts[number].ciphertext_size,
            pending_since_time=now,
            due_time=now if source else None,
        )
        for number in part_numbers(header)
    ]


def refuse_pending(tx: LogTransaction, digest: bytes, node_id: str) -> None:
    """Refuse the attachments of a message that are still pending here, which is erased: their holders are told.

    Runs in the transaction that erases it, and before: the log says first what does not come any more.
    """
    refused: list[AttachmentRow] = []
    for row in attachments_store.attachment_rows(tx.conn, [digest]):
        if not row.source or row.state != attachments_store.PENDING:
            continue
        entry = log_entries.attachment_refused(
            actor=node_id,
            source=row.source,
            digest=digest,
            part_number=row.part_number,
            reason="erased",
            ciphertext_sha256=row.ciphertext_sha256,
        )
        refused.append(
            replace(
                row,
                state=delivery_pb2.ATTACHMENT_STATE_REFUSED,
                attempts=0,
                reason="erased",
                detail="",
                settled_time=tx.now,
                log_index=tx.append(entry).index,
                due_time=tx.now,
            )
        )
    if refused:
        attachments_store.put_attachments(tx.conn, refused)
        tx.announce(AttachmentsExpected())


def attachment_status(row: AttachmentRow) -> delivery_pb2.AttachmentStatus:
    """Return the state of an attachment for officers."""
    shown = delivery_pb2.AttachmentStatus(
        part_number=row.part_number,
        member=row.member,
        state=row.state,  # type: ignore[arg-type]  # the number is that of the enum
        ciphertext_size=row.size,
        reason=row.reason,
    )
    if row.settled_time is not None:
        shown.settled_time.FromDatetime(row.settled_time)
    return shown


def went_to(reads: ReadConnection, digest: bytes) -> set[str]:
    """Return the members to whom we released or forwarded a message: those to whom we serve its attachments."""
    released = {delivery.recipient for delivery in deliveries_store.deliveries_of(reads, digest)}
    return released | {recipient for recipient, _, _ in deliveries_store.forwarded_indices(reads, digest)}


def check_uploaded(reads: ReadConnection, header: message_pb2.Header, officers: Collection[str]) -> list[Upload]:
    """Return the uploads of a message's attachments, each uploaded whole by one of these officers.

    Unavailable("attachment_incomplete") if one is not: the officer's client uploads the rest and submits again.
    """
    parts = [header.parts[number] for number in part_numbers(header)]
    if not parts:
        return []
    uploads = attachments_store.uploads(reads, officers, [part.ciphertext_sha256 for part in parts])
    for number, part in zip(part_numbers(header), parts, strict=True):
        upload = uploads.get(part.ciphertext_sha256)
        if upload is None or not upload.whole:
            raise Unavailable("attachment_incomplete", f"attachment {number} was not brought whole yet", 1.0)
        if upload.size != part.ciphertext_size:
            raise Rejected("part_digest_mismatch", f"attachment {number} is not of the size the header names")
    return [uploads[part.ciphertext_sha256] for part in parts]


def attachment_stage() -> ReleaseStage:
    """The stage of attachments in a release: each was uploaded whole, and is then pending at the recipients.

    The submitter uploaded them, or, once all have signed, one of the signers: others' uploads are nobody's business.
    Attachments of a message that is only tried are not uploaded.
    """

    def begin(at: Moment, officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        uploaded: dict[bytes, list[Upload]] = {}

        def judge(item: Submission, _before: Sequence[MessageRow]) -> Rejected | Unavailable | None:
            header = item.message.header
            if isinstance(item.message, TriedMessage):
                return None
            officers = {signer.id for signer in header.required_signers} if item.approved else {officer.id}
            try:
                found = check_uploaded(at.conn, header, officers)
            except (Rejected, Unavailable) as error:
                return as_result(error)
            if found:
                uploaded[item.message.digest] = found
            return None

        def releasing(tx: LogTransaction, item: Submission) -> None:
            digest, header = item.message.digest, item.message.header
            if digest not in uploaded:
                return
            attachments_store.drop_uploads(tx.conn, uploaded[digest])
            for recipient in header.recipients:
                attachments_store.put_attachments(
                    tx.conn, pending_attachments(digest, header, recipient.member, tx.now)
                )

        return ReleaseSession(judge=judge, releasing=releasing)

    return ReleaseStage("attachments", begin)


def attachment_reaction(member: str) -> Reaction:
    """The reaction of attachments to received messages: pending at ``member``, from the node that delivered them.

    If the author delivers a message that was forwarded first, its attachments are pending from the author, who has them
    and waits for a receipt: what the forwarder served is here, and is only opened again, with the author's wraps. How
    each ended that the forwarder served, or did not, remains recorded beside it; nothing is expected any longer of a
    forwarder who has not served one yet.
    """

    def expect(tx: LogTransaction, messages: Sequence[ReceivedMessage]) -> None:
        rows: list[AttachmentRow] = []
        for each in messages:
            rows += pending_attachments(each.row.digest, each.header, member, tx.now, source=each.source)
        if rows:
            attachments_store.put_attachments(tx.conn, rows)
            tx.announce(AttachmentsExpected())

    def move(tx: LogTransaction, messages: Sequence[RedeliveredMessage]) -> None:
        known = attachments_store.attachment_rows(tx.conn, [each.row.digest for each in messages])
        moved = [row for row in known if row.source and row.state != attachments_store.ERASED]
        if not moved:
            return
        parts = {(row.digest, row.part_number) for row in moved}
        attachments_store.drop_attachments(tx.conn, [row for row in moved if row.state == attachments_store.PENDING])
        attachments_store.put_attachments(
            tx.conn,
            [
                row
                for each in messages
                for row in pending_attachments(each.row.digest, each.header, member, tx.now, source=each.source)
                if (row.digest, row.part_number) in parts
            ],
        )
        tx.announce(AttachmentsMoved(tuple(moved)))

    return Reaction(on_received=expect, on_redelivered=move)


def open_rule(member: str) -> OpenRule:
    """Refuse an attachment that ``member`` has not received whole: it is not verified before."""

    def incomplete(reads: ReadConnection, opening: Opening) -> Rejected | Unavailable | None:
        number = opening.part_number
        if not opening.row.received or opening.header.parts[number].kind != message_pb2.PART_KIND_ATTACHMENT:
            return None
        rows = attachments_store.attachments_of(reads, [opening.row.digest]).get(opening.row.digest, [])
        found = next((row for row in rows if (row.part_number, row.member) == (number, member)), None)
        if found is not None and found.state == delivery_pb2.ATTACHMENT_STATE_RECEIVED:
            return None
        if found is None or found.state != delivery_pb2.ATTACHMENT_STATE_PENDING:
            reason = "" if found is None else f": {found.reason}"
            return Rejected("part_missing", f"attachment {number} was refused or given up{reason}")
        return Unavailable("attachment_incomplete", f"attachment {number} has not come whole yet", 10.0)

    return incomplete
