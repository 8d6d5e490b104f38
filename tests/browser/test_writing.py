"""Writing and signing in a real browser: a notice in Russian, its form for everybody, the second officer."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import speak
from tests.browser.test_pages import faults

NOTICE = {
    "content.notice_id": "УЧ-2026-1",
    "content.seized_at": "20.11.2026 02:15",
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
    assert faults(page) == []


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
