"""The status of a substance in a state on a day, as known on a day."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain import reference
from paiza_domain.reference import Difference, Listing, Reference
from paiza_domain.reference.model import Period

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("substance", "state", "on", "listing"),
    [
        ("heroin", "kaz", TODAY, Listing.LISTED),
        ("heroin", "kaz", date(2010, 4, 30), Listing.NOT_LISTED),  # before the list had it, and the list is complete
        ("heroin", "kaz", date(2010, 5, 1), Listing.LISTED),
        ("tramadol", "kaz", TODAY, Listing.NOT_LISTED),
        ("mephedrone", "tjk", TODAY, Listing.NOT_RECORDED),  # the list of tjk is recorded in part
        ("heroin", "uzb", TODAY, Listing.NOT_RECORDED),  # nothing is recorded of uzb
    ],
)
def test_absence_means_something_only_in_a_complete_list(
    known: Reference, substance: str, state: str, on: date, listing: Listing
) -> None:
    """Listed, not listed and not recorded are three answers."""
    assert reference.status(known, substance, state, on).listing is listing


@pytest.mark.parametrize(
    ("on", "known_at", "listed"),
    [
        (date(2003, 1, 1), date(2024, 6, 1), True),  # the record said so then
        (date(2003, 1, 1), date(2025, 3, 1), False),  # corrected on this day
        (date(2003, 1, 1), None, False),
        (date(2006, 1, 1), None, True),
        (date(2006, 1, 1), date(2023, 12, 31), False),  # nothing was recorded yet
    ],
)
def test_a_correction_does_not_change_what_was_known_before(
    known: Reference, on: date, known_at: date | None, *, listed: bool
) -> None:
    """The law of a day is answered as it was recorded on another day."""
    found = reference.status(known, "tramadol", "tjk", on, known_at)
    assert (found.listing is Listing.LISTED) == listed


def test_a_status_says_list_regime_concentration_and_doubt(known: Reference) -> None:
    """The line for people names what limits it and whether it was verified."""
    assert reference.status(known, "heroin", "tjk", TODAY).text("en") == (
        "List A, circulation restricted, strict control, from 10 %, not verified"
    )
    assert reference.status(known, "heroin", "kaz", TODAY).text("ru") == "List I (ru), оборот запрещён"
    assert reference.status(known, "mephedrone", "tjk", TODAY).text("ru") == "сведений нет: запросите государство"


def test_schedules_end(known: Reference) -> None:
    """A substance deleted from a schedule stands in it until that day."""
    day_before = [each.schedule for each in reference.international(known, "heroin", date(2020, 12, 1))]
    assert day_before == ["1961-I", "1961-IV"]
    assert [each.schedule for each in reference.international(known, "heroin", date(2020, 12, 2))] == ["1961-I"]


def test_differences_are_found_and_named(known: Reference) -> None:
    """Missing in a complete list, not recorded, only national, and under different regimes are told apart."""
    report = reference.consistency(known, ("kaz", "tjk"), TODAY)
    assert report.incomplete == ("tjk",)
    assert {(each.difference, each.substance, each.states) for each in report.findings} == {
        (Difference.DIFFERENT_REGIME, "heroin", ("kaz", "tjk")),
        (Difference.NOT_IN_STATE, "mephedrone", ("kaz",)),
        (Difference.NOT_RECORDED, "mephedrone", ("tjk",)),
        (Difference.NATIONAL_ONLY, "tramadol", ("tjk",)),
    }
    for each in Difference:
        assert each.text("ru") != each.text("en")


_days = st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1))


@given(begin=_days, end=_days, day=_days)
def test_a_span_covers_exactly_its_days(begin: date, end: date, day: date) -> None:
    """Whole days compare as dates do; a year or a month begins with its first day."""
    span = Period(begin.isoformat(), end.isoformat())
    assert span.covers(day) == (begin <= day < end)
    assert span.is_reversed == (end < begin)
    assert Period(f"{begin:%Y-%m}").covers(day) == (begin.replace(day=1) <= day)
    assert Period(f"{begin:%Y}").covers(day) == (begin.replace(month=1, day=1) <= day)
    assert Period().covers(day)
