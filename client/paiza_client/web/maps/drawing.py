"""A map as a template draws it: an area, the outlines in it, names where there is room, and marks with numbers.

All numbers are in units of the picture, `WIDTH` by `HEIGHT`. Names and marks keep apart at the sizes that a narrow
window shows, where they are larger; names that have room only in a wide one are ``minor``.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from paiza_client.web.maps.outlines import Box, Country, Line, outlines
from paiza_client.web.maps.projection import Point, project, turn, unproject
from paiza_domain import codes
from paiza_domain.codes import Lang

WIDTH: Final = 640.0
HEIGHT: Final = 400.0
LEAST_WIDE: Final = 900.0  # km: an area around one point
MOST_WIDE: Final = 9000.0
MARGIN: Final = 0.22  # of the extent of what is shown, on each side
REGION: Final = (40.0, 28.0, 96.0, 60.0)  # degrees: of a country that is larger, this part is shown
MARK: Final = 18.0  # radius of a mark in a narrow window
COUNTRY_FONT: Final = (15.0, 25.0)  # in a wide and in a narrow window
TOWN_FONT: Final = 13.0
LETTER: Final = 0.56  # width of a letter, in sizes of the font
MOST_TOWNS: Final = 16
NAME_WITHIN: Final = 0.7  # of its width that the name of a country needs inside
ROWS: Final = 8  # in which room for a name is looked for


@dataclass(frozen=True)
class Area:
    """What a map shows: its middle in degrees, and its width in kilometres."""

    longitude: float
    latitude: float
    wide: float

    def to_picture(self, longitude: float, latitude: float) -> Point:
        """Return where a place is drawn."""
        return self.placed(project(longitude, latitude))

    def placed(self, at: Point) -> Point:
        """Return where a point of the outlines is drawn."""
        a, b, c, d, e, f = self.matrix
        return a * at[0] + c * at[1] + e, b * at[0] + d * at[1] + f

    def to_degrees(self, x: float, y: float) -> Point:
        """Return longitude and latitude of a point of the picture."""
        return unproject(*self.unplaced((x, y)))

    def unplaced(self, at: Point) -> Point:
        """Return the point of the outlines that is drawn somewhere."""
        a, b, _c, _d, e, f = self.matrix
        x, y, square = at[0] - e, at[1] - f, a * a + b * b
        return (a * x + b * y) / square, (a * y - b * x) / square

    @cached_property
    def matrix(self) -> tuple[float, float, float, float, float, float]:
        """Return the matrix from outlines to picture, as SVG writes it: its own meridian runs upwards."""
        angle, scale = turn(self.longitude), WIDTH / self.wide
        across, down = scale * math.cos(angle), scale * math.sin(angle)
        x, y = project(self.longitude, self.latitude)
        middle = (across * x - down * y, down * x + across * y)
        return across, down, -down, across, WIDTH / 2 - middle[0], HEIGHT / 2 - middle[1]

    @cached_property
    def reach(self) -> Box:
        """Return the box around what is shown, in kilometres of the outlines."""
        corners = [self.unplaced(each) for each in ((0, 0), (WIDTH, 0), (0, HEIGHT), (WIDTH, HEIGHT))]
        xs, ys = [each[0] for each in corners], [each[1] for each in corners]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place with its number; ``tone`` is a class: "done", "now", "ahead" or empty."""

    number: str
    longitude: float
    latitude: float
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A way from one mark to another (their indices); ``done`` is drawn solid, the rest dotted."""

    first: int
    last: int
    done: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A name on the map, around its middle or from its beginning (``anchor``)."""

    text: str
    x: float
    y: float
    kind: str
    minor: bool = False
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Shown:
    """A mark as it is drawn: where it is, and where its number stands beside that where marks are close."""

    number: str
    x: float
    y: float
    at: Point
    tone: str


@dataclass(frozen=True)
class Drawing:
    """Everything a template draws, from below to above."""

    matrix: str
    countries: tuple[tuple[str, str], ...]
    """Classes and path of each country."""
    lakes: str
    rivers: str
    stretches: tuple[tuple[Point, Point, bool], ...]
    texts: tuple[Text, ...]
    dots: tuple[Point, ...]
    """The towns that are named."""
    marks: tuple[Shown, ...]
    width: float = field(default=WIDTH)
    height: float = field(default=HEIGHT)


def area_of(points: Sequence[Point], countries: Collection[str] = ()) -> Area:
    """Return the area around points (longitude, latitude); around countries where there are no points."""
    shown = [project(*each) for each in points]
    if not shown:
        shown = [each for country in countries for each in _extent(country)]
    if not shown:
        shown = [project(REGION[0], REGION[1]), project(REGION[2], REGION[3])]
    degrees = [unproject(*each) for each in shown]
    longitude = (min(each[0] for each in degrees) + max(each[0] for each in degrees)) / 2
    angle = turn(longitude)
    turned = [(x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)) for x, y in shown]
    xs, ys = [each[0] for each in turned], [each[1] for each in turned]
    x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    wide = max(max(xs) - min(xs), (max(ys) - min(ys)) * WIDTH / HEIGHT) * (1 + 2 * MARGIN)
    middle = unproject(x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle))
    return Area(*middle, max(LEAST_WIDE, min(MOST_WIDE, wide)))


def draw(
    area: Area,
    lang: Lang,
    marks: Sequence[Mark] = (),
    stretches: Iterable[Stretch] = (),
    countries: Sequence[tuple[str, str]] = (),
) -> Drawing:
    """Return a map of an area; ``countries`` are (code, class) of those that stand out."""
    tones = dict(countries)
    shown = tuple(_marks(area, marks))
    taken = [_around(each.at, MARK) for each in shown]
    visible = [each for each in outlines().countries if _path(each.rings, area)]
    texts = list(_country_names(area, visible, lang, [code for code, _tone in countries], taken))
    towns = list(_town_names(area, lang, taken))
    return Drawing(
        matrix=" ".join(f"{each:.5f}" for each in area.matrix),
        countries=tuple((tones.get(each.code, ""), _path(each.rings, area)) for each in visible),
        lakes=_path(outlines().lakes, area),
        rivers=_path(outlines().rivers, area),
        stretches=tuple(((shown[e.first].x, shown[e.first].y), (shown[e.last].x, shown[e.last].y), e.done)
                        for e in stretches),
        texts=(*texts, *(text for text, _dot in towns)),
        dots=tuple(dot for _text, dot in towns),
        marks=shown,
    )  # fmt: skip


def _path(lines: tuple[Line, ...], area: Area) -> str:
    """Return the lines that reach into an area, as one path."""
    west, north, east, south = area.reach
    return "".join(
        each.path for each in lines
        if each.box[0] < east and each.box[2] > west and each.box[1] < south and each.box[3] > north
    )  # fmt: skip


def _extent(code: str) -> Iterator[Point]:
    """Return the points of a country that lie in the region; all of them where none does."""
    points = [at for each in outlines().countries if each.code == code for ring in each.rings for at in ring.points]
    west, south, east, north = REGION
    inside = [at for at in points if west < (degrees := unproject(*at))[0] < east and south < degrees[1] < north]
    yield from inside or points


# Names and marks, apart from each other.


def _marks(area: Area, marks: Sequence[Mark]) -> Iterator[Shown]:
    taken: list[Box] = []
    for each in marks:
        x, y = area.to_picture(each.longitude, each.latitude)
        at = next((spot for spot in _beside(x, y) if _is_free(_around(spot, MARK), taken)), (x, y))
        taken.append(_around(at, MARK))
        yield Shown(each.number, x, y, at, each.tone)


def _beside(x: float, y: float) -> Iterator[Point]:
    """Return a place itself, then places around it, nearer ones first."""
    yield x, y
    for distance in (2.2 * MARK, 3.6 * MARK):
        for eighth in (1, 7, 3, 5, 0, 2, 4, 6):
            angle = eighth * math.pi / 4
            yield x + distance * math.sin(angle), y - distance * math.cos(angle)


def _country_names(
    area: Area, visible: Iterable[Country], lang: Lang, first: Sequence[str], taken: list[Box]
) -> Iterator[Text]:
    known = codes.load("country")
    order = {code: number for number, code in enumerate(first)}
    for each in sorted(visible, key=lambda each: order.get(each.code, len(order))):
        if each.code not in known:
            continue
        name = known[each.code].names[lang].partition(" (")[0]
        for spot in _spots(area, each, len(name) * COUNTRY_FONT[0] * LETTER):
            room = [_text_box(spot, name, size) for size in COUNTRY_FONT]
            if _is_free(room[0], taken):
                minor = not _is_free(room[1], taken)
                taken.append(room[0] if minor else room[1])
                yield Text(name, *spot, "country", minor)
                break


def _spots(area: Area, country: Country, needed: float) -> Iterator[Point]:
    """Return where a name may stand that needs so much width: at its own place, else where the country is broadest."""
    scale = WIDTH / area.wide
    if max(each.box[2] - each.box[0] for each in country.rings) * scale < NAME_WITHIN * needed:
        return
    yield area.placed(country.label)
    west, north, east, south = area.reach
    broad = []
    for row in range(1, ROWS):
        y = north + (south - north) * row / ROWS
        within = [(max(first, west), min(last, east)) for first, last in country.spans(y)]
        broad += [(last - first, ((first + last) / 2, y)) for first, last in within if first < last]
    yield from (area.placed(at) for length, at in sorted(broad, reverse=True) if length * scale > NAME_WITHIN * needed)


def _town_names(area: Area, lang: Lang, taken: list[Box]) -> Iterator[tuple[Text, Point]]:
    count = 0
    for each in outlines().towns:
        x, y = area.placed(each.at)
        if count == MOST_TOWNS or not (0 < x < WIDTH and 0 < y < HEIGHT):
            continue
        name, size = each.names.get(lang, ""), TOWN_FONT
        if not name:
            continue
        for anchor, shift in (("start", 6.0), ("end", -6.0)):
            half = len(name) * size * LETTER / 2
            middle = x + shift + (half if anchor == "start" else -half)
            box = _text_box((middle, y), name, size)
            if _is_free(box, taken) and _is_free(_around((x, y), 3.0), taken):
                taken += [box, _around((x, y), 3.0)]
                count += 1
                yield Text(name, x + shift, y + size / 3, "town", minor=True, anchor=anchor), (x, y)
                break


def _text_box(middle: Point, text: str, size: float) -> Box:
    half = len(text) * size * LETTER / 2 + 2
    return middle[0] - half, middle[1] - size * 0.7, middle[0] + half, middle[1] + size * 0.7


def _around(at: Point, distance: float) -> Box:
    return at[0] - distance, at[1] - distance, at[0] + distance, at[1] + distance


def _is_free(box: Box, taken: Iterable[Box]) -> bool:
    """Return whether a box lies in the picture and on no other one."""
    if box[0] < 0 or box[1] < 0 or box[2] > WIDTH or box[3] > HEIGHT:
        return False
    return not any(box[0] < o[2] and box[2] > o[0] and box[1] < o[3] and box[3] > o[1] for o in taken)
