"""Recovered entries. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecoveredEntry:
    """A lost entry of an earlier log of this node, returned by ``counterpart``; ``log_index``: RECOVERED."""

    origin: str
    index: int
    counterpart: str
    digest: bytes
    entry: bytes
    hashes: bytes
    checkpoint: bytes
    log_index: int = 0
