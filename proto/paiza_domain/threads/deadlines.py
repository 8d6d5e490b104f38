"""The deadline of an answer: from the request, else from its urgency, else from its kind."""

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
_NAMED: Final = ("deadline_time", "reply_by_time")  # the fields of contents that name a deadline of their own


def answer_due(header: Header, kind: Kind, content: Message | None, released: datetime) -> datetime | None:
    """Return the deadline of an answer; None if no answer is expected.

    An unopened content may name another deadline; the result then follows from the header.
    """
    if not kind.answered_by:
        return None
    if content is not None:
        for name in _NAMED:
            if name in content.DESCRIPTOR.fields_by_name and content.HasField(name):
                return to_datetime(getattr(content, name))
    within = ANSWER_WITHIN.get(header.urgency)
    if within is None:  # for information only
        return None
    if header.urgency == Urgency.URGENCY_ROUTINE and kind.answer_deadline is not None:
        within = kind.answer_deadline
    return released + within
