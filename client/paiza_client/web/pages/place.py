"""Choosing a place for a draft on a map: every click is a page, so that no script is needed, and by keyboard as well.

What the page shows stands in its address: the group of coordinates (``of``), the chosen point (``lat``, ``lon``) and
the width of the map in kilometres (``wide``). A click moves the point there and comes closer; the draft changes only
when the point is taken over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.local import reference_data
from paiza_client.sdk import Session
from paiza_client.web import writing
from paiza_client.web.language import N_, _, language
from paiza_client.web.maps import drawing, figures
from paiza_client.web.maps.drawing import HEIGHT, WIDTH, Area, Mark
from paiza_client.web.maps.outlines import outlines
from paiza_client.web.maps.projection import project
from paiza_client.web.page import note, redirect, render, route, session_of, text_of
from paiza_client.web.texts import code
from paiza_client.web.writing import Controls, Page
from paiza_domain.forms import layout
from paiza_domain.reference import crossings
from paiza_officer.errors import Refused

CLOSEST: Final = 60.0  # km: closer, the outlines show nothing more
WIDEST: Final = 6000.0
STEP: Final = 3.0  # by which a click or a button comes closer
MOVE: Final = 0.2  # of the width of the map, by which a button moves the point
TOWNS: Final = 24  # listed beside the map
FINE: Final = 300.0  # km: on a map that is wider, a click says hundredths of a degree at most
TOO_FAR: Final = 1e6  # no number of an address is as large
SIZES: Final[Mapping[str, float]] = {"big": 1.0, "small": 2.0}
"""The names of the two buttons that lie on the map, with the units of the picture in a pixel of theirs."""
MOVES: Final[Mapping[str, tuple[str, float, float]]] = {
    "north": (N_("North"), 0.0, -1.0),
    "south": (N_("South"), 0.0, 1.0),
    "west": (N_("West"), -1.0, 0.0),
    "east": (N_("East"), 1.0, 0.0),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The point and how wide the map around it is; ``is_set`` once somebody chose it."""

    longitude: float
    latitude: float
    wide: float
    is_set: bool

    @property
    def digits(self) -> int:
        """Return the decimals that a click on this map is worth."""
        return 2 if self.wide > FINE else 3

    @property
    def area(self) -> Area:
        """Return what the map shows."""
        return Area(self.longitude, self.latitude, self.wide)

    def query(self, of: str) -> str:
        """Return it as the query of an address."""
        told = {"of": of, "wide": f"{self.wide:.0f}", "lat": f"{self.latitude:.4f}", "lon": f"{self.longitude:.4f}"}
        return urlencode(told | ({"set": "1"} if self.is_set else {}))


async def choose(request: Request) -> Response:
    """Show the map, moved as the address says."""
    session, query = session_of(request), request.query_params
    page, of = _draft(session, request.path_params["name"], query.get("of", ""))
    chosen = _moved(query, _at(query, page, of))
    area, point = chosen.area, project(chosen.longitude, chosen.latitude)
    inside = next((each.code for each in outlines().countries
                   if any(first < point[0] < last for first, last in each.spans(point[1]))), "")  # fmt: skip
    marks = [Mark("+", chosen.longitude, chosen.latitude)] if chosen.is_set else []
    return await render(
        request,
        "place.html",
        title=_("Place on the map"),
        place="write",
        page=page,
        of=of,
        chosen=chosen,
        position=figures.degrees(chosen.longitude, chosen.latitude, chosen.digits),
        country=code(inside, "country") if inside else "",
        drawing=drawing.draw(area, language(), marks),
        towns=_towns(area, of),
        points=_points(session, page, of),
        moves=[(name, _(label)) for name, (label, _x, _y) in MOVES.items()],
        closest=CLOSEST,
        widest=WIDEST,
    )


async def take(request: Request) -> Response:
    """Write the point, or the name of a border point, into the draft, and go back to its form."""
    session, name = session_of(request), request.path_params["name"]
    page, of = _draft(session, name, text_of(request, "of"))
    given, parent = dict(page.values), of.rpartition(".")[0]
    wanted = text_of(request, "point")
    if wanted:
        found = next((each for each in _points(session, page, of) if each[0] == wanted), None)
        if found is None:
            raise Refused("unknown_id", wanted)
        given[f"{parent}.border_point"] = found[1]
    else:
        chosen = _at(_Form(request), page, of)
        given |= {of: "", f"{of}.latitude": f"{chosen.latitude:.{chosen.digits}f}"}
        given[f"{of}.longitude"] = f"{chosen.longitude:.{chosen.digits}f}"
    assert page.kind is not None
    writing.save(session.profile, name, page.kind, given, page.version)
    note(request, _("The place is in the draft."))
    return redirect(f"/write/{name}{Controls.of(request.query_params).query()}#{parent}")


class _Form:
    """The fields of a form, read as the query of an address is."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def get(self, name: str, default: str = "") -> str:
        return text_of(self._request, name) or default


def _draft(session: Session, name: str, of: str) -> tuple[Page, str]:
    """Return the draft and the name of its group of coordinates; Refused where it has no such group."""
    page = writing.load(session.profile, name)
    group = None if page.kind is None or page.broken else layout.find(page.description, of)
    if group is None or not group.is_point:
        raise Refused("unknown_id", of[:100])
    return page, of


def _at(query: Any, page: Page, of: str) -> Chosen:
    """Return the point that an address names; else that of the draft; else the middle of its country or the region."""
    wide = min(WIDEST, max(CLOSEST, _number(query.get("wide", "")) or 0.0))
    at = _number(query.get("lon", "")), _number(query.get("lat", ""))
    if at[0] is not None and at[1] is not None:
        return Chosen(*_kept(at[0], at[1]), wide, query.get("set", "") == "1")
    at = _number(page.values.get(f"{of}.longitude", "")), _number(page.values.get(f"{of}.latitude", ""))
    if at[0] is not None and at[1] is not None:
        return Chosen(*_kept(at[0], at[1]), FINE, is_set=True)
    area = drawing.area_of([], [_country(page, of)])
    return Chosen(area.longitude, area.latitude, min(WIDEST, area.wide), is_set=False)


def _moved(query: Any, chosen: Chosen) -> Chosen:
    """Return the point after a click or a button."""
    for name, scale in SIZES.items():
        x, y = _number(query.get(f"{name}.x", "")), _number(query.get(f"{name}.y", ""))
        if x is None or y is None or (x, y) == (0, 0):  # pressed by keyboard, where no point is meant
            continue
        at = _kept(*chosen.area.to_degrees(x * scale, y * scale))
        return Chosen(*at, max(CLOSEST, chosen.wide / STEP), is_set=True)
    match query.get("move", ""):
        case "closer":
            return replace(chosen, wide=max(CLOSEST, chosen.wide / STEP))
        case "wider":
            return replace(chosen, wide=min(WIDEST, chosen.wide * STEP))
        case move if move in MOVES:
            _label, x, y = MOVES[move]
            at = chosen.area.to_degrees(WIDTH * (0.5 + x * MOVE), HEIGHT / 2 + y * MOVE * WIDTH)
            return Chosen(*_kept(*at), chosen.wide, is_set=True)
        case _:
            return chosen


def _kept(longitude: float, latitude: float) -> tuple[float, float]:
    """Return a point within what coordinates can say, and within what a map can show."""
    return max(-180.0, min(180.0, longitude)), max(-60.0, min(85.0, latitude))


def _number(text: str) -> float | None:
    """Return a number with point or comma; None for what is none."""
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        return None
    return found if abs(found) < TOO_FAR else None


def _country(page: Page, of: str) -> str:
    """Return the country that the draft names beside the coordinates, as its code."""
    return writing.code_of("country", page.values.get(f"{of.rpartition('.')[0]}.country", ""))


def _towns(area: Area, of: str) -> list[tuple[str, str]]:
    """Return the larger towns on the map, by name, with the addresses that choose them."""
    shown = [each for each in outlines().towns if _is_shown(area, each.longitude, each.latitude)][:TOWNS]
    found = []
    for each in shown:
        at = Chosen(each.longitude, each.latitude, min(area.wide, FINE + 1), is_set=True)
        found.append((each.names.get(language()) or each.names["en"], at.query(of)))
    return sorted(found)


def _is_shown(area: Area, longitude: float, latitude: float) -> bool:
    x, y = area.to_picture(longitude, latitude)
    return 0 < x < WIDTH and 0 < y < HEIGHT


def _points(session: Session, page: Page, of: str) -> list[tuple[str, str, str]]:
    """Return the border points of the draft's country as (id, own name, both names); none where no field takes them."""
    group = layout.find(page.description, of.rpartition(".")[0])
    country = _country(page, of).lower()
    if group is None or not country or "border_point" not in {each.key for each in group.parts}:
        return []
    found = []
    for each in crossings(reference_data.of(session.register()).reference, country):
        side = each.sides[each.countries.index(country)]
        found.append((each.id, side[language()], f"{each.name(language())}"))
    return sorted(found, key=lambda each: each[2])


ROUTES: Final = (
    route("/write/{name}/place", choose),
    route("/write/{name}/place", take, post=True),
)
