"""Unwitnessed: since when the own log has had entries that no quorum has cosigned."""

from datetime import UTC, datetime

from paiza.core.v1 import log_pb2
from paiza_node.model import WitnessedNote
from paiza_node.ports import Reads


def unwitnessed(reads: Reads, size: int) -> tuple[WitnessedNote | None, datetime | None]:
    """Give the largest witnessed note, and the time of the first of ``size`` entries that it does not hold, if any."""
    last = reads.last_witnessed()
    first = 0 if last is None else last.size
    entries = reads.entries(first, 1) if first < size else []
    if not entries:
        return last, None
    return last, log_pb2.LogEntry.FromString(entries[0].entry).entry_time.ToDatetime(tzinfo=UTC)
