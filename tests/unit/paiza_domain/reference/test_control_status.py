"""The status of a substance in a state on a day, as known on a day."""

from calendar import monthrange
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain import reference
from paiza_domain.reference import Difference, Listing, Reference, Standing
from paiza_domain.reference.model import Period

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("substance", "state", "on", "listing"),
    [
        ("heroin", "kaz", TODAY, Listing.LISTED),
        ("heroin", "kaz", date(2010, 4, 30), Listing.NOT_LISTED),  # before the list had it, and the list is complete
        ("heroin", "kaz", date(2010, 5, 1), Listing.LISTED),
        ("heroin", "kaz", date(2000, 6, 30), Listing.NOT_RECORDED),  # before the act: nothing is recorded
        ("heroin", "tjk", date(2012, 12, 30), Listing.NOT_RECORDED),  # some day of 2012
        ("heroin", "tjk", date(2012, 12, 31), Listing.LISTED),
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
    day_before = reference.international(known, "heroin", date(2020, 12, 1)).entries
    assert [each.schedule for each in day_before] == ["1961-I", "1961-IV"]
    day_after = reference.international(known, "heroin", date(2020, 12, 2)).entries
    assert [each.schedule for each in day_after] == ["1961-I"]


@pytest.mark.parametrize(
    ("schedule", "english", "russian"),
    [
        ("1961-IV", "Convention of 1961, Schedule IV", "Конвенция 1961 года, Список IV"),
        ("1988-II", "Convention of 1988, Table II", "Конвенция 1988 года, Таблица II"),
        ("ISSL", "surveillance list of the INCB", "перечень особого наблюдения МККН"),
    ],
)
def test_a_schedule_has_a_name(known: Reference, schedule: str, english: str, russian: str) -> None:
    """People read which schedule or table of which convention it is, and no code."""
    entry = replace(reference.international(known, "heroin", TODAY).entries[0], schedule=schedule)
    assert (entry.schedule_name("en"), entry.schedule_name("ru")) == (english, russian)


@pytest.mark.parametrize(
    ("substance", "on", "listing", "entries", "undated"),
    [
        ("heroin", date(1964, 12, 12), Listing.NOT_RECORDED, 0, 1),  # IV began on some day of 1964
        ("mephedrone", date(2014, 12, 31), Listing.NOT_RECORDED, 0, 0),  # before the decision
        ("mephedrone", date(2015, 1, 1), Listing.NOT_RECORDED, 0, 1),  # a year is not its first day
        ("mephedrone", date(2026, 10, 31), Listing.NOT_RECORDED, 0, 1),
        ("mephedrone", TODAY, Listing.LISTED, 1, 0),  # since it was recorded
        ("metamfetamine", date(1988, 10, 11), Listing.NOT_RECORDED, 0, 1),
        ("metamfetamine", date(1988, 10, 12), Listing.LISTED, 1, 0),  # by a list of that day
        ("alpha-pvp", date(2016, 11, 14), Listing.NOT_RECORDED, 0, 0),  # decided and communicated, not in effect
        ("alpha-pvp", date(2016, 11, 15), Listing.LISTED, 1, 0),
        ("iodine", TODAY, Listing.NOT_LISTED, 1, 0),  # watched, and under no control in law
        ("tramadol", TODAY, Listing.NOT_LISTED, 0, 0),
        ("tramadol", date(2015, 1, 1), Listing.NOT_RECORDED, 0, 0),  # nothing is recorded for that day
    ],
)
def test_a_schedule_answers_for_no_day_before_its_record(
    known: Reference, substance: str, on: date, listing: Listing, entries: int, undated: int
) -> None:
    """A decision counts from its effect; without one, from the day for which it is attested or recorded."""
    found = reference.international(known, substance, on)
    assert (found.listing, len(found.entries), len(found.undated)) == (listing, entries, undated)


def test_evidence_says_how_far_it_can_be_believed(known: Reference) -> None:
    """Only a comparison with a day verifies; a contradiction makes it doubtful."""
    standings = {each.substance: each.evidence.standing for each in known.international}
    assert standings["mephedrone"] is Standing.VERIFIED
    assert standings["alpha-pvp"] is Standing.DOUBTFUL
    assert [each.evidence.standing for each in known.border_points] == [Standing.UNVERIFIED, Standing.VERIFIED]
    assert [each.text("ru") for each in Standing] == ["сверено", "не сверено", "вызывает сомнения"]


def test_every_record_is_a_fact(known: Reference) -> None:
    """The facts hold each record with a source once."""
    kinds = Counter(each.kind for each in reference.facts(known))
    assert kinds == {
        "substance": 7, "schedule": 6, "act": 2, "national list": 4, "border point": 2, "treaty": 2,
        "participation": 6, "profile": 1,
    }  # fmt: skip


def test_differences_are_found_and_named(known: Reference) -> None:
    """Missing in a complete list, not recorded, only national, and under different regimes are told apart."""
    report = reference.consistency(known, ("kaz", "tjk"), TODAY)
    assert report.incomplete == ("tjk",)
    assert (report.records, report.unverified) == (7, 2)
    assert {(each.difference, each.substance, each.states) for each in report.findings} == {
        (Difference.DIFFERENT_REGIME, "heroin", ("kaz", "tjk")),
        (Difference.NOT_IN_STATE, "mephedrone", ("kaz",)),
        (Difference.NOT_RECORDED, "mephedrone", ("tjk",)),
        *((Difference.NOT_IN_STATE, each, ("kaz",)) for each in ("metamfetamine", "alpha-pvp")),
        *((Difference.NOT_RECORDED, each, ("tjk",)) for each in ("metamfetamine", "alpha-pvp")),
        (Difference.NATIONAL_ONLY, "tramadol", ("tjk",)),
    }
    for each in Difference:
        assert each.text("ru") != each.text("en")


_days = st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1))


@given(begin=_days, end=_days, day=_days)
def test_a_span_covers_exactly_its_days(begin: date, end: date, day: date) -> None:
    """Whole days compare as dates do; a year or a month is certain only when it is over, or has not begun."""
    span = Period(begin.isoformat(), end.isoformat())
    assert span.covers(day) == (begin <= day < end)
    assert span.is_reversed == (end < begin)
    first, last = begin.replace(day=1), begin.replace(day=monthrange(begin.year, begin.month)[1])
    assert Period(f"{begin:%Y-%m}").covers(day) == (last <= day)
    assert Period(f"{begin:%Y-%m}").may_cover(day) == (first <= day)
    assert Period(f"{begin:%Y}").covers(day) == (date(begin.year, 12, 31) <= day)
    assert Period("", f"{begin:%Y}").covers(day) == (day < date(begin.year, 1, 1))
    assert Period("", f"{begin:%Y}").may_cover(day) == (day < date(begin.year, 12, 31))
    assert Period().covers(day)
    assert Period().covers(day, begin.isoformat()) == (begin <= day)
