"""The console's pages around the tasks: what others owe, the shift and its deputies; by plain requests."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paiza.content.v1.common_pb2 import Answer
from paiza.content.v1.information_pb2 import InformationAnswer
from paiza_client.sdk import connect, draft_store, handed_in, messages, replies
from paiza_officer import profiles
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_console_writing import Form, browser, command, surroundings
from tests.unit.paiza_client.web.asking import Browser

__all__ = ["surroundings"]

REQUEST = """\
kind: information-request
to: [tjk, uzb]
handling: {tlp: AMBER, code: H1, classification: 1}
review: 3 years
content:
  reference: EX-AWAITED
  subject: Exercise
  purposes: [investigate]
  facts: A lorry.
  why_addressee: It crossed.
  questions:
    - {number: 1, text: Whose is it?}
"""


async def reply(federation: Federation, request: str, status: str) -> None:
    """Answer a request as tjk, once its node has it."""
    content = InformationAnswer(reference="OUR-2", answers=[Answer(question_number=1, status=status, text="Invented.")])
    async with connect(profiles.load(federation.home / "tjk-liaison")) as session:
        page = await session.list_messages(id_prefix=request)
        for _attempt in range(400):
            if page.messages:
                break
            await asyncio.sleep(0.2)
            page = await session.list_messages(id_prefix=request)
        await replies.reply(session, page.messages[0], content)


async def owing(console: Browser, thread: str, until: str) -> str:
    """Return the row of a thread on the page of what others owe, once it says something, or is gone."""
    row = ""
    for _attempt in range(400):
        page = (await console.get("/tasks/awaited?period=30")).text
        rows = [each for each in re.findall(r"<li class=\"row.*?</form>", page, re.DOTALL) if thread in each]
        row = Form(rows[0]).text if rows else ""
        if until in row:
            break
        await asyncio.sleep(0.2)
    return row


async def listed_task(console: Browser, thread: str) -> str:
    """Return the row of a thread among the tasks, once it is there; empty where it never is."""
    for _attempt in range(400):
        page = (await console.get("/tasks")).text
        rows = [each for each in re.findall(r"<li class=\"row.*?</li>", page, re.DOTALL) if thread in each]
        if rows:
            return Form(rows[0]).text
        await asyncio.sleep(0.2)
    return ""


async def test_what_others_owe_is_listed_until_they_answer(
    paiza: Paiza, federation: Federation, tmp_path: Path
) -> None:
    """Each silent addressee is named; an interim answer keeps the request, a whole one takes the addressee away."""
    path = tmp_path / "request.yaml"
    path.write_text(REQUEST)
    sent = (await command(paiza, "kaz-liaison", "send", "information-request", path, "--json")).json
    async with browser("kaz-liaison") as console:
        row = await owing(console, sent["thread"], "ответа нет")
        assert row.count("ответа нет") == 2
        await reply(federation, sent["id"], "interim")
        row = await owing(console, sent["thread"], "только промежуточный ответ")
        assert row.count("ответа нет") == 1
        await reply(federation, sent["id"], "full")
        for _attempt in range(400):
            row = await owing(console, sent["thread"], "ответа нет")
            if "промежуточный" not in row:
                break
            await asyncio.sleep(0.2)
        assert row.count(": ") == 1, row
        page = (await console.get("/tasks/awaited?period=all&mine=1")).text
        assert sent["thread"] in page
        async with connect(profiles.find("kaz-liaison")) as session:
            request = await messages.find(session, sent["id"])
        reminder = await console.post("/tasks/awaited/remind", {"message": request.id, "member": "uzb"})
        form = dict(Form((await console.get(reminder.headers["location"])).text).sent)
        assert (form["to"], form["in_reply_to"]) == ("uzb", request.id)
    async with browser("kaz-auditor") as auditor:
        assert (await auditor.get("/tasks/awaited")).status == 200


async def test_one_deadline_binds_and_says_why(paiza: Paiza, tmp_path: Path) -> None:
    """The author's deadline is that of the task; without one the usual deadline is, and each says so."""
    path, threads = tmp_path / "request.yaml", dict[str, str]()
    named = f"  deadline: {datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%MZ}\n"
    for reference, deadline in (("EX-NAMED", named), ("EX-USUAL", "")):
        text = REQUEST.replace("EX-AWAITED", reference).replace("[tjk, uzb]", "[tjk]")
        path.write_text(text.replace("  questions:", f"{deadline}  questions:"))
        sent = (await command(paiza, "kaz-liaison", "send", "information-request", path, "--json")).json
        threads[sent["thread"]] = "срок назвал автор" if deadline else "обычный срок, 7 дней: автор своего не назвал"
    async with browser("tjk-liaison") as console:
        for thread, why in threads.items():
            row = await listed_task(console, thread)
            assert why in row
            assert ("1 день" in row) == (why == "срок назвал автор")
    async with browser("kaz-liaison") as console:
        thread = next(iter(threads))
        assert "если автор назвал в запросе другой, действует он" in (await console.get(f"/thread/{thread}")).text
        assert "срок назвал автор" in (await console.get(f"/thread/{thread}?open=1")).text
        assert "срок назвал автор" in Form((await console.get("/tasks/awaited")).text).text


async def test_a_damaged_file_hides_no_task(federation: Federation) -> None:
    """What another program left unreadable is told above the list, which stands all the same."""
    profile = profiles.load(federation.home / "tjk-liaison")
    given = {"kind": "free-message", "to": ["kaz"], "handling": {"tlp": "AMBER", "code": "H2", "classification": 1}}
    content = {"subject": "Вымышлено", "text": "Вымышлено."}
    name = handed_in.put(profile, "CASE-TASKS", json.dumps(given | {"content": content}).encode()).draft
    path = profile.folder / handed_in.FOLDER / f"{name}.json"
    path.write_text("{")
    async with browser("tjk-liaison") as console:
        page = await console.get("/tasks")
        assert page.status == 200
        assert 'role="alert"' in page.text
        assert "group-1" in page.text
        path.unlink()
        draft_store.remove(profile, name)
        assert 'role="alert"' not in (await console.get("/tasks")).text


async def test_a_shift_is_handed_over_and_a_deputy_appointed() -> None:
    """Notes are left and handed over; a deputy acts until a stated time, and the appointment is ended by hand."""
    async with browser("kaz-liaison") as console:
        await console.post("/tasks/notes", {"text": "Позвонить в Душанбе", "act": "note", "back": "/tasks/shift"})
        assert "Позвонить в Душанбе" in (await console.get("/tasks/shift")).text
        done = await console.post("/tasks/notes", {"text": "Всё сделано", "act": "hand_over", "back": "/tasks/shift"})
        assert done.headers["location"] == "/tasks/shift"
        shown = (await console.get("/tasks/shift")).text
        assert "Всё сделано" in shown
        assert "Позвонить в Душанбе" not in shown
        wrong = {"deputy": "duty", "until": "31.12.2031", "until_time": "полдень"}
        assert (await console.post("/tasks/deputy", wrong)).status == 400
        last = f"{datetime.now().astimezone() + timedelta(days=20):%d.%m.%Y}"
        asked = {"deputy": "duty", "until": last, "until_time": "18:00", "back": "/tasks/shift"}
        appointed = await console.post("/tasks/deputy", asked)
        assert appointed.headers["location"] == "/tasks/shift"
        assert "18:00" in (await console.get("/tasks/shift")).text
        await console.post("/tasks/deputy/end", {"officer": "", "back": "/tasks/shift"})
        assert "Сейчас ни у кого нет заместителя" in (await console.get("/tasks/shift")).text
