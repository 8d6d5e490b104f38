"""Local times of a directory: time zones, days with a change of the clocks, times of day."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

TIME_ZONE: Final = re.compile(r"[A-Z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,31}){0,2}", re.ASCII)
"""A name of the IANA database; whether it is known depends on the reader's machine."""

YEARS: Final = range(2000, 2200)
"""A time outside is a mistake, and those at the ends of the calendar are not times in every zone."""

MINUTES: Final = 24 * 60
"""Minutes of a day; as the end of working hours, midnight."""

_UTC_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_WRITTEN: Final = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d)|(\d\d)\.(\d\d)\.(\d{4}))[T ](\d\d):(\d\d)(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_CLOCK: Final = re.compile(r"(\d\d):(\d\d)", re.ASCII)


class TimeError(Exception):
    """A time is none, or not one time; `problem` says why."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.problem = code, values


def zone(name: str) -> ZoneInfo | None:
    """Return a time zone; None if this machine does not know it."""
    try:
        return ZoneInfo(name) if TIME_ZONE.fullmatch(name) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def parse_utc(text: str) -> datetime:
    """Parse a time as a directory is published with: in UTC, to the second. `TimeError` if it is none."""
    if not _UTC_TIME.fullmatch(text):
        raise TimeError("time_malformed")
    try:
        found = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise TimeError("time_malformed") from None
    if found.year not in YEARS:
        raise TimeError("time_malformed")
    return found


def utc_text(time: datetime) -> str:
    """Write a time as `parse_utc` reads it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_written(text: str, local: ZoneInfo | None) -> datetime:
    """Parse a time as people write it, with an offset or in the zone ``local``; return it in UTC.

    `TimeError` if it is none, or if a change of the clocks makes it two times or none.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise TimeError("local_time_malformed")
    year, month, day = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
    offset = found[9]
    try:
        if offset:
            time = datetime.fromisoformat(f"{year}-{month}-{day}T{found[7]}:{found[8]}{offset.replace('Z', '+00:00')}")
            time = time.astimezone(UTC)
        else:
            plain = datetime(int(year), int(month), int(day), int(found[7]), int(found[8]))  # noqa: DTZ001 - local time
            time = plain.replace(tzinfo=UTC) if local is None else _in_zone(plain, local)
    except (ValueError, OverflowError):
        raise TimeError("local_time_malformed") from None
    if time.year not in YEARS:
        raise TimeError("local_time_malformed")
    return time


def _in_zone(plain: datetime, local: ZoneInfo) -> datetime:
    first, second = (plain.replace(tzinfo=local, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(local).replace(tzinfo=None) != plain:  # the clocks are put forward over it
        raise TimeError("time_skipped")
    raise TimeError("time_twice", expected=", ".join(each.isoformat("T", "minutes") for each in (first, second)))


def written_text(time: datetime, local: ZoneInfo | None) -> str:
    """Write a time as `parse_written` reads it: in the zone, with its offset where the clocks make it two times."""
    there = time.astimezone(local or UTC)
    plain = there.replace(tzinfo=None, fold=0)
    if local is None:
        return f"{plain:%Y-%m-%d %H:%M}Z"
    one_time = plain.replace(tzinfo=local).utcoffset() == plain.replace(tzinfo=local, fold=1).utcoffset()
    return f"{plain:%Y-%m-%d %H:%M}" if one_time else there.isoformat("T", "minutes")


def parse_clock(text: str) -> int:
    """Parse a time of day, 00:00 to 24:00; return its minutes. `TimeError` if it is none."""
    found = _CLOCK.fullmatch(text)
    if found is None or int(found[2]) >= 60 or (minutes := int(found[1]) * 60 + int(found[2])) > MINUTES:  # noqa: PLR2004
        raise TimeError("clock_malformed")
    return minutes


def clock_text(minutes: int) -> str:
    """Write a time of day."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def local_span(day: datetime, begin: int, end: int) -> tuple[datetime, datetime]:
    """Return, in UTC, the hours between two times of day, on the local day that begins at ``day``."""
    first = (day.replace(tzinfo=None) + timedelta(minutes=begin)).replace(tzinfo=day.tzinfo)
    last = (day.replace(tzinfo=None) + timedelta(minutes=end)).replace(tzinfo=day.tzinfo)
    return first.astimezone(UTC), last.astimezone(UTC)
