"""The commands of an officer against real nodes: sent, received, opened, answered, exported, proven."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from paiza_client.sdk import connect, draft_store, handed_in, sending
from paiza_domain import kinds
from paiza_domain.json_form import schema
from paiza_officer import profiles
from paiza_officer.errors import Refused
from tests.demo import waiting
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza

SEIZURE = Path(__file__).parents[2] / "demo" / "drafts" / "seizure-with-persons.yaml"
HANDLING = {"tlp": "AMBER", "code": "H2", "classification": 1}

ANNEX = """\
kind: information-request
to: [tjk]
urgency: urgent
urgency_reason: consignment-moving
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  reference: EX-1
  subject: Exercise
  purposes: [investigate]
  facts: An invented lorry.
  questions:
    - number: 1
      text: Did it cross?
  why_addressee: The invented road leads there.
"""


async def arrives(federation: Federation, profile: str, message_id: str) -> None:
    """Wait until a message is at a node, by its own news or because it is there already."""
    async with connect(profiles.load(federation.home / profile)) as session:
        async for news in session.watch(after=0):
            if news.id == message_id:
                return


def send(paiza: Paiza, federation: Federation, draft: Path, kind: str = "free-message") -> str:
    """Send a draft from kaz, wait until it is at tjk, and give its id."""
    message_id = str(paiza("kaz-liaison", "send", kind, draft, "--json").json["id"])
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", message_id), 60))
    return message_id


def test_a_message_is_sent_received_and_opened_with_its_proofs(
    paiza: Paiza, federation: Federation, draft: Path
) -> None:
    """The other officer reads the written text, with signature, release, receipt and opening proven."""
    message_id = send(paiza, federation, draft)
    opened = paiza("tjk-liaison", "open", message_id, "--json").json
    assert opened["content"] == {"subject": "Exercise", "text": "Nothing of this is real."}
    verified = opened["verified"]
    assert [each["id"] for each in verified["signers"]] == ["spiffe://kaz.paiza.example/officer/liaison"]
    assert [(each["member"], each["counterpart"]) for each in verified["released"]] == [("kaz", "tjk")]
    assert [(each["event"], each["member"]) for each in verified["answers"]] == [("RECEIVED", "tjk")]
    assert verified["opened"]["actor"] == "spiffe://tjk.paiza.example/officer/liaison"
    listed = paiza("tjk-liaison", "inbox", "--json").json["messages"]
    assert [each["unread"] for each in listed if each["id"] == message_id] == [False]
    unread = paiza("tjk-liaison", "inbox", "--unread", "--json").json["messages"]
    assert message_id not in [each["id"] for each in unread]


def test_what_is_printed_is_in_the_language_asked_for(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """The same message reads in Russian and in English."""
    message_id = send(paiza, federation, draft)
    assert "Доказано:" in paiza("tjk-liaison", "open", message_id, "--lang", "ru").out
    assert "Proven:" in paiza("tjk-liaison", "open", message_id, "--lang", "en").out


def test_the_author_reads_what_it_sent(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """The sender's officers open their own message, with a release proven for every recipient."""
    message_id = send(paiza, federation, draft)
    opened = paiza("kaz-duty", "open", message_id, "--json").json
    assert opened["content"]["subject"] == "Exercise"


def test_an_answer_stands_in_the_thread_and_goes_to_the_author(
    paiza: Paiza, federation: Federation, draft: Path, tmp_path: Path
) -> None:
    """A reply without recipients goes to the author, in the same thread, naming the message it follows."""
    message_id = send(paiza, federation, draft)
    answer = tmp_path / "answer.yaml"
    answer.write_text(DRAFT.replace("to: [tjk]", "to: []"))
    sent = paiza("tjk-liaison", "reply", message_id[:20], answer, "--json").json
    thread = paiza("tjk-liaison", "thread", message_id, "--json").json
    assert [each["id"] for each in thread] == [message_id, sent["id"]]
    assert thread[1]["parents"] == [thread[0]["digest"]]
    assert [each["member"] for each in thread[1]["recipients"]] == ["kaz"]
    by_name = paiza("tjk-liaison", "thread", thread[0]["thread"], "--json").json
    assert [each["id"] for each in by_name] == [message_id, sent["id"]]


def test_a_request_with_urgency_from_the_command_line(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """Options win over the draft, and urgency travels in the header."""
    request = tmp_path / "request.yaml"
    request.write_text(ANNEX)
    sent = paiza(
        "kaz-liaison", "send", "information-request", request, "--urgency", "flash",
        "--reason-code", "danger-to-life", "--json",
    ).json  # fmt: skip
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", sent["id"]), 60))
    inbox = paiza("tjk-duty", "inbox", "--kind", "information-request", "--from", "kaz", "--json").json["messages"]
    listed = next(each for each in inbox if each["id"] == sent["id"])
    assert (listed["urgency"], listed["urgency_reason"]) == ("FLASH", "danger-to-life")


def test_a_thread_says_which_deadline_binds(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """The time that the author names, once the request is opened; before that, that there may be one."""
    request = tmp_path / "request.yaml"
    named = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}T12:00Z"
    for deadline, said in (("", "its author names none"), (f"  deadline: {named}\n", "that its author names")):
        request.write_text(ANNEX + deadline)
        sent = paiza("kaz-liaison", "send", "information-request", request, "--yes", "--json").json
        asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", sent["id"]), 60))
        closed = paiza("tjk-liaison", "thread", sent["id"]).out
        assert "its author may name another one in it, which binds" in closed
        opened = paiza("tjk-liaison", "thread", sent["id"], "--open").out
        assert said in opened
        assert "may name another" not in opened


def test_a_template_filled_in_is_a_valid_draft(paiza: Paiza, tmp_path: Path) -> None:
    """The output of `--template` needs only its open fields filled in, in either language."""
    for lang in ("ru", "en"):
        text = paiza("kaz-liaison", "send", "free", "--template", "--lang", lang).out
        text = (
            text.replace("\nto: []", "\nto: [tjk]")
            .replace("  subject:", "  subject: X", 1)
            .replace("  text:", "  text: Y", 1)
        )
        draft = tmp_path / f"{lang}.yaml"
        draft.write_text(text)
        assert paiza("kaz-liaison", "send", "free", draft, "--dry-run", "--json").json["state"] == "checked"


def test_a_draft_grows_by_sections(paiza: Paiza, tmp_path: Path) -> None:
    """A template knows the member's authority; sections are listed in both languages, and added to its file."""
    draft = tmp_path / "notice.yaml"
    text = paiza("kaz-liaison", "send", "seizure", "--template", "--lang", "ru").out
    assert "country: KAZ" in text
    draft.write_text(text)
    listed = paiza("kaz-liaison", "draft", "add", draft, "--json").json
    assert {"section": "route", "ru": "Маршрут", "en": "Route"} in listed
    assert "Маршрут" in paiza("kaz-liaison", "draft", "add", draft, "--lang", "ru").out
    assert paiza("kaz-liaison", "draft", "add", draft, "маршрут", "Transport").code == 0
    refused = paiza("kaz-liaison", "draft", "add", draft, "weather")
    assert (refused.code, "transport" in refused.err) == (2, True)
    refused = paiza("kaz-liaison", "draft", "add", tmp_path / "other.yaml", "route")
    assert (refused.code, "file_unreadable" in refused.err) == (3, True)
    checked = paiza("kaz-liaison", "send", "seizure", draft, "--to", "tjk", "--dry-run")
    assert (checked.code, "notice_id" in checked.err, "transport" in checked.err) == (3, True, False)


def test_without_a_file_the_newest_draft_is_meant(paiza: Paiza, federation: Federation) -> None:
    """A draft that the profile keeps is continued without its path, and the path is said."""
    folder = federation.home / "kaz-coordinator" / "drafts"
    refused = paiza("kaz-coordinator", "draft", "add", "route")
    assert (refused.code, folder.exists()) == (2, False)
    folder.mkdir(mode=0o700)
    (folder / "mine.yaml").write_text("kind: seizure-notice\ncontent:\n  notice_id: X\n")
    added = paiza("kaz-coordinator", "draft", "add", "route")
    assert (added.code, "mine.yaml" in added.err) == (0, True)
    assert "  route:" in (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").unlink()
    folder.rmdir()


def test_what_is_opened_as_json_has_the_form_of_the_schema(
    paiza: Paiza, federation: Federation, tmp_path: Path
) -> None:
    """Content and annex are valid by the schema of their kind, and a draft takes them as they are."""
    draft = tmp_path / "notice.yaml"
    sent = paiza("kaz-liaison", "send", "seizure", SEIZURE, "--to", "tjk", "--json").json
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", sent["id"]), 60))
    content = paiza("tjk-liaison", "open", sent["id"], "--json").json["content"]
    part = ("--part", "annex", "--reason", "exercise", "--json")
    annex = paiza("tjk-liaison", "open", sent["id"], *part).json["content"]
    again = {"kind": "seizure-notice", "to": ["tjk"], "handling": HANDLING, "content": content, "annex": annex}
    Draft202012Validator(schema.of_draft(kinds.get("seizure-notice", 1))).validate(again)
    draft.write_text(json.dumps(again, ensure_ascii=False), "utf-8")
    assert paiza("kaz-liaison", "send", "seizure", draft, "--dry-run", "--json").json["state"] == "checked"
    file = tmp_path / "out.json"
    leave = ("--purpose", "investigate", "--reason", "exercise")
    assert paiza("kaz-liaison", "export", sent["id"], "--form", "full", *leave, "-o", file).code == 0
    assert json.loads(file.read_text())[0]["content"] == content


def sent_ids(paiza: Paiza) -> list[str]:
    """Return the messages that an officer sent; what else is told of them changes as they are delivered."""
    return [each["id"] for each in paiza("kaz-liaison", "inbox", "--sent", "--json").json["messages"]]


def test_a_dry_run_sends_nothing(paiza: Paiza, draft: Path) -> None:
    """A dry run leaves the list of sent messages unchanged."""
    before = sent_ids(paiza)
    assert paiza("kaz-liaison", "send", "free", draft, "--dry-run").code == 0
    assert sent_ids(paiza) == before


def test_export_gives_content_in_both_formats(
    paiza: Paiza, federation: Federation, draft: Path, tmp_path: Path
) -> None:
    """JSON and YAML hold the same messages, and a file that exists is not overwritten."""
    message_id = send(paiza, federation, draft)
    file = tmp_path / "out.yaml"
    leave = ("--purpose", "investigate", "--reason", "exercise")
    assert paiza("tjk-liaison", "export", message_id, "--format", "yaml", "-o", file, *leave).code == 0
    as_yaml = YAML(typ="safe").load(file.read_text())
    as_json = json.loads(paiza("tjk-liaison", "export", message_id, *leave).out)
    assert as_yaml[0]["content"] == as_json[0]["content"] == {"subject": "Exercise", "text": "Nothing of this is real."}
    assert paiza("tjk-liaison", "export", message_id, "-o", file, *leave).code == 3
    opened = [each["event"] for each in paiza("tjk-liaison", "audit", "trail", message_id, "--json").json["own"]]
    assert opened.count("OPENED_TOGETHER") == 2


def test_evidence_holds_without_node_profile_or_network(
    paiza: Paiza, federation: Federation, draft: Path, tmp_path: Path
) -> None:
    """The file of either side verifies with nothing but the bootstrap root, and says what it does not hold."""
    message_id = send(paiza, federation, draft)
    waiting.until_settled(federation.home, "kaz-liaison", message_id)  # the author's node keeps the receipt by then
    for profile, answers in (("tjk-coordinator", ["tjk"]), ("kaz-coordinator", ["tjk"])):
        file = tmp_path / f"{profile}.zip"
        made = paiza(profile, "audit", "evidence", message_id, "-o", file, "--json").json
        assert made["verified"]
        found = paiza("nobody", "audit", "verify", file, "--root", federation.folder / "root.json", "--json").json
        assert [each["member"] for each in found["answers"]] == answers
        assert found["unproven_answers"] == []
        assert [each["member"] for each in found["released"]] == ["kaz"]


def test_the_trail_names_every_entry(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """The sender's trail holds its release and, proven by the other's log, the receipt."""
    message_id = send(paiza, federation, draft)
    trail = paiza("kaz-liaison", "audit", "trail", message_id, "--json").json
    assert "RELEASED" in [each["event"] for each in trail["own"]]
    assert all(each["member"] == "kaz" for each in trail["own"])


def test_the_logs_are_shown_with_verified_checkpoints(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """The own log comes first, and the peer's is known once something was exchanged."""
    send(paiza, federation, draft)
    logs = paiza("tjk-coordinator", "audit", "status", "--json").json
    assert (logs[0]["member"], logs[0]["own"]) == ("tjk", True)
    assert "kaz" in [each["member"] for each in logs]


def test_contacts_are_the_register(paiza: Paiza) -> None:
    """Every member of the register is listed, running or not."""
    assert [each["member"] for each in paiza("kaz-auditor", "contacts", "--json").json] == ["kaz", "tjk", "uzb"]


def test_a_message_is_filled_in_at_prompts(
    paiza: Paiza, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With -i every field is asked for in turn; what comes out is sent like any other draft."""
    answers = "Asked for\nLine by line.\ntjk\nGREEN\nH0\n0\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
    sent = paiza("kaz-liaison", "send", "free-message", "-i", "--json").json
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", sent["id"]), 60))
    opened = paiza("tjk-liaison", "open", sent["id"], "--json").json
    assert opened["content"] == {"subject": "Asked for", "text": "Line by line."}
    assert opened["handling"]["tlp"] == "GREEN"


def test_answers_are_kept_when_the_walk_is_broken_off(
    paiza: Paiza, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaking off in the middle keeps what was answered, readable by the owner alone."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("Half a subject\n"))
    assert paiza("kaz-duty", "send", "free-message", "-i").code == 130
    (kept,) = (federation.home / "kaz-duty/drafts").glob("free-message-*.yaml")
    assert "Half a subject" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_the_example_of_the_guide_runs(federation: Federation, root: Path) -> None:
    """The program printed in client/README.md runs as it stands."""
    guide = (root / "client/README.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PAIZA_HOME": str(federation.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("('liaison',)")


def test_a_legal_basis_that_the_federation_does_not_list_is_refused(paiza: Paiza, draft: Path) -> None:
    """A code nobody knows is told before anything is sent, with the nearest one that is known."""
    draft.write_text(draft.read_text() + "legal_bases: [exercise-agrement]\n")
    refused = paiza("kaz-liaison", "send", "free-message", draft, "--dry-run")
    assert refused.code == 3
    assert "legal_bases[0]" in refused.err
    assert "exercise-agreement" in refused.err


def test_a_case_system_replaces_nothing_while_it_is_sent(
    paiza: Paiza, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From before the draft is read until it is sent; afterwards it is sent, by whatever path it was named."""
    profile = profiles.load(federation.home / "kaz-liaison")
    marks = {"tlp": "AMBER", "code": "H2", "classification": 1}
    given = {"kind": "free-message", "to": ["tjk"], "handling": marks, "review": "1 year"}
    words = [json.dumps(given | {"content": {"subject": "Exercise", "text": text}}).encode() for text in ("1", "2")]
    name = handed_in.put(profile, "CASE-9", words[0]).draft
    refused: list[str] = []
    really_check = sending.check

    async def check(*of: Any, **options: Any) -> Any:
        with pytest.raises(Refused, match="draft_changed") as found:
            handed_in.put(profile, "CASE-9", words[1])
        refused.append(found.value.detail)
        return await really_check(*of, **options)

    monkeypatch.setattr(sending, "check", check)
    monkeypatch.chdir(profile.folder)
    told = paiza("kaz-liaison", "send", "free-message", f"drafts/{name}.yaml", "--json").json
    assert refused == ["signing"]
    assert handed_in.find(profile, "CASE-9").message == told["id"]
    draft_store.remove(profile, name)
