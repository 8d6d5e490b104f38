"""The numbers and times that a request to the bridge may name."""

from datetime import UTC, datetime

import pytest

from paiza_client.web.bridge.app import MOST, _limit, _time
from paiza_officer.errors import Misused


@pytest.mark.parametrize("text", ["", "0", "-1", "+1", "1001", "0000000019999", "1" + "0" * 5000, "٣", " 5", "1e2"])
def test_a_page_has_its_most(text: str) -> None:
    """A length outside the limits is refused, however it is written."""
    with pytest.raises(Misused):
        _limit(text)
    assert _limit("0007") == 7
    assert _limit(str(MOST)) == MOST


@pytest.mark.parametrize(
    "text", ["now", "2026-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9" * 5000, "\x00"]
)
def test_a_time_is_one_in_utc(text: str) -> None:
    """One that is none there is refused; without a zone it is in UTC."""
    with pytest.raises(Misused):
        _time(text, "since")
    assert _time("", "since") is None
    assert _time("2026-11-28T14:30:00", "since") == datetime(2026, 11, 28, 14, 30, tzinfo=UTC)
    assert _time("2026-11-28T14:30:00+05:00", "since") == datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
