"""How rows of the database become the node's nouns. Times are kept as microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row

from paiza_node.model import DeliveryRow, MessageRow, MessageState

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Give a time as microseconds since 1970, exactly."""
    return (time - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """Give microseconds since 1970 as a time in UTC."""
    return EPOCH + micros * MICROSECOND


def message_row(row: Row[Any]) -> MessageRow:
    """Give a message without its body."""
    return MessageRow(
        seq=row.seq,
        digest=row.digest,
        author=row.author,
        message_id=row.message_id,
        thread_id=row.thread_id,
        thread_name=row.thread_name,
        kind=row.kind,
        urgency=row.urgency,
        state=MessageState(row.state),
        header=row.header,
        stored_time=from_micros(row.stored_time),
        source_row=row.source_row,
        unit=row.unit,
    )


def delivery_row(row: Row[Any]) -> DeliveryRow:
    """Give a delivery, of which the kind of its message is read with it."""
    return DeliveryRow(
        id=row.id,
        message_seq=row.message_seq,
        digest=row.digest,
        recipient=row.recipient,
        urgency=row.urgency,
        released_index=row.released_index,
        released_time=from_micros(row.released_time),
        expires_time=from_micros(row.expires_time),
        next_attempt_time=from_micros(row.next_attempt_time),
        state=row.state,
        reason=row.reason,
        detail=row.detail,
        attempts=row.attempts,
        settled_time=None if row.settled_time is None else from_micros(row.settled_time),
        kind=row.kind,
        passing=row.passing,
    )
