"""Partial times as text: ISO 8601 with an offset; the written part is the known part."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from paiza_domain.formatting import date_text, time_text

DAY, HOUR, MINUTE, MONTH, YEAR = 1, 2, 3, 4, 5  # paiza.content.v1.TimePrecision
COARSE: Final = frozenset({MONTH, YEAR})

_TIME: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2})(?::(\d{2})(?::(\d{2}))?)?(Z|[+-]\d{2}:?\d{2}))?", re.ASCII
)
_COARSE: Final = re.compile(r"(\d{4})(?:-(\d{2})(/P1Y)?)?", re.ASCII)  # a year, a month, a year from a month on
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR: Final = 1900  # earlier times do not occur
_DECEMBER: Final = 12


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    if int(text[-2:]) > 59 or minutes > 14 * 60:  # noqa: PLR2004 - minutes of an hour; widest offset in use
        raise ValueError(text)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _parts(text: str) -> tuple[datetime, int] | None:
    """Parse an ISO time with offset, a date, a month or a year; return the time and its precision."""
    found = _TIME.fullmatch(text)
    if found is None:
        return _coarse_parts(text)
    year, month, day = (int(each) for each in found.group(1, 2, 3))
    hour, minute, second, offset = found.group(4, 5, 6, 7)
    precision = DAY if hour is None else HOUR if minute is None else MINUTE
    try:
        zone = UTC if offset is None else _offset(offset)
        time = datetime(year, month, day, int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone)
        time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None if year < _FIRST_YEAR else (time, precision)


def _coarse_parts(text: str) -> tuple[datetime, int] | None:
    found = _COARSE.fullmatch(text)
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
