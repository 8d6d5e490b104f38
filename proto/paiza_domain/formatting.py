"""Numbers, quantities, spans of time and dates for a reader, by the rules of the reader's language (CLDR, from Babel).

For reading only: drafts, exports and JSON keep the decimal point and the ISO form of a date. A language that we do not
have reads as English.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

from babel.core import Locale
from babel.dates import format_date
from babel.numbers import format_decimal
from babel.units import format_unit

from paiza_domain.i18n import NN_, ngettext

_CLDR_UNITS: Final[Mapping[str, str]] = MappingProxyType({
    "mg": "mass-milligram",
    "g": "mass-gram",
    "kg": "mass-kilogram",
    "t": "mass-tonne",
    "ml": "volume-milliliter",
    "l": "volume-liter",
    "m2": "area-square-meter",
})  # fmt: skip

_COUNTED_UNITS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "tablet": NN_("{n} tablet", "{n} tablets"),
    "capsule": NN_("{n} capsule", "{n} capsules"),
    "ampoule": NN_("{n} ampoule", "{n} ampoules"),
    "blotter": NN_("{n} blotter", "{n} blotters"),
    "dose": NN_("{n} dose", "{n} doses"),
    "plant": NN_("{n} plant", "{n} plants"),
    "seed": NN_("{n} seed", "{n} seeds"),
    "piece": NN_("{n} piece", "{n} pieces"),
})  # fmt: skip

# Units of time with the seconds in them. Russian minutes and seconds are abbreviated: their words change in a sentence
# ("через 21 минуту"), and CLDR has only the form that stands alone.
_SPANS: Final[tuple[tuple[str, int, Literal["long", "short"]], ...]] = (
    ("day", 86_400, "long"),
    ("hour", 3_600, "long"),
    ("minute", 60, "short"),
)

_SIX_PLACES: Final = "#,##0.######"  # no digit of an amount is dropped
_FRACTION_FORM: Final = 2  # a fraction takes the plural of two: "0,5 таблетки", "0.5 tablets"


@cache
def _locale(lang: str) -> Locale:
    return Locale("ru") if lang == "ru" else Locale("en", "GB")


def number_text(value: int | Decimal, lang: str) -> str:
    """Return a number with the decimal mark and the groups of the language; no digit is dropped."""
    return format_decimal(value, locale=_locale(lang), decimal_quantization=False)


def millionths_text(millionths: int, lang: str) -> str:
    """Return an amount in millionths as a number."""
    return number_text(_decimal(millionths), lang)


def amount_text(millionths: int, unit: str, lang: str) -> str:
    """Return an amount with its unit, a code of the list `unit`; a unit that is not in the list stands as it is."""
    value = _decimal(millionths)
    number = number_text(value, lang)
    if unit in _CLDR_UNITS:
        # The number is given as text: Babel would round it to three places. The abbreviations have one form.
        return format_unit(number, _CLDR_UNITS[unit], "short", locale=_locale(lang))
    if unit in _COUNTED_UNITS:
        whole = value == int(value)
        one, many = _COUNTED_UNITS[unit]
        return ngettext(one, many, int(value) if whole else _FRACTION_FORM, lang).format(n=number)
    return f"{number} {unit}"


def amount_words(millionths: int, unit: str, lang: str) -> str:
    """Return an amount with its unit written out: "12,5 килограмма", "12.5 kilograms"."""
    if unit not in _CLDR_UNITS:
        return amount_text(millionths, unit, lang)
    return format_unit(_decimal(millionths), _CLDR_UNITS[unit], "long", format=_SIX_PLACES, locale=_locale(lang))


def _decimal(millionths: int) -> Decimal:
    """Return millionths as a number without zeros at its end."""
    value = Decimal(millionths).scaleb(-6)
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def span_text(span: timedelta, lang: str) -> str:
    """Return the length of a span in the largest unit that it fills, rounded down; the sign is dropped."""
    seconds = int(abs(span).total_seconds())
    for unit, length, form in _SPANS:
        if seconds >= length:
            return format_unit(seconds // length, f"duration-{unit}", form, locale=_locale(lang))
    return format_unit(seconds, "duration-second", "short", locale=_locale(lang))


def date_text(day: date, lang: str) -> str:
    """Return a date: 23.11.2026 in Russian; the ISO form in English, where 03/11 has two meanings."""
    return format_date(day, "dd.MM.yyyy", locale=_locale(lang)) if lang == "ru" else day.isoformat()


def time_text(time: datetime, lang: str, *, seconds: bool = False) -> str:
    """Return a date and a time of day in the zone that `time` has, to the minute or the second, without the zone."""
    return (
        f"{date_text(time.date(), lang)} {time:%H:%M:%S}" if seconds else f"{date_text(time.date(), lang)} {time:%H:%M}"
    )
