"""Numbers, quantities, spans and dates as the reader's language writes them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from paiza_domain import codes
from paiza_domain.formatting import amount_text, date_text, number_text, span_text, time_text

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("millionths", "unit", "russian", "english"),
    [
        (12_500_000, "kg", "12,5 кг", "12.5 kg"),
        (1, "g", "0,000001 г", "0.000001 g"),
        (1_234_567 * MILLION, "mg", "1\u00a0234\u00a0567 мг", "1,234,567 mg"),
        (3 * MILLION, "l", "3 л", "3 l"),
        (20 * MILLION, "m2", "20 м²", "20 m²"),
        (1 * MILLION, "tablet", "1 таблетка", "1 tablet"),
        (3 * MILLION, "tablet", "3 таблетки", "3 tablets"),
        (11 * MILLION, "tablet", "11 таблеток", "11 tablets"),
        (21 * MILLION, "dose", "21 доза", "21 doses"),
        (500_000, "tablet", "0,5 таблетки", "0.5 tablets"),
        (0, "plant", "0 растений", "0 plants"),
        (MILLION, "barrel", "1 barrel", "1 barrel"),
    ],
)
def test_amounts_have_the_mark_and_the_form_of_the_language(
    millionths: int, unit: str, russian: str, english: str
) -> None:
    """Russian has a decimal comma, abbreviated units and three forms of what is counted."""
    assert amount_text(millionths, unit, "ru") == russian
    assert amount_text(millionths, unit, "en") == english


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_every_unit_of_the_list_has_its_form(lang: str) -> None:
    """A unit is shown by its bare code only if the code is its abbreviation."""
    shown = {code: amount_text(5 * MILLION, code, lang) for code in codes.load("unit")}
    assert [code for code, text in shown.items() if text == f"5 {code}" and (lang == "ru" or len(code) > 2)] == []


@pytest.mark.parametrize(
    ("span", "russian", "english"),
    [
        (timedelta(hours=1), "1 час", "1 hour"),
        (timedelta(hours=5, minutes=59), "5 часов", "5 hours"),
        (timedelta(days=3, hours=23), "3 дня", "3 days"),
        (-timedelta(days=21), "21 день", "21 days"),
        (timedelta(minutes=2), "2 мин", "2 mins"),
        (timedelta(seconds=1), "1 с", "1 sec"),
        (timedelta(), "0 с", "0 secs"),
    ],
)
def test_a_span_is_shown_in_its_largest_unit(span: timedelta, russian: str, english: str) -> None:
    """The remainder below the unit is dropped, and so is the sign."""
    assert span_text(span, "ru") == russian
    assert span_text(span, "en") == english


def test_dates_are_written_as_the_language_writes_them() -> None:
    """Russian dates begin with the day; English ones stay in the ISO form. An unknown language reads English."""
    time = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
    assert (date_text(date(2026, 11, 3), "ru"), date_text(date(2026, 11, 3), "en")) == ("03.11.2026", "2026-11-03")
    assert (time_text(time, "ru"), time_text(time, "ru", seconds=True)) == ("03.11.2026 04:05", "03.11.2026 04:05:06")
    assert time_text(time, "en") == "2026-11-03 04:05"
    assert (number_text(1_234, "ru"), number_text(1_234, "xx")) == ("1\u00a0234", "1,234")
