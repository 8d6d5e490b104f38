"""A working day of four members through the pages alone, in both languages: nobody types a command."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PROFILE
from tests.browser.officers import Officer, draft, playing, when
from tests.browser.surroundings import Morning

Play = Callable[[str], Officer]

SECOND = "authoriser"
BRIDGE, GATE = "Invented Bridge", "Invented Steppe Gate"


@pytest.fixture(params=["en", "ru"])
def lang(request: pytest.FixtureRequest) -> str:
    """Each language in turn."""
    return str(request.param)


@pytest.fixture
def play(browser: Browser, at: Morning, origin: str, lang: str) -> Iterator[Play]:
    """Gives the officer of a profile, at a console in this language."""
    with playing(browser, at.home, lang, {PROFILE: origin}) as found:
        yield found


def own(lang: str, number: str) -> str:
    """Return a number of this language's day: notices of the same number would be versions of one."""
    return f"DAY-{lang}-{number}"


def test_notices_questions_and_a_flash_message(play: Play, lang: str) -> None:
    """Seizures are notified, an annex is opened with a reason, a question is answered in its thread, FLASH arrives."""
    kaz, tjk, uzb = play("kaz-liaison"), play("tjk-liaison"), play("uzb-duty")
    notice = kaz.write("seizure-notice", draft("seizure.yaml", lang, **{"content.notice_id": own(lang, "1")}))
    uzb.until_listed("inbox", notice)
    expect(uzb.page.locator("main")).to_contain_text("12")
    nominal = tjk.write(
        "seizure-notice", draft("seizure-with-persons.yaml", lang, **{"content.notice_id": own(lang, "2")})
    )
    kaz.until_listed("inbox", nominal)
    expect(kaz.page.locator("main")).not_to_contain_text("Fictional")
    kaz.page.locator("#reason").fill("EXERCISE-2: is the driver known?")
    kaz.press(kaz.page.locator("#annex form button"))
    expect(kaz.page.locator("#annex")).to_contain_text("Fictional")

    asked = kaz.write("information-request", draft("request.yaml", lang, **{"content.reference": own(lang, "3")}))
    tjk.until_listed("inbox", asked)
    given = draft("answer.yaml", lang)
    tjk.answer("information-answer", {name: text for name, text in given.items() if name != "to"})
    kaz.until(f"/thread/{asked}?open=1", kaz.page.locator("main", has_text="Nothing is known of the owner."))

    tjk.go("/inbox")
    subject = f"A second lorry is moving ({lang})"
    sent = uzb.write("free-message", draft("flash.yaml", lang, **{"content.subject": subject}))
    expect(tjk.page.locator("#arrivals")).to_be_visible(timeout=30_000)
    tjk.press(tjk.page.locator("#arrivals a"))
    tjk.until_listed("inbox", sent)
    expect(tjk.page.locator("h1")).to_have_text(subject)


def test_a_controlled_delivery_to_its_end(play: Play, lang: str) -> None:
    """Three states authorise, sign a plan, hand over twice, report and close; each step is begun on its page."""
    tjk, uzb, kaz = (play(f"{member}-liaison") for member in ("tjk", "uzb", "kaz"))
    request = draft("cd-request.yaml", lang, **{"content.reference": own(lang, "CD")}) | {"to": "uzb\nkaz"}
    thread = tjk.write("cd-request", request)
    uzb.step(thread, "cd-acknowledgement", {})
    uzb.step(thread, "cd-conditions", draft("cd-conditions.yaml", lang))
    tjk.step(thread, "cd-conditions-answer", draft("cd-conditions-answer.yaml", lang))
    for member in ("tjk", "uzb", "kaz"):
        play(f"{member}-liaison").step(thread, "cd-authorisation", draft("cd-authorisation.yaml", lang), SECOND)
        play(f"{member}-authoriser").approve("")
    tjk.step(thread, "cd-plan", draft("cd-plan.yaml", lang), SECOND)
    play("tjk-authoriser").approve("")
    tjk.step(thread, "cd-activation", {"content.started_at": when(0, lang)})
    for giver, taker, point in (("tjk", "uzb", BRIDGE), ("uzb", "kaz", GATE)):
        offer = {"content.taker": taker, "content.point": point, "content.planned": when(0, lang)}
        play(f"{giver}-duty").step(thread, "cd-handover-offer", offer)
        play(f"{taker}-duty").step(thread, "cd-handover-acceptance", {"content.taken_at": when(0, lang)})
    play("kaz-duty").step(thread, "cd-delivered", draft("cd-delivered.yaml", lang))
    kaz.step(thread, "cd-outcome", draft("cd-outcome.yaml", lang))
    kaz.until(f"/deliveries/{thread}", kaz.page.locator("#next .hint"))  # how it comes to its end
    returned = draft("cd-evidence-return.yaml", lang) if lang == "en" else {"content.nothing_to_return": "true"}
    kaz.step(thread, "cd-evidence-return", returned)
    tjk.step(thread, "cd-closing", {"content.remarks": "The exercise is over."})
    for officer in (tjk, uzb, kaz):
        officer.until(f"/deliveries/{thread}", officer.page.locator("a.title[href^='/message/']").nth(16))
        expect(officer.page.locator("main .no-effect")).to_have_count(0)
        expect(officer.page.locator("details.danger-act")).to_have_count(0)
        officer.go("/deliveries")
        expect(officer.page.locator("main")).not_to_contain_text(thread)


def test_a_stop_and_its_acknowledgement(play: Play, lang: str) -> None:
    """A state stops a delivery with two gestures; the others see who stopped it, and acknowledge."""
    tjk, kaz = play("tjk-liaison"), play("kaz-liaison")
    request = draft("cd-request.yaml", lang, **{"content.reference": own(lang, "STOP")}) | {"to": "uzb\nkaz"}
    thread = tjk.write("cd-request", request)
    kaz.until(f"/deliveries/{thread}", kaz.page.locator("details.danger-act summary"))
    kaz.page.locator("details.danger-act summary").click()
    kaz.press(kaz.page.locator("details.danger-act form button"))
    tjk.until(f"/deliveries/{thread}", tjk.page.locator(".danger-notice [value=cd-acknowledgement]"))
    tjk.press(tjk.page.locator(".danger-notice [value=cd-acknowledgement]"))
    tjk.send({})
    kaz.until(f"/deliveries/{thread}", kaz.page.locator(".timeline li").nth(2))
    expect(kaz.page.locator(".danger-act")).to_have_count(0)


def test_a_recall_signed_by_two(play: Play, lang: str) -> None:
    """What was sent in error is recalled by two; its holder opens it with a reason only."""
    uzb, kaz = play("uzb-liaison"), play("kaz-liaison")
    subject = f"Sent in error ({lang})"
    thread = uzb.write("free-message", draft("while-away.yaml", lang, to="kaz", **{"content.subject": subject}))
    kaz.until_listed("inbox", thread)
    read = kaz.page.url.removeprefix(kaz.origin)
    uzb.until_listed("sent", thread)
    uzb.press(uzb.page.locator("form[action^='/recall/'] button"))
    uzb.send({"content.reason": "sent-in-error", "content.explanation": "Exercise: the wrong list."}, SECOND)
    play("uzb-authoriser").approve("")
    closed = kaz.page.locator("#reason-main")
    kaz.until(read, closed)
    closed.fill("Exercise: the recall is checked.")
    kaz.press(kaz.page.locator("form:has(#reason-main) button"))
    expect(kaz.page.locator("main")).to_contain_text("Thursday")


def test_the_sender_of_a_plate_and_evidence_for_a_court(play: Play, tmp_path: Path) -> None:
    """A plate is found with the message that names it; its evidence file is saved, and checked by dropping it."""
    tjk = play("tjk-liaison")
    tjk.go("/search?q=EXERCISE+000")
    found = tjk.page.locator("main .row a.cover")
    expect(found.first).to_be_visible()
    tjk.press(found.first)
    tjk.press(tjk.page.locator("a[href^='/audit/trail/']").first)
    tjk.press(tjk.page.locator("main a[href^='/audit/evidence/']"))
    with tjk.page.expect_download() as saving:
        tjk.page.locator("form[action^='/audit/evidence/'] button.primary").click()
    file = tmp_path / saving.value.suggested_filename
    saving.value.save_as(file)
    tjk.go("/audit")
    tjk.page.locator("#evidence").set_input_files(file)
    tjk.press(tjk.page.locator("form[action='/audit/verify'] button"))
    expect(tjk.page.locator("h1 svg")).to_be_visible()
    file.write_bytes(file.read_bytes()[:-40] + bytes(40))
    tjk.go("/audit")
    tjk.page.locator("#evidence").set_input_files(file)
    tjk.press(tjk.page.locator("form[action='/audit/verify'] button"))
    expect(tjk.page.locator("[role=alert]")).to_be_visible()


def test_an_auditor_is_offered_nothing_to_send(play: Play) -> None:
    """The auditor reads logs; the page of writing offers no kind."""
    auditor = play("uzb-auditor")
    auditor.go("/audit")
    answer = auditor.page.goto(f"{auditor.origin}/write")
    assert answer is not None
    expect(auditor.page.locator("button[name=kind]")).to_have_count(0)
    assert re.search(r"role_missing|<h1", auditor.page.content())
