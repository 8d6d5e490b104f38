"""Deconfliction: whether two live workflows concern the same thing, so that two services do not meet unprepared.

Two workflows overlap if they share an identifier (a plate, a container, a person), or a place at which both are in the
same days. They are compared in memory, by terms normalised across both alphabets (`paiza_domain.terms.index_terms`);
the notice states the overlap and the kinds of shared identifiers, never their values.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryContact
from paiza_domain.schema.kind import Kind
from paiza_domain.terms import index_terms
from paiza_domain.terms.index_terms import Term

PLACE: Final = "place"
MARGIN: Final = timedelta(days=1)  # consignments are early and late
CONTACT: Final = ControlledDeliveryContact.DESCRIPTOR.name  # contact officers of an authority
MAX_DEPTH: Final = 8  # messages within messages: a content has four at most


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The subject of one workflow: identifiers, places, and the days in which it moves."""

    identifiers: frozenset[Term] = frozenset()
    places: frozenset[str] = frozenset()
    days: tuple[datetime, datetime] | None = None

    def joined(self, other: "Identifiers") -> "Identifiers":
        """Return the union of both."""
        windows = [each.days for each in (self, other) if each.days is not None]
        days = (min(first for first, _ in windows), max(last for _, last in windows)) if windows else None
        return Identifiers(self.identifiers | other.identifiers, self.places | other.places, days)


def identifiers_of(kind: Kind, content: Message, annex: Message | None) -> Identifiers:
    """Return the identifiers of one message."""
    found = index_terms.terms(kind, _without_contacts(content), annex)
    times = list(_times(content))
    return Identifiers(
        frozenset(term for term in found if term.links),
        _whole_places(found),
        (min(times), max(times)) if times else None,
    )


def overlap(one: Identifiers, other: Identifiers) -> frozenset[str]:
    """Return the kinds of identifiers in which two workflows overlap; empty if they do not."""
    shared = {term.field for term in one.identifiers & other.identifiers}
    if one.places & other.places and _intersect(one.days, other.days):
        shared.add(PLACE)
    return frozenset(shared)


def _without_contacts(content: Message) -> Message:
    """Return a content without the officers in charge: one unit answers for all deliveries of its authority."""
    copy = type(content)()
    copy.CopyFrom(content)
    _clear_contacts(copy, MAX_DEPTH)
    return copy


def _clear_contacts(message: Message, depth: int) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.name == CONTACT:
            message.ClearField(field.name)
        elif depth:
            for each in value if field.is_repeated else [value]:
                _clear_contacts(each, depth - 1)


def _intersect(one: tuple[datetime, datetime] | None, other: tuple[datetime, datetime] | None) -> bool:
    """Return whether two spans of days intersect; an unknown one intersects every other."""
    if one is None or other is None:
        return True
    return one[0] - MARGIN <= other[1] and other[0] - MARGIN <= one[1]


def _whole_places(found: Iterable[Term]) -> frozenset[str]:
    """Return the places by their whole names: single words of them are shared by half a country."""
    places = {term.text for term in found if term.field == PLACE}
    words = {word for place in places if len(parts := place.split()) > 1 for word in parts}
    return frozenset(places - words)


def _times(message: Message, depth: int = MAX_DEPTH) -> Iterator[datetime]:
    """Yield the times at which legs are entered and left, anywhere in a content."""
    for field, value in message.ListFields():
        each: Any
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Timestamp):
                if field.name in _MOVING:
                    yield each.ToDatetime(tzinfo=UTC)
            elif isinstance(each, Message) and depth:
                yield from _times(each, depth - 1)


_MOVING: Final = frozenset({"entry_time", "exit_time", "planned_time"})
