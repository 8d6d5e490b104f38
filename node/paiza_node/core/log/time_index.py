"""Entries of the own log by time. The time of entries never decreases."""

from datetime import UTC, datetime

from paiza.core.v1 import log_pb2
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.storage import ReadConnection


def index_at(reads: ReadConnection, time: datetime | None, size: int) -> int | None:
    """Return the index of the first entry at or after a time, by bisection."""
    if time is None:
        return None
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        found = log_store.entries(reads, middle, 1)
        if not found or found[0].index >= high or _time_of(found[0]) >= time:
            high = middle
        else:
            low = found[0].index + 1
    return low


def _time_of(stored: StoredEntry) -> datetime:
    return log_pb2.LogEntry.FromString(stored.entry).entry_time.ToDatetime(tzinfo=UTC)
