"""Every page in a real browser: nothing for axe-core to say, nothing cut, by keyboard alone, without the script."""

import json
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PROFILE, speak
from tests.browser.surroundings import HOSTILE, Morning, second_link

NARROW = 390
PLACES = (
    "/tasks", "/tasks?scope=mine", "/tasks/awaited", "/tasks/shift",
    "/inbox", "/inbox?unread=1&since=2020-01-01", "/sent", "/all?kind=alert",
    "/message/{hostile}", "/message/{wolves}", "/message/{wolves}/print", "/thread/{question}",
    "/thread/{question}?open=1", "/thread/{question}/print", "/deliveries/{delivery}/print",
    "/deliveries", "/deliveries/{delivery}", "/search", "/search?q=heroin",
    "/search?q=Ivanov&in=name", "/statistics", "/directory", "/substances", "/substances?q=heroin",
    "/law?first=kaz&second=tjk", "/audit", "/audit/trail/{wolves}", "/settings", "/inbox?since=yesterday",
    "/export", "/import", "/jobs", "/correct/{notice}", "/audit/reconcile",
    "/audit/evidence/{notice}", "/retention?days=365", "/retention/holds", "/retention/erasures",
    "/retention/message/{notice}", "/operations", "/pass/{hostile}",
    "/write", "/write?delivery={delivery}", "/reply/{hostile}", "/approve",
)  # fmt: skip


@pytest.fixture(params=["en", "ru"])
def lang(request: pytest.FixtureRequest, context: BrowserContext, origin: str) -> Iterator[str]:
    """Each language in turn."""
    wanted = str(request.param)
    page = context.new_page()
    speak(page, origin, wanted)
    page.close()
    yield wanted
    speak(context.new_page(), origin, "en")


def paths(at: Morning) -> list[str]:
    """Return every path with what the morning left."""
    names = {"delivery": at.delivery, "hostile": at.hostile, "wolves": at.wolves}
    return [each.format(notice=at.notice, question=at.question, **names) for each in PLACES]


def faults(page: Page) -> list[str]:
    """Return what axe-core says of a page."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:100]}" for each in found for node in each["nodes"]]


@pytest.mark.usefixtures("lang")
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_usable_by_everybody(page: Page, origin: str, at: Morning, width: int) -> None:
    """No finding of axe-core, nothing sideways (at half the width, as at twice the size, either), nothing stopped."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "status of 40" not in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_viewport_size({"width": width, "height": 900})
    found = {}
    for path in paths(at):
        answer = page.goto(origin + path)
        assert answer is not None
        assert answer.status in {200, 400}, path
        wrong = faults(page)
        for shown in (width, width // 2) if width > NARROW else (width,):
            page.set_viewport_size({"width": shown, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wrong.append(f"wider than a window of {shown} pixels")
        page.set_viewport_size({"width": width, "height": 900})
        if wrong:
            found[path] = wrong
    assert (found, complaints) == ({}, []), json.dumps(found, indent=1)


@pytest.mark.usefixtures("lang")
def test_a_form_is_usable_by_everybody(page: Page, origin: str) -> None:
    """The form of a notice, empty and with everything that is wrong told, has no finding and is not cut."""
    page.goto(f"{origin}/write")
    page.locator("button[name=kind][value=seizure-notice]").click()
    page.wait_for_url("**/write/seizure-notice-*")
    found = faults(page)
    with page.expect_navigation():
        page.locator("button[name=_do][value=check]").click()
    assert page.locator("main [role=alert] a, main .errors a").count() > 0
    for width in (1440, NARROW):
        page.set_viewport_size({"width": width, "height": 900})
        found += faults(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"wider than a window of {width} pixels")
    assert found == []


def test_the_dark_theme_has_the_same_contrast(browser: Browser, origin: str, at: Morning) -> None:
    """What axe-core finds no fault with by day it finds none with at night."""
    context = browser.new_context(color_scheme="dark", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(second_link(at.home, PROFILE))
    page.wait_for_url(f"{origin}/tasks")
    found = {}
    for path in paths(at):
        page.goto(origin + path)
        if wrong := faults(page):
            found[path] = wrong
    assert found == {}


def test_a_list_is_read_by_keyboard_alone(page: Page, origin: str) -> None:
    """Rows are reached with J and K, opened with Enter, left with U; the search box with a slash."""
    page.goto(f"{origin}/inbox")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(".cover").first).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator(".cover").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/message/*")
    page.keyboard.press("p")
    expect(page.locator(".proof details")).to_have_attribute("open", "")
    page.keyboard.press("u")
    page.wait_for_url("**/inbox")
    page.keyboard.press("/")
    expect(page.locator("#bar-search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/deliveries")


def test_a_kind_that_nobody_knows_is_shown(page: Page, origin: str, at: Morning, lang: str) -> None:
    """A kind installed beside the program has its page, with labels in both languages."""
    page.goto(f"{origin}/message/{at.wolves}")
    expect(page.locator("h1")).to_have_text({"en": "7 wolves seen", "ru": "Замечено волков: 7"}[lang])
    expect(page.locator("dt", has_text={"en": "Wolves", "ru": "Волки"}[lang]).first).to_be_visible()


def test_what_others_write_is_text(page: Page, origin: str, at: Morning) -> None:
    """Markup, scripts and templates in a message are shown as they were written, in lists and on the page."""
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(f"{origin}/message/{at.hostile}")
    expect(page.get_by_text(HOSTILE, exact=False).first).to_be_visible()
    assert "taken" not in page.title()
    assert page.locator("main img").count() == 0


def test_a_message_that_arrives_shows_itself(page: Page, origin: str, at: Morning) -> None:
    """An open page offers what has arrived, and counts it, without being loaded anew."""
    page.goto(f"{origin}/inbox")
    expect(page.locator("#arrivals")).to_be_hidden()
    at.day.send("tjk-liaison", "send", "free-message", "thanks.yaml", "--to", "kaz")
    expect(page.locator("#arrivals")).to_be_visible(timeout=60_000)
    page.locator("#arrivals a").click()
    expect(page.locator("#arrivals")).to_be_hidden()


def test_a_step_of_a_delivery_knows_its_thread(page: Page, origin: str, at: Morning) -> None:
    """The form of a step has recipients, marks and what it answers filled in; signed, it stands on the timeline."""
    page.goto(f"{origin}/deliveries/{at.delivery}")
    before = page.locator(".timeline li").count()
    page.locator("#next button[value=cd-acknowledgement]").click()
    page.locator("button[name=_do][value=check]").click()
    page.wait_for_url("**/preview**")
    page.locator("form[action$='/send'] button.primary").click()
    page.wait_for_url("**/write/sent/*")
    page.goto(f"{origin}/deliveries/{at.delivery}")
    expect(page.locator(".timeline li")).to_have_count(before + 1)


def test_everything_but_arrival_works_without_the_script(browser: Browser, origin: str, at: Morning) -> None:
    """Filtering, opening an annex with its reason, counting, and stopping a delivery by two gestures."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(second_link(at.home, PROFILE))
    page.wait_for_url(f"{origin}/tasks")
    page.goto(f"{origin}/inbox")
    page.locator(".more-filters > summary").click()
    page.locator("#f-kind").select_option("seizure-notice")
    with page.expect_navigation():
        page.locator(".more-filters button").click()
    assert "kind=seizure-notice" in page.url
    page.locator(".cover").first.click()
    page.locator("#reason").fill("Exercise: is the driver known?")
    page.locator("#annex button").click()
    expect(page.locator("#annex form")).to_have_count(0)
    page.goto(f"{origin}/statistics")
    page.locator("#t-across").select_option("member")
    page.locator("main form button.primary").click()
    # The notices of the morning were given for an investigation alone: none may be counted.
    expect(page.locator("main .results .empty")).to_be_visible(timeout=60_000)
    page.goto(f"{origin}/deliveries/{at.delivery}")
    expect(page.locator(".danger-act form button")).to_be_hidden()
    page.locator(".danger-act summary").click()
    page.locator(".danger-act form button").click()
    expect(page.locator(".danger-notice").first).to_be_visible()
