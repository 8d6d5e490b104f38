"""A joint operation in the console, by plain requests: reported on, a notice shared, figures computed and stated."""

from pathlib import Path

from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_console_amending import arrived
from tests.integration.client.test_console_writing import Form, browser, command, press, surroundings
from tests.integration.client.test_operations import NOTICE, OPERATION

__all__ = ["surroundings"]


async def test_an_operation_is_worked_on_from_its_page(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """Drafts are addressed within the limits; what the figures come from is opened once the officer asks for it."""
    drafts = {"operation": OPERATION.replace("OP-1", "OP-7"), "notice": NOTICE.replace("KAZ-EX-1", "KAZ-EX-7")}
    for name, text in drafts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    opened = (await command(paiza, "kaz-coordinator", "operation", "new", tmp_path / "operation.yaml", "--json")).json
    notice = (await command(paiza, "kaz-liaison", "send", "seizure-notice", tmp_path / "notice.yaml", "--json")).json
    await arrived(federation, "tjk-liaison", opened["id"])
    path = f"/operations/{opened['thread']}"
    async with browser("tjk-liaison") as console:
        assert opened["thread"] in (await console.get("/operations")).text
        page = Form((await console.get(path)).text)
        assert "The invented canal" in page.text
        draft = (await console.post(f"{path}/write", {"act": "report"})).headers["location"]
        form = Form((await console.get(draft)).text)
        assert ("to", "kaz") in form.sent
        assert ("to", "uzb") not in form.sent
        words = {
            "content.report_number": "Р-7",
            "content.from": "01.11.2026 00:00",
            "content.until": "02.11.2026 00:00",
            "content.situation": "Спокойно",
        }
        shown = await press(console, draft, form.with_values(words), "check")
        assert shown.status == 200, Form(shown.text).text
        fields = dict(Form(shown.text).sent)
        sent = await console.post(f"{draft}/send", {"_fingerprint": fields["_fingerprint"]})
        report = sent.headers["location"].rpartition("/")[2]
    await arrived(federation, "kaz-coordinator", report)
    async with browser("kaz-coordinator") as console:
        asked = {"act": "notice", "notice": notice["id"]}
        draft = (await console.post(f"{path}/write", asked)).headers["location"]
        shared = dict(Form((await console.get(draft)).text).sent)
        assert (shared["to"], shared["content.notice_id"]) == ("tjk", "KAZ-EX-7")
        await console.post(f"{draft}/delete", {})
        figures = Form((await console.get(f"{path}?counted=1")).text).text
        assert "Таджикистан (учебный узел) 1 0" in figures  # one report, no notice
        draft = (await console.post(f"{path}/write", {"act": "final"})).headers["location"]
        sheet = Form((await console.get(draft)).text)
        assert ("content.status", "final") in sheet.sent
        await console.post(f"{draft}/delete", {})
        change = (await console.post(f"{path}/write", {"act": "change"})).headers["location"]
        assert dict(Form((await console.get(change)).text).sent)["content.operation_version"] == "2"
        await console.post(f"{change}/delete", {})
        assert (await console.get("/operations/KAZ-2020-00001")).status == 400
