"""The known state of other members' logs, and blocks of members. Times are UTC; digests are 32 bytes."""

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
    """The kind of a finding against another member's log."""

    FORK = 1
    DEFAULT = 2


class FindingState(IntEnum):
    """The state of a finding: open until an administrator restores trust (fork) or the log proves itself (default)."""

    OPEN = 1
    ENDED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """Misbehaviour of another member's log. Identified by ``index``, the entry of our log that records it.

    ``proof`` is a serialized ForkProof; for a default it holds the two signed notes that the log did not prove
    consistent, and shows no contradiction. What the log signed up to the size ``accepted_up_to`` no longer counts
    against it.
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


@dataclass(frozen=True, slots=True)
class PeerBlock:
    """The block of one member by an operator of this node, logged by the entry ``index``."""

    member: str
    actor: str
    blocked_time: datetime
    reason_text: str
    index: int
