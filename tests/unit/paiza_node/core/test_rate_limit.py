"""A rate limit bounds the events of one caller in any minute, and forgets callers rather than grow."""

from paiza_node.core.rate_limit import MAX_CALLERS, PERIOD_SECONDS, RateLimit

MOST = 3


def test_one_callers_events_are_bounded_and_take_nothing_from_others() -> None:
    """Beyond the limit nothing counts; the minute of the first event ends the wait."""
    limit = RateLimit(MOST)
    assert [limit.take("tjk", float(at)) for at in range(MOST + 2)] == [True] * MOST + [False] * 2
    assert limit.take("uzb", 0.0)
    assert limit.wait("tjk", PERIOD_SECONDS - 1) == 1.0
    assert not limit.take("tjk", PERIOD_SECONDS - 1)
    assert limit.wait("tjk", PERIOD_SECONDS) == 0.0
    assert limit.take("tjk", PERIOD_SECONDS)
    assert limit.wait("tjk", PERIOD_SECONDS) == 1.0, "that of the second event"


def test_it_remembers_so_many_callers() -> None:
    """A flood of names costs no memory: all begin anew."""
    limit = RateLimit(1)
    assert all(limit.take(str(number), 0.0) for number in range(MAX_CALLERS))
    assert not limit.take("0", 0.0)
    assert limit.take("one more", 0.0)
    assert limit.take("0", 0.0)
