"""A period of a content: `from_time` and `until_time`, drafted as `from` and `until`."""

from collections.abc import Iterator
from typing import Any

from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.partial_times import to_datetime


def in_order(content: Any) -> Iterator[tuple[str, Problem]]:
    """Refuse a period that ends before it begins; one that is not given whole is not judged."""
    whole = content.HasField("from_time") and content.HasField("until_time")
    if whole and to_datetime(content.until_time) < to_datetime(content.from_time):
        yield "until", ("period_reversed", {})
