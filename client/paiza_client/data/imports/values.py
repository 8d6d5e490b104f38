"""Single cells: cleaning of text, amounts, counts, coordinates. Exact arithmetic only, and nothing is guessed.

What cannot be read as the map declares raises `BadValue`; what was changed is named by a rule.
"""

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache
from typing import Final

from paiza_client.language import N_
from paiza_domain.schema.field_checks import MAX_MILLIONTHS

MILLION: Final = 1_000_000
MAX_NUMBER_LENGTH: Final = 32  # characters of an amount: a 64-bit float needs 24
MAX_COUNT: Final = 10**9  # seizures summed up in one record
LATITUDE, LONGITUDE = 90, 180  # degrees at most
_OF_LATITUDE: Final = ("N", "S", "С", "Ю")
_SIXTY: Final = 60

RULES: Final = {
    "blanks": N_("blanks before, after or doubled inside the text were removed"),
    "control_characters": N_("invisible control characters were removed"),
    "composed": N_("characters written in parts were composed (Unicode NFC)"),
    "leading_comma": N_("a comma with nothing before it was removed from the place"),
    "rounded": N_("the amount was rounded to a millionth of its unit, half to even; the original is kept"),
    "smaller_unit": N_("the amount was less than a millionth of its unit and is given in a smaller unit"),
    "converted": N_("the amount was converted by the factor of the map; the original is kept"),
    "defaulted": N_("an empty cell was filled with the default of the map"),
    "shortened": N_("a text longer than its field holds was cut there; the whole text is under circumstances"),
}
"""Every repair there is; the keys are stable."""

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


def whole_number(text: str, decimal: str, thousands: str) -> int:
    """Read a count of at least one, written with these marks; BadValue otherwise."""
    value = amount(text, decimal, thousands)
    if value.denominator != 1 or value > MAX_COUNT:
        raise BadValue("amount_malformed")
    return value.numerator


def degrees(text: str, decimal: str, greatest: int) -> int:
    """Read a latitude or longitude into microdegrees: decimal degrees, or degrees, minutes and seconds.

    A letter (N, S, E, W or С, Ю, В, З) or a sign gives the side. BadValue if it is neither, or beyond `greatest`.
    """
    found = _degrees(decimal).fullmatch(text.upper())
    if not found:
        raise BadValue("coordinates_malformed")
    sign, whole, fraction, minutes, seconds, part, side = found.groups()
    if (sign and side) or (fraction and minutes):
        raise BadValue("coordinates_malformed")
    value = Fraction(f"{whole}.{fraction or 0}") + Fraction(int(minutes or 0), 60)
    value += Fraction(f"{seconds or 0}.{part or 0}") / 3600
    sided = not side or (side in _OF_LATITUDE) == (greatest == LATITUDE)
    if not sided or value > greatest or int(minutes or 0) >= _SIXTY or int(seconds or 0) >= _SIXTY:
        raise BadValue("coordinates_malformed")
    south_or_west = sign == "-" or side in {"S", "W", "Ю", "З"}
    return round(value * MILLION) * (-1 if south_or_west else 1)


@lru_cache(maxsize=8)  # a map has one mark
def _degrees(decimal: str) -> re.Pattern[str]:
    mark = re.escape(decimal)
    return re.compile(
        rf"([+-]?)(\d{{1,3}})(?:{mark}(\d{{1,12}}))?(?: ?[°º])?"
        rf"(?: ?(\d{{1,2}}) ?['′’](?: ?(\d{{1,2}})(?:{mark}(\d{{1,9}}))? ?(?:[\"″”]|''))?)? ?([NSEWСЮВЗ]?)",
        re.ASCII,
    )


def coordinates(text: str, decimal: str) -> tuple[int, int]:
    """Read latitude and longitude from one text, in this order, separated by a semicolon, a comma or blanks."""
    parts = re.split(r" *; *", text)
    if len(parts) == 1:
        parts = re.split(r" *, *" if decimal == "." and "," in text else r",? +", text)
    if len(parts) != 2:  # noqa: PLR2004 - latitude and longitude
        raise BadValue("coordinates_malformed")
    return degrees(parts[0], decimal, LATITUDE), degrees(parts[1], decimal, LONGITUDE)
