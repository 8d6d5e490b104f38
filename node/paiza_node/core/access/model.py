"""Officers, and what they see and opened. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Officer:
    """An officer of the own member, as this node knows him."""

    id: str
    roles: frozenset[str]
    unit: str
    certificate_sha256: bytes
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A part handed to an officer, and the entry that records it."""

    digest: bytes
    part_number: int
    officer: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """An officer as far as need-to-know goes: the units whose messages he sees; None for all."""

    officer: str
    units: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Which messages to list; unset fields do not restrict. Newest first, below ``before_seq`` where that is given."""

    received: bool | None = None
    unread_by: str = ""
    kind: str = ""
    author: str = ""
    since_time: datetime | None = None
    thread_id: bytes = b""
    thread_name: str = ""
    id_prefix: str = ""
    after_seq: int = 0
    before_seq: int | None = None
    limit: int = 100
    oldest_first: bool = False
    seen_by: Viewer | None = None
