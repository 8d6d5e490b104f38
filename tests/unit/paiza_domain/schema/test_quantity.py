"""Fixed-point amounts: reading, writing, rounding and converting, without a float anywhere."""

from contextlib import suppress
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain.schema import quantity
from paiza_domain.schema.quantity import AmountError


@pytest.mark.parametrize(
    ("text", "mark", "millionths"),
    [
        ("511.06", ".", 511_060_000),
        ("0,152", ",", 152_000),
        ("12", ",", 12_000_000),
        ("0.0000005", ".", 0),
        ("0.0000015", ".", 2),
        ("0.0000025", ".", 2),
        ("0.00000250000000001", ".", 3),
    ],
)
def test_amounts_are_read_and_rounded_half_to_even(text: str, mark: quantity.DecimalMark, millionths: int) -> None:
    """Decimal text becomes millionths; the middle goes to the even one."""
    assert quantity.parse_amount(text, mark) == millionths


@pytest.mark.parametrize("text", ["", "1,5", "1 000", "-1", "+1", "1e3", ".5", "5.", "1.2.3", "１", "٣", "nan", "0x1"])
def test_what_is_not_plainly_a_number_is_refused(text: str) -> None:
    """Other marks, signs, groups, exponents and other digits are refused and not guessed."""
    with pytest.raises(AmountError):
        quantity.parse_amount(text)


@given(st.decimals(0, 10**12, allow_nan=False, places=12))
def test_reading_agrees_with_decimal(number: Decimal) -> None:
    """Rounding is that of the decimal module's half-even."""
    rounded = number.quantize(Decimal("0.000001"), rounding=ROUND_HALF_EVEN)
    assert quantity.parse_amount(format(number, "f")) == int(rounded * 10**6)


@given(st.integers(0, 10**18))
def test_writing_and_reading_gives_the_same(millionths: int) -> None:
    """The shortest text of an amount reads back as that amount."""
    assert quantity.parse_amount(quantity.format_amount(millionths)) == millionths


@given(st.text(max_size=40), st.sampled_from(".,"))
def test_no_text_makes_the_reader_fail_otherwise(text: str, mark: quantity.DecimalMark) -> None:
    """Any text gives an amount or an AmountError."""
    with suppress(AmountError):
        assert quantity.parse_amount(text, mark) >= 0


def test_units_convert_exactly() -> None:
    """Pounds and ounces convert by their definition; a sum of small parts loses nothing."""
    assert quantity.convert(1_000_000, "lb", "g") == 453_592_370
    assert quantity.convert(16_000_000, "oz", "lb") == 1_000_000
    assert quantity.convert(511_060_000, "g", "kg") == 511_060
    assert quantity.kg_factor("lb") == Fraction(45_359_237, 100_000_000)
    assert quantity.kg_factor("tablet") is None


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**6, max_denominator=10**6))
def test_factors_are_written_and_read_back(factor: Fraction) -> None:
    """A conversion factor survives its text."""
    assert quantity.parse_factor(quantity.format_factor(factor)) == factor
