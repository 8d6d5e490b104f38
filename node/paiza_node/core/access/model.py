"""Officers, what they may see and what they opened. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Officer:
    """An officer of the own member, as recorded at this node."""

    id: str
    roles: frozenset[str]
    unit: str
    authentication_certificate_sha256: bytes
    signing_certificate_sha256: bytes
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A part that an officer opened, and the log entry that records it."""

    digest: bytes
    part_number: int
    officer: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """The need-to-know scope of an officer: the units whose messages they see; None for all."""

    officer: str
    units: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Conditions of a list of messages; unset fields do not restrict. Newest first, below ``before_seq`` if set."""

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
