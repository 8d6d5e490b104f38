"""Fixed-point amounts: whole millionths, read from decimal text and converted by exact rationals. No floats.

Rounding, wherever it happens, is half to even at the sixth decimal place.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

from paiza_domain.schema.field_errors import Problem

MILLION: Final = 1_000_000
MAX_DIGITS: Final = 15  # digits before the decimal point
MAX_DECIMALS: Final = 20  # digits after it; what a spreadsheet writes at most

# Grams per unit, exact by definition (avoirdupois pound 453.59237 g; ounce a sixteenth of it).
GRAMS_PER_UNIT: Final[Mapping[str, Fraction]] = MappingProxyType({
    "mg": Fraction(1, 1_000),
    "g": Fraction(1),
    "kg": Fraction(1_000),
    "t": Fraction(1_000_000),
    "lb": Fraction(45_359_237, 100_000),
    "oz": Fraction(45_359_237, 1_600_000),
})  # fmt: skip

DecimalMark = Literal[".", ","]

_NUMBER: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({
    mark: re.compile(rf"(\d{{1,{MAX_DIGITS}}})(?:[{mark}](\d{{1,{MAX_DECIMALS}}}))?", re.ASCII) for mark in ".,"
})  # fmt: skip

_GROUPED: Final = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))", re.ASCII)  # a space before three digits


class AmountError(Exception):
    """A text that is not an amount; `problem` is the code and values of its field error."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(*problem)
        self.problem = problem


def round_half_even(value: Fraction) -> int:
    """Round to the nearest integer, half to even."""
    return round(value)  # Fraction.__round__ rounds half to even


def parse_amount(text: str, mark: DecimalMark = ".") -> int:
    """Parse unsigned decimal text as millionths, rounded half to even; raise `AmountError`.

    `mark` is the decimal mark; the other one, spaces between groups, signs and exponents are refused.
    """
    found = _NUMBER[mark].fullmatch(text)
    if found is None:
        raise AmountError(("amount_malformed", {}))
    whole, decimals = found.group(1), found.group(2) or ""
    return round_half_even(Fraction(int(whole + decimals) * MILLION, 10 ** len(decimals)))


def read_amount(text: str) -> int:
    """Parse a number as a person writes it, as millionths; raise `AmountError`.

    The decimal mark is a point or a comma, and spaces may stand between groups of three digits: "12,5", "1 200.5". Both
    marks in one number are refused, since one of them would be thousands.
    """
    return parse_amount(plain_number(text))


def plain_number(text: str) -> str:
    """Return a number as a person writes it with a decimal point and without spaces between its groups."""
    return _GROUPED.sub("", text.strip()).replace(",", ".")


def format_amount(millionths: int) -> str:
    """Format millionths as the shortest decimal text, with a point."""
    whole, rest = divmod(abs(millionths), MILLION)
    sign = "-" if millionths < 0 else ""
    return f"{sign}{whole}.{rest:06d}".rstrip("0").rstrip(".")


def convert(millionths: int, unit: str, to: str) -> int:
    """Convert between units of mass, rounded half to even; raise KeyError for a unit that is not a mass."""
    return round_half_even(millionths * GRAMS_PER_UNIT[unit] / GRAMS_PER_UNIT[to])


def kg_factor(unit: str) -> Fraction | None:
    """Return kilograms per unit, exactly; None if the unit is not a mass (a chemist's factor is then needed)."""
    grams = GRAMS_PER_UNIT.get(unit)
    return None if grams is None else grams / 1_000


def apply_factor(millionths: int, factor: Fraction) -> int:
    """Multiply by a factor and round half to even."""
    return round_half_even(millionths * factor)


_FACTOR: Final = re.compile(r"(\d{1,15})(?:/([1-9]\d{0,14}))?", re.ASCII)


def parse_factor(text: str) -> Fraction | None:
    """Parse a positive rational such as "1/1000" or "3"; None for anything else."""
    found = _FACTOR.fullmatch(text)
    if found is None or int(found.group(1)) == 0:
        return None
    return Fraction(int(found.group(1)), int(found.group(2) or 1))


def format_factor(factor: Fraction) -> str:
    """Format a rational as `parse_factor` parses it, in lowest terms."""
    return str(factor)
