"""By when an answer is due: as the request says, else by its urgency, else by its kind."""

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
    """Say by when an answer is due; None where none is expected.

    A content that was not opened may name another deadline; then what follows from the header is given.
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
