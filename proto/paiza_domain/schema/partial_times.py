"""Partial times as text: ISO 8601 or a Russian date, with an offset; the written part is the known part."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from paiza_domain.formatting import date_text, time_text
from paiza_domain.schema.field_errors import Problem

DAY, HOUR, MINUTE, MONTH, YEAR = 1, 2, 3, 4, 5  # paiza.content.v1.TimePrecision
COARSE: Final = frozenset({MONTH, YEAR})

# ISO 8601, what people write, and what the program shows them: 28.11.2026 14:30 +05:00, 28.11.2026 14 ч (UTC+05:00).
_TIME: Final = re.compile(
    r"(?:(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    r"|(?P<ru_day>\d{1,2})\.(?P<ru_month>\d{1,2})\.(?P<ru_year>\d{4}))"
    r"(?:(?:T|,? )(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}))?| ?ч)?)?"
    r"(?P<offset> ?(?:Z|UTC|\(UTC\)|\(?(?:UTC)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?\)?))?",
    re.ASCII,
)
_RUSSIAN_MONTH: Final = re.compile(r"(\d{1,2})\.(\d{4})", re.ASCII)
_COARSE: Final = re.compile(r"(\d{4})(?:-(\d{2})(/P1Y)?)?", re.ASCII)  # a year, a month, a year from a month on
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR: Final = 1900  # earlier times do not occur
_DECEMBER: Final = 12


def _parts(text: str) -> tuple[datetime, int] | None:
    """Parse a time with its offset, a date, a month or a year; return the time and its precision."""
    found = _TIME.fullmatch(text)
    if found is None:
        return _coarse_parts(text)
    if (found["hour"] is None) != (found["offset"] is None):
        return None
    precision = DAY if found["hour"] is None else HOUR if found["minute"] is None else MINUTE
    try:
        hour, minute, second = (int(found[each] or 0) for each in ("hour", "minute", "second"))
        time = datetime(*_date_numbers(found), hour, minute, second, tzinfo=_offset(found))
        time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None if time.year < _FIRST_YEAR else (time, precision)


def _date_numbers(found: re.Match[str]) -> tuple[int, int, int]:
    """Return year, month and day as written; they may be no date."""
    year, month, day = (int(found[each] or found[f"ru_{each}"]) for each in ("year", "month", "day"))
    return year, month, day


def _offset(found: re.Match[str]) -> timezone:
    """Return the offset; UTC if there is none; ValueError for one that is not in use."""
    if found["sign"] is None:
        return UTC
    minutes = int(found["hours"]) * 60 + int(found["minutes"] or 0)
    if int(found["minutes"] or 0) > 59 or minutes > 14 * 60:  # noqa: PLR2004 - minutes of an hour; widest offset in use
        raise ValueError(found["offset"])
    return timezone(timedelta(minutes=-minutes if found["sign"] == "-" else minutes))


def problem(text: str, malformed: str) -> Problem:
    """Return why a text is no time or date: there is no such day, the offset is missing, or it is ``malformed``."""
    found = _TIME.fullmatch(text)
    if found is None:
        return malformed, {}
    year, month, day = _date_numbers(found)
    try:
        date(year, month, day)
    except ValueError:
        written = f"{found['ru_day']}.{found['ru_month']}.{year}" if found["ru_day"] else text[:10]
        return "date_impossible", {"value": written}
    if found["hour"] is not None and found["offset"] is None:
        return "offset_missing", {"expected": f"{text}+05:00"}
    return malformed, {}


def iso_date(text: str) -> str:
    """Return a date or a month that is written the Russian way (28.11.2026, 11.2026) in its ISO form; others as is."""
    if found := _RUSSIAN_MONTH.fullmatch(text):
        return f"{found[2]}-{int(found[1]):02d}"
    found = _TIME.fullmatch(text)
    if found is None or found["ru_day"] is None or found["hour"] or found["offset"]:
        return text
    year, month, day = _date_numbers(found)
    return f"{year:04d}-{month:02d}-{day:02d}"


def _coarse_parts(text: str) -> tuple[datetime, int] | None:
    found = _COARSE.fullmatch(iso_date(text).removesuffix(" г."))
    if found is None:
        return None
    year, month = int(found[1]), int(found[2] or 1)
    if year < _FIRST_YEAR or not 1 <= month <= _DECEMBER:
        return None
    return datetime(year, month, 1, tzinfo=UTC), YEAR if found[3] or not found[2] else MONTH


def parse_time(text: str, *, begins: bool = False) -> datetime | None:
    """Parse a time with its offset; a date alone is the end of that day, UTC, or its start if `begins`.

    None if the text is neither.
    """
    found = _parts(text)
    if found is None or found[1] in COARSE:
        return None
    time, precision = found
    return time.replace(hour=23, minute=59, second=59) if precision == DAY and not begins else time


def fill_partial_time(text: str, partial_time: Any) -> bool:
    """Parse `text` into a PartialTime with the written precision; return False if invalid.

    "2015-03" is a month, "2015" a calendar year, "2015-04/P1Y" the year from April on (ISO 8601).
    """
    found = _parts(text)
    if found is None or found[0].second:
        return False
    time, precision = found
    partial_time.time.seconds = int(time.timestamp())
    partial_time.precision = precision
    partial_time.utc_offset_minutes = int((time.utcoffset() or timedelta()).total_seconds()) // 60
    return True


def write_partial_time(partial_time: Any) -> str:
    """Format a PartialTime as `fill_partial_time` parses it."""
    zone = timezone(timedelta(minutes=partial_time.utc_offset_minutes))
    local = partial_time_start(partial_time).astimezone(zone)
    if partial_time.precision == YEAR:
        return f"{local:%Y}" if local.month == 1 else f"{local:%Y-%m}/P1Y"
    patterns = {MONTH: "%Y-%m", DAY: "%Y-%m-%d", HOUR: "%Y-%m-%dT%H"}
    text = local.strftime(patterns.get(partial_time.precision, "%Y-%m-%dT%H:%M"))
    whole = partial_time.precision in {MONTH, DAY}
    return text if whole else text + _offset_text(partial_time.utc_offset_minutes)


def _offset_text(minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return "Z" if minutes == 0 else f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def write_time(timestamp: Timestamp) -> str:
    """Format a Timestamp in UTC, to the second."""
    return to_datetime(timestamp).strftime("%Y-%m-%dT%H:%M:%SZ")


def partial_time_text(partial_time: Any, lang: str) -> str:
    """Return a PartialTime for a reader, as precise as it is; in English as it is written in drafts."""
    if lang != "ru":
        return write_partial_time(partial_time)
    zone = timezone(timedelta(minutes=partial_time.utc_offset_minutes))
    local = partial_time_start(partial_time).astimezone(zone)
    if partial_time.precision in COARSE:
        return _coarse_text(local, partial_time.precision)
    if partial_time.precision == DAY:
        return date_text(local.date(), lang)
    moment = (
        f"{date_text(local.date(), lang)} {local:%H} ч" if partial_time.precision == HOUR else time_text(local, lang)
    )
    offset = _offset_text(partial_time.utc_offset_minutes).removesuffix("Z")
    return f"{moment} (UTC{offset})"


def _coarse_text(local: datetime, precision: int) -> str:
    """Return a month or a year for a Russian reader."""
    if precision == MONTH:
        return f"{local:%m.%Y}"
    return f"{local:%Y} г." if local.month == 1 else f"12 месяцев с {local:%m.%Y}"


def timestamp_text(timestamp: Timestamp, lang: str) -> str:
    """Return a Timestamp for a reader, in UTC, to the second; in English as it is written in drafts."""
    return f"{time_text(to_datetime(timestamp), lang, seconds=True)} UTC" if lang == "ru" else write_time(timestamp)


def to_datetime(timestamp: Timestamp) -> datetime:
    """Return the time of a valid Timestamp, to the second."""
    return _EPOCH + timedelta(seconds=timestamp.seconds)


def partial_time_start(partial_time: Any) -> datetime:
    """Return when the moment's year, month, day, hour or minute begins; a day as if it were a day of UTC."""
    return to_datetime(partial_time.time)
