"""Officers, and what they see and opened. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass


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
