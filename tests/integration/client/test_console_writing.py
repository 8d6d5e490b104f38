"""Writing in the console, by plain requests and without its script: from the choice of a kind to the receipt."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from typing_extensions import override

from paiza_client.sdk import draft_store, drafts, handed_in, sending
from paiza_client.web import language, writing
from paiza_client.web.console import Console
from paiza_officer import profiles
from paiza_officer.errors import Refused
from tests.federation import Federation
from tests.integration.client.conftest import Paiza, Ran
from tests.unit.paiza_client.web.asking import OWN, Answer, Browser

# A person's data to more than one member: two officers sign.
REQUEST = {
    "content.reference": "ОП-7",
    "content.subject": "Владелец машины",
    "content.purposes": "investigate",
    "content.facts": "Вымышленный грузовик.",
    "content.why_addressee": "Пересёк границу",
    "content.questions[0].text": "Кому он принадлежит?",
}
NOTICE = {
    "content.notice_id": "КЗ-1",
    "content.seized_at": "20.11.2026 02:15",
    "content.reporting_agency": "Вымышленная таможня",
    "content.place.country": "Казахстан",
    "content.substances[0].as_named": "героин",
    "content.substances[0].drug_group": "Опиоиды",
    "content.substances[0].quantity": "12,5 кг",
}

CD_REQUEST = Path(__file__).parents[2] / "demo" / "drafts" / "cd-request.yaml"

Pairs = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def surroundings(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use the federation's profiles and Russian, and English again afterwards."""
    monkeypatch.setenv("PAIZA_HOME", str(federation.home))
    language.use("ru")
    yield
    language.use("en")


@asynccontextmanager
async def browser(profile: str) -> AsyncIterator[Browser]:
    """Sign in to the console of a profile."""
    console = Console(profiles.find(profile))
    await console.open(lambda: b"")
    try:
        yield await Browser(console).sign_in()
    finally:
        await console.lock()


async def command(paiza: Paiza, *arguments: str | Path) -> Ran:
    """Call `paiza` beside the running loop, and return to Russian."""
    ran = await asyncio.to_thread(paiza, *arguments)
    language.use("ru")
    return ran


class Form(HTMLParser):
    """What a browser would send of the form of a page, and what the page says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: Pairs = []
        self.words: list[str] = []
        self._select = self._textarea = ""
        self._first: str | None = None
        self._folded = 0
        self.shown: set[str] = set()
        """The names of the fields that a person sees before they unfold anything."""
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = found.get("name", "")
        self._folded += tag == "details"
        if tag in {"input", "select", "textarea"} and found.get("type") != "hidden" and not self._folded:
            self.shown.add(name)
        match tag:
            case "input" if found.get("type") in {"checkbox", "radio"}:
                if "checked" in found:
                    self.sent.append((name, found.get("value", "on")))
            case "input" if name and found.get("type") != "file":
                self.sent.append((name, found.get("value", "")))
            case "select":
                self._select, self._first = name, None
            case "option" if self._select:
                if self._first is None:
                    self._first = found["value"]
                if "selected" in found:
                    self._first = found["value"]
            case "textarea":
                self._textarea = name
                self.sent.append((name, ""))

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            self.sent.append((self._select, self._first or ""))
            self._select = ""
        if tag == "textarea":
            self._textarea = ""
        self._folded -= tag == "details"

    @override
    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.sent[-1] = (self._textarea, data.removeprefix("\n"))
        self.words.append(data)

    @property
    def text(self) -> str:
        """All words of the page."""
        return " ".join(" ".join(self.words).split())

    def with_values(self, values: dict[str, str], *more: tuple[str, str]) -> Pairs:
        """Return what would be sent once a person has typed these values."""
        names = {name for name, _value in self.sent}
        assert set(values) <= names, set(values) - names
        kept = [(name, values.get(name, value)) for name, value in self.sent if name not in {"q", "language", "back"}]
        return [*kept, *more]


async def press(browser: Browser, path: str, pairs: Pairs, button: str) -> Answer:
    """Send the form of a draft with one of its buttons, and follow where it leads."""
    body = urlencode([*pairs, ("_do", button)]).encode()
    headers = {"origin": OWN, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
    answer = await browser.ask("POST", path, body, headers)
    assert answer.status == 303, answer.text
    return await browser.get(answer.headers["location"].partition("#")[0])


async def begin(browser: Browser, kind: str) -> tuple[str, Form]:
    """Begin a draft of a kind; return its path and its form."""
    answer = await browser.post("/write", {"kind": kind})
    path = answer.headers["location"]
    return path, Form((await browser.get(path)).text)


async def test_two_windows_overwrite_nothing_of_each_other(federation: Federation) -> None:
    """The one that saves second is told so and keeps its words; what is saved again replaces the other knowingly."""
    profile = profiles.load(federation.home / "kaz-liaison")
    async with browser("kaz-liaison") as console:
        path, first = await begin(console, "free-message")
        second, name = Form((await console.get(path)).text), path.rpartition("/")[2]
        await press(console, path, first.with_values({"content.text": "Первое окно."}), "save")
        pairs = second.with_values({"content.text": "Второе окно."})
        headers = {"origin": OWN, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
        quiet = await console.ask("POST", path, urlencode([*pairs, ("_do", "autosave")]).encode(), headers)
        assert quiet.status == 409
        assert "Не сохранено" in json.loads(quiet.data)["saved"]
        told = await console.ask("POST", path, urlencode([*pairs, ("_do", "save")]).encode(), headers)
        assert told.status == 400
        assert "Черновик уже другой" in told.text
        assert "Первое окно." in draft_store.read_text(profile, name)
        kept = Form(told.text)
        assert dict(kept.sent)["content.text"] == "Второе окно."
        again = kept.with_values({})
        await press(console, path, again, "save")
        assert "Второе окно." in draft_store.read_text(profile, name)
        await press(console, path, again, "save")  # a button that is pressed twice
        draft_store.remove(profile, name)


async def test_a_notice_is_written_put_right_and_sent_without_a_script(federation: Federation) -> None:
    """Faults stand in a summary and at their fields; what is previewed is sent, once, and its receipt is shown."""
    async with browser("kaz-liaison") as console:
        path, form = await begin(console, "seizure-notice")
        assert len(form.shown - {"q"}) <= 40
        answer = await press(console, path, form.with_values(NOTICE, ("to", "tjk")), "add:content.transport")
        form = Form(answer.text)
        wrong = {"content.transport[0].container_number": "CSQU3054384", "content.seized_at": "вчера"}
        answer = await press(console, path, form.with_values(wrong), "check")
        assert answer.status == 400
        faulty = Form(answer.text)
        assert "Исправьте 2 поля" in faulty.text
        assert 'href="#content.transport[0].container_number"' in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert "12,5 килограмма = 12 500 г" in faulty.text.replace("\xa0", " ")
        assert "Героин, CAS 561-27-3" in faulty.text
        right = {"content.transport[0].container_number": "CSQU3054383", "content.seized_at": "20.11.2026 02:15"}
        answer = await press(console, path, faulty.with_values(right), "check")
        assert answer.status == 200
        shown = Form(answer.text)
        assert "Вы подписываете ровно то, что здесь показано" in shown.text
        assert "Казахстан" in shown.text
        assert "Карта" in shown.text
        fingerprint = dict(shown.sent)["_fingerprint"]
        stale = await console.post(f"{path}/send", {"_fingerprint": "0" * 64})
        assert stale.headers["location"].startswith(f"{path}/preview")
        profile, name = profiles.load(federation.home / "kaz-liaison"), path.rpartition("/")[2]
        text = draft_store.read_text(profile, name)
        both = await asyncio.gather(*(console.post(f"{path}/send", {"_fingerprint": fingerprint}) for _ in "12"))
        assert len({each.headers["location"] for each in both}) == 1
        receipt = Form((await console.get(both[0].headers["location"])).text)
        assert "Отправлено: KAZ-" in receipt.text
        assert "доказано журналом вашего узла" in receipt.text
        assert name not in {each.name for each in draft_store.stored(profile)}
        # A later draft of the same name is another message, and was not sent.
        draft_store.write_text(profile, name, text.replace("КЗ-1", "КЗ-2"))
        other = await console.post(f"{path}/send", {"_fingerprint": "0" * 64})
        assert other.headers["location"].startswith(f"{path}/preview")
        draft_store.remove(profile, name)
        await console.console.lock()
        locked = await console.get(both[0].headers["location"])
        assert locked.headers["location"].startswith("/unlock")


async def test_what_changes_while_it_is_signed_is_not_lost(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case system cannot replace the draft meanwhile; what the officer writes in another window stays a draft."""
    profile = profiles.load(federation.home / "kaz-liaison")
    content = {"subject": "Вымышлено", "text": "Первое."}
    given = {"kind": "free-message", "to": ["tjk"], "handling": {"tlp": "AMBER", "code": "H2", "classification": 1}}
    name = handed_in.put(profile, "CASE-1", json.dumps(given | {"content": content}).encode()).draft
    newer = json.dumps(given | {"content": content | {"text": "Второе."}}).encode()
    refused: list[str] = []
    really_send = sending.send

    async def send(*of: Any, **options: Any) -> Any:
        try:
            handed_in.put(profile, "CASE-1", newer)
        except Refused as error:
            refused.append(error.detail)
        sent = await really_send(*of, **options)
        text, version = {"content.text": "Третье."}, writing.version_of(profile, name)
        writing.save(profile, name, drafts.find_kind("free-message"), text, version)
        return sent

    monkeypatch.setattr(sending, "send", send)
    async with browser("kaz-liaison") as console:
        assert "Дописать и подписать: Сообщение в свободной форме" in Form((await console.get("/tasks")).text).text
        shown = dict(Form((await console.get(f"/write/{name}/preview")).text).sent)
        sent = await console.post(f"/write/{name}/send", {"_fingerprint": shown["_fingerprint"]})
        receipt = Form((await console.get(sent.headers["location"])).text).text
        assert "Отправлено: KAZ-" in receipt
        assert "черновик остаётся" in receipt
    assert refused == ["signing"]
    assert "Третье." in draft_store.read_text(profile, name)
    assert handed_in.find(profile, "CASE-1").state is handed_in.State.SENT
    draft_store.remove(profile, name)


async def test_two_officers_sign_what_they_read(paiza: Paiza) -> None:
    """A request about a person waits for the second officer, who sees what changed since the version they declined."""
    async with browser("kaz-liaison") as console, browser("kaz-duty") as colleague:
        waits = ""
        for facts, surname in (("Грузовик.", "Вымышленный"), ("Грузовик, красный.", "Придуманный")):
            path, form = await begin(console, "information-request")
            words = {key: text for key, text in REQUEST.items() if key in dict(form.sent)} | {"content.facts": facts}
            if facts != "Грузовик.":
                words["urgency"] = "priority"
            pairs = form.with_values(words, ("content.purposes", "investigate"), ("to", "tjk"), ("to", "uzb"))
            answer = await press(console, path, pairs, "add:annex.persons")
            form = Form(answer.text)
            person = {
                "annex.persons[0].surname": surname,
                "annex.persons[0].role": "driver",
                "annex.persons[0].category": "other",
            }
            answer = await press(console, path, form.with_values(person), "check")
            assert answer.status == 400
            assert "Нужны подписи двух сотрудников: выберите второго." in Form(answer.text).text
            form = Form(answer.text)
            second = [each for each in form.with_values({}) if each[0] != "_second"]
            answer = await press(console, path, [*second, ("_second", "duty")], "check")
            assert answer.status == 200, Form(answer.text).text
            fields = dict(Form(answer.text).sent)
            sent = await console.post(f"{path}/send", {key: fields[key] for key in ("_fingerprint", "_second")})
            assert "ждёт подписи: duty" in Form((await console.get(sent.headers["location"])).text).text
            waits = sent.headers["location"].rpartition("/")[2]
            page = await colleague.get(f"/approve/{waits}")
            assert "Сведения о лицах уходят более чем одному участнику." in html.unescape(page.text)
            assert "На вашу подпись: Запрос о предоставлении информации" in Form(page.text).text
            assert f"/approve/{waits}" in (await colleague.get("/tasks?scope=mine")).text
            assert surname in page.text
            if facts == "Грузовик.":
                refused = await colleague.post(f"/approve/{waits}/decline", {"reason": ""})
                assert refused.status == 400
                await colleague.post(f"/approve/{waits}/decline", {"reason": "какой цвет?"})
                continue
            assert "какой цвет?" in page.text
            assert re.search(r"<ins>[^<]*красный", page.text)
            assert re.search(r"<del>Вымышленный</del>", page.text)
            assert re.search(r"<dt>Срочность</dt><dd><del>[^<]+</del> <ins>[^<]+</ins>", page.text)
            shown = dict(re.findall(r"<div><dt>([^<]+)</dt><dd>([^<]+)</dd></div>", page.text))
            assert "TLP:AMBER" in shown["Ограничения на использование"]
            assert shown["Пересмотреть"]
            assert shown["Подписи"] == "liaison, duty"
            digest = dict(Form(page.text).sent)["digest"]
            unread = await colleague.post(f"/approve/{waits}/sign", {"digest": "0" * 64})
            assert unread.headers["location"] == f"/approve/{waits}"
            signed = await colleague.post(f"/approve/{waits}/sign", {"digest": digest})
            assert signed.headers["location"] == f"/message/{waits}"
            assert f"/approve/{waits}" not in (await colleague.get("/tasks")).text
    listed = (await command(paiza, "kaz-liaison", "inbox", "--sent", "--json")).json
    assert waits in {each["id"] for each in listed["messages"]}


async def test_the_second_officer_sees_the_places_on_a_map(paiza: Paiza, tmp_path: Path) -> None:
    """The map of the message stands on the page of its approval, once, as it does in the preview."""
    draft = tmp_path / "seizure.yaml"
    draft.write_text(CD_REQUEST.with_name("seizure.yaml").read_text("utf-8").replace("[tjk, uzb, centre]", "[tjk]"))
    waits = await command(paiza, "kaz-liaison", "send", "seizure-notice", draft, "--second", "duty", "--json")
    async with browser("kaz-duty") as colleague:
        page = await colleague.get(f"/approve/{waits.json['id']}")
        assert page.text.count('<svg class="map"') == 1
        assert "Место изъятия" in Form(page.text.partition("map-list")[2]).text
        await colleague.post(f"/approve/{waits.json['id']}/decline", {"reason": "учение"})


async def test_a_draft_of_the_command_line_opens_and_the_other_way(federation: Federation, paiza: Paiza) -> None:
    """One folder of drafts: what one wrote the other reads; hostile words stay words."""
    profile = profiles.load(federation.home / "kaz-liaison")
    hostile = "<script>alert(1)</script> {{7*7}} \"'&\u202e"
    draft_store.write_text(
        profile, "by-hand", f"kind: free-message\nto: tjk\ncontent:\n  subject: {hostile[:25]}\n  x: 1\n"
    )
    async with browser("kaz-liaison") as console:
        page = await console.get("/write/by-hand")
        assert "content.x" in page.text
        assert "<script>alert" not in page.text
        pairs = Form(page.text).with_values({"content.subject": hostile, "content.text": f"a\n{hostile}"})
        saved = await press(console, "/write/by-hand", pairs, "save")
        assert "<script>alert" not in saved.text
        assert "{{7*7}}" in saved.text
    path = draft_store.path_of(profile, "by-hand")
    checked = await command(paiza, "kaz-liaison", "send", "free-message", path, "--dry-run", "--json")
    assert "U+202E" in checked.err
    draft_store.remove(profile, "by-hand")


async def test_what_no_form_asks_is_refused() -> None:
    """A field that the form does not have, a draft that is not there, a name that leads elsewhere: none is taken."""
    async with browser("kaz-liaison") as console:
        path, form = await begin(console, "free-message")
        body = urlencode([*form.with_values({}), ("content.secret", "1"), ("_do", "save")]).encode()
        headers = {"origin": OWN, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
        assert (await console.ask("POST", path, body, headers)).status == 400
        assert (await console.get("/write/no-such-draft")).status == 400
        assert (await console.get("/write/..%2f..%2fprofile")).status in {400, 404}
        await console.post(f"{path}/delete", {})


async def test_an_answer_is_made_from_the_request(paiza: Paiza, federation: Federation) -> None:
    """The answer stands in the thread of the request, to its author, with an entry for each of its questions."""
    text = (
        "kind: information-request\nto: [tjk]\nhandling: {tlp: AMBER, code: H1, classification: 1}\nreview: 3 years\n"
        "content:\n  reference: EX-9\n  subject: Exercise\n  purposes: [investigate]\n  facts: A lorry.\n"
        "  why_addressee: It crossed.\n  questions:\n"
        "    - {number: 1, text: Whose is it?}\n    - {number: 2, text: When?}\n"
    )
    path = federation.home.parent / "request.yaml"
    path.write_text(text)
    sent = (await command(paiza, "kaz-liaison", "send", "information-request", path, "--json")).json
    async with browser("tjk-liaison") as console:
        for _attempt in range(400):  # until the node has it
            if (await console.get(f"/reply/{sent['id']}")).status == 200:
                break
            await asyncio.sleep(0.3)
        answer = await console.post(f"/reply/{sent['id']}", {"kind": "information-answer"})
        form = dict(Form((await console.get(answer.headers["location"])).text).sent)
        assert form["to"] == "kaz"
        assert form["in_reply_to"] == sent["id"]
        assert [form[f"content.answers[{n}].question_number"] for n in (0, 1)] == ["1", "2"]
        assert form["handling.code"] == "H1"


async def test_no_form_shows_too_much_at_first() -> None:
    """A request for a delivery asks some thirty things: what is beyond 25 fields waits under the title of its part."""
    async with browser("tjk-liaison") as console:
        for kind in ("cd-request", "seizure-notice", "information-request", "sample-request"):
            path, form = await begin(console, kind)
            assert len(form.shown - {"q"}) <= 25, (kind, form.shown)
            if kind == "cd-request":
                assert "Заполнить: Планируемый маршрут" in form.text
                assert "«3 года»" in form.text
                answer = await press(console, path, form.with_values({}), "check")
                wrong = Form(answer.text)  # a part with a fault is open, and all faults have their fields
                assert "content.route[0].entry" in wrong.shown
            await console.post(f"{path}/delete", {})


async def _begins_with_the_request(console: Browser, thread: str) -> None:
    """A plan and an authorisation repeat what the request says, and begin with it."""
    plan = await console.post(f"/deliveries/{thread}/step", {"kind": "cd-plan"})
    shown = dict(Form((await console.get(plan.headers["location"])).text).sent)
    assert [shown[f"content.route[{n}].member"] for n in (0, 1, 2)] == ["tjk", "uzb", "kaz"]
    assert shown["content.route[0].exit_point"]
    assert shown["content.quantities"] == "12 кг"
    assert shown["content.substitution_mode"]
    assert not shown["content.reference"]
    await console.post(f"{plan.headers['location']}/delete", {})
    permitted = await console.post(f"/deliveries/{thread}/step", {"kind": "cd-authorisation"})
    shown = dict(Form((await console.get(permitted.headers["location"])).text).sent)
    assert shown["content.scope.quantities"] == "12 кг"
    assert shown["content.scope.border_points"]
    assert re.fullmatch(r"\d\d\.\d\d\.\d{4} \d\d:\d\d", shown["content.scope.valid_until"])
    await console.post(f"{permitted.headers['location']}/delete", {})


async def test_a_delivery_is_requested_and_taken_back_by_a_step() -> None:
    """A request written elsewhere is sent from its form; a step of its thread is urgent and goes to all by itself."""
    now = datetime.now(UTC)

    def from_now(hours: re.Match[str]) -> str:
        return f"{now + timedelta(hours=int(hours[1])):%Y-%m-%dT%H:%MZ}"

    text = re.sub(r"\{\+(\d+)h\}", from_now, CD_REQUEST.read_text("utf-8"))
    draft_store.write_text(profiles.find("tjk-liaison"), "delivery", text)
    async with browser("tjk-liaison") as console:
        form = Form((await console.get("/write/delivery")).text)
        answer = await press(console, "/write/delivery", form.with_values({}), "check")
        assert answer.status == 200, Form(answer.text).text
        fingerprint = dict(Form(answer.text).sent)["_fingerprint"]
        sent = await console.post("/write/delivery/send", {"_fingerprint": fingerprint})
        receipt = Form((await console.get(sent.headers["location"])).text).text
        thread = re.search(r"TJK-\d{4}-\d{5}", receipt)
        assert thread is not None
        assert (
            f"/deliveries/{thread[0]}"
            in (await console.get(sent.headers["location"].replace("/write/sent", "/message"))).text
        )
        page = await console.get(f"/deliveries/{thread[0]}")
        offered = re.findall(r'name="kind" value="(cd-[a-z-]+)"', page.text)
        assert offered == ["cd-conditions", "cd-authorisation", "cd-refusal", "cd-route-change", "cd-withdrawal"]
        assert "шагов сейчас невозможны" in Form(page.text).text
        assert "countdown mine" not in page.text, "a deadline of one's own is red only when it has passed"
        assert "Нет разрешения государства Таджикистан" in html.unescape(page.text)
        await _begins_with_the_request(console, thread[0])
        begun = await console.post(f"/deliveries/{thread[0]}/step", {"kind": "cd-withdrawal"})
        assert begun.status == 303
        form = Form((await console.get(begun.headers["location"])).text)
        pairs = form.with_values({"content.withdrawn": "request", "content.reason": "Учение окончено."})
        answer = await press(console, begun.headers["location"], pairs, "check")
        assert answer.status == 200, Form(answer.text).text
        assert "Срочно" in Form(answer.text).text
        await console.post(f"{begun.headers['location']}/delete", {})
        # What the node would refuse is said before it is signed, and nothing can be signed.
        begun = await console.post(f"/deliveries/{thread[0]}/step", {"kind": "cd-activation"})
        form = Form((await console.get(begun.headers["location"])).text)
        pairs = form.with_values({"content.started_at": f"{now.astimezone():%d.%m.%Y %H:%M}"})
        answer = await press(console, begun.headers["location"], pairs, "check")
        refused = Form(answer.text)
        assert answer.status == 200, refused.text
        assert "Ваш узел отклонил бы это сообщение" in refused.text
        assert "_fingerprint" not in dict(refused.sent)
        await console.post(f"{begun.headers['location']}/delete", {})


async def test_a_stop_is_made_once_and_says_who_acknowledged_it() -> None:
    """The button goes when the own stop is in force; another member may stop as well, and its acknowledgement shows."""
    text = re.sub(r"    - member: uzb\n      role: transit\n", "", CD_REQUEST.read_text("utf-8"))
    text = re.sub(r"    - member: uzb\n(?:      .*\n)+", "", text)
    text = re.sub(r"    - giver: uzb\n(?:      .*\n)+", "", text).replace("taker: uzb", "taker: kaz")
    now = datetime.now(UTC)
    text = re.sub(r"\{\+(\d+)h\}", lambda hours: f"{now + timedelta(hours=int(hours[1])):%Y-%m-%dT%H:%MZ}", text)
    draft_store.write_text(profiles.find("tjk-liaison"), "stopped", text)
    async with browser("tjk-liaison") as stopper, browser("kaz-liaison") as other:
        shown = dict(Form((await stopper.get("/write/stopped/preview")).text).sent)
        sent = await stopper.post("/write/stopped/send", {"_fingerprint": shown["_fingerprint"]})
        receipt = Form((await stopper.get(sent.headers["location"])).text).text
        found = re.search(r"TJK-\d{4}-\d{5}", receipt)
        assert found is not None, receipt
        path = f"/deliveries/{found[0]}"
        assert "Остановить поставку" in (await stopper.get(path)).text
        before = Form((await stopper.get("/tasks/awaited")).text).text.count("Подтверждение остановки")
        await stopper.post(f"{path}/stop", {"reason": "control-at-risk"})
        page = Form((await stopper.get(path)).text).text
        assert "danger-act" not in (await stopper.get(path)).text
        assert "Ещё не подтвердили: Казахстан" in page
        assert "Подтвердили" not in page
        owed = Form((await stopper.get("/tasks/awaited")).text).text
        assert owed.count("Подтверждение остановки") == before + 1, "what is owed stands there once, with its deadline"
        assert "круглосуточно" not in owed, "a period is no hours of duty"
        for _attempt in range(400):
            page = (await other.get(path)).text
            if "Остановлена: Таджикистан" in page or "danger-notice" in page:
                break
            await asyncio.sleep(0.3)
        assert "Остановить и со своей стороны" in page
        begun = await other.post(f"{path}/step", {"kind": "cd-acknowledgement"})
        fields = dict(Form((await other.get(f"{begun.headers['location']}/preview")).text).sent)
        await other.post(f"{begun.headers['location']}/send", {"_fingerprint": fields["_fingerprint"]})
        for _attempt in range(400):
            page = Form((await stopper.get(path)).text).text
            if "Подтвердили" in page:
                break
            await asyncio.sleep(0.3)
        assert re.search(r"Подтвердили: Казахстан[^.]*\. Подтвердили все\.", page), page


async def test_a_message_is_recalled_from_its_page(paiza: Paiza, draft: Path) -> None:
    """The recall is a draft to all who hold the message, with its marks, for two officers to sign."""
    before = datetime.now().astimezone()
    sent = (await command(paiza, "kaz-liaison", "send", "free-message", draft, "--json")).json
    async with browser("kaz-liaison") as console:
        page = await console.get(f"/message/{sent['id']}")
        assert f"/recall/{sent['id']}" in page.text
        assert f"/audit/trail/{sent['id']}" in page.text
        trail = await console.get(f"/audit/trail/{sent['id']}")
        days = {f"{each:%d.%m.%Y}" for each in (before, datetime.now().astimezone())}
        assert any(day in trail.text for day in days), "evidence names the day"
        begun = await console.post(f"/recall/{sent['id']}", {})
        form = Form((await console.get(begun.headers["location"])).text)
        words = {"content.reason": "sent-in-error", "content.explanation": "Отправлено по ошибке."}
        pairs = [each for each in form.with_values(words) if each[0] != "_second"]
        answer = await press(console, begun.headers["location"], [*pairs, ("_second", "duty")], "check")
        assert answer.status == 200, Form(answer.text).text
        assert "Вне очереди" in Form(answer.text).text
        assert f"/message/{sent['id']}" in answer.text, "what is recalled is named before the recall is signed"
        await console.post(f"{begun.headers['location']}/delete", {})
