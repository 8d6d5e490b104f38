"""Long work and what others owe, in a real browser without the script: by keyboard and forms alone."""

from playwright.sync_api import Browser, expect

from tests.browser.conftest import PROFILE
from tests.browser.surroundings import Morning, second_link


def test_an_export_is_made_and_saved_without_the_script(browser: Browser, origin: str, at: Morning) -> None:
    """The page of the work asks for itself again until it is done; the file is saved, and deleted."""
    context = browser.new_context(java_script_enabled=False, accept_downloads=True)
    page = context.new_page()
    page.goto(second_link(at.home, PROFILE))
    page.goto(f"{origin}/export")
    page.locator("#e-ids").fill(at.notice)
    page.locator("#e-purpose").select_option("investigate")
    page.locator("#e-reason").fill("exercise")
    page.locator("main form[action='/export'] .primary").press("Enter")
    expect(page.locator("h1")).to_contain_text("exported", timeout=60_000)
    with page.expect_download() as saved:
        page.locator("main form[action='/export/save'] button").press("Enter")
    assert saved.value.suggested_filename.startswith("full-")
    assert "EXERCISE" in saved.value.path().read_text("utf-8")
    page.goto(f"{origin}/export")
    page.locator("#ready form[action='/export/delete'] button").press("Enter")
    expect(page.locator("#ready")).to_have_count(0)
    context.close()


def test_what_others_owe_is_reached_from_the_tasks(browser: Browser, origin: str, at: Morning) -> None:
    """The tabs of the tasks lead there by keyboard, and its filters stand in the address."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(second_link(at.home, PROFILE))
    page.goto(f"{origin}/tasks")
    page.locator(".tabs a[href='/tasks/awaited']").press("Enter")
    expect(page.locator(".tabs a[aria-current=page]")).to_have_attribute("href", "/tasks/awaited")
    expect(page.locator("main .rows, main .empty").first).to_be_visible()
    page.locator(".filters a").first.press("Enter")
    expect(page.locator(".filters a[aria-current=true]").first).to_have_attribute("href", "/tasks/awaited?period=30")
    context.close()
