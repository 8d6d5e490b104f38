"""The values that a field may have."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from paiza_domain.schema import field_checks
from paiza_domain.schema.partial_times import to_datetime


@pytest.mark.parametrize("seconds", [field_checks.MIN_SECONDS, field_checks.MAX_SECONDS])
def test_every_time_that_is_taken_can_be_shown_everywhere(seconds: int) -> None:
    """In the zones farthest east and west, and a term of days before or after it."""
    assert field_checks.time(Timestamp(seconds=seconds)) is None
    time = to_datetime(Timestamp(seconds=seconds))
    for hours in (-12, 14):
        assert time.astimezone(timezone(timedelta(hours=hours))) == time
    assert abs(time - timedelta(days=300) - time) == abs(time + timedelta(days=300) - time)


@pytest.mark.parametrize(
    "time",
    [
        Timestamp(seconds=field_checks.MIN_SECONDS - 1),
        Timestamp(seconds=field_checks.MAX_SECONDS + 1),
        Timestamp(seconds=int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())),
        Timestamp(seconds=1, nanos=-1),
        Timestamp(seconds=1, nanos=10**9),
        Timestamp(seconds=2**63 - 1),
        Timestamp(seconds=-(2**63)),
    ],
)
def test_other_times_are_malformed(time: Timestamp) -> None:
    """Years before 1900 and from 9999 on, and parts of a second that are none."""
    assert field_checks.time(time) == ("time_malformed", {})
