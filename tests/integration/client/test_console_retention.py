"""The console's pages of retention, and a task assigned from the page of its message; by plain requests."""

from datetime import datetime, timedelta
from pathlib import Path

from paiza_client.sdk import connect, messages
from paiza_officer import profiles
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_console_amending import arrived, send, shown
from tests.integration.client.test_console_files import finished
from tests.integration.client.test_console_writing import Form, browser, surroundings

__all__ = ["surroundings"]


async def test_a_message_is_held_kept_and_erased(paiza: Paiza, tmp_path: Path) -> None:
    """Each act needs a reason; a hold is listed and lifted; an erased copy is gone from the page of the message."""
    wanted = await send(paiza, tmp_path / "draft.yaml")
    path = f"/retention/message/{wanted}"
    async with browser("kaz-duty") as console:
        assert (await console.post(path, {"act": "hold"})).status == 400
        assert (await console.post(path, {"act": "hold", "reason": "дело 17"})).headers["location"] == path
        assert "дело 17" in (await console.get("/retention/holds")).text
        assert "Удалить наш экземпляр" not in (await console.get(path)).text
        await console.post(path, {"act": "lift", "reason": "закрыто"})
        assert "дело 17" not in (await console.get("/retention/holds")).text
        until = datetime.now().astimezone() + timedelta(days=500)
        for wrong in ("вчера", "01.01.2020", ""):
            assert (await console.post(path, {"act": "keep", "reason": "идёт", "until": wrong})).status == 400
        kept = await console.post(path, {"act": "keep", "reason": "идёт", "until": f"{until:%d.%m.%Y}"})
        assert kept.headers["location"] == path
        asked = (await console.post(f"/erase/{wanted}", {})).headers["location"]
        assert dict(Form((await console.get(asked)).text).sent)["to"] == "tjk"
        await console.post(f"{asked}/delete", {})
        await console.post(path, {"act": "erase", "reason": "не нужно"})
        assert await shown(console, wanted, "Содержание на нашем узле удалено")
        for listed in (
            "/retention",
            "/retention?days=365",
            f"/retention?days={'9' * 5000}",
            "/retention/erasures",
            "/retention/erasures?overdue=1",
        ):
            assert (await console.get(listed)).status == 200, listed
    async with browser("kaz-auditor") as auditor:
        for listed in ("/retention", "/retention/holds", "/retention/erasures"):
            assert (await auditor.get(listed)).status == 200, listed


async def test_a_task_is_assigned_to_a_colleague(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """The page of the message offers units and colleagues; the task is of the one who was chosen."""
    wanted = await send(paiza, tmp_path / "draft.yaml")
    await arrived(federation, "tjk-duty", wanted)
    profile = profiles.load(federation.home / "tjk-liaison")
    async with browser("tjk-duty") as console:
        page = Form((await console.get(f"/message/{wanted}")).text)
        assert "Поручить" in page.text
        note = "ваш регион"
        done = await console.post(
            f"/message/{wanted}/task", {"act": "assign", "to": f"officer:{profile.id}", "note": note}
        )
        assert done.status == 303
    async with connect(profile) as session:
        message = await messages.find(session, wanted)
        assert (await session.tasks.by_message())[message.digest].assignee == str(profile.id)


async def test_a_count_is_saved_as_a_file() -> None:
    """The file holds the table with its mark; a format or a count that is not there is refused."""
    async with browser("kaz-liaison") as console:
        started = await console.post("/statistics", {"by": "substance", "since": "01.01.2020", "until": "31.12.2030"})
        await finished(console, started)
        job = started.headers["location"].rpartition("/")[2]
        saved = await console.post(f"/statistics/{job}/file", {"format": "csv"})
        assert "PAIZA_HANDLING" in saved.text
        assert (await console.post(f"/statistics/{job}/file", {"format": "exe"})).status == 404
        assert (await console.post("/statistics/none/file", {"format": "csv"})).status == 404
