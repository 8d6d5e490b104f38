"""Countries, lakes, rivers and towns of the region, from `outlines.json`, projected."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from paiza_client.web.maps.projection import Point, project
from paiza_domain.codes import LANGS
from paiza_domain.codes.lookup import name_key

FILE: Final = Path(__file__).parent / "outlines.json"

Box = tuple[float, float, float, float]
"""Least x and y, greatest x and y, in kilometres."""


@dataclass(frozen=True, slots=True)
class Line:
    """One ring or line: its points in kilometres, the same as a path of SVG, and the box around it."""

    points: tuple[Point, ...]
    path: str
    box: Box


@dataclass(frozen=True, slots=True)
class Country:
    """One country: its code (ISO 3166-1 alpha-3, if it has one), its rings, and where its name stands."""

    code: str
    rings: tuple[Line, ...]
    label: Point

    def spans(self, y: float) -> list[tuple[float, float]]:
        """Return from where to where a line from west to east at ``y`` lies inside (in kilometres)."""
        crossed = sorted(
            a + (c - a) * (y - b) / (d - b)
            for ring in self.rings if ring.box[1] <= y <= ring.box[3]
            for (a, b), (c, d) in zip(ring.points, ring.points[1:], strict=False)
            if (b > y) != (d > y)
        )  # fmt: skip
        return list(zip(crossed[::2], crossed[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Town:
    """A town; ``names`` by language (not every town has one in each), ``rank`` grows as towns become smaller."""

    names: Mapping[str, str]
    country: str
    rank: int
    longitude: float
    latitude: float
    at: Point


@dataclass(frozen=True, slots=True)
class Outlines:
    """Everything of the file; ``towns`` the largest first."""

    countries: tuple[Country, ...]
    lakes: tuple[Line, ...]
    rivers: tuple[Line, ...]
    towns: tuple[Town, ...]
    by_name: Mapping[tuple[str, str], Town]
    """Towns by country and name as `name_key`; a name that two towns of a country have is of neither."""


@cache
def outlines() -> Outlines:
    """Return the outlines, read once."""
    told = json.loads(FILE.read_text("utf-8"))
    step = float(told["transform"]["scale"][0])
    arcs = [_degrees(each, step) for each in told["arcs"]]
    layers = {name: each["geometries"] for name, each in told["objects"].items()}
    towns = [_town(each, step) for each in layers["places"]]
    return Outlines(
        countries=tuple(_country(each, arcs, step) for each in layers["countries"]),
        lakes=tuple(_lines(layers["lakes"], arcs)),
        rivers=tuple(_lines(layers["rivers"], arcs)),
        towns=tuple(each for each, _names in towns),
        by_name=_by_name(towns),
    )


def _degrees(arc: Sequence[Sequence[int]], step: float) -> list[Point]:
    found, x, y = [], 0, 0
    for a, b in arc:
        x, y = x + a, y + b
        found.append((x * step, y * step))
    return found


def _country(told: Any, arcs: Sequence[Sequence[Point]], step: float) -> Country:
    rings = tuple(_line(_joined(ring, arcs)) for polygon in told["arcs"] for ring in polygon)
    x, y = told["properties"]["label"]
    return Country(told["id"], rings, project(x * step, y * step))


def _joined(numbers: Iterable[int], arcs: Sequence[Sequence[Point]]) -> list[Point]:
    """Return a ring of arcs as its points; `~n` is an arc that runs the other way."""
    found: list[Point] = []
    for number in numbers:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        found += arc[1:] if found else arc
    return found


def _lines(geometries: Iterable[Any], arcs: Sequence[Sequence[Point]]) -> Iterable[Line]:
    for each in geometries:
        for part in each["arcs"]:
            numbers = part[0] if each["type"] == "MultiPolygon" else part
            joined = _joined(numbers, arcs)
            if len(joined) > 1:  # an island that was simplified to a point is nothing to draw
                yield _line(joined)


def _line(degrees: Sequence[Point]) -> Line:
    points = tuple(project(*each) for each in degrees)
    steps = [(round(x), round(y)) for x, y in points]
    parts = [f"M{steps[0][0]} {steps[0][1]}l"]
    parts += [f"{x - a} {y - b}" for (a, b), (x, y) in itertools.pairwise(steps)]
    closed = "z" if degrees[0] == degrees[-1] else ""
    xs, ys = [each[0] for each in points], [each[1] for each in points]
    return Line(points, parts[0] + " ".join(parts[1:]) + closed, (min(xs), min(ys), max(xs), max(ys)))


def _town(told: Any, step: float) -> tuple[Town, tuple[str, ...]]:
    """Return a town with all its names."""
    facts, (x, y) = told["properties"], told["coordinates"]
    longitude, latitude = x * step, y * step
    names = {lang: facts[lang] for lang in LANGS if lang in facts}
    town = Town(names, facts["country"], facts["rank"], longitude, latitude, project(longitude, latitude))
    return town, (*names.values(), *facts.get("others", ()))


def _by_name(towns: Iterable[tuple[Town, tuple[str, ...]]]) -> Mapping[tuple[str, str], Town]:
    found: dict[tuple[str, str], set[int]] = {}
    kept: dict[int, Town] = {}
    for number, (town, names) in enumerate(towns):
        kept[number] = town
        for name in names:
            found.setdefault((town.country, name_key(name)), set()).add(number)
    return MappingProxyType({key: kept[next(iter(each))] for key, each in found.items() if len(each) == 1})
