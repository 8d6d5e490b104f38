"""Single cells: cleaning, amounts and dates, exact and without guessing."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_client.data.imports.mapping import REASONS
from paiza_client.data.imports.values import (
    LATITUDE,
    LONGITUDE,
    MAX_NUMBER_LENGTH,
    RULES,
    BadValue,
    amount,
    clean,
    coordinates,
    degrees,
    in_millionths,
    whole_number,
)


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


@given(st.integers(1, 10**15), st.integers(0, 9), st.sampled_from([(".", ""), (",", " "), (",", "."), (".", ",")]))
def test_an_amount_written_with_its_marks_is_read_back(digits: int, decimals: int, marks: tuple[str, str]) -> None:
    """Any amount, written with groups and a decimal mark, is read exactly."""
    decimal, thousands = marks
    whole, fraction = divmod(digits, 10**decimals)
    text = f"{whole:,}".replace(",", thousands) + (f"{decimal}{fraction:0{decimals}d}" if decimals else "")
    if len(text) <= MAX_NUMBER_LENGTH:
        assert amount(text, decimal, thousands) == Fraction(digits, 10**decimals)


@pytest.mark.parametrize(
    ("text", "decimal", "greatest", "microdegrees"),
    [
        ("43.238949", ".", LATITUDE, 43_238_949),
        ("43,238949", ",", LATITUDE, 43_238_949),
        ("-33.86", ".", LATITUDE, -33_860_000),
        ("43°15'30\"N", ".", LATITUDE, 43_258_333),
        ("43° 15′ 30,5″ с", ",", LATITUDE, 43_258_472),
        ("076° 56' E", ".", LONGITUDE, 76_933_333),
        ("76.9 W", ".", LONGITUDE, -76_900_000),
        ("180", ".", LONGITUDE, 180_000_000),
        ("90.000001", ".", LATITUDE, None),
        ("43.2 E", ".", LATITUDE, None),
        ("43°60'N", ".", LATITUDE, None),
        ("-43 S", ".", LATITUDE, None),
        ("43.5° 15'", ".", LATITUDE, None),
        ("", ".", LATITUDE, None),
        ("north", ".", LATITUDE, None),
        ("٤٣", ".", LATITUDE, None),
    ],
)
def test_degrees_are_read_in_both_notations(text: str, decimal: str, greatest: int, microdegrees: int | None) -> None:
    """Decimal degrees, or degrees, minutes and seconds, with a sign or a letter in either language; else refused."""
    if microdegrees is not None:
        assert degrees(text, decimal, greatest) == microdegrees
        return
    with pytest.raises(BadValue, match="coordinates_malformed"):
        degrees(text, decimal, greatest)


@given(st.integers(-180_000_000, 180_000_000))
def test_decimal_degrees_come_back(microdegrees: int) -> None:
    """Every longitude in microdegrees is read back from its text."""
    sign, (whole, fraction) = "-" * (microdegrees < 0), divmod(abs(microdegrees), 1_000_000)
    assert degrees(f"{sign}{whole}.{fraction:06d}", ".", LONGITUDE) == microdegrees


@pytest.mark.parametrize(
    ("text", "decimal"), [("43.25, 76.95", "."), ("43.25;76.95", "."), ("43,25 76,95", ","), ("43,25; 76,95", ",")]
)
def test_a_point_in_one_column_is_read(text: str, decimal: str) -> None:
    """Latitude and longitude in one text are told apart by what is no decimal mark."""
    assert coordinates(text, decimal) == (43_250_000, 76_950_000)


@given(st.text(max_size=40))
def test_any_text_is_a_point_a_count_or_refused(text: str) -> None:
    """Nothing but `BadValue` comes out of odd cells."""
    for reader in (lambda: coordinates(text, ","), lambda: degrees(text, ".", LATITUDE)):
        with suppress(BadValue):
            reader()
    with suppress(BadValue):
        assert whole_number(text, ".", "") >= 1
