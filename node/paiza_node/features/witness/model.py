"""Witnessed notes and cosigned proofs. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime

from paiza_node.core.log.model import origin_of


@dataclass(frozen=True, slots=True)
class WitnessedNote:
    """A checkpoint of the own log that a quorum of the other members cosigned.

    ``note`` holds the log's own signatures and all cosignatures that came; ``time`` is the median of what the witnesses
    say, ``witnesses`` are their member ids. ``again``: cosigned anew, when the log had not grown since it was first.
    """

    origin: str
    size: int
    root: bytes
    note: bytes
    time: datetime
    witnesses: tuple[str, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class WitnessedTime:
    """Which witnessed note, and of what time, without the note."""

    size: int
    again: bool
    time: datetime


@dataclass(frozen=True, slots=True)
class CosignedSpan:
    """Two cosigned notes of a log, one right after the other: what was appended between them has its time from both.

    ``before`` is empty where there was none; ``growth`` is the consistency proof between the two, joined. Whose
    cosignatures make a quorum was judged by the register of ``register_version``.
    """

    before: bytes
    note: bytes
    consistency_proof: bytes
    register_version: bytes


@dataclass(frozen=True, slots=True)
class CosignedProof:
    """An entry of another member's log, proven to a note that a quorum of that log's witnesses cosigned."""

    member: str
    index: int
    hashes: bytes
    span: CosignedSpan

    @property
    def origin(self) -> str:
        """Return the name of the log."""
        return origin_of(self.span.note)


@dataclass(frozen=True, slots=True)
class Uncosigned:
    """An entry of another member's log of which a proof is kept that no quorum cosigned; ``leaf`` is its hash."""

    member: str
    origin: str
    index: int
    leaf: bytes
