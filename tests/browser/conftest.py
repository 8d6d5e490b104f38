"""One federation, one console and one browser for all tests of this folder; without Chromium they are skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.browser.surroundings import Morning, chromium, launch, morning, second_link, serving

HERE = Path(__file__).parent
PROFILE = "kaz-liaison"

expect.set_options(timeout=60_000)  # milliseconds; a limit, not a measure: five seconds are few on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder where there is no browser, and give the others time for all of the pages.

    The working day comes last: it writes many messages, and leaves a console in its language.
    """
    items.sort(key=lambda item: item.path == HERE / "test_day.py")
    absent = pytest.mark.skip(reason="no Chromium: apt-get install chromium")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(absent if chromium() is None else pytest.mark.timeout(1800))


@pytest.fixture(scope="session", name="at")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Morning]:
    """The federation after a morning."""
    with morning(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture(scope="session")
def origin(at: Morning) -> Iterator[str]:
    """The origin of the console of an officer of kaz."""
    with serving(at.home, PROFILE) as link:
        yield link.partition("/launch")[0]


@pytest.fixture(scope="session")
def playwright(origin: str) -> Iterator[Playwright]:
    """The driver of the browsers, started after the console: it takes the event loop of this thread."""
    assert origin
    with sync_playwright() as driver:
        yield driver


@pytest.fixture
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser of one test. Its end has a limit of time: a browser that hangs is killed; a window's end has none."""
    found = launch(playwright)
    yield found
    found.close()


@pytest.fixture
def context(browser: Browser, at: Morning, origin: str) -> BrowserContext:
    """A window of the browser, signed in by a link of a second start."""
    made = browser.new_context(viewport={"width": 1440, "height": 900})
    page = made.new_page()
    page.goto(second_link(at.home, PROFILE))
    page.wait_for_url(f"{origin}/tasks")
    page.close()
    return made


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of that window."""
    return context.new_page()


def speak(page: Page, origin: str, wanted: str) -> None:
    """Choose the language of the console, which remembers it: who changes it for a test changes it back."""
    page.goto(f"{origin}/settings")
    page.locator(f"#main button[name=language][value={wanted}]").click()
    expect(page.locator("html")).to_have_attribute("lang", wanted)
