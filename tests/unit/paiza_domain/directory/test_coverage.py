"""Who can be reached when, and who is accredited where."""

from datetime import UTC, datetime, timedelta

from paiza_domain import directory
from paiza_domain.directory import Directory, Hole, Interval
from paiza_domain.directory.accreditation import unmatched
from tests.unit.paiza_domain.directory.conftest import edited

KINDS = ("information-request", "seizure-notice")
MONDAY = datetime(2026, 11, 30, tzinfo=UTC)


def days(begin: int, end: int) -> Interval:
    """Return an interval from one day after the Monday until another."""
    return Interval(MONDAY + timedelta(days=begin), MONDAY + timedelta(days=end))


def hours(begin: int, end: int) -> Interval:
    """Return an interval of hours of the Monday."""
    return Interval(MONDAY + timedelta(hours=begin), MONDAY + timedelta(hours=end))


def test_who_is_on_duty(own: Directory) -> None:
    """A shift holds from its begin until just before its end."""
    assert [each.officer for each in directory.on_duty(own, MONDAY + timedelta(hours=3))] == ["petrov"]
    assert [each.name for each in directory.on_duty(own, MONDAY + timedelta(hours=15))] == ["дежурный"]
    assert directory.on_duty(own, MONDAY + timedelta(hours=27)) == ()
    assert directory.on_duty(Directory("kaz"), MONDAY) == ()


def test_gaps_of_a_roster(own: Directory) -> None:
    """When nobody is on duty is named; without a roster that is always."""
    assert directory.roster_gaps(own, days(0, 7)) == (hours(0, 3), hours(27, 7 * 24))
    assert directory.roster_gaps(own, hours(3, 27)) == ()
    assert directory.roster_gaps(Directory("kaz"), days(0, 7)) == (days(0, 7),)


def test_holes_of_the_coverage(own: Directory) -> None:
    """Kinds that nobody covers are named, and hours in which nobody is reached; an ended posting does not count."""
    found = directory.holes(own, ["tjk", "kgz"], KINDS, hours(0, 30))
    assert found == (
        # 09:00 to 18:00 in Istanbul are 6 to 15 UTC, which the shifts cover anyhow.
        Hole("tjk", ("information-request",), (hours(0, 3), hours(27, 30))),
        Hole("tjk", ("seizure-notice",), ()),
        Hole("kgz", (), ()),
    )
    alone = directory.read("kaz", edited(lambda values: values.pop("duty")))
    (hole,) = directory.holes(alone, ["tjk"], KINDS[:1], hours(0, 24))
    assert hole.intervals == (hours(0, 6), hours(15, 24))
    earlier = Interval(datetime(2026, 11, 19, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC))
    assert directory.holes(alone, ["kgz", "tjk"], KINDS, earlier) == ()


def test_hours_follow_the_clocks_of_their_zone() -> None:
    """Nine o'clock is nine o'clock also after the clocks were put back."""

    def berlin(values: dict) -> None:  # type: ignore[type-arg]
        values.pop("duty")
        values["officers"].pop()
        values["officers"][0]["hours"] = {
            "time_zone": "Europe/Berlin", "days": ["sat", "sun"], "from": "09:00", "until": "24:00",
        }  # fmt: skip

    own = directory.read("kaz", edited(berlin))
    begin = datetime(2026, 10, 24, tzinfo=UTC)
    (hole,) = directory.holes(own, ["uzb"], KINDS[:1], Interval(begin, begin + timedelta(days=2)))
    assert [(each.begin.hour, each.end.hour) for each in hole.intervals] == [(0, 7), (22, 8), (23, 0)]


def test_an_unknown_zone_reads_as_utc() -> None:
    """A zone that this machine does not know hides nothing."""
    own = directory.read("kaz", edited(lambda values: values["officers"][0]["hours"].update(time_zone="Mars/Olympus")))
    assert directory.holes(own, ["tjk"], KINDS[:1], hours(9, 18)) == ()


def test_accreditations_are_confirmed_by_the_host(own: Directory) -> None:
    """A host confirms a person: a confirmation of the same id with another name counts for nobody."""
    host = directory.Directory("uzb", confirmed=(directory.Confirmation("kaz", "petrov", "Петров Пётр"),))
    other = directory.Directory("tjk", confirmed=(directory.Confirmation("kaz", "petrov", "Иванов Иван"),))
    found = directory.accreditations({"kaz": own, "uzb": host, "tjk": other})
    assert [(each.officer.id, each.host, each.confirmed, each.is_from_elsewhere) for each in found] == [
        ("petrov", "tjk", False, True),
        ("petrov", "uzb", True, True),
    ]
    assert unmatched(other, {"kaz": own, "tjk": other}) == other.confirmed
    assert unmatched(host, {"kaz": own, "uzb": host}) == ()
