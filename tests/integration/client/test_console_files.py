"""Export and import in the console, by plain requests: cancelled, gone on with, and saved."""

import asyncio
import re
from pathlib import Path

import pytest

from paiza_client.data import exports
from paiza_client.data.exports import Intent, Order
from paiza_client.sdk import connect
from paiza_client.web import import_store
from paiza_client.web.opened import FOLDER
from paiza_officer import profiles
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_console_writing import Form, browser, command, surroundings
from tests.unit.paiza_client.web.asking import OWN, Answer, Browser

__all__ = ["surroundings"]

NOTE = """\
kind: free-message
to: [tjk]
handling: {tlp: AMBER, code: H0, classification: 0}
review: 3 years
content:
  subject: Exercise
  text: Nothing of this is real.
"""
HEADER = "Date,Member,Drug,Quantity,Unit,Agency\n"
TABLE = f"{HEADER}2024-03-01,KAZ,heroin,2.5,kg,Invented\n2024-03-01,KAZ,heroin,x,kg,Invented\n"
MAP = """\
source = "Invented"
columns = { date = "Date", member = "Member", drug = "Drug", quantity = "Quantity", unit = "Unit", agency = "Agency" }
dates = { formats = ["YYYY-MM-DD"] }

[tables.member]
KAZ = { member = "kaz", country = "KAZ" }
[tables.drug]
heroin = { group = "opioids", type = "heroin" }
[tables.unit]
kg = { unit = "kg" }
"""
ROWS = 900
LANDED = 512  # rows after which some were taken by the node: three batches of 128 are under way at most
ORDER = {"form": "full", "purpose": "investigate", "reason": "учебный экспорт", "audience": "own-unit"}


async def finished(console: Browser, started: Answer) -> Answer:
    """Follow long work to its end; return the page of its result."""
    assert started.status == 303, Form(started.text).text
    path, page = started.headers["location"], started
    for _attempt in range(1200):
        page = await console.get(path)
        if 'http-equiv="refresh"' not in page.text:
            return page
        await asyncio.sleep(0.1)
    raise AssertionError(Form(page.text).text)


async def bring(console: Browser, table: str, own_map: str) -> str:
    """Bring a table with its map; return the path of its page."""
    boundary = "--------paiza"
    login = console.console.login(console.cookie.partition("=")[2])
    assert login is not None
    parts = [
        f'name="form_token"\r\n\r\n{login.form_token}',
        f'name="table"; filename="journal.csv"\r\nContent-Type: text/csv\r\n\r\n{table}',
        f'name="map"; filename="map.toml"\r\nContent-Type: text/plain\r\n\r\n{own_map}',
    ]
    body = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {each}\r\n" for each in parts)
    headers = {
        "origin": OWN,
        "sec-fetch-site": "same-origin",
        "content-type": f"multipart/form-data; boundary={boundary}",
    }
    answer = await console.ask("POST", "/import", f"{body}--{boundary}--\r\n".encode(), headers)
    assert answer.status == 303, Form(answer.text).text
    return answer.headers["location"]


@pytest.fixture
async def sent(paiza: Paiza, tmp_path: Path) -> str:
    """The name of a thread of kaz."""
    path = tmp_path / "note.yaml"
    await asyncio.to_thread(path.write_text, NOTE)
    return str((await command(paiza, "kaz-liaison", "send", "free-message", path, "--json")).json["thread"])


async def test_an_export_is_saved(sent: str) -> None:
    """The file holds what was asked for, and is handed out until it is deleted; what is missing is refused before."""
    async with browser("kaz-liaison") as console:
        for lacking in ({"reason": ""}, {"purpose": ""}, {"audience": "outside"}, {"ids": ""}):
            wrong = await console.post("/export", {**ORDER, "ids": sent, **lacking})
            assert wrong.status == 400, lacking
        page = await finished(console, await console.post("/export", {**ORDER, "ids": sent}))
        assert "Выведено 1 сообщение" in page.text
        name = dict(Form(page.text).sent)["name"]
        assert name in (await console.get("/export")).text
        saved = await console.post("/export/save", {"name": name})
        assert "Nothing of this is real." in saved.text
        assert saved.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert (await console.post("/export/save", {"name": name})).text == saved.text
        await console.post("/export/delete", {"name": name})
        assert (await console.post("/export/save", {"name": name})).status == 404
        assert (await console.post("/export/save", {"name": "../profile.toml"})).status == 404
        assert (await console.post("/export/delete", {"name": "../profile.toml"})).status == 400


async def test_an_interrupted_export_is_gone_on_with(sent: str, federation: Federation) -> None:
    """It is listed with what was ordered; going on finishes it, giving it up deletes what is there."""
    profile = profiles.load(federation.home / "kaz-liaison")
    folder = profile.folder / "exports"
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    order = Order(Intent("own-unit", "kaz", "investigate", "прерванный"), names=(sent,), file_format="json")

    def interrupt(_done: int, _all: int) -> None:
        raise asyncio.CancelledError

    async with connect(profile) as session:
        for second in (1, 2):
            target = folder / f"full-20260101-00000{second}.json"
            with pytest.raises(asyncio.CancelledError):
                await exports.export_messages(session, target, order, on_progress=interrupt)
    async with browser("kaz-liaison") as console:
        page = (await console.get("/export")).text
        assert page.count("прерванный") == 2
        shown = await finished(console, await console.post("/export/continue", {"name": "full-20260101-000001.json"}))
        assert "Выведено 1 сообщение" in shown.text
        for name in ("full-20260101-000001.json", "full-20260101-000002.json"):
            await console.post("/export/delete", {"name": name})
        assert "прерванный" not in (await console.get("/export")).text
    assert not list(folder.iterdir())


async def test_a_table_is_checked_and_then_sent(federation: Federation) -> None:
    """The check sends nothing; what was checked is signed, and nothing else; a second run sends nothing."""
    profile = profiles.load(federation.home / "kaz-liaison")
    async with browser("kaz-liaison") as console:
        path = await bring(console, TABLE, MAP)
        page = await finished(console, await console.post(path, {"act": "check", "layout": "own", "tlp": "AMBER"}))
        assert "Вы подписываете 1 сообщение" in page.text
        assert "Отклонено" in page.text
        signed = dict(Form(page.text).sent)["fingerprint"]
        stale = await finished(console, await console.post(f"{path}/send", {"fingerprint": "0" * 64}))
        assert stale.status == 400
        sent = await finished(console, await console.post(f"{path}/send", {"fingerprint": signed}))
        assert "Отправлено 1 сообщение" in sent.text
        rejects = re.search(rf'href="({path}/rejects-[^"]+)"', sent.text)
        assert rejects is not None
        assert "2024-03-01,KAZ,heroin,x" in (await console.get(rejects[1])).text
        again = await finished(console, await console.post(f"{path}/send", {"fingerprint": signed}))
        assert "Отправлено 0 сообщений" in again.text
        wrong = await console.post(path, {"act": "check", "layout": "own", "tlp": "AMBER", "map_text": "source = 1"})
        assert wrong.status == 400
        await console.post(path, {"act": "delete"})
        assert (await console.get(path)).status == 400
    assert import_store.listed(profile) == []


async def test_an_import_is_cancelled_between_two_rows(federation: Federation) -> None:
    """Cancelled, it ends before the session does; what was sent is sent, and a second run sends the rest."""
    rows = "".join(f"2024-04-01,KAZ,heroin,{n}.125,kg,Invented\n" for n in range(1, ROWS + 1))
    async with browser("kaz-liaison") as console:
        path = await bring(console, HEADER + rows, MAP)
        page = await finished(console, await console.post(path, {"act": "check", "layout": "own", "tlp": "AMBER"}))
        signed = {"fingerprint": dict(Form(page.text).sent)["fingerprint"]}
        started = await console.post(f"{path}/send", signed)
        job = console.console.jobs.find(started.headers["location"].rpartition("/")[2])
        assert job is not None
        for _attempt in range(15000):
            if job.finished >= LANDED or job.done:
                break
            await asyncio.sleep(0.02)
        assert "Идёт 1 долгая работа" in (await console.get("/import")).text
        await console.post(f"{started.headers['location']}/cancel", {})
        assert job.task is not None
        await job.task
        assert job.cancelled
        rest = await finished(console, await console.post(f"{path}/send", signed))
        found = re.search(r"Отправлено(\d+)сообщени", "".join(Form(rest.text).text.split()))
        assert found is not None
        assert 0 < int(found[1]) < ROWS
        await console.post(path, {"act": "delete"})
    assert import_store.listed(profiles.load(federation.home / "kaz-liaison")) == []


async def test_a_role_that_opens_nothing_is_offered_no_files() -> None:
    """The menu of an auditor names neither export nor import, and their pages say why."""
    async with browser("kaz-auditor") as auditor:
        for path in ("/export", "/import"):
            page = await auditor.get(path)
            assert page.status == 200
            assert f'href="{path}"' not in page.text
            assert f'action="{path}"' not in page.text
            assert "Не для вашей роли" in page.text
    async with browser("kaz-liaison") as officer:
        assert 'href="/export"' in (await officer.get("/import")).text


async def test_a_second_officer_fetches_one_file_at_a_time(paiza: Paiza, tmp_path: Path) -> None:
    """A file is fetched when its link is followed, and no other with it."""
    paths = [tmp_path / f"{name}.txt" for name in ("one", "two")]
    for each in (tmp_path / "note.yaml", *paths):
        await asyncio.to_thread(each.write_text, NOTE)
    words = [word for each in paths for word in ("--attach", each)]
    told = await command(
        paiza, "kaz-liaison", "send", "free-message", tmp_path / "note.yaml", *words, "--second", "duty", "--json"
    )
    waits = str(told.json["id"])
    async with browser("kaz-duty") as console:
        assert f"/approve/{waits}/file/1" in (await console.get(f"/approve/{waits}")).text
        first = await console.get(f"/approve/{waits}/file/1")
        assert first.text == NOTE
        assert first.headers["content-disposition"] == 'attachment; filename="one.txt"'
        assert (await console.get(f"/approve/{waits}/file/1")).text == NOTE
        for wrong in ("0", "3", "9" * 5000):
            assert (await console.get(f"/approve/{waits}/file/{wrong}")).status == 404
        kept = [each.name for each in (console.console.profile.folder / FOLDER).rglob("*.txt")]
        assert kept == ["one.txt"]
