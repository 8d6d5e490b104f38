"""Single cells: cleaning, amounts and dates, exact and without guessing."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_client.data.imports.mapping import REASONS
from paiza_client.data.imports.values import RULES, BadValue, amount, clean, compile_date_format, day, in_millionths

TODAY = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("text", "cleaned", "rules"),
    [
        ("Almaty", "Almaty", ()),
        ("поселок Жана-Аул ", "поселок Жана-Аул", ("blanks",)),
        ("a\u00a0 b", "a b", ("blanks",)),
        ("a\tb\nc", "a b c", ("blanks",)),
        ("a\x00b\x1b[31m", "a b [31m", ("control_characters",)),
        ("plate \u202eABC", "plate ABC", ("control_characters",)),
        ("и\u0306", "й", ("composed",)),
        (" \ufeff ", "", ("control_characters",)),
    ],
)
def test_cleaning_names_its_rules(text: str, cleaned: str, rules: tuple[str, ...]) -> None:
    """Blanks, invisible characters and decomposed letters are repaired, each under its own rule."""
    assert clean(text) == (cleaned, rules)


@given(st.text())
def test_cleaning_is_final_and_silent_only_without_change(text: str) -> None:
    """Cleaning is idempotent, and every change has a known rule."""
    cleaned, rules = clean(text)
    assert clean(cleaned) == (cleaned, ())
    assert bool(rules) == (cleaned != text)
    assert set(rules) <= set(RULES)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "value"),
    [
        ("511.06", ".", "", Fraction(51106, 100)),
        ("9e-05", ".", "", Fraction(9, 100_000)),
        ("1E+3", ".", "", Fraction(1000)),
        ("2,5", ",", "", Fraction(5, 2)),
        ("1 234 567,5", ",", " ", Fraction(12345675, 10)),
        ("1234,5", ",", " ", Fraction(12345, 10)),
        ("1.234", ",", ".", Fraction(1234)),
        ("+3", ".", "", Fraction(3)),
    ],
)
def test_amounts_are_exact(text: str, decimal: str, thousands: str, value: Fraction) -> None:
    """An amount is read exactly, with the marks that the map declares."""
    assert amount(text, decimal, thousands) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "amount_missing"),
        ("0", "amount_not_positive"),
        ("-1.5", "amount_not_positive"),
        ("1,5", "amount_malformed"),
        ("1.5.2", "amount_malformed"),
        ("12 34", "amount_malformed"),
        ("nan", "amount_malformed"),
        ("inf", "amount_malformed"),
        ("1e999", "amount_malformed"),
        ("~3", "amount_malformed"),
        ("٣", "amount_malformed"),
        ("1_000", "amount_malformed"),
        ("9" * 100, "amount_malformed"),
    ],
)
def test_bad_amounts_are_refused(text: str, reason: str) -> None:
    """Text that is no positive number in the declared notation is refused with its reason, never guessed."""
    with pytest.raises(BadValue) as caught:
        amount(text, ".", "")
    assert caught.value.code == reason
    assert reason in REASONS


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (Fraction("0.11660999999999999"), "kg", (116610, "kg", ("rounded",))),
        (Fraction("0.152"), "kg", (152000, "kg", ())),
        (Fraction("0.0000005"), "tablet", None),
        (Fraction("1.0000005"), "g", (1000000, "g", ("rounded",))),
        (Fraction("1.0000015"), "g", (1000002, "g", ("rounded",))),
        (Fraction("1e-07"), "g", (100, "mg", ("smaller_unit",))),
        (Fraction("1e-20"), "g", None),
        (Fraction("1e30"), "g", None),
    ],
)
def test_millionths_round_half_to_even_and_never_to_nothing(
    value: Fraction, unit: str, expected: tuple[int, str, tuple[str, ...]] | None
) -> None:
    """An amount becomes whole millionths; one too small takes a smaller unit, or is refused where there is none."""
    if expected is None:
        with pytest.raises(BadValue):
            in_millionths(value, unit)
    else:
        assert in_millionths(value, unit) == expected


@pytest.mark.parametrize(
    ("text", "formats", "read"),
    [
        ("2011-05-31", ["YYYY-MM-DD"], date(2011, 5, 31)),
        ("31.05.2011", ["YYYY-MM-DD", "DD.MM.YYYY"], date(2011, 5, 31)),
        ("5/31/2011", ["M/D/YYYY"], date(2011, 5, 31)),
        ("5.5.2011", ["D.M.YYYY", "M.D.YYYY"], date(2011, 5, 5)),
        ("20110531", ["YYYYMMDD"], date(2011, 5, 31)),
        ("", ["YYYY-MM-DD"], "date_missing"),
        ("31.05.2011", ["YYYY-MM-DD"], "date_malformed"),
        ("31.05.11", ["DD.MM.YYYY"], "date_malformed"),
        ("2011-02-30", ["YYYY-MM-DD"], "date_impossible"),
        ("0000-00-00", ["YYYY-MM-DD"], "date_impossible"),
        ("05.06.2011", ["DD.MM.YYYY", "MM.DD.YYYY"], "date_ambiguous"),
        ("2026-01-02", ["YYYY-MM-DD"], "date_in_future"),
        ("1811-01-02", ["YYYY-MM-DD"], "date_too_early"),
    ],
)
def test_dates_are_read_only_as_declared(text: str, formats: list[str], read: date | str) -> None:
    """A date is read in the declared formats; what does not fit, does not exist or is ambiguous is refused."""
    patterns = tuple(compile_date_format(each) for each in formats)
    if isinstance(read, date):
        assert day(text, patterns, TODAY) == read
    else:
        with pytest.raises(BadValue) as caught:
            day(text, patterns, TODAY)
        assert caught.value.code == read
        assert read in REASONS


@pytest.mark.parametrize("text", ["", "YYYY-MM", "YY-MM-DD", "YYYY-MM-DD-DD", "YYYY-MM-MM", "YYYYxMM-DD"])
def test_formats_without_every_part_once_are_refused(text: str) -> None:
    """A format that leaves a part of the date open, or names one twice, is no format."""
    with pytest.raises(ValueError, match="date format"):
        compile_date_format(text)
