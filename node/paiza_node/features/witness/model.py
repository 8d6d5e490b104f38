"""Witnessed notes and cosigned proofs. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime

from paiza_node.core.log.model import origin_of


@dataclass(frozen=True, slots=True)
class WitnessedNote:
    """A checkpoint of the own log that a quorum of the other members cosigned.

    ``note`` holds the log's own signatures and all received cosignatures; ``time`` is the median of the witnesses'
    times, ``witnesses`` are their member ids. ``again``: cosigned once more while the log had not grown.
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
    """The size and the time of a witnessed note, without the note."""

    size: int
    again: bool
    time: datetime


@dataclass(frozen=True, slots=True)
class CosignedSpan:
    """Two consecutive cosigned notes of a log: they bound the time of the entries appended between them.

    ``before`` is empty if there was none; ``growth`` is the consistency proof between the two, joined. The register of
    ``register_version`` determined the quorum.
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
    """An entry of another member's log whose stored proof is to no cosigned checkpoint; ``leaf`` is its hash.

    ``hashes`` are the lower ones of the stored proof if it is a row of `proof`, else None.
    """

    member: str
    origin: str
    index: int
    leaf: bytes
    hashes: bytes | None = None
