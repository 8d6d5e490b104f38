"""Officers who work with the pages alone: each at a console and in a window of their own.

with playing(browser, home, "ru") as play:
    play("kaz-liaison").write("seizure-notice", draft)

What an officer types comes from the drafts of the demo: every value is put into the field of its name, sections that
are closed are opened by their buttons, and the page tells whether it understood.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Locator, Page, expect

from paiza_domain import kinds
from paiza_domain.forms import values
from tests.browser.surroundings import second_link, serving

DRAFTS: Final = Path(__file__).resolve().parents[1] / "demo" / "drafts"
ARRIVAL_SECONDS: Final = 120.0  # a limit, not a measure: a second is usual

_FROM_NOW: Final = re.compile(r"\{\+(\d+)h\}")
_ENTRY: Final = re.compile(r"^(?P<group>.+)\[\d+\]$")


def when(hours: int, language: str) -> str:
    """Return a time from now as people of a language type it."""
    moment = (datetime.now(UTC) + timedelta(hours=hours)).astimezone()
    return f"{moment:%d.%m.%Y %H:%M}" if language == "ru" else f"{moment:%Y-%m-%d %H:%M}"


def draft(name: str, language: str, **instead: str) -> dict[str, str]:
    """Return the values of a draft of the demo by the names of their fields, with some replaced."""
    text = _FROM_NOW.sub(
        lambda found: '"' + when(int(found[1]), language) + '"', (DRAFTS / name).read_text(encoding="utf-8")
    )
    kind = kinds.all_kinds()[text.partition("kind: ")[2].partition("\n")[0]]
    found, strange = values.of_text(kind, text)
    assert strange == ()
    return found | instead


@dataclass(frozen=True)
class Officer:
    """One officer: the profile's name, the language of the pages, the window, where the console is."""

    profile: str
    language: str
    page: Page
    origin: str

    # Going about.

    def go(self, path: str) -> None:
        """Open a page of the console, which must be there."""
        answer = self.page.goto(f"{self.origin}{path}")
        assert answer is not None
        assert answer.status == 200, f"{self.profile}: {path}: {self.page.locator('main').inner_text()}"

    def press(self, button: Locator) -> None:
        """Press a button that leads to another page."""
        with self.page.expect_navigation():
            button.click()

    def until_listed(self, box: str, text: str) -> None:
        """Look into a list until a message stands there, and open it."""
        row = self.page.locator(".row", has=self.page.locator("bdi", has_text=text)).locator("a.cover")
        self.until(f"/{box}", row.first)
        self.press(row.first)

    def until(self, path: str, shown: Locator) -> None:
        """Open a page again until it is there and shows something: what has not arrived yet has no page."""
        begun = datetime.now(UTC)
        while not (self._is_there(path) and shown.is_visible()):
            waited = (datetime.now(UTC) - begun).total_seconds()
            assert waited < ARRIVAL_SECONDS, f"{self.profile}: {path} never shows {shown}"
            self.page.wait_for_timeout(200)

    def _is_there(self, path: str) -> bool:
        """Open a page; return whether there is one."""
        answer = self.page.goto(f"{self.origin}{path}")
        return answer is not None and answer.status == 200

    # Writing.

    def fill(self, given: Mapping[str, str]) -> None:
        """Put values into the fields of the form on the page; open the sections that they need."""
        page = self.page
        for name in given:
            self._open(name, given)
        self._unfold()
        for name, text in given.items():
            found = page.locator(f'#draft [name="{name}"]')
            if text == "" or found.count() == 0:
                assert text == "" or name == "in_reply_to", f"{self.profile}: the form has no field {name}"
                continue
            self._put(found, text)

    def _open(self, name: str, given: Mapping[str, str]) -> None:
        """Open the group that an entry belongs to, where the form does not show it yet."""
        page = self.page
        if page.locator(f'#draft [name="{name}"]').count() > 0:
            return
        group = found["group"] if (found := _ENTRY.match(name)) else name
        button = page.locator(f'button[name=_do][value="add:{group}"]')
        if given[name] == "" and button.count() > 0:
            self._unfold()
            self.press(button.first)

    def _unfold(self) -> None:
        """Open what the form folds away."""
        self.page.evaluate("for (const each of document.querySelectorAll('#draft details')) each.open = true")

    def _put(self, found: Locator, text: str) -> None:
        what = found.first.evaluate("each => each.tagName + ':' + (each.type || '')")
        match what:
            case "SELECT:select-one":
                found.first.select_option(text)
            case "INPUT:checkbox" | "INPUT:radio":
                wanted = text.split("\n")
                for each in found.all():
                    each.set_checked(each.get_attribute("value") in wanted)
            case "INPUT:hidden":
                return
            case _:
                found.first.fill(text)

    def preview(self) -> None:
        """Have the form checked; what would be signed must follow."""
        self.press(self.page.locator('button[name=_do][value="check"]').last)
        wrong = self.page.locator("#errors li").all_inner_texts()
        assert wrong == [], f"{self.profile}: {wrong}"

    def sign(self) -> str:
        """Sign what the preview shows; return the name of the thread, empty where another officer signs as well."""
        page = self.page
        doubt = page.locator("input[name=_confirmed]")
        if doubt.count():
            doubt.check()
        self.press(page.locator("main form.sign button.primary"))
        expect(page, f"{self.profile}: {page.locator('main').inner_text()}").to_have_url(re.compile(r"/write/sent/"))
        found = re.search(r"[A-Z]{2,6}-\d{4}-\d{5}", page.locator("h1").inner_text())
        return found[0] if found else ""

    def send(self, given: Mapping[str, str], second: str = "") -> str:
        """Fill the form on the page, look at the preview, sign."""
        self.fill(given)
        if second:
            self.page.locator(f'input[name=_second][value="{second}"]').check()
        self.preview()
        return self.sign()

    def write(self, kind: str, given: Mapping[str, str], second: str = "") -> str:
        """Write a message of a kind from its form; return the name of its thread."""
        self.go("/write")
        self.press(self.page.locator(f'button[name=kind][value="{kind}"]'))
        return self.send(given, second)

    def answer(self, kind: str, given: Mapping[str, str]) -> str:
        """Answer the message on the page with a kind."""
        page = self.page
        self.press(page.locator("[data-key=reply]"))
        page.locator(f'input[name=kind][value="{kind}"]').check()
        self.press(page.locator("main form button.primary"))
        return self.send(given)

    def approve(self, thread: str) -> None:
        """Read what waits for this officer's signature whole, and sign it."""
        page = self.page
        row = page.locator("main a[href^='/approve/']", has_text=thread) if thread else None
        link = row or page.locator("main a[href^='/approve/']").first
        self.until("/approve", link.first)
        self.press(link.first)
        self.press(page.locator("main form.sign button.primary"))
        expect(page.locator("[role=alert]")).to_have_count(0)

    # A controlled delivery.

    def step(self, thread: str, kind: str, given: Mapping[str, str], second: str = "") -> None:
        """Write one step of a delivery, begun on the page of the delivery."""
        page, path = self.page, f"/deliveries/{thread}"
        self.until(path, page.locator("main h1"))
        button = page.locator(f'main button[name=kind][value="{kind}"]')
        choice = page.locator(f'#step-kind option[value="{kind}"]')
        begun = datetime.now(UTC)
        while button.count() == 0 and choice.count() == 0:
            waited = (datetime.now(UTC) - begun).total_seconds()
            assert waited < ARRIVAL_SECONDS, f"{self.profile} is never offered {kind} of {thread}"
            page.wait_for_timeout(200)
            self.go(path)
        if button.count():
            self.press(button.first)
        else:
            page.locator("#step-kind").select_option(kind)
            self.press(page.locator("form:has(#step-kind) button"))
        self.send(given, second)


@contextmanager
def playing(
    browser: Browser, home: Path, language: str, running: Mapping[str, str]
) -> Iterator[Callable[[str], Officer]]:
    """Yield what gives the officer of a profile; their consoles start when they are needed and end at the end.

    ``running`` holds the origins of consoles that run already, by profile.
    """
    officers: dict[str, Officer] = {}
    with ExitStack() as consoles:

        def officer(profile: str) -> Officer:
            if profile not in officers:
                link = (
                    second_link(home, profile) if profile in running else consoles.enter_context(serving(home, profile))
                )
                page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                page.goto(link)
                page.wait_for_url("**/tasks")
                origin = link.partition("/launch")[0]
                page.goto(f"{origin}/settings")
                page.locator(f"#main button[name=language][value={language}]").click()
                expect(page.locator("html")).to_have_attribute("lang", language)
                officers[profile] = Officer(profile, language, page, origin)
            return officers[profile]

        yield officer
