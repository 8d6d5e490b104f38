"""Attachments as they are stored. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime

from paiza.core.v1 import delivery_pb2


@dataclass(frozen=True, slots=True)
class Upload:
    """A ciphertext an officer uploads; ``whole`` once its digest was checked."""

    ciphertext_sha256: bytes
    officer: str
    size: int
    started_time: datetime
    whole: bool = False


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """The state of one attachment of a message at one member.

    ``member`` is ourselves for a received message, and ``source`` the member whose node serves it; for a sent one it is
    a recipient, and ``source`` is empty. An attachment that a forwarder ended before the author delivered the message
    has a row for each of them. ``due_time`` is the time of our next action.
    """

    digest: bytes
    part_number: int
    member: str
    source: str
    ciphertext_sha256: bytes
    size: int
    pending_since_time: datetime
    due_time: datetime | None = None
    state: int = delivery_pb2.ATTACHMENT_STATE_PENDING
    attempts: int = 0
    reason: str = ""
    detail: str = ""
    settled_time: datetime | None = None
    log_index: int | None = None


@dataclass(frozen=True, slots=True)
class AttachmentProof:
    """A recipient's entry about an attachment of ours, proven to its log; stored as evidence."""

    digest: bytes
    part_number: int
    member: str
    entry: bytes
    index: int
    hashes: bytes
    checkpoint: bytes
    register_version: bytes
