"""Dates in the formats of a map: a day, a month, a calendar year or a fiscal year. Nothing is guessed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from paiza_client.data.imports.values import MAX_NUMBER_LENGTH, BadValue
from paiza_domain.schema.partial_times import DAY, MONTH, YEAR

FIRST_YEAR: Final = 1900  # an earlier seizure is a slip of the pen
NAMED_BY: Final = ("begin", "end")

_TOKEN: Final = re.compile(r"(YYYY|YY|MMM|MM|DD|M|D)")
_PATTERNS: Final = {
    "YYYY": r"(?P<y>\d{4})",
    "MMM": r"(?P<n>[^\W\d_]{3,10})\.?",
    "MM": r"(?P<m>\d{2})",
    "M": r"(?P<m>\d{1,2})",
    "DD": r"(?P<d>\d{2})",
    "D": r"(?P<d>\d{1,2})",
}
_FOLLOWING: Final = {"YYYY": r"(?P<z>\d{4})", "YY": r"(?P<z>\d{2})"}  # the year in which a fiscal year ends
_PRECISIONS: Final = {"DMY": DAY, "MY": MONTH, "Y": YEAR, "YY": YEAR}

_MONTHS: Final = (
    *("january|январь|января", "february|февраль|февраля", "march|март|марта", "april|апрель|апреля", "may|май|мая"),
    *("june|июнь|июня", "july|июль|июля", "august|август|августа", "september|sept|сентябрь|сентября|сент"),
    *("october|октябрь|октября", "november|ноябрь|ноября|нояб", "december|декабрь|декабря"),
)
_MONTH_OF: Final[Mapping[str, int]] = MappingProxyType({
    written: number
    for number, names in enumerate(_MONTHS, 1)
    for name in names.split("|")
    for written in (name, name[:3])
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, or the first day of a month or year, with its precision (`partial_times`)."""

    start: date
    precision: int


@dataclass(frozen=True, slots=True)
class DateFormat:
    """One format of a map, and where a year that it names begins."""

    pattern: re.Pattern[str]
    precision: int
    first_month: int = 1
    named_by_end: bool = False

    def read(self, text: str) -> Moment | None:
        """Return the moment; None if the text is not written so. ValueError for a day that does not exist."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        year = int(parts["y"])
        if following := parts.get("z"):
            if int(following) != (year + 1) % 10 ** len(following):
                raise ValueError(text)
        elif self.precision == YEAR and self.named_by_end and self.first_month > 1:
            year -= 1
        month = int(parts.get("m") or 0) or (self.first_month if self.precision == YEAR else 0)
        if name := parts.get("n"):
            month = _MONTH_OF.get(name.casefold(), 0)
        return Moment(date(year, month, int(parts.get("d") or 1)), self.precision)


def compile_date_format(text: str, fiscal_month: int = 0, named_by: str = "") -> DateFormat:
    """Make a format such as "DD.MM.YYYY", "MM.YYYY", "YYYY" or "YYYY/YY".

    ``fiscal_month`` is the month in which a fiscal year begins, and 0 where years are calendar years. A format of two
    years is a fiscal year; a format of one is then named by its begin or its end. ValueError for any other text.
    """
    parts = _TOKEN.split(text)
    tokens = parts[1::2]
    order = "".join(sorted(each[0] for each in tokens))
    years = [each for each in tokens if each[0] == "Y"]
    two = len(years) == 2  # noqa: PLR2004 - of a fiscal year
    if order not in _PRECISIONS or years[0] != "YYYY" or len(text) > MAX_NUMBER_LENGTH:
        raise ValueError(f"no date format: {text!r}")
    if any(re.search(r"[^\W_]", literal) for literal in parts[0::2]):
        raise ValueError(f"no date format: {text!r}")
    if (two and not fiscal_month) or (order == "Y" and fiscal_month and named_by not in NAMED_BY):
        raise ValueError(f"no fiscal year: {text!r}")
    written = [
        _FOLLOWING[part] if two and part[:1] == "Y" and "Y" in "".join(parts[1:at:2]) else _PATTERNS.get(part, "")
        for at, part in enumerate(parts)
    ]
    pattern = "".join(written[at] if at % 2 else re.escape(part) for at, part in enumerate(parts))
    first_month = fiscal_month if fiscal_month and "D" not in order and "M" not in order else 1
    return DateFormat(re.compile(pattern), _PRECISIONS[order], first_month, named_by == "end")


def read_date(text: str, formats: Iterable[DateFormat], today: date) -> Moment:
    """Read a date in one of the declared formats; BadValue if none fits, the day does not exist or is still to come.

    If two declared formats read the text as different days, it is refused: nothing tells which is meant.
    """
    if not text:
        raise BadValue("date_missing")
    moments, impossible = set(), False
    for each in formats if text.isprintable() and _digits_are_ascii(text) else ():
        try:
            moment = each.read(text)
        except ValueError:
            impossible = True
        else:
            moments |= {moment} if moment else set()
    if not moments:
        raise BadValue("date_impossible" if impossible else "date_malformed")
    if len(moments) > 1:
        raise BadValue("date_ambiguous")
    read = moments.pop()
    if read.start > today:
        raise BadValue("date_in_future")
    if read.start.year < FIRST_YEAR:
        raise BadValue("date_too_early")
    return read


def _digits_are_ascii(text: str) -> bool:
    return all(each.isascii() or not each.isdigit() for each in text)
