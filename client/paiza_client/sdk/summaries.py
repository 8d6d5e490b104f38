"""Listed messages as records; the header of each must be the one its digest names."""

from datetime import UTC
from typing import Final

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import officer_pb2
from paiza_client.sdk.model import AttachmentState, AttachmentStatus, Delivery, DeliveryState, MessageSummary
from paiza_client.verify.checks import check_header
from paiza_officer.errors import NotProven, located
from paiza_wire.message import open_subject

_STATES: Final[dict[int, DeliveryState]] = {
    delivery_pb2.DELIVERY_STATE_WAITING: "waiting",
    delivery_pb2.DELIVERY_STATE_DELIVERED: "delivered",
    delivery_pb2.DELIVERY_STATE_REFUSED: "refused",
    delivery_pb2.DELIVERY_STATE_REJECTED: "rejected",
    delivery_pb2.DELIVERY_STATE_EXPIRED: "expired",
    delivery_pb2.DELIVERY_STATE_DROPPED: "dropped",
}
_ATTACHMENT_STATES: Final[dict[int, AttachmentState]] = {
    delivery_pb2.ATTACHMENT_STATE_PENDING: "pending",
    delivery_pb2.ATTACHMENT_STATE_RECEIVED: "received",
    delivery_pb2.ATTACHMENT_STATE_REFUSED: "refused",
    delivery_pb2.ATTACHMENT_STATE_EXPIRED: "expired",
    delivery_pb2.ATTACHMENT_STATE_ERASED: "erased",
}


def summary(info: officer_pb2.MessageInfo) -> MessageSummary:
    """Return one listed message; NotProven where header and digest do not belong together."""
    return MessageSummary(
        digest=info.message_digest,
        header=check_header(info.message_digest, info.header),
        thread_name=info.thread_name,
        stored_time=info.stored_time.ToDatetime(tzinfo=UTC),
        received=info.received,
        opened_by_caller=info.opened_by_caller,
        opened=info.opened,
        deliveries=tuple(_delivery(delivery) for delivery in info.deliveries),
        sequence=info.sequence,
        recalled_by=tuple(info.recalled_by),
        corrected_by=tuple(info.corrected_by),
        replaced_by=info.replaced_by,
        attachments=tuple(_attachment(standing) for standing in info.attachments),
        linked=info.linked,
        erased=info.erased,
        subject=_subject(info),
    )


def _subject(info: officer_pb2.MessageInfo) -> bytes:
    if not info.subject:
        return b""
    header = check_header(info.message_digest, info.header)
    with located(header.message_id.hex(), NotProven):
        return open_subject(header, info.subject, info.subject_key)


def _attachment(standing: delivery_pb2.AttachmentStatus) -> AttachmentStatus:
    settled = standing.HasField("settled_time")
    return AttachmentStatus(
        part_number=standing.part_number,
        member=standing.member,
        state=_ATTACHMENT_STATES.get(standing.state, "unknown"),
        size=standing.ciphertext_size,
        reason=standing.reason,
        settled_time=standing.settled_time.ToDatetime(tzinfo=UTC) if settled else None,
    )


def _delivery(delivery: delivery_pb2.Delivery) -> Delivery:
    settled = delivery.HasField("settled_time")
    return Delivery(
        recipient=delivery.recipient,
        state=_STATES.get(delivery.state, "unknown"),
        reason=delivery.reason,
        detail=delivery.detail,
        attempts=delivery.attempts,
        settled_time=delivery.settled_time.ToDatetime(tzinfo=UTC) if settled else None,
    )
