"""Messages that are pending approval. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class ApprovalState(IntEnum):
    """The state of a message that needs more than one officer. Stored as the number: never renumber."""

    WAITING = 1
    RELEASED = 2
    DECLINED = 3
    WITHDRAWN = 4
    EXPIRED = 5


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A message that is or was pending approval by other officers. ``signed`` is set only while it is pending."""

    digest: bytes
    message_id: bytes
    drafter: str
    header: bytes
    submitted_index: int
    submitted_time: datetime
    expires_time: datetime
    state: ApprovalState = ApprovalState.WAITING
    missing: tuple[str, ...] = ()
    signed: bytes | None = None
    reason: str = ""
