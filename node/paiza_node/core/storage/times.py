"""Times in the database: microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

from paiza_wire.errors import Unavailable

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Return a time as microseconds since 1970, exactly."""
    return (time - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return microseconds since 1970 as a time in UTC; Unavailable("log_damaged") if no calendar holds it."""
    try:
        return EPOCH + micros * MICROSECOND
    except (OverflowError, TypeError):
        raise Unavailable("log_damaged", "a time in the database is none") from None
