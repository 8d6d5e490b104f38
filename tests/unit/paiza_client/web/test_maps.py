"""Maps: the projection and back, names that keep apart, and only such places as are known."""

import itertools
import json
import math
import re

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.content.v1 import common_pb2, seizure_notice_pb2
from paiza.officer.v1 import workflow_pb2
from paiza_client.web.maps import drawing, figures, locating, projection
from paiza_client.web.maps.drawing import HEIGHT, WIDTH, Area, Mark
from paiza_client.web.maps.figures import Figure
from paiza_client.web.maps.locating import How
from paiza_client.web.maps.outlines import FILE, outlines
from paiza_domain import codes, kinds

ALMATY = (76.95, 43.24)
PLACES = [ALMATY, (68.79, 38.56), (37.62, 55.75), (132.0, 43.1), (51.4, 35.7)]


@pytest.mark.parametrize("at", PLACES)
def test_a_place_is_found_again_from_where_it_is_drawn(at: tuple[float, float]) -> None:
    """The projection and its inverse, and a picture and its inverse, agree to metres."""
    assert projection.unproject(*projection.project(*at)) == pytest.approx(at, abs=1e-6)
    area = Area(70.0, 45.0, 3000.0)
    assert area.to_degrees(*area.to_picture(*at)) == pytest.approx(at, abs=1e-6)


def test_areas_are_equal_wherever_they_lie() -> None:
    """A square of a hundredth of a degree has the area on the plane that it has on the sphere."""
    for west, south in PLACES:
        a, b, c = (projection.project(*each) for each in ((west, south), (west + 0.01, south), (west, south + 0.01)))
        drawn = abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
        north = projection.project(west + 0.005, south + 0.01)
        assert north[1] < projection.project(west + 0.005, south)[1]
        true = (math.radians(0.01) * projection.EARTH) ** 2 * math.cos(math.radians(south + 0.005))
        assert drawn == pytest.approx(true, rel=1e-3)


@pytest.mark.parametrize("longitude", [40.0, 68.0, 130.0])
def test_north_is_up_in_the_middle_of_a_map(longitude: float) -> None:
    """The meridian in the middle runs upwards, however far from the region it is."""
    area = Area(longitude, 45.0, 1000.0)
    assert area.to_picture(longitude, 45.0) == pytest.approx((WIDTH / 2, HEIGHT / 2))
    x, y = area.to_picture(longitude, 46.0)
    assert x == pytest.approx(WIDTH / 2)
    assert y < HEIGHT / 2


def test_the_outlines_are_small_and_hold_every_state_of_the_region() -> None:
    """Less than 200 KB; each member's country, closed rings, towns that lie in their country's box."""
    assert FILE.stat().st_size < 200_000
    known = {each.code for each in outlines().countries}
    assert known >= {"KAZ", "KGZ", "TJK", "TKM", "UZB", "RUS", "AZE", "AFG", "CHN", "IRN", "PAK", "ARM", "BLR", "MNG"}
    rings = [*(ring for each in outlines().countries for ring in each.rings), *outlines().lakes]
    assert all(re.fullmatch(r"M-?\d+ -?\d+l(-?\d+ -?\d+ ?){2,}z", each.path) for each in rings)
    assert all(re.fullmatch(r"M-?\d+ -?\d+l(-?\d+ -?\d+ ?)+", each.path) for each in outlines().rivers)
    assert json.loads(FILE.read_text("utf-8"))["type"] == "Topology"


@pytest.mark.parametrize("lang", codes.LANGS)
@pytest.mark.parametrize("wide", [900.0, 3000.0, 9000.0])
def test_nothing_lies_on_anything_else(lang: codes.Lang, wide: float) -> None:
    """Names and marks keep apart; in a narrow window too, where they are larger and minor ones are left out."""
    marks = [Mark(str(number), 69.0 + number / 100, 41.0) for number in range(1, 7)]
    drawn = drawing.draw(Area(69.0, 41.0, wide), lang, marks)
    assert len(drawn.marks) == len(marks)
    for first, second in itertools.combinations(drawn.marks, 2):
        assert abs(first.at[0] - second.at[0]) + abs(first.at[1] - second.at[1]) > 2 * 13
    for text in drawn.texts:
        size = drawing.TOWN_FONT if text.kind == "town" else drawing.COUNTRY_FONT[not text.minor]
        half = len(text.text) * size * drawing.LETTER / 2
        shift = {"start": half, "end": -half, "middle": 0.0}[text.anchor]
        for mark in drawn.marks:
            beside = abs(text.x + shift - mark.at[0]) >= half or abs(text.y - mark.at[1]) >= size / 2
            assert beside, (text, mark)


def test_countries_that_our_list_does_not_hold_have_no_name() -> None:
    """Every name on a map is one of our code list, in its short form, or that of a town."""
    names = {each.names["en"].partition(" (")[0] for each in codes.load("country").values()}
    for area in (Area(43.0, 42.5, 900.0), Area(34.0, 35.0, 900.0), Area(77.0, 35.5, 900.0)):
        assert {each.text for each in drawing.draw(area, "en").texts if each.kind == "country"} <= names


# Which places are known.


def notice() -> seizure_notice_pb2.SeizureNotice:
    """Return a notice with its coordinates and a route of which one place has no town of its name."""
    content = seizure_notice_pb2.SeizureNotice()
    content.place.country, content.place.town = "TJK", "Invented"
    content.place.coordinates.latitude_microdegrees = 38_388_000
    content.place.coordinates.longitude_microdegrees = 69_316_000
    content.route.add(country="UZB", place="термез", order=2)
    content.route.add(country="AFG", place="Invented", order=1)
    return content


def shown(content: seizure_notice_pb2.SeizureNotice) -> Figure | None:
    """Return the map of a notice."""
    return figures.of_content(kinds.all_kinds()["seizure-notice"].shape, content)


def test_only_places_that_are_known_are_drawn() -> None:
    """Own coordinates and a town's name place a mark; the others are listed, and said to be unknown."""
    found = shown(notice())
    assert found is not None
    assert found.drawing is not None
    assert [(each.number, each.located) for each in found.rows] == [("1", True), ("2", False), ("3", True)]
    assert [each.number for each in found.drawing.marks] == ["1", "3"]
    assert found.rows[0].where == "38.388° N, 69.316° E"
    assert found.rows[1].where == "no coordinates known"
    assert not found.is_complete


def test_a_country_alone_makes_no_map() -> None:
    """One country without a point is no picture; two on a route are marked as a whole."""
    content = seizure_notice_pb2.SeizureNotice(place=common_pb2.Place(country="TJK", border_point="Invented"))
    found = shown(content)
    assert found is not None
    assert found.drawing is None
    content.route.add(country="AFG", order=1)
    content.route.add(country="TJK", order=2)
    found = shown(content)
    assert found is not None
    assert found.drawing is not None
    assert found.drawing.marks == ()


def test_a_notice_without_a_place_has_no_map() -> None:
    """Nothing is drawn where nothing is said."""
    assert shown(seizure_notice_pb2.SeizureNotice()) is None


def test_a_name_that_is_not_that_of_one_town_is_not_guessed() -> None:
    """Other countries, other spellings and no name at all find no town."""
    assert locating.of_name("", "Termez", "UZB").how is How.TOWN
    assert locating.of_name("", "Termez", "KAZ").how is How.COUNTRY
    assert locating.of_name("", "Termes", "UZB").how is How.COUNTRY
    assert locating.of_name("", "", "UZB").how is How.COUNTRY
    assert locating.of_name("", "Termez", "").how is How.UNKNOWN


def delivery(responsible: str, overall: str) -> workflow_pb2.GetWorkflowResponse:
    """Return a delivery from tjk over uzb to kaz."""
    names = {"tjk": ("", "Termez"), "uzb": ("Termez", "Invented Gate"), "kaz": ("Invented Gate", "")}
    legs = [
        workflow_pb2.WorkflowLeg(member=member, entry_point=entry, exit_point=leave, exit_time=Timestamp(seconds=1))
        for member, (entry, leave) in names.items()
    ]
    status = workflow_pb2.WorkflowStatus(responsible=responsible, overall=overall)
    return workflow_pb2.GetWorkflowResponse(status=status, legs=legs)


@pytest.mark.parametrize(
    ("responsible", "overall", "tones"),
    [
        ("", "requested", ["now", "ahead", "ahead", "ahead"]),
        ("uzb", "active", ["done", "done", "now", "ahead"]),
        ("", "delivered", ["done", "done", "done", "done"]),
    ],
)
def test_a_delivery_shows_its_handovers_in_order(responsible: str, overall: str, tones: list[str]) -> None:
    """Beginning, each handover and the end are numbered; what was passed, and what comes next, is told apart."""
    found = figures.of_delivery(delivery(responsible, overall))
    assert found is not None
    assert [each.number for each in found.rows] == ["1", "2", "3", "4"]
    assert [each.tone for each in found.rows] == tones
    assert [each.name for each in found.rows] == ["", "Termez", "Invented Gate", ""]
    assert [each.located for each in found.rows] == [False, True, False, False]
    assert figures.of_delivery(workflow_pb2.GetWorkflowResponse()) is None


def test_every_outline_is_a_line_that_a_browser_draws() -> None:
    """A line has two points or more: what was simplified to a point has none to go on to."""
    known = outlines()
    rings = [ring for each in known.countries for ring in each.rings]
    for line in (*rings, *known.lakes, *known.rivers):
        assert re.fullmatch(r"M-?\d+ -?\d+l-?\d+ -?\d+( -?\d+ -?\d+)*z?", line.path), line.path[:40]
