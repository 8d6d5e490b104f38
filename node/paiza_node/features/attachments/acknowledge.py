"""Acknowledge: entries of recipients' logs about our attachments are verified, stored as evidence and logged.

A recipient downloads an attachment after it received the message; the RECEIVED or REFUSED entry of its log comes with
its next `Deliver`. An invalid entry is ignored: the loss is the sender's, since we show the attachment as pending. A
repeat changes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_node.core.exchange.piggyback import Piggyback, ProvenAnswer
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import pending_attachments, went_to
from paiza_node.features.attachments.model import AttachmentProof, AttachmentRow
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire

MAX_ANSWERS: Final = 256  # about attachments, in one Deliver

_STATES: Final = {
    log_pb2.LOG_EVENT_RECEIVED: delivery_pb2.ATTACHMENT_STATE_RECEIVED,
    log_pb2.LOG_EVENT_REFUSED: delivery_pb2.ATTACHMENT_STATE_REFUSED,
}


def attachment_answers(own: str, node_id: str) -> Piggyback:
    """The answers of recipients' logs about attachments that ``own`` served."""
    return Piggyback(
        "attachment",
        "attachment_answer_refused",
        MAX_ANSWERS,
        lambda request: request.attachment_answers,
        lambda entry: receipts.check_attachment_answer(entry, own),
        lambda tx, answers, member: record_answers(tx, answers, member, node_id),
    )


def record_answers(tx: LogTransaction, answers: Sequence[ProvenAnswer], member: str, node_id: str) -> set[bytes]:
    """Log the results of our attachments at a member; return the messages concerned. Runs in the transaction."""
    changed: set[bytes] = set()
    for answer in answers:
        entry, digest = answer.entry.entry, answer.entry.entry.message_digest
        number = log_entries.part_number(entry)
        assert number is not None, "check_attachment_answer"
        row = _row(tx, digest, number, member)
        if row is None or row.state != delivery_pb2.ATTACHMENT_STATE_PENDING:
            continue
        evidence = receipts.evidence_digest(answer.entry.raw, answer.entry.checkpoint.note)
        index = tx.append(
            log_entries.answered(actor=node_id, recipient=member, answer=entry, answer_sha256=evidence)
        ).index
        state, reason = _STATES[entry.event], log_entries.reason(entry)
        attachments_store.put_attachments(
            tx.conn,
            [
                replace(
                    row,
                    state=state,
                    reason=reason,
                    settled_time=tx.now,
                    log_index=index,
                    due_time=None,
                )
            ],
        )
        attachments_store.add_attachment_proofs(
            tx.conn,
            [
                AttachmentProof(
                    digest=digest,
                    part_number=number,
                    member=member,
                    entry=answer.entry.raw,
                    index=answer.entry.index,
                    hashes=answer.hashes,
                    checkpoint=answer.entry.checkpoint.note,
                    register_version=tx.register_version,
                )
            ],
        )
        changed.add(digest)
    return changed


def _row(tx: LogTransaction, digest: bytes, number: int, member: str) -> AttachmentRow | None:
    """Return the row of the attachment; one of a forwarded message has no row before its first answer."""
    row = attachments_store.attachment(tx.conn, digest, number, member, "")
    if row is not None:
        return row
    message = messages_store.message(tx.conn, digest)
    if message is None or member not in went_to(tx.conn, digest):
        return None
    rows = pending_attachments(digest, wire.parse_header(message.header), member, tx.now)
    return next((each for each in rows if each.part_number == number), None)
