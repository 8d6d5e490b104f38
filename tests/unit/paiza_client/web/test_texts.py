"""What pages say of times."""

from collections.abc import Callable
from datetime import UTC, datetime

from paiza_client.web import language, texts

EVENING = datetime(2026, 11, 28, 20, 30, tzinfo=UTC)


def test_a_time_is_told_once_where_this_place_has_utc(live_in: Callable[[str], None]) -> None:
    """UTC stands beside the local time, with its day where that is another; the name alone where both are one."""
    language.use("en")
    live_in("UTC-5")
    assert texts.utc(EVENING) == "28 Nov 20:30 UTC"
    assert texts.utc(EVENING.replace(hour=4)) == "04:30 UTC"
    live_in("UTC")
    assert texts.utc(EVENING) == "UTC"
