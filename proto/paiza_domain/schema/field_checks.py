"""Checks of one value, built once per field: each takes the value from the message and returns the problem or None.

The messages Decimal, Quantity and PartialTime are read by field name, so that a national kind may define its own.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date as calendar_date
from difflib import get_close_matches
from typing import Any, Final

from paiza_domain import codes as code_lists
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.partial_times import COARSE, to_datetime
from paiza_domain.schema.text_rules import line_problem, lines_problem

Check = Callable[[Any], Problem | None]

MAX_ORIGINAL: Final = 60  # characters of a number as it was reported, with its unit
MAX_MILLIONTHS: Final = 10**18  # a billion tonnes in grams is less; also well inside int64
MAX_CODE: Final = 64  # characters of a code; longer ones are not compared
MAX_OFFSET_MINUTES: Final = 14 * 60  # the widest offset from UTC in use
# Years 1900 to 9998: what a date of birth or of a seizure can be. A year below what a Timestamp may hold: whatever a
# message says is shown in every time zone, and a term is added to it.
MIN_SECONDS: Final = -2_208_988_800
MAX_SECONDS: Final = 253_370_764_799
DIGEST_SIZE: Final = 32  # bytes of SHA-256

_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_PRECISIONS: Final = {1: 86_400, 2: 3_600, 3: 60}  # TimePrecision: seconds of a day, an hour, a minute


def both(first: Check, second: Check) -> Check:
    """Return the check that runs `first`, then `second`."""
    return lambda value: first(value) or second(value)


def line(most: int) -> Check:
    """Return the check of a one-line text of at most `most` characters."""
    return lambda text: line_problem(text, most)


def lines(most: int) -> Check:
    """Return the check of a text of several lines, of at most `most` characters."""
    return lambda text: lines_problem(text, most)


def code(name: str) -> Check:
    """Return the check against the code list `name`, which is loaded at the first use."""
    entries: Mapping[str, code_lists.Code] | None = None

    def judge(value: str) -> Problem | None:
        nonlocal entries
        if entries is None:
            entries = code_lists.load(name).codes
        return None if value in entries else unknown_code(value, name)

    return judge


def unknown_code(value: str, name: str) -> Problem:
    """Return the problem that `value` is not in the list `name`; its message suggests the nearest entries."""
    if len(value) > MAX_CODE:
        return "text_too_long", {"most": MAX_CODE}
    return line_problem(value, MAX_CODE) or ("code_unknown", {"value": value, "codes": name})


def nearest(value: str, known: Any) -> str:
    """Return the known word nearest to `value`, ignoring case; empty if none is near."""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(value.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else ""


def between(least: int | None, greatest: int | None, unit: int = 1) -> Check:
    """Return the check of an integer in a range; None leaves a side open. Limits are shown in ``unit``s."""
    shown = {
        "least": least if least is None else least // unit,
        "most": greatest if greatest is None else greatest // unit,
    }

    def judge(value: int) -> Problem | None:
        if (least is not None and value < least) or (greatest is not None and value > greatest):
            return "out_of_range", shown
        return None

    return judge


def decimal(least: int | None, greatest: int | None) -> Check:
    """Return the check of a Decimal, limits in millionths (shown in units); without limits it must be positive."""

    def judge(value: Any) -> Problem | None:
        amount = value.millionths
        if least is None and greatest is None:
            if amount <= 0:
                return "not_positive", {}
        elif not (least or 0) <= amount <= (greatest or MAX_MILLIONTHS):
            return "out_of_range", {"least": (least or 0) // 10**6, "most": (greatest or MAX_MILLIONTHS) // 10**6}
        if amount > MAX_MILLIONTHS:
            return "out_of_range", {"least": 0, "most": MAX_MILLIONTHS // 10**6}
        return line_problem(value.original, MAX_ORIGINAL)

    return judge


def quantity() -> Check:
    """Check a Quantity: positive, in a unit of the list."""
    amount, unit = decimal(None, None), code("unit")

    def judge(value: Any) -> Problem | None:
        return amount(value) or (unit(value.unit) if value.unit else ("quantity_malformed", {}))

    return judge


def time(value: Any) -> Problem | None:
    """Check a Timestamp: whole seconds, representable."""
    if MIN_SECONDS <= value.seconds <= MAX_SECONDS and 0 <= value.nanos < 10**9:
        return None
    return "time_malformed", {}


def partial_time(value: Any) -> Problem | None:
    """Check a PartialTime: a known precision, and a local time without a finer part."""
    step = _PRECISIONS.get(value.precision)
    if step is None or time(value.time) is not None or value.time.nanos:
        return "moment_malformed", {}
    offset = value.utc_offset_minutes
    if not -MAX_OFFSET_MINUTES <= offset <= MAX_OFFSET_MINUTES or (value.time.seconds + offset * 60) % step:
        return "moment_malformed", {}
    if value.precision == 1 and offset:  # a day is a calendar day where it happened, written as midnight UTC
        return "moment_malformed", {}
    return None


def partial_or_coarse_time(value: Any) -> Problem | None:
    """Check a PartialTime that may be a month or a year as well: then the first day of a month, at midnight UTC."""
    if value.precision not in COARSE:
        return partial_time(value)
    if time(value.time) is not None or value.time.nanos or value.utc_offset_minutes:
        return "moment_malformed", {}
    start = to_datetime(value.time)
    first = start == start.replace(day=1, hour=0, minute=0, second=0)
    return None if first else ("moment_malformed", {})


def date(value: str) -> Problem | None:
    """Check an ISO 8601 calendar date; day, or day and month, may be missing."""
    found = _DATE.fullmatch(value)
    if found is None or not value.isascii():
        return "date_malformed", {}
    year, month, day = (int(each or 1) for each in found.groups())
    try:
        calendar_date(year, month, day)
    except ValueError:
        return "date_malformed", {}
    return None


def digest(value: bytes) -> Problem | None:
    """Check the size of a SHA-256 digest."""
    return None if len(value) == DIGEST_SIZE else ("digest_malformed", {})
