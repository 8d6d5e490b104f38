"""Choosing a point on a map: what a click, a button and an address make of it."""

import pytest

from paiza_client.web.maps.drawing import HEIGHT, WIDTH
from paiza_client.web.pages import place
from paiza_client.web.pages.place import CLOSEST, WIDEST, Chosen

START = Chosen(69.0, 41.0, 900.0, is_set=False)


@pytest.mark.parametrize(("name", "scale"), list(place.SIZES.items()))
def test_a_click_moves_there_and_comes_closer(name: str, scale: float) -> None:
    """The same place of the picture is meant by a click on the large and on the small button."""
    x, y = WIDTH * 0.75, HEIGHT * 0.25
    found = place._moved({f"{name}.x": str(x / scale), f"{name}.y": str(y / scale)}, START)
    assert (found.longitude, found.latitude) == pytest.approx(START.area.to_degrees(x, y))
    assert found.longitude > START.longitude
    assert found.latitude > START.latitude
    assert found.is_set
    assert found.wide == 300.0


def test_a_button_that_is_pressed_by_keyboard_chooses_nothing() -> None:
    """A browser sends 0 and 0 then; no point is meant."""
    assert place._moved({"big.x": "0", "big.y": "0"}, START) == START


@pytest.mark.parametrize(
    ("move", "longitude", "latitude"), [("north", 0, 1), ("south", 0, -1), ("west", -1, 0), ("east", 1, 0)]
)
def test_buttons_move_the_point(move: str, longitude: int, latitude: int) -> None:
    """Each button moves the point its own way and leaves the width as it is."""
    found = place._moved({"move": move}, START)
    assert (found.longitude - START.longitude) * longitude >= 0
    assert (found.latitude - START.latitude) * latitude >= 0
    assert found != START
    assert found.wide == START.wide


def test_a_map_is_never_closer_or_wider_than_the_outlines_allow() -> None:
    """The width stays within its limits, however often a button is pressed."""
    near = far = START
    for _again in range(10):
        near, far = place._moved({"move": "closer"}, near), place._moved({"move": "wider"}, far)
    assert (near.wide, far.wide) == (CLOSEST, WIDEST)
    assert not near.is_set


def test_digits_say_no_more_than_a_click_can() -> None:
    """On a wide map a click is worth hundredths of a degree, on a close one thousandths."""
    assert START.digits == 2
    assert Chosen(69.0, 41.0, CLOSEST, is_set=True).digits == 3


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e30", "", "41°", "٤١" * 200])
def test_what_is_no_number_is_none(text: str) -> None:
    """An address that somebody has changed asks for no place that a map cannot show."""
    assert place._number(text) is None


def test_a_number_may_have_a_comma() -> None:
    """A draft holds what was typed."""
    assert place._number("41,5") == 41.5
