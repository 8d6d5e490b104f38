"""The console's pages for coordinators: two members reconciled, evidence made with a disclosed part and read again."""

import asyncio
from pathlib import Path

from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_console_amending import arrived
from tests.integration.client.test_console_files import finished
from tests.integration.client.test_console_writing import Form, browser, command, surroundings
from tests.unit.paiza_client.web.asking import OWN, Answer, Browser

__all__ = ["surroundings"]

OPEN_NOTE = """\
kind: free-message
to: [tjk]
handling: {tlp: GREEN, code: H0, classification: 0}
review: 3 years
content:
  subject: Exercise
  text: An open note.
"""


async def with_file(console: Browser, path: str, data: bytes) -> Answer:
    """Send a form with one file, as a browser does."""
    login = console.console.login(console.cookie.partition("=")[2])
    assert login is not None
    head = f'--b\r\nContent-Disposition: form-data; name="form_token"\r\n\r\n{login.form_token}\r\n'
    file = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\nContent-Type: x/y\r\n\r\n'
    headers: dict[str, str | None] = {
        "origin": OWN,
        "sec-fetch-site": "same-origin",
        "content-type": "multipart/form-data; boundary=b",
    }
    return await console.ask("POST", path, head.encode() + file.encode() + data + b"\r\n--b--\r\n", headers)


async def test_two_members_are_reconciled(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """The comparison is shown, packed and closed; nobody but a coordinator is offered it; a bad period is refused."""
    path = tmp_path / "note.yaml"
    await asyncio.to_thread(path.write_text, OPEN_NOTE)
    sent = (await command(paiza, "kaz-liaison", "send", "free-message", path, "--json")).json
    await arrived(federation, "tjk-liaison", sent["id"])
    async with browser("kaz-coordinator") as console:
        asked = {"one": "kaz", "other": "tjk", "since": "01.01.2020", "keep": "1", "overdue": "1440"}
        assert (await console.post("/audit/reconcile", {**asked, "other": "kaz"})).status == 400
        assert (await console.post("/audit/reconcile", {**asked, "other": "kaz", "overdue": "9" * 20})).status == 400
        assert (await console.post("/audit/reconcile", {**asked, "other": "kaz", "overdue": "9" * 5000})).status == 400
        started = await console.post("/audit/reconcile", asked)
        page = await finished(console, started)
        assert "сходятся" in page.text
        job = started.headers["location"].rpartition("/")[2]
        packed = await console.post(f"/audit/reconcile/{job}/file", {})
        assert packed.headers["content-disposition"].endswith('.comparison"')
        again = await with_file(console, "/audit/reconcile/check", packed.data)
        assert "Сверено заново по файлу" in again.text
        closed = await console.post(f"/audit/reconcile/{job}/close", {})
        if closed.status == 303:
            assert "Закрыт: об этом записано" in (await console.get(f"/jobs/{job}")).text
        assert (await console.post("/audit/reconcile/no-such-job/close", {})).status == 404
    async with browser("kaz-auditor") as auditor:
        assert "Сверяют только координаторы" in (await auditor.get("/audit/reconcile")).text
        wrong = await with_file(auditor, "/audit/reconcile/check", b"no comparison")
        assert wrong.status == 400


async def test_a_disclosed_part_is_read_from_the_evidence(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """A file with a disclosed part shows it when it is checked; without receiver or reason none is made."""
    path = tmp_path / "note.yaml"
    await asyncio.to_thread(path.write_text, OPEN_NOTE)
    sent = (await command(paiza, "kaz-liaison", "send", "free-message", path, "--json")).json
    await arrived(federation, "tjk-liaison", sent["id"])
    async with browser("kaz-coordinator") as console:
        asked = {"part": "0", "whom": "Суд", "reason": "дело 1", "purpose": "prosecute"}
        for lacking in ("whom", "reason"):
            refused = await console.post(f"/audit/evidence/{sent['id']}", {**asked, lacking: ""})
            assert refused.status == 400, lacking
        made = await console.post(f"/audit/evidence/{sent['id']}", asked)
        assert made.headers["content-disposition"].endswith('.evidence"')
    async with browser("kaz-auditor") as auditor:
        sealed = await auditor.post(f"/audit/evidence/{sent['id']}", {"openings": "1"})
        assert "Раскрыто" not in (await with_file(auditor, "/audit/verify", sealed.data)).text
        shown = await with_file(auditor, "/audit/verify", made.data)
        assert shown.status == 200
        assert "An open note." in shown.text
        assert "Раскрыто: основная часть" in Form(shown.text).text
        assert (await with_file(auditor, "/audit/verify", made.data[:-9])).status == 400
