"""What is known of other members' logs. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class PeerLogView:
    """The largest checkpoint of another member's log that this node accepted."""

    member: str
    size: int
    root: bytes
    note: bytes
    accepted_time: datetime


class FindingKind(IntEnum):
    """What was found against another member's log."""

    FORK = 1
    DEFAULT = 2


class FindingState(IntEnum):
    """Where a finding stands: a fork until an administrator decides, a default until the log proves its growth."""

    OPEN = 1
    ENDED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found against another member's log. Named by ``index``, the entry of our log that says so.

    ``proof`` is a serialized ForkProof; of a default it holds the two signed notes that the log did not lead together,
    and shows no contradiction. ``accepted_up_to``: what the log signed up to there counts no more.
    """

    index: int
    member: str
    origin: str
    kind: FindingKind
    proof: bytes
    found_time: datetime
    state: FindingState = FindingState.OPEN
    ended_time: datetime | None = None
    ended_index: int | None = None
    reason_text: str = ""
    accepted_up_to: int = 0
