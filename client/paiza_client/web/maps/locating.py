"""Where the places of a content are: only what is known, with how it is known.

A place is known by its own coordinates, by its border point where the reference data say where that is, or by its town.
A country is only marked as a whole. Names are never guessed: a name that two towns of a country share finds neither.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from google.protobuf.message import Message

from paiza.content.v1 import common_pb2, controlled_delivery_pb2
from paiza_client.web.maps.outlines import Town, outlines
from paiza_domain.codes.lookup import name_key
from paiza_domain.schema.shapes import Field, Shape

MICRO: Final = 1_000_000
MAX_SPOTS: Final = 60  # of one content; a list of more is not read


class How(StrEnum):
    """How the position of a place is known."""

    EXACT = "exact"  # by coordinates of its own
    TOWN = "town"  # by the name of its town
    COUNTRY = "country"  # only its country is known
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place: what it is in the content (``field``), its name as it was written, its country, and where it is."""

    field: str
    name: str
    country: str
    how: How
    at: tuple[float, float] = (0.0, 0.0)
    """Longitude and latitude, where `is_located`."""
    on_route: bool = False

    @property
    def is_located(self) -> bool:
        """Return whether it is drawn as a point."""
        return self.how in {How.EXACT, How.TOWN}


def spots(shape: Shape, content: Message) -> list[Spot]:
    """Return the places of a content in its order; of a route in the order of travel, each place once."""
    found: dict[tuple[str, str, tuple[float, float]], Spot] = {}
    for each in _spots(shape, content):
        found.setdefault((each.name, each.country, each.at), each)
    return list(found.values())[:MAX_SPOTS]


def of_name(field: str, name: str, country: str) -> Spot:
    """Return a place that is only named, in a country (alpha-3 code, may be empty)."""
    town = town_of(country, name)
    if town is not None:
        return Spot(field, name, country, How.TOWN, (town.longitude, town.latitude))
    return Spot(field, name, country, How.COUNTRY if country else How.UNKNOWN)


def town_of(country: str, name: str) -> Town | None:
    """Return the town of a country that has just this name, in one of its languages."""
    return outlines().by_name.get((country, name_key(name))) if country and name else None


def _spots(shape: Shape, message: Message) -> Iterator[Spot]:
    """Walk through the groups of a content."""
    for field in shape.fields:
        if field.shape is None:
            continue
        value: Any = getattr(message, field.name)
        entries: Sequence[Message] = value if field.most else [value] if message.HasField(field.name) else []
        if field.shape.message is common_pb2.RouteLeg:
            entries = sorted(entries, key=_order)
        for each in entries:
            yield from _of_entry(field, each)
            yield from _spots(field.shape, each)


def _of_entry(field: Field, entry: Message) -> Iterable[Spot]:
    """Return the places that one group names."""
    match entry:
        case common_pb2.Place():
            return [_of_place(field.label, entry)]
        case common_pb2.RouteLeg():
            found = of_name(field.label, entry.place, entry.country)
            return [Spot(found.field, found.name, found.country, found.how, found.at, on_route=True)]
        case controlled_delivery_pb2.ControlledDeliveryLeg():
            country = entry.member.upper()
            named = [each for each in (entry.entry_point, entry.exit_point) if each] or [""]
            return [of_name(field.label, each, country) for each in named]
        case _:
            return []


def _of_place(field: str, place: common_pb2.Place) -> Spot:
    name = next(filter(None, (place.border_point, place.town, place.admin_area, place.as_reported)), "")
    at = place.coordinates
    if at.HasField("latitude_microdegrees") and at.HasField("longitude_microdegrees"):
        point = (at.longitude_microdegrees / MICRO, at.latitude_microdegrees / MICRO)
        return Spot(field, name, place.country, How.EXACT, point)
    by_town = of_name(field, place.town, place.country)
    return Spot(field, name, place.country, by_town.how, by_town.at)


def _order(leg: Any) -> tuple[bool, int]:
    return leg.order == 0, leg.order
