"""Write the outlines that the console's maps are drawn from, out of files of Natural Earth (public domain).

    python tools/map_outlines.py FOLDER client/paiza_client/web/maps/outlines.json

FOLDER holds four GeoJSON files of Natural Earth under their own names: `FILES`. The outlines are written as TopoJSON:
a border that two countries share is one arc, simplified once, so that no gap opens between them. The region matters,
so arcs outside it keep fewer points. Nothing is drawn by hand.
"""

import itertools
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

Point = tuple[float, float]
"""Longitude and latitude in degrees."""
Line = tuple[Point, ...]
Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""

COUNTRIES: Final = "ne_50m_admin_0_countries.geojson"
RIVERS: Final = "ne_50m_rivers_lake_centerlines.geojson"
LAKES: Final = "ne_50m_lakes.geojson"
PLACES: Final = "ne_10m_populated_places.geojson"
FILES: Final = (COUNTRIES, RIVERS, LAKES, PLACES)

AROUND: Final[Box] = (18.0, 16.0, 150.0, 74.0)  # countries that reach into it are drawn
REGION: Final[Box] = (44.0, 30.0, 92.0, 57.0)  # arcs that reach into it keep their detail; rivers and places are of it
FINE: Final = 0.02  # degrees by which a point may be off the simplified line, in the region
COARSE: Final = 0.15  # the same, outside
LEAST: Final = 0.05  # square degrees of a ring that is kept in the region
LEAST_OUTSIDE: Final = 1.0
RANK: Final = 5  # rivers and lakes up to this rank of Natural Earth
PLACE_RANK: Final = 8  # places up to this rank
LEAST_STEPS: Final = 3  # of a ring that is more than a line
SCALE: Final = 0.01  # degrees of one step of the file
THROUGH: Final = 2  # neighbours of a point at which nothing meets
NO_TOWNS: Final = ("район", "этрап", "область")  # ends of Russian names that are those of the land around a town
RENAMED: Final = {"Алма-Ата": "Алматы", "Капчагай": "Конаев"}  # names that the state itself has changed


def main() -> int:
    """Read the four files, write one."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    layers = {name: json.loads((source / name).read_text("utf-8"))["features"] for name in FILES}
    topology = Topology()
    countries = [_country(each) for each in layers[COUNTRIES]]
    shapes = {each["id"]: each for each in countries if each is not None}
    for each in shapes.values():
        topology.add_rings(each["rings"])
    topology.settle()
    written: dict[str, Any] = {
        "type": "Topology",
        "transform": {"scale": [SCALE, SCALE], "translate": [0, 0]},
        "objects": {
            "countries": _collection(_drawn(topology, shapes[name]) for name in sorted(shapes)),
            "lakes": _collection(_lakes(topology, layers[LAKES])),
            "rivers": _collection(_rivers(topology, layers[RIVERS])),
            "places": _collection(_places(layers[PLACES])),
        },
        "arcs": topology.written(),
    }
    target.write_text(json.dumps(written, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    print(f"{target}: {target.stat().st_size} bytes, {len(written['arcs'])} arcs")
    return 0


class Topology:
    """Arcs between the points where lines meet. Rings are added first, then settled; lines follow."""

    def __init__(self) -> None:
        self._beside: dict[Point, set[Point]] = defaultdict(set)
        self._numbers: dict[Line, int] = {}
        self._arcs: list[list[tuple[int, int]]] = []
        self._meeting: frozenset[Point] = frozenset()

    def add_rings(self, rings: Iterable[Line]) -> None:
        """Note which points lie beside which."""
        for ring in rings:
            for first, second in itertools.pairwise(ring):
                self._beside[first].add(second)
                self._beside[second].add(first)

    def settle(self) -> None:
        """Find the points at which three lines or more meet."""
        self._meeting = frozenset(each for each, others in self._beside.items() if len(others) != THROUGH)

    def ring(self, ring: Line) -> list[int]:
        """Return a ring as numbers of arcs, `~n` for an arc that runs the other way."""
        cuts = [index for index, each in enumerate(ring[:-1]) if each in self._meeting]
        if not cuts:  # an island: it begins at one point whichever country it is drawn for
            start = ring.index(min(ring))
            return [self._number((*ring[start:-1], *ring[: start + 1]))]
        turned = (*ring[cuts[0] : -1], *ring[: cuts[0] + 1])
        cuts = [index for index, each in enumerate(turned) if each in self._meeting]
        return [self._number(turned[first : last + 1]) for first, last in itertools.pairwise(cuts)]

    def line(self, line: Line) -> int:
        """Return a line of its own as the number of its arc."""
        return self._number(line)

    def steps(self, numbers: Iterable[int]) -> int:
        """Return how many steps are left of arcs after they were simplified."""
        return sum(len(self._arcs[max(each, ~each)]) - 1 for each in numbers)

    def written(self) -> list[list[list[int]]]:
        """Return the arcs: a first point, then steps."""
        found = []
        for arc in self._arcs:
            steps = [(x - a, y - b) for (a, b), (x, y) in itertools.pairwise(arc)]
            found.append([list(arc[0]), *(list(each) for each in steps)])
        return found

    def _number(self, line: Line) -> int:
        backwards = line[::-1]
        known, turned = min(line, backwards), backwards < line
        if known not in self._numbers:
            simple = simplified(known, FINE if _reaches(known, REGION) else COARSE)
            steps = [(round(x / SCALE), round(y / SCALE)) for x, y in simple]
            self._numbers[known] = len(self._arcs)
            self._arcs.append([each for index, each in enumerate(steps) if not index or each != steps[index - 1]])
        number = self._numbers[known]
        return ~number if turned else number


def simplified(line: Line, tolerance: float) -> Line:
    """Return the line without the points that lie nearer than `tolerance` to what remains (Douglas and Peucker)."""
    kept = {0, len(line) - 1}
    open_ends = [(0, len(line) - 1)]
    while open_ends:
        first, last = open_ends.pop()
        farthest, distance = 0, tolerance
        for index in range(first + 1, last):
            off = _distance(line[index], line[first], line[last])
            if off > distance:
                farthest, distance = index, off
        if farthest:
            kept.add(farthest)
            open_ends += [(first, farthest), (farthest, last)]
    return tuple(line[index] for index in sorted(kept))


def _distance(point: Point, first: Point, last: Point) -> float:
    """Return how far a point is from a stretch, in degrees of latitude."""
    narrow = math.cos(math.radians(point[1]))
    x, y = (point[0] - first[0]) * narrow, point[1] - first[1]
    a, b = (last[0] - first[0]) * narrow, last[1] - first[1]
    length = a * a + b * b
    along = 0.0 if not length else max(0.0, min(1.0, (x * a + y * b) / length))
    return math.hypot(x - along * a, y - along * b)


def _country(feature: Any) -> dict[str, Any] | None:
    """Return a country that reaches into the area: its ISO code if it has one, its rings, where its name stands."""
    facts = feature["properties"]
    rings = [
        each for each in _rings(feature) if _reaches(each, AROUND) and _area(each) > _least(each) and each[0][0] > 0
    ]
    if not rings:
        return None
    code = facts["ISO_A3_EH"] if facts["ISO_A3_EH"] != "-99" else facts["ADM0_A3"]
    return {"id": code, "label": [round(facts["LABEL_X"] / SCALE), round(facts["LABEL_Y"] / SCALE)], "rings": rings}


def _drawn(topology: Topology, country: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "MultiPolygon",
        "id": country["id"],
        "properties": {"label": country["label"]},
        "arcs": [[ring] for ring in map(topology.ring, country["rings"]) if topology.steps(ring) >= LEAST_STEPS],
    }


def _lakes(topology: Topology, features: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for feature in features:
        rings = [each for each in _rings(feature) if _reaches(each, REGION) and _area(each) > LEAST]
        if rings and feature["properties"]["scalerank"] <= RANK:
            drawn = [[topology.line(each)] for each in rings]
            yield {"type": "MultiPolygon", "arcs": [[ring] for ring in drawn if topology.steps(ring) >= LEAST_STEPS]}


def _rivers(topology: Topology, features: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for feature in features:
        geometry = feature["geometry"]
        if geometry is None:
            continue
        lines = geometry["coordinates"] if geometry["type"] == "MultiLineString" else [geometry["coordinates"]]
        inside = [topology.line(_line(each)) for each in lines if _reaches(_line(each), REGION)]
        if inside and feature["properties"]["scalerank"] <= RANK:
            yield {"type": "MultiLineString", "arcs": [[each] for each in inside if topology.steps([each])]}


def _places(features: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Return towns with their names; the higher the rank, the smaller the town. Not all have a Russian name."""
    for feature in sorted(features, key=lambda each: (each["properties"]["SCALERANK"], each["properties"]["NAME"])):
        facts = feature["properties"]
        at: Point = (facts["LONGITUDE"], facts["LATITUDE"])
        if not _inside(at, REGION) or facts["SCALERANK"] > PLACE_RANK:
            continue
        english = facts["NAME_EN"] or facts["NAME"]
        russian = (facts["NAME_RU"] or "").partition(" (")[0]
        others = [each for each in dict.fromkeys((facts["NAME"], facts["NAMEASCII"])) if each not in {english, russian}]
        russian = "" if russian.endswith(NO_TOWNS) else RENAMED.get(russian, russian)
        names = {"en": english} | ({"ru": russian} if russian else {}) | ({"others": others} if others else {})
        yield {
            "type": "Point",
            "properties": {**names, "country": facts["ADM0_A3"], "rank": facts["SCALERANK"]},
            "coordinates": [round(at[0] / SCALE), round(at[1] / SCALE)],
        }


def _collection(geometries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "GeometryCollection", "geometries": list(geometries)}


def _rings(feature: Any) -> list[Line]:
    geometry = feature["geometry"]
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    return [_line(ring) for polygon in polygons for ring in polygon]


def _line(points: Iterable[Sequence[float]]) -> Line:
    """Return the points of a line; those that two countries share are the same to the last digit that is kept."""
    found = [(round(each[0], 4), round(each[1], 4)) for each in points]
    return tuple(each for index, each in enumerate(found) if not index or each != found[index - 1])


def _area(ring: Line) -> float:
    """Return the area of a ring in square degrees."""
    pairs = itertools.pairwise(ring)
    return abs(sum(x * b - a * y for (x, y), (a, b) in pairs)) / 2


def _least(ring: Line) -> float:
    return LEAST if _reaches(ring, REGION) else LEAST_OUTSIDE


def _reaches(line: Line, box: Box) -> bool:
    """Return whether the line's own box overlaps another."""
    west, south, east, north = box
    longitudes, latitudes = [each[0] for each in line], [each[1] for each in line]
    return min(longitudes) < east and max(longitudes) > west and min(latitudes) < north and max(latitudes) > south


def _inside(point: Point, box: Box) -> bool:
    west, south, east, north = box
    return west < point[0] < east and south < point[1] < north


if __name__ == "__main__":
    sys.exit(main())
