"""What release requests and grants have in common: rules between their fields."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.partial_times import to_datetime

MAX_RECIPIENTS: Final = 64  # members and observers there are, with room
MAX_PURPOSES: Final = 16  # more than the list has


def extract_named(content: Any) -> Iterator[tuple[str, Problem]]:
    """Demand the extract where the scope is one, and nowhere else."""
    if content.scope == "extract" and not content.extract:
        yield "extract", ("missing", {})
    if content.extract and content.scope != "extract":
        yield "extract", ("not_allowed_here", {})


def recipients_once(content: Any) -> Iterator[tuple[str, Problem]]:
    """Refuse a recipient that is named twice."""
    members = list(content.recipients)
    if len(set(members)) != len(members):
        yield "recipients", ("value_repeated", {"value": max(members, key=members.count)})


def until_ahead(content: Any, _annex: object, now: datetime) -> list[FieldError]:
    """Refuse a release that is over when it is asked for or given."""
    if content.HasField("until_time") and to_datetime(content.until_time) <= now:
        return [FieldError("until", "in_past")]
    return []
