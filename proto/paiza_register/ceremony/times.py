"""Times of ceremonies: how carried files write them, and how long what is signed lives."""

from datetime import UTC, datetime, timedelta
from typing import Final

from paiza_wire.errors import Rejected

ROOT_LIFE: Final = timedelta(days=365)
"""Root, targets and everything delegated: signed by hand, once a year at the least."""

CA_KEPT: Final = timedelta(days=14)
"""How long a CA stays announced after its end: what was signed under it before may be under way as long, by default."""

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


def time_text(time: datetime) -> str:
    """Return a time as carried files hold it: UTC, to the second."""
    return time.astimezone(UTC).strftime(_TIME_FORMAT)


def read_time(value: str) -> datetime:
    """Read such a time; ``Rejected("malformed")`` if it is none."""
    try:
        time = datetime.strptime(value, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise Rejected("malformed", "time is not a time") from error
    if time_text(time) != value:
        raise Rejected("malformed", "time is not written in its one way")
    return time


def expiry(now: datetime, life: timedelta) -> datetime:
    """Return when something that is signed now expires."""
    return (now.astimezone(UTC) + life).replace(microsecond=0)
