"""The deadline of an answer: the one that the request names, else the usual one of its urgency and kind."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from google.protobuf.message import Message

from paiza.core.v1.message_pb2 import Header, Urgency
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime

ANSWER_WITHIN: Final[Mapping[int, timedelta]] = MappingProxyType({
    Urgency.URGENCY_FLASH: timedelta(hours=1),
    Urgency.URGENCY_URGENT: timedelta(hours=8),
    Urgency.URGENCY_PRIORITY: timedelta(days=3),
    Urgency.URGENCY_ROUTINE: timedelta(days=7),
})  # fmt: skip
_NAMED: Final = ("deadline_time", "reply_by_time", "latest_decision_time")  # fields by which contents name a deadline


def answer_due(header: Header, kind: Kind, content: Message | None, released: datetime) -> datetime | None:
    """Return the deadline of an answer; None if no answer is expected.

    An unopened content may name another deadline (`may_be_named`); the result then follows from the header.
    """
    if not kind.answered_by:
        return None
    if content is not None:
        for name in _NAMED:
            if name in content.DESCRIPTOR.fields_by_name and content.HasField(name):
                return to_datetime(getattr(content, name))
    within = usual(header, kind)
    return None if within is None else released + within


def usual(header: Header, kind: Kind) -> timedelta | None:
    """Return how long an answer takes at most where the request names no deadline; None if none is expected."""
    if not kind.answered_by:
        return None
    if header.urgency == Urgency.URGENCY_ROUTINE and kind.answer_deadline is not None:
        return kind.answer_deadline
    return ANSWER_WITHIN.get(header.urgency)  # None: for information only


def may_be_named(kind: Kind) -> bool:
    """Return whether a request of this kind can name a deadline of its own."""
    return any(name in kind.shape.by_name for name in _NAMED)
