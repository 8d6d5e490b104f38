"""Maps in a real browser: a message with its places, a point chosen without the script, what is printed."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Position, expect

from tests.browser.conftest import PROFILE
from tests.browser.surroundings import Morning, second_link
from tests.browser.test_pages import faults

ROUTE = """\
    coordinates:
      latitude: 38.388
      longitude: 69.316
"""
LEGS = """\
  route:
    - role: departure
      country: AFG
      place: Invented Town
      order: 1
    - role: transit
      country: TJK
      place: Dushanbe
      order: 2
    - role: destination
      country: UZB
      place: Termez
      order: 3
"""


@pytest.fixture(scope="module")
def located(at: Morning) -> str:
    """Send a notice with coordinates, a route, two persons and a hostile name; return its id."""
    folder = at.day.desk.folder
    draft = (folder / "seizure-with-persons.yaml").read_text()
    draft = draft.replace("EXERCISE-2", "EXERCISE-20").replace("  route_unknown: true\n", LEGS)
    draft = draft.replace("    place_type: warehouse\n", "    place_type: warehouse\n" + ROUTE)
    draft = draft.replace("    - surname: Fictional\n", "    - surname: '<b>Fictional</b>'\n", 1)
    (folder / "located.yaml").write_text(draft)
    return str(at.day.send("tjk-liaison", "send", "seizure-notice", "located.yaml")["id"])


def look_at(page: Page, address: str) -> None:
    """Open the page of a message as soon as it has arrived."""
    for _second in range(60):
        answer = page.goto(address)
        if answer is not None and answer.status == 200:
            return
        page.wait_for_timeout(1000)
    pytest.fail(f"no answer from {address}")


def press(page: Page, button: Locator, at: Position | None = None) -> None:
    """Press a button, at a point of it, and wait for the page that follows."""
    with page.expect_navigation():
        button.click(position=at)


@pytest.fixture
def plain(browser: Browser, at: Morning, origin: str) -> Iterator[BrowserContext]:
    """A window without the script, signed in, on a telephone at night."""
    made = browser.new_context(java_script_enabled=False, color_scheme="dark", viewport={"width": 390, "height": 844})
    page = made.new_page()
    page.goto(second_link(at.home, PROFILE))
    page.wait_for_url(f"{origin}/tasks")
    page.close()
    yield made
    made.close()


def test_a_message_shows_its_places_and_each_person(page: Page, origin: str, located: str) -> None:
    """What is known has its number on the map, the list says what is not; each person of the annex is a card."""
    look_at(page, f"{origin}/message/{located}")
    expect(page.locator(".map .mark")).to_have_count(3)
    expect(page.locator(".map .way")).to_have_count(1)
    expect(page.locator(".map-list li")).to_have_count(4)
    expect(page.locator(".map-list li").nth(1)).to_contain_text("no coordinates known")
    page.locator("#reason").fill("Exercise: is the driver known?")
    page.locator("#annex button").click()
    expect(page.locator("#annex .card")).to_have_count(2)
    expect(page.locator("#annex .card h3").first).to_contain_text("<b>Fictional</b>")
    assert faults(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert faults(page) == []


def test_a_point_is_chosen_without_the_script(plain: BrowserContext, origin: str) -> None:
    """Clicks come closer, buttons move on, and what is taken over stands in the form."""
    page = plain.new_page()
    page.goto(f"{origin}/write")
    page.locator("button[name=kind][value=seizure-notice]").click()
    page.locator('[name="content.place.country"]').fill("UZB")
    press(page, page.locator('button[value="map:content.place.coordinates"]'))
    expect(page.locator(".map .mark")).to_have_count(0)
    press(page, page.locator("input[name=small]"), {"x": 200, "y": 90})
    expect(page.locator(".map .mark")).to_have_count(1)
    wide = int(page.locator("#pick input[name=wide]").input_value())
    press(page, page.locator("input[name=small]"), {"x": 160, "y": 100})
    assert int(page.locator("#pick input[name=wide]").input_value()) < wide
    before = float(page.locator("#pick input[name=lat]").input_value())
    press(page, page.locator("button[value=north]"))
    north = float(page.locator("#pick input[name=lat]").input_value())
    assert north > before
    press(page, page.locator("button[value=wider]"))
    press(page, page.locator(".place-list a").first)
    page.locator("main button.primary").click()
    page.wait_for_url(re.compile(r"/write/seizure-notice-[^/]*$"))
    expect(page.locator('[name="content.place.coordinates.latitude"]')).to_have_value(re.compile(r"^\d\d\.\d{2,3}$"))


@pytest.mark.parametrize("width", [1440, 390])
def test_the_map_of_a_form_is_usable_by_everybody(page: Page, origin: str, width: int) -> None:
    """No finding of axe-core and nothing sideways, before and after a point is chosen."""
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{origin}/write")
    page.locator("button[name=kind][value=seizure-notice]").click()
    page.wait_for_url("**/write/seizure-notice-*")
    page.locator('button[value="map:content.place.coordinates"]').click()
    page.wait_for_url("**/place?**")
    found = faults(page)
    press(page, page.locator(".place-list a").first)
    found += faults(page)
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert found == []


def test_what_is_printed_has_its_marks_on_each_sheet(page: Page, origin: str, at: Morning, located: str) -> None:
    """The head with mark and number repeats, nothing to press is printed, and the button opens the dialog."""
    for path in (f"/message/{located}/print", f"/thread/{at.question}/print", f"/deliveries/{at.delivery}/print"):
        look_at(page, origin + path)
        assert faults(page) == []
        expect(page.locator("[data-print]")).to_be_visible()
        expect(page.locator(".nav")).to_be_hidden()
        page.emulate_media(media="print")
        head = page.locator(".print-head")
        expect(head).to_be_visible()
        expect(head).to_contain_text("TLP:AMBER")
        assert head.evaluate("each => getComputedStyle(each).display") == "table-header-group"
        assert page.locator("main button:visible").count() == 0
        page.emulate_media(media="screen")
