"""Erasures, answers to requests to erase, and reviews. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from paiza_node.core.messages.model import MessageRow


class ErasureStep(IntEnum):
    """The state of an erasure here. Stored as the number: never renumber; below ERASED there is work to do."""

    ASKED = 1
    GONE = 2
    """Deleted in the database; files may remain, and the log does not state it yet."""
    ERASED = 3
    HELD = 4
    """Not erased: it is under legal hold."""
    NOT_HELD = 5
    """The message was never here."""


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """One message that one request asks to erase here. ``request`` is empty if the own member erases it unasked.

    ``log_index`` is the entry of our log that answers, ``tell_time`` when the requester is to be informed (again).
    """

    digest: bytes
    request: bytes
    requester: str
    step: ErasureStep
    asked_time: datetime
    log_index: int | None = None
    tell_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ErasureAnswer:
    """A holder's entry that answers a request of ours for one message, proven to its log; stored as evidence."""

    request: bytes
    digest: bytes
    member: str
    entry: bytes
    index: int
    hashes: bytes
    checkpoint: bytes
    register_version: bytes


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A message that is to be reviewed, and by when."""

    message: MessageRow
    review_time: datetime
