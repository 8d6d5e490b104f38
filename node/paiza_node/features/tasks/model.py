"""Tasks and notes of shifts as they are stored. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task: of a unit, or of one of its officers. ``state`` is a `TaskState`.

    ``seq`` and ``digest`` are those of its message; the digest is stored with the message alone.
    """

    seq: int
    digest: bytes
    unit: str
    assignee: str
    state: int
    acknowledge_time: datetime | None
    due_time: datetime | None
    escalations: int = 0


@dataclass(frozen=True, slots=True)
class ShiftNote:
    """A note for a unit, as long as it is shown. The text lies beside the entry at ``log_index``."""

    log_index: int
    unit: str
    officer: str
    note_time: datetime
    hands_over: bool
