"""The console's pages about what was sent: corrections, replacements, passing on with consent; by plain requests."""

import asyncio
import re
from pathlib import Path

from paiza_client.sdk import connect, messages
from paiza_officer import profiles
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_console_writing import Form, browser, command, press, surroundings
from tests.unit.paiza_client.web.asking import Answer, Browser

__all__ = ["surroundings"]

DRAFT = """\
kind: free-message
to: [tjk]
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  subject: Exercise
  text: The lorry is grey.
"""


async def send(paiza: Paiza, path: Path) -> str:
    """Send the draft as kaz; return the id."""
    await asyncio.to_thread(path.write_text, DRAFT)
    sent = (await command(paiza, "kaz-liaison", "send", "free-message", path, "--json")).json
    return str(sent["id"])


async def arrived(federation: Federation, profile: str, wanted: str, kind: str = "") -> str:
    """Wait until a node has a message, or one of a kind that follows from it; return its id."""
    async with connect(profiles.load(federation.home / profile)) as session:
        for _attempt in range(600):
            page = await session.list_messages(box="both", kind=kind)
            for each in page.messages:
                parents = [await messages.find(session, digest.hex()) for digest in each.header.parent_digests[:1]]
                if each.id == wanted or (kind and wanted in {parent.id for parent in parents}):
                    return each.id
            await asyncio.sleep(0.2)
    raise AssertionError(kind or wanted)


async def sign(console: Browser, preview: Answer) -> Form:
    """Sign what a preview shows; return the page with the receipt."""
    assert preview.status == 303, Form(preview.text).text
    path = preview.headers["location"].removesuffix("/preview")
    page = await console.get(f"{path}/preview")
    assert page.status == 200, Form(page.text).text
    fields = dict(Form(page.text).sent)
    sent = await console.post(
        f"{path}/send", {key: fields[key] for key in ("_fingerprint", "_second") if key in fields}
    )
    assert sent.status == 303, Form(sent.text).text
    return Form((await console.get(sent.headers["location"])).text)


async def shown(console: Browser, wanted: str, word: str) -> bool:
    """Return whether the page of a message says a word after a while."""
    for _attempt in range(600):
        if word in (await console.get(f"/message/{wanted}")).text:
            return True
        await asyncio.sleep(0.2)
    return False


async def test_a_field_is_corrected_at_every_holder(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """The changed field alone stands in the correction; with nothing changed no draft is made; the holder sees it."""
    wanted = await send(paiza, tmp_path / "draft.yaml")
    await arrived(federation, "tjk-liaison", wanted)
    async with browser("kaz-liaison") as console:
        page = Form((await console.get(f"/correct/{wanted}")).text)
        said = dict(page.sent)
        assert said["field:text"] == "The lorry is grey."
        why = {"because": "slip", "explanation": "Описка"}
        same = await console.post(f"/correct/{wanted}/fields", {"field:text": said["field:text"], **why})
        assert same.headers["location"] == f"/correct/{wanted}"
        changed = {"field:text": "The lorry is red.", "field:subject": said["field:subject"], **why}
        await sign(console, await console.post(f"/correct/{wanted}/fields", changed))
        assert await shown(console, wanted, "Исправлено позже")
        original = (await console.get(f"/message/{wanted}")).text
        assert "<dt>Текст</dt><dd><del>The lorry is grey.</del> <ins>The lorry is red.</ins></dd>" in original
        row = Form((await console.get("/sent")).text).text
        assert "исправлено: здесь прежние значения" in row
    correction = await arrived(federation, "tjk-liaison", wanted, "correction")
    async with browser("tjk-liaison") as holder:
        text = Form((await holder.get(f"/message/{correction}")).text).text
        assert "Исправляет" in text
        assert "The lorry is red." in text
        assert "The lorry is grey." in text
        assert "Описка: Текст" in text
        foreign = await holder.get(f"/correct/{wanted}")
        assert foreign.status == 400


async def test_a_message_is_written_anew_and_announced(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """The new message goes to every holder, and the receipt leads to the announcement, which marks the old one."""
    wanted = await send(paiza, tmp_path / "draft.yaml")
    await arrived(federation, "tjk-liaison", wanted)
    async with browser("kaz-liaison") as console:
        draft = (await console.post(f"/correct/{wanted}/whole", {})).headers["location"]
        form = dict(Form((await console.get(draft)).text).sent)
        assert (form["to"], form["content.text"]) == ("tjk", "The lorry is grey.")
        preview = await console.get(f"{draft}/preview")
        fields = dict(Form(preview.text).sent)
        sent = await console.post(f"{draft}/send", {"_fingerprint": fields["_fingerprint"]})
        receipt = (await console.get(sent.headers["location"])).text
        assert f'href="/correct/{wanted}#announce"' in receipt
        offered = dict(Form((await console.get(f"/correct/{wanted}")).text).sent)
        assert offered["replacement"] == sent.headers["location"].rpartition("/")[2]
        told = {"replacement": offered["replacement"], "because": "slip", "explanation": "Всё заново"}
        await sign(console, await console.post(f"/correct/{wanted}/announce", told))
        assert await shown(console, wanted, "Его место заняла новая редакция")
        assert 'name="replacement"' not in (await console.get(f"/correct/{wanted}")).text
        newest = (await console.get(f"/message/{offered['replacement']}")).text
        assert f'href="/message/{wanted}">Предыдущая версия' in newest


async def test_consent_is_asked_granted_and_used(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """Without consent the node refuses, and the page says so; request and grant are filled in; then it passes."""
    wanted = await send(paiza, tmp_path / "draft.yaml")
    await arrived(federation, "tjk-liaison", wanted)
    async with browser("tjk-liaison") as console:
        page = (await console.get(f"/pass/{wanted}")).text
        assert "Нужно согласие автора" in page
        asked = {"to": "uzb", "purpose": "investigate", "reason": "тот же грузовик"}
        assert (await console.post(f"/pass/{wanted}", {**asked, "to": "", "act": "pass"})).status == 400
        refused = await console.post(f"/pass/{wanted}", {**asked, "act": "pass"})
        assert refused.status == 200
        assert "Что получилось" in refused.text
        assert 'value="тот же грузовик"' in refused.text
        draft = (await console.post(f"/pass/{wanted}", {**asked, "act": "ask"})).headers["location"]
        form = dict(Form((await console.get(draft)).text).sent)
        assert (form["to"], form["content.recipients"], form["content.reason"]) == ("kaz", "uzb", "тот же грузовик")
        fields = dict(Form((await console.get(f"{draft}/preview")).text).sent)
        await console.post(f"{draft}/send", {"_fingerprint": fields["_fingerprint"]})
    request = await arrived(federation, "kaz-liaison", wanted, "release-request")
    async with browser("kaz-liaison") as author, browser("kaz-authoriser") as second:
        draft = (await author.post(f"/reply/{request}", {"kind": "release-grant"})).headers["location"]
        grant = Form((await author.get(draft)).text)
        assert ("content.recipients", "uzb") in grant.sent
        assert len([name for name, _value in grant.sent if name == "in_reply_to"]) == 2
        await press(author, draft, grant.with_values({"content.until": "31.12.2099"}), "save")
        fields = dict(Form((await author.get(f"{draft}/preview?second=authoriser")).text).sent)
        sent = await author.post(f"{draft}/send", {key: fields[key] for key in ("_fingerprint", "_second")})
        assert sent.status == 303, Form(sent.text).text
        waits = sent.headers["location"].rpartition("/")[2]
        digest = dict(Form((await second.get(f"/approve/{waits}")).text).sent)["digest"]
        await second.post(f"/approve/{waits}/sign", {"digest": digest})
    await arrived(federation, "tjk-liaison", waits)
    async with browser("tjk-liaison") as console:
        passed = await console.post(f"/pass/{wanted}", {**asked, "act": "pass"})
        assert passed.headers["location"] == f"/pass/{wanted}#holders"
        page = (await console.get(f"/pass/{wanted}")).text
        assert re.search(r'value="uzb"[^>]* disabled', page)
