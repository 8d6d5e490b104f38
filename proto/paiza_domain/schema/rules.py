"""Rules shared by several kinds: between the fields of a message, and on its times."""

from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Any, Final

from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import ContentCheck
from paiza_domain.schema.partial_times import HOUR, MINUTE, partial_time_start, to_datetime
from paiza_domain.schema.shapes import Related

DAY_SPREAD: Final = timedelta(hours=14)  # the first time zone is this far ahead of UTC
CLOCK_TOLERANCE: Final = timedelta(minutes=5)  # between the clock at the place and the author's
_TO_THE_DAY: Final = 2  # hyphens of a date that names its day
_TO_THE_MONTH: Final = 1  # hyphens of a date that names its month
_DECEMBER: Final = 12


def all_of(*rules: Related) -> Related:
    """Return the conjunction of `rules`."""

    def related(content: Any) -> Iterator[tuple[str, Problem]]:
        for rule in rules:
            yield from rule(content)

    return related


def any_of(*names: str) -> Related:
    """Return the rule that at least one of these fields is set; the first one is named where none is."""

    def related(content: Any) -> Iterator[tuple[str, Problem]]:
        if not any(getattr(content, name) for name in names):
            yield names[0], ("missing", {})

    return related


def once(group: str, name: str, code: str = "value_repeated") -> Related:
    """Return the rule that no two entries of `group` have the same value in the field `name`; left out is none."""

    def related(content: Any) -> Iterator[tuple[str, Problem]]:
        seen = set()
        for index, entry in enumerate(getattr(content, group)):
            value = getattr(entry, name)
            if value and value in seen:
                yield f"{group}[{index}].{name}", (code, {"value": value})
            seen.add(value)

    return related


def numbered(group: str, code: str) -> Related:
    """Return the rule that the entries of `group` are numbered 1, 2, 3 … in order."""

    def related(content: Any) -> Iterator[tuple[str, Problem]]:
        for index, entry in enumerate(getattr(content, group)):
            if entry.number != index + 1:
                yield f"{group}[{index}].number", (code, {})

    return related


def period_in_order(content: Any) -> Iterator[tuple[str, Problem]]:
    """Return an error if a period (`from_time`, `until_time`) ends before it begins; an open period passes."""
    whole = content.HasField("from_time") and content.HasField("until_time")
    # By their seconds: this rule also sees times that no calendar holds, which the fields themselves refuse.
    if whole and content.until_time.seconds < content.from_time.seconds:
        yield "until", ("period_reversed", {})


def not_in_future(name: str) -> ContentCheck:
    """Return the check that the moment in the field `name`, if set, is not ahead of the author's clock."""

    def check(content: Any, _annex: object, now: datetime) -> list[FieldError]:
        partial_time = getattr(content, name)
        ahead = CLOCK_TOLERANCE if partial_time.precision in {HOUR, MINUTE} else DAY_SPREAD
        future = content.HasField(name) and partial_time_start(partial_time) > now + ahead
        return [FieldError(name, "in_future")] if future else []

    return check


def not_in_past(key: str) -> ContentCheck:
    """Return the check that the time of the field with this key, if set, is in the future."""
    name = f"{key}_time"

    def check(content: Any, _annex: object, now: datetime) -> list[FieldError]:
        past = content.HasField(name) and to_datetime(getattr(content, name)) <= now
        return [FieldError(key, "in_past")] if past else []

    return check


def date_start(date: str) -> datetime:
    """Return the beginning of a valid ISO date: of its day, month or year, as if it were one of UTC."""
    year, month, day = (*map(int, date.split("-")), 1, 1)[:3]
    return datetime(year, month, day, tzinfo=UTC)


def date_end(date: str) -> datetime:
    """Return the end of a valid ISO date: of its day, month or year, as if it were one of UTC."""
    start = date_start(date)
    if start.year == MAXYEAR:  # no time comes after it
        return datetime.max.replace(tzinfo=UTC)
    given = date.count("-")
    if given == _TO_THE_DAY:
        return start + timedelta(days=1)
    if given == _TO_THE_MONTH and start.month < _DECEMBER:
        return start.replace(month=start.month + 1)
    return start.replace(year=start.year + 1, month=1)


def has_passed(date: str, now: datetime) -> bool:
    """Return whether the whole of a valid ISO date (day, month or year) is over everywhere on earth; not if empty."""
    return bool(date) and date_end(date) < now - DAY_SPREAD


def is_to_come(date: str, now: datetime) -> bool:
    """Return whether a valid ISO date has begun nowhere on earth; not if empty."""
    return bool(date) and date_start(date) > now + DAY_SPREAD
