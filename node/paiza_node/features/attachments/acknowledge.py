"""Acknowledge: what recipients' logs say of our attachments is verified, kept as evidence and logged.

A recipient fetches an attachment after it took the message; the RECEIVED or REFUSED entry its log has for it comes
with its next `Deliver`. An entry that does not hold is passed over: it is the teller's own loss, for we show the
attachment as awaited. A repeat changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_node.core.log.ledger import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import awaited, went_to
from paiza_node.features.attachments.model import AttachmentProof, AttachmentRow
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_ANSWERS: Final = 256  # about attachments, in one Deliver

log = structlog.get_logger("paiza.attachments")

_STATES: Final = {
    log_pb2.LOG_EVENT_RECEIVED: delivery_pb2.ATTACHMENT_STATE_RECEIVED,
    log_pb2.LOG_EVENT_REFUSED: delivery_pb2.ATTACHMENT_STATE_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An entry of a recipient's log about an attachment we handed over, proven to its checkpoint."""

    entry: receipts.VerifiedEntry
    hashes: bytes


def check_answers(
    proven: Sequence[log_pb2.ProvenEntry], checkpoint: VerifiedCheckpoint, member: str, own: str
) -> list[Answer]:
    """Give those entries that are proven and say something of an attachment that ``own`` handed to ``member``."""
    if len(proven) > MAX_ANSWERS:
        raise Rejected("too_large", f"at most {MAX_ANSWERS} attachments are answered for at once")
    answers: list[Answer] = []
    for each in proven:
        try:
            entry = receipts.verify_entry(each, checkpoint)
            receipts.check_attachment_answer(entry.entry, own)
        except Rejected as error:
            log.warning("attachment_answer_refused", peer=member, reason=error.reason, detail=error.detail)
            continue
        answers.append(Answer(entry, b"".join(each.inclusion_hashes)))
    return answers


def record_answers(
    tx: LogTransaction, answers: Sequence[Answer], member: str, node_id: str, register_version: bytes
) -> set[bytes]:
    """Log what became of our attachments at a member; gives the messages concerned. Runs in the transaction."""
    changed: set[bytes] = set()
    for answer in answers:
        entry, digest = answer.entry.entry, answer.entry.entry.message_digest
        row = _row(tx, digest, entry.part_number, member)
        if row is None or row.state != delivery_pb2.ATTACHMENT_STATE_AWAITED:
            continue
        evidence = receipts.evidence_digest(answer.entry.raw, answer.entry.checkpoint.note)
        index = tx.append(
            log_entries.answered(actor=node_id, recipient=member, answer=entry, answer_sha256=evidence)
        ).index
        state = _STATES[entry.event]
        attachments_store.put_attachments(
            tx.conn,
            [replace(row, state=state, reason=entry.reason, settled_time=tx.now, log_index=index, due_time=None)],
        )
        attachments_store.add_attachment_proofs(
            tx.conn,
            [
                AttachmentProof(
                    digest=digest,
                    part_number=entry.part_number,
                    member=member,
                    entry=answer.entry.raw,
                    index=answer.entry.index,
                    hashes=answer.hashes,
                    checkpoint=answer.entry.checkpoint.note,
                    register_version=register_version,
                )
            ],
        )
        changed.add(digest)
    return changed


def _row(tx: LogTransaction, digest: bytes, number: int, member: str) -> AttachmentRow | None:
    """Find where the attachment stands; one of a message passed on has no row before its first answer."""
    row = attachments_store.attachment(tx.conn, digest, number, member)
    if row is not None:
        return row if not row.source else None
    message = messages_store.message(tx.conn, digest)
    if message is None or member not in went_to(tx.conn, digest):
        return None
    rows = awaited(digest, wire.parse_header(message.header), member, tx.now)
    return next((each for each in rows if each.part_number == number), None)
