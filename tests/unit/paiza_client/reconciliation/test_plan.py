"""What is compared is a period that is over, between two members."""

from datetime import UTC, datetime, timedelta

import pytest

from paiza_client.reconciliation.compare import Comparison
from paiza_client.reconciliation.plan import ALLOWED, plan
from paiza_officer.errors import Misused

NOW = datetime(2026, 11, 23, 10, 30, 15, 7, tzinfo=UTC)


def test_without_a_period_it_is_the_month_so_far() -> None:
    """It begins with the month in which it ends."""
    assert plan("kaz", "tjk", now=NOW) == Comparison("kaz", "tjk", datetime(2026, 11, 1, tzinfo=UTC), NOW, ALLOWED)
    ends = datetime(2026, 10, 31, tzinfo=UTC)
    assert plan("kaz", "tjk", until=ends, now=NOW).since == datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize("since", [NOW, NOW + timedelta(days=1)])
def test_an_empty_period_is_refused(since: datetime) -> None:
    """It must begin before it ends."""
    with pytest.raises(Misused, match="usage"):
        plan("kaz", "tjk", since=since, now=NOW)


def test_a_period_that_is_not_over_is_refused() -> None:
    """Nothing can be said of what is still to come."""
    with pytest.raises(Misused, match="usage"):
        plan("kaz", "tjk", until=NOW + timedelta(seconds=1), now=NOW)


def test_a_member_is_not_compared_with_itself() -> None:
    """There are two logs to compare."""
    with pytest.raises(Misused, match="usage"):
        plan("kaz", "kaz", now=NOW)
