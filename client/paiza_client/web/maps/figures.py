"""The map of a page with the list beside it: the places of a content, or the route of a controlled delivery.

The list holds every place, with how its position is known; the picture holds those that are known. There is no picture
where it would show nothing: not one point, and not two states of a route.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from google.protobuf.message import Message

from paiza.officer.v1 import workflow_pb2
from paiza_client.language import number_text
from paiza_client.web.language import N_, _, language
from paiza_client.web.maps import drawing, locating
from paiza_client.web.maps.drawing import Drawing, Mark, Stretch
from paiza_client.web.maps.locating import How, Spot
from paiza_client.web.texts import member_name
from paiza_domain.i18n import translate
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Shape

NORTH_SOUTH: Final = (N_("{n}° N"), N_("{n}° S"))
EAST_WEST: Final = (N_("{n}° E"), N_("{n}° W"))
LEAST_STATES: Final = 2  # of a route without one known point, for a map of the states alone
_OVER: Final = frozenset({"delivered", "intervened", "outcome-reported", "evidence-returned", "closed"})


@dataclass(frozen=True, slots=True)
class Row:
    """A place in the list: its number, what it is, its name, and how its position is known.

    ``tone`` as that of its mark. ``time``: when the consignment is to be there.
    """

    number: str
    what: str
    name: str
    where: str
    located: bool
    tone: str = ""
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A map with its list; ``drawing`` is None where there is nothing to draw."""

    drawing: Drawing | None
    rows: tuple[Row, ...]

    @property
    def is_complete(self) -> bool:
        """Return whether every place of the list stands on the map."""
        return all(each.located for each in self.rows)


def of_content(shape: Shape, content: Message) -> Figure | None:
    """Return the map of a content; None where it names no place."""
    found = locating.spots(shape, content)
    if not found:
        return None
    rows = tuple(
        Row(str(number), translate(each.field, language()), _named(each), _where(each), each.is_located)
        for number, each in enumerate(found, 1)
    )
    on_route = [index for index, each in enumerate(found) if each.on_route]
    return Figure(_picture(found, rows, on_route, len(on_route)), rows)


def of_delivery(found: workflow_pb2.GetWorkflowResponse) -> Figure | None:
    """Return the map of a delivery: where it begins, each handover in order, where it ends; None without a route."""
    legs = found.legs
    if not legs:
        return None
    reached = _reached(found)
    spots, rows = [], []
    for number in range(len(legs) + 1):
        before, after = legs[number - 1] if number else None, legs[number] if number < len(legs) else None
        name = (before.exit_point if before else "") or (after.entry_point if after else "")
        spot = _between(before, after, name)
        tone = "done" if number < reached else "now" if number == reached else "ahead"
        time = _time(before, after)
        spots.append(spot)
        rows.append(Row(str(number + 1), _part(before, after), name, _where(spot), spot.is_located, tone, time))
    countries = [(each.member.upper(), "route now" if number == reached - 1 else "route")
                 for number, each in enumerate(legs)]  # fmt: skip
    every = list(range(len(spots)))
    return Figure(_picture(spots, rows, every, reached - 1, countries), tuple(rows))


def _reached(found: workflow_pb2.GetWorkflowResponse) -> int:
    """Return how many points of the route the consignment has passed; 0 before it starts."""
    if found.status.overall in _OVER:
        return len(found.legs) + 1
    members = [each.member for each in found.legs]
    return members.index(found.status.responsible) + 1 if found.status.responsible in members else 0


def _between(before: workflow_pb2.WorkflowLeg | None, after: workflow_pb2.WorkflowLeg | None, name: str) -> Spot:
    """Return the place of a handover; its name is that of a town on either side."""
    tried = [locating.of_name("", name, each.member.upper()) for each in (before, after) if each is not None]
    return next((each for each in tried if each.is_located), tried[0])


def _part(before: workflow_pb2.WorkflowLeg | None, after: workflow_pb2.WorkflowLeg | None) -> str:
    if before is None:
        return _("Begins in {member}").format(member=member_name(after.member if after else ""))
    if after is None:
        return _("Ends in {member}").format(member=member_name(before.member))
    return f"{member_name(before.member)} → {member_name(after.member)}"


def _time(before: workflow_pb2.WorkflowLeg | None, after: workflow_pb2.WorkflowLeg | None) -> datetime | None:
    if before is not None and before.HasField("exit_time"):
        return before.exit_time.ToDatetime(tzinfo=UTC)
    if after is not None and after.HasField("entry_time"):
        return after.entry_time.ToDatetime(tzinfo=UTC)
    return None


def _picture(
    spots: Sequence[Spot],
    rows: Sequence[Row],
    route: Sequence[int],
    done: int,
    countries: Sequence[tuple[str, str]] = (),
) -> Drawing | None:
    """Return the picture; a way joins neighbours of a route that are both known, the first ``done`` of them solid."""
    located = [index for index, each in enumerate(spots) if each.is_located]
    marked = countries or [(each.country, "route") for each in spots if each.country]
    if not located and len({code for code, _tone in countries or _on_route(spots)}) < LEAST_STATES:
        return None
    marks = [Mark(rows[index].number, *spots[index].at, rows[index].tone) for index in located]
    place = {index: number for number, index in enumerate(located)}
    stretches = [
        Stretch(place[first], place[last], done=number < done)
        for number, (first, last) in enumerate(itertools.pairwise(route))
        if first in place and last in place
    ]
    area = drawing.area_of([spots[index].at for index in located], [code for code, _tone in marked])
    return drawing.draw(area, language(), marks, stretches, marked)


def _on_route(spots: Sequence[Spot]) -> list[tuple[str, str]]:
    return [(each.country, "route") for each in spots if each.on_route and each.country]


def _named(spot: Spot) -> str:
    country = code_text("country", spot.country, language()) if spot.country else ""
    return ", ".join(filter(None, (spot.name, country)))


def _where(spot: Spot) -> str:
    match spot.how:
        case How.EXACT:
            return degrees(*spot.at)
        case How.TOWN:
            return _("where the town of this name is")
        case _:
            return _("no coordinates known")


def degrees(longitude: float, latitude: float, digits: int = 4) -> str:
    """Return a position as people write it: "43.2389° N, 76.9455° E"."""
    north, east = NORTH_SOUTH[latitude < 0], EAST_WEST[longitude < 0]
    return f"{_(north).format(n=_number(latitude, digits))}, {_(east).format(n=_number(longitude, digits))}"


def _number(value: float, digits: int) -> str:
    return number_text(Decimal(f"{abs(value):.{digits}f}"))
