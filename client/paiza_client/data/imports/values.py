"""Single cells: cleaning of text, amounts, dates. Exact arithmetic only, and nothing is guessed.

What cannot be read as the map declares raises `BadValue`; what was changed is named by a rule.
"""

import re
import unicodedata
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Final

from paiza_client.language import N_
from paiza_domain.schema.field_checks import MAX_MILLIONTHS

MILLION: Final = 1_000_000
MAX_NUMBER_LENGTH: Final = 32  # characters of an amount: a 64-bit float needs 24
FIRST_YEAR: Final = 1900  # an earlier seizure is a slip of the pen

RULES: Final = {
    "blanks": N_("blanks before, after or doubled inside the text were removed"),
    "control_characters": N_("invisible control characters were removed"),
    "composed": N_("characters written in parts were composed (Unicode NFC)"),
    "leading_comma": N_("a comma with nothing before it was removed from the place"),
    "rounded": N_("the amount was rounded to a millionth of its unit, half to even; the original is kept"),
    "smaller_unit": N_("the amount was less than a millionth of its unit and is given in a smaller unit"),
    "converted": N_("the amount was converted by the factor of the map; the original is kept"),
    "shortened": N_("a text longer than its field holds was cut there; the whole text is under circumstances"),
}
"""Every repair there is; the keys are stable."""

_TOKENS: Final = {"YYYY": r"(?P<y>\d{4})", "MM": r"(?P<m>\d{2})", "M": r"(?P<m>\d{1,2})"} | {
    "DD": r"(?P<d>\d{2})",
    "D": r"(?P<d>\d{1,2})",
}
# What a reader does not see: control characters, bidirectional marks, zero-width blank, byte-order mark, noncharacters.
_INVISIBLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
_SMALLER: Final = {"t": ("kg", 1000), "kg": ("g", 1000), "g": ("mg", 1000), "l": ("ml", 1000)}


class BadValue(Exception):  # noqa: N818 - the name of the thing; it never leaves this package
    """A cell that cannot be used; `code` is a key of `mapping.REASONS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def clean(text: str) -> tuple[str, tuple[str, ...]]:
    """Return `text` composed, without invisible characters and stray blanks, and the rules that changed it."""
    if text.isascii() and text.isprintable() and text == text.strip() and "  " not in text:
        return text, ()
    rules = []
    composed = unicodedata.normalize("NFC", text)
    if composed != text:
        rules.append("composed")
    visible = _INVISIBLE.sub(" ", composed)
    single = " ".join(visible.split())
    # A tab or a line end is a blank to a reader, so its removal is no more than that.
    if _INVISIBLE.search(composed.translate({9: 32, 10: 32, 13: 32})):
        rules.append("control_characters")
    elif single != composed:
        rules.append("blanks")
    return single, tuple(rules)


def amount(text: str, decimal: str, thousands: str) -> Fraction:
    """Read an exact amount greater than zero, written with these marks; BadValue otherwise."""
    if not text:
        raise BadValue("amount_missing")
    if len(text) > MAX_NUMBER_LENGTH:
        raise BadValue("amount_malformed")
    found = _number(decimal, thousands).fullmatch(text)
    if not found:
        raise BadValue("amount_malformed")
    sign, digits, fraction, exponent = found.groups()
    digits = digits.replace(thousands, "") if thousands else digits
    value = Fraction(f"{digits}.{fraction or 0}") * Fraction(10) ** int(exponent or 0)
    if sign == "-" or value == 0:
        raise BadValue("amount_not_positive")
    return value


@lru_cache(maxsize=8)  # a map has one pair of marks
def _number(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = rf"\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|\d+" if thousands else r"\d+"
    return re.compile(rf"([+-]?)({whole})(?:{re.escape(decimal)}(\d+))?(?:[eE]([+-]?\d{{1,2}}))?", re.ASCII)


def in_millionths(value: Fraction, unit: str) -> tuple[int, str, tuple[str, ...]]:
    """Return millionths and unit of an amount, rounded half to even, and the rules that changed it.

    What would round to nothing is given in the next smaller unit of the same dimension, where there is one.
    """
    rules = []
    while value * MILLION < 1 and unit in _SMALLER:
        unit, steps = _SMALLER[unit]
        value *= steps
        rules = ["smaller_unit"]
    millionths = round(value * MILLION)
    if millionths != value * MILLION:
        rules.append("rounded")
    if millionths == 0:
        raise BadValue("amount_too_small")
    if millionths > MAX_MILLIONTHS:
        raise BadValue("amount_too_large")
    return millionths, unit, tuple(rules)


def compile_date_format(text: str) -> re.Pattern[str]:
    """Make the pattern of a format such as "DD.MM.YYYY"; ValueError if it does not name each part once."""
    parts = re.split(r"(YYYY|MM|DD|M|D)", text)
    if sorted(part[0] for part in parts[1::2]) != ["D", "M", "Y"] or len(text) > MAX_NUMBER_LENGTH:
        raise ValueError(f"no date format: {text!r}")
    if any(re.search(r"[A-Za-z0-9]", literal) for literal in parts[0::2]):
        raise ValueError(f"no date format: {text!r}")
    return re.compile("".join(_TOKENS.get(part) or re.escape(part) for part in parts), re.ASCII)


def day(text: str, formats: tuple[re.Pattern[str], ...], today: date) -> date:
    """Read a date in one of the declared formats; BadValue if none fits, the day does not exist or is still to come.

    If two declared formats read the text as different days, it is refused: nothing tells which is meant.
    """
    if not text:
        raise BadValue("date_missing")
    fitting = [found for each in formats if (found := each.fullmatch(text))]
    if not fitting:
        raise BadValue("date_malformed")
    days = set()
    for found in fitting:
        try:
            days.add(date(int(found["y"]), int(found["m"]), int(found["d"])))
        except ValueError:
            continue
    if not days:
        raise BadValue("date_impossible")
    if len(days) > 1:
        raise BadValue("date_ambiguous")
    read = days.pop()
    if read > today:
        raise BadValue("date_in_future")
    if read.year < FIRST_YEAR:
        raise BadValue("date_too_early")
    return read
