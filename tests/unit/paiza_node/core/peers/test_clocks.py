"""The clocks of the peers: the median of at least three is believed, whoever is wrong is named."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from structlog.testing import capture_logs

from paiza_node.core.peers.clocks import FRESH_SECONDS, ClockLevel, ClockLog, ClockSample, compare, report

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
BEGAN = 1000.0


def stamp(time: datetime) -> Timestamp:
    """Return a time as an answer has it."""
    made = Timestamp()
    made.FromDatetime(time)
    return made


def samples(**seconds: float) -> dict[str, ClockSample | None]:
    """Return fresh samples of peers whose clocks are so many seconds ahead."""
    return {member: ClockSample(timedelta(seconds=ahead), BEGAN) for member, ahead in seconds.items()}


@pytest.mark.parametrize("ahead", [-3600.0, -0.2, 0.0, 5.0])
def test_half_of_the_round_trip_counts(ahead: float) -> None:
    """A peer that answers in the middle of the round trip by a right clock is not off."""
    answered = stamp(NOW + timedelta(seconds=0.25 + ahead))
    assert compare(NOW, BEGAN, BEGAN + 0.5, answered) == ClockSample(timedelta(seconds=ahead), BEGAN + 0.5)


@pytest.mark.parametrize(
    ("ended", "answer"),
    [(BEGAN + 2.5, stamp(NOW)), (BEGAN + 0.1, Timestamp()), (BEGAN + 0.1, Timestamp(seconds=10**15))],
    ids=["slow", "no time", "invalid"],
)
def test_an_answer_that_shows_nothing_is_no_sample(ended: float, answer: Timestamp) -> None:
    """A round trip of seconds, and an answer without a valid time."""
    assert compare(NOW, BEGAN, ended, answer) is None


def test_old_samples_do_not_count() -> None:
    """A peer that has not answered for long is no source."""
    old = samples(tjk=5.0) | {"uzb": None}
    assert report(old, BEGAN + FRESH_SECONDS).ahead == {"tjk": timedelta(seconds=5)}
    assert report(old, BEGAN + FRESH_SECONDS + 1).ahead == {}


def test_the_own_clock_is_judged_by_the_median() -> None:
    """One liar among three changes nothing; our clock is wrong if most say so."""
    found = report(samples(kgz=0.1, tjk=-0.1, uzb=7200.0), BEGAN)
    assert (found.own, found.level) == (timedelta(seconds=-0.1), ClockLevel.RIGHT)
    assert found.wrong == {"uzb": timedelta(seconds=7199.9)}
    found = report(samples(kgz=2.5, tjk=3.0, uzb=2.9), BEGAN)
    assert (found.own, found.level, dict(found.wrong)) == (timedelta(seconds=-2.9), ClockLevel.OFF, {})
    found = report(samples(kgz=-40.0, tjk=-40.5, uzb=0.0), BEGAN)
    assert (found.own, found.level) == (timedelta(seconds=40), ClockLevel.FAR_OFF)
    assert found.wrong == {"uzb": timedelta(seconds=40)}


def test_fewer_than_three_sources_decide_nothing() -> None:
    """A difference is shown, but not whose clock is wrong."""
    found = report(samples(tjk=60.0, uzb=60.0), BEGAN)
    assert (found.own, found.level) == (None, ClockLevel.RIGHT)
    assert set(found.wrong) == {"tjk", "uzb"}


def test_changes_are_logged_once() -> None:
    """A wrong clock is logged when it is found and when it is right again, with who and how much."""
    clock_log = ClockLog()
    with capture_logs() as logged:
        for found in (
            samples(kgz=0, tjk=0, uzb=0),
            samples(kgz=-3, tjk=-3, uzb=-3),
            samples(kgz=-3, tjk=-3, uzb=-3),
            samples(kgz=-50, tjk=-50, uzb=9),
            samples(kgz=0, tjk=0, uzb=0),
            samples(tjk=9),
            {},
        ):
            clock_log.note(report(found, BEGAN))
    assert [(each["event"], each["log_level"], each.get("peer"), each.get("ahead_seconds")) for each in logged] == [
        ("clock_off", "warning", None, 3.0),
        ("clock_off", "error", None, 50.0),
        ("peer_clock_off", "warning", "uzb", 59.0),
        ("clock_right", "info", None, 0.0),
        ("peer_clock_right", "info", "uzb", None),
        ("clocks_differ", "warning", "tjk", 9.0),
    ]
