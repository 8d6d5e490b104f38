"""Writing and signing in a real browser: a notice in Russian, its form for everybody, the second officer."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import speak
from tests.browser.test_pages import faults

NOTICE = {
    "content.notice_id": "УЧ-2026-1",
    "content.seized_at": f"{datetime.now().astimezone() - timedelta(days=11):%d.%m.%Y} 02:15",
    "content.reporting_agency": "Вымышленная таможня",
    "content.place.country": "Казахстан",
    "content.place.border_point": "Вымышленный пост",
    "content.substances[0].as_named": "героин",
    "content.substances[0].quantity": "12,5 кг",
}
PREVIEW = "main form.sign button.primary"


@pytest.fixture
def russian(context: BrowserContext, origin: str) -> Iterator[Page]:
    """A page in Russian."""
    page = context.new_page()
    speak(page, origin, "ru")
    yield page
    speak(context.new_page(), origin, "en")


def begin(page: Page, origin: str, kind: str) -> None:
    """Begin a draft of a kind."""
    page.goto(f"{origin}/write")
    page.locator(f"button[name=kind][value={kind}]").click()
    page.wait_for_url(f"**/write/{kind}-*")


def press(page: Page, button: str) -> None:
    """Press a button of the form, and wait for the page that follows."""
    with page.expect_navigation():
        page.locator(f'button[name=_do][value="{button}"]').last.click()


def test_a_first_notice_is_written_and_sent_in_russian(russian: Page, origin: str) -> None:
    """Few fields, each understood as it is typed; the draft saves itself; faults stand at their fields; it is sent."""
    page = russian
    begin(page, origin, "seizure-notice")
    shown = page.locator("#draft").locator("input:visible:not([type=radio]):not([type=checkbox]), select:visible, "
                                           "textarea:visible, fieldset.ticks:visible, #_second:visible")  # fmt: skip
    assert shown.count() <= 40
    page.locator("input[name=to][value=tjk]").check()
    for name, text in NOTICE.items():
        page.locator(f'[name="{name}"]').fill(text)
    page.locator('[name="content.substances[0].drug_group"]').select_option("opioids")
    echo = page.locator('[data-echo="content.substances[0].quantity"]')
    expect(echo).to_contain_text("12,5 килограмма = 12 500 г".replace(" 500", "\xa0500"))
    expect(page.locator("#saved")).to_contain_text("сохранён")
    press(page, "add:content.transport")
    page.locator('[name="content.transport[0].container_number"]').fill("CSQU3054384")
    press(page, "check")
    expect(page.locator("#errors h2")).to_have_text("Исправьте 1 поле")
    expect(page.locator("#errors")).to_be_focused()
    page.locator("#errors a").click()
    wrong = page.locator('[id="content.transport[0].container_number"]')
    expect(wrong).to_have_attribute("aria-invalid", "true")
    wrong.fill("CSQU3054383")
    press(page, "check")
    expect(page.locator("h1")).to_have_text("Сообщение об изъятии")
    expect(page.get_by_text("CSQU3054383")).to_be_visible()
    assert faults(page) == []
    page.locator(PREVIEW).click()
    page.wait_for_url("**/write/sent/*")
    expect(page.locator("h1")).to_contain_text("Отправлено: KAZ-")
    expect(page.locator("dl.pairs")).to_contain_text("Таджикистан")
    expect(page.locator("dl.pairs")).not_to_contain_text("kaz →")
    assert faults(page) == []


def test_what_is_written_most_is_offered_first(page: Page, origin: str) -> None:
    """A notice of a seizure comes first, then the other frequent kinds; the rest follows by name."""
    page.goto(f"{origin}/write")
    names = page.locator("button[name=kind]").evaluate_all("all => all.map(each => each.value)")
    assert names[:4] == ["seizure-notice", "information-request", "alert", "free-message"]
    titles = page.locator(".kinds").last.locator("button").all_inner_texts()
    assert titles == sorted(titles)


def test_a_request_shows_no_boxes_that_may_stay_empty(page: Page, origin: str) -> None:
    """Offences are folded until one of them is ticked; the purposes, one of which must be there, are not."""
    begin(page, origin, "information-request")
    purposes, offences = (page.locator(f'[name="content.{each}"]') for each in ("purposes", "offence_types"))
    expect(purposes.first).to_be_visible()
    expect(offences.first).to_be_hidden()
    page.locator("summary", has_text="Choose: Types of offence").click()
    page.locator('[name="content.offence_types"][value=smuggling]').check()
    press(page, "save")
    expect(offences.first).to_be_visible()


def test_fields_side_by_side_stand_on_one_line(page: Page, origin: str) -> None:
    """Inputs of one row begin at one height, whether or not a hint stands above them."""
    begin(page, origin, "seizure-notice")
    boxes = [page.locator(f'[name="content.{each}"]').bounding_box() for each in ("notice_id", "seized_at")]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_that_writes_is_usable_by_everybody(russian: Page, origin: str, width: int) -> None:
    """No finding of axe-core and nothing sideways, with every section open and every field wrong."""
    page = russian
    page.set_viewport_size({"width": width, "height": 900})
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        wrong = faults(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append("wider than the window")
        if wrong:
            found[name] = wrong

    page.goto(f"{origin}/approve")
    look("approve")
    page.goto(f"{origin}/write")
    look("write")
    begin(page, origin, "seizure-notice")
    while page.locator(".add-list button").count():
        with page.expect_navigation():
            page.locator(".add-list button").first.click()
    press(page, "check")
    page.evaluate("for (const each of document.querySelectorAll('details.more')) each.open = true")
    look("form")
    press(page, "delete")
    look("delete")
    with page.expect_navigation():
        page.locator(".danger-button").click()
    assert found == {}


def test_a_kind_that_nobody_knows_has_its_form(russian: Page, origin: str) -> None:
    """A kind installed beside the program is written in its form, which no page knows."""
    page = russian
    begin(page, origin, "wolf-note")
    page.locator("input[name=to][value=tjk]").check()
    page.locator('[name="content.country"]').fill("Kazakhstan")
    page.locator('[name="content.wolves"]').fill("300")
    press(page, "check")
    expect(page.locator("#errors")).to_contain_text("Волки")
    page.locator('[name="content.wolves"]').fill("3")
    press(page, "check")
    expect(page.locator(".lead").first).to_have_text("Замечено волков: 3")
