"""The substances that a content mentions, with their control status in some states, for display only.

A content of any kind mentions a substance where one of its messages has the fields ``substance_id`` or ``as_named``.
A substance missing from the own reference data gets a remark: another member's data may have it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from paiza_domain.reference.control_status import ControlStatus, status
from paiza_domain.reference.model import Reference, Substance
from paiza_domain.reference.names import NameIndex
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.partial_times import partial_time_start

MAX_MENTIONS: Final = 200
"""Substances of one content that are looked up."""

_ID: Final = "substance_id"
_NAME: Final = "as_named"
NAMING_FIELDS: Final = (_ID, _NAME)
"""The fields of any content that name a substance."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A substance as a content names it; ``substance`` if the reference data have it, otherwise ``remark``."""

    path: str
    name: str
    substance: Substance | None
    statuses: tuple[ControlStatus, ...]
    remark: FieldError | None


def mentions(
    content: Message, reference: Reference, index: NameIndex, states: Sequence[str], reported: datetime
) -> tuple[Mention, ...]:
    """Return every substance of a content with its status in the states on the day of the event."""
    on = day_of(content, reported)
    named = islice(_named(content), MAX_MENTIONS)
    return tuple(_mention(*each, reference, index, states, on) for each in named)


def mentions_any(content: Message) -> bool:
    """Return whether a content mentions any substance, without reference data."""
    return next(_named(content), None) is not None


def day_of(content: Any, reported: datetime) -> date:
    """Return the day of the applicable law: that of the seizure if there is one, else that of the report."""
    if "seized_at" in content.DESCRIPTOR.fields_by_name and content.HasField("seized_at"):
        return (partial_time_start(content.seized_at) + timedelta(minutes=content.seized_at.utc_offset_minutes)).date()
    return reported.astimezone(UTC).date()


def _mention(
    path: str,
    substance_id: str,
    as_named: str,
    reference: Reference,
    index: NameIndex,
    states: Sequence[str],
    on: date,
) -> Mention:
    substance, remark = reference.substances.get(substance_id), None
    if substance is None:
        found = index.find(substance_id or as_named)
        if substance_id:  # possible meanings are suggested; an id is never replaced by a guess
            near = [each.id for each in found.substances] or list(found.suggestions)
            values = {"value": substance_id[:64], "suggestion": next(iter(near), "")}
            remark = FieldError(f"{path}{_ID}", "reference_unknown", values)
        elif len(found.substances) == 1:
            substance = found.substances[0]
    statuses = () if substance is None else tuple(status(reference, substance.id, state, on) for state in states)
    return Mention(path.rstrip("."), as_named or substance_id, substance, statuses, remark)


def naming_messages(message: Message, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the messages of a content that name a substance, each with its path; a path below the content ends in ".".

    Only set fields are visited, so the cost follows the size of the message.
    """
    names = False
    for field, value in message.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            names |= field.name in NAMING_FIELDS and isinstance(value, str)
        elif field.is_repeated:
            for at, each in enumerate(value):
                if isinstance(each, Message):
                    yield from naming_messages(each, f"{path}{field.name}[{at}].")
        else:
            yield from naming_messages(value, f"{path}{field.name}.")
    if names:
        yield path, message


def _named(content: Message) -> Iterator[tuple[str, str, str]]:
    """Yield path, id and name of every mention."""
    for path, each in naming_messages(content):
        yield path, getattr(each, _ID, ""), getattr(each, _NAME, "")
