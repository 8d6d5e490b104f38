"""The entries of the own log that no quorum has cosigned, and their age."""

from datetime import UTC, datetime

from paiza.core.v1 import log_pb2
from paiza_node.core.log import store as log_store
from paiza_node.core.storage import ReadConnection
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import WitnessedNote


def unwitnessed(reads: ReadConnection, size: int) -> tuple[WitnessedNote | None, datetime | None]:
    """Return the largest witnessed note, and the time of the first of ``size`` entries beyond it, if any."""
    last = witness_store.last_witnessed(reads)
    first = 0 if last is None else last.size
    entries = log_store.entries(reads, first, 1) if first < size else []
    if not entries:
        return last, None
    return last, log_pb2.LogEntry.FromString(entries[0].entry).entry_time.ToDatetime(tzinfo=UTC)
