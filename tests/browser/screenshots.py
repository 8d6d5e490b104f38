"""Pictures of every page from invented data: `python -m tests.browser.screenshots FOLDER`.

Light and dark, in both languages, for a desk (1440 pixels) and a telephone (390), one PNG each. Names of pages may
follow: then only these.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.browser.surroundings import Morning, chromium, launch, morning, second_link, serving

WIDTHS: Final = (1440, 390)
PROFILE: Final = "kaz-liaison"
FORMS: Final = ("seizure-notice", "information-request", "cd-request")
ZONE: Final = "Asia/Almaty"  # not UTC, so that both times are seen


def begin_drafts(browser: Browser, link: str) -> list[str]:
    """Begin drafts, so that there are forms to be shown; return their paths."""
    page = browser.new_page()
    page.goto(link)
    page.wait_for_url("**/tasks")
    origin, paths = link.partition("/launch")[0], []
    for kind in FORMS:
        page.goto(f"{origin}/write")
        page.locator(f"button[name=kind][value={kind}]").click()
        page.wait_for_url(f"**/write/{kind}-*")
        paths.append(page.url.removeprefix(origin))
    page.close()
    return paths


def pages(at: Morning, forms: list[str]) -> dict[str, str]:
    """Return the paths by the name of their picture; ``forms`` are those of the drafts."""
    return {
        "tasks": "/tasks",
        "awaited": "/tasks/awaited",
        "shift": "/tasks/shift",
        "inbox": "/inbox",
        "sent": "/sent",
        "message": f"/message/{at.notice}",
        "foreign-kind": f"/message/{at.wolves}",
        "message-print": f"/message/{at.notice}/print",
        "correct": f"/correct/{at.notice}",
        "pass-on": f"/pass/{at.hostile}",
        "thread": f"/thread/{at.question}?open=1",
        "deliveries": "/deliveries",
        "delivery": f"/deliveries/{at.delivery}",
        "search": "/search?q=heroin",
        "statistics": "/statistics",
        "directory": "/directory",
        "substances": "/substances?q=heroin",
        "law": "/law?first=kaz&second=tjk",
        "write": "/write",
        **{f"form-{kind}": path for kind, path in zip(FORMS, forms, strict=True)},
        "form-wrong": f"{forms[0]}?check=1",
        "reply": f"/reply/{at.hostile}",
        "approve": "/approve",
        "export": "/export",
        "import": "/import",
        "operations": "/operations",
        "retention": "/retention?days=365",
        "audit": "/audit",
        "reconcile": "/audit/reconcile",
        "trail": f"/audit/trail/{at.notice}",
        "evidence": f"/audit/evidence/{at.notice}",
        "retention-message": f"/retention/message/{at.notice}",
        "settings": "/settings",
    }


def main() -> int:
    """Make the pictures."""
    if chromium() is None:
        print("no Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    os.environ["TZ"] = ZONE
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="paiza-screenshots-") as temporary,
        morning(Path(temporary)) as at,
        serving(at.home, PROFILE) as link,
        sync_playwright() as playwright,
    ):
        origin = link.partition("/launch")[0]
        browser = launch(playwright)
        shown = pages(at, begin_drafts(browser, second_link(at.home, PROFILE)))
        for theme in ("light", "dark"):
            for width in WIDTHS:
                context = browser.new_context(
                    color_scheme=theme, viewport={"width": width, "height": 900}, timezone_id=ZONE
                )
                page = context.new_page()
                page.goto(second_link(at.home, PROFILE))
                page.wait_for_url(f"{origin}/tasks")
                for lang in ("en", "ru"):
                    page.goto(f"{origin}/settings")
                    page.locator(f"#main button[name=language][value={lang}]").click()
                    for name, path in shown.items():
                        if sys.argv[2:] and name not in sys.argv[2:]:
                            continue
                        page.goto(origin + path)
                        page.screenshot(path=folder / f"{name}.{lang}.{theme}.{width}.png", full_page=True)
                context.close()
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
