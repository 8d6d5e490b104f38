"""Recall, correction, feedback, releases and standing answers, as officers of two members meet them."""

import asyncio
from pathlib import Path

from paiza_client.cli import display
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_commands import arrives, send
from tests.two_verifiers import agreed, second_verifier

REQUEST = """\
kind: information-request
to: [tjk, uzb]
urgency: routine
handling: {{tlp: AMBER, code: H2, classification: 1}}
content:
  reference: EX-{number}
  subject: The invented lorry {number}
  purposes: [investigate]
  facts: An invented lorry.
  questions:
    - {{number: 1, text: Did it cross?}}
    - {{number: 2, text: Who drove it?}}
  why_addressee: The invented road leads there.
"""
ANSWER = """\
kind: information-answer
handling: {tlp: AMBER, code: H2, classification: 1}
content:
  reference: AN-1
  answers:
    - {question_number: 2, status: interim}
"""


def at(federation: Federation, profile: str, message_id: str) -> None:
    """Wait until a message is at a node."""
    asyncio.run(asyncio.wait_for(arrives(federation, profile, message_id), 60))


def test_a_recall_is_signed_by_two_reaches_the_holder_and_is_acknowledged(
    paiza: Paiza, federation: Federation, draft: Path, tmp_path: Path
) -> None:
    """Missing acknowledgements are shown; a recalled message is marked and opened only with a reason."""
    note = send(paiza, federation, draft)
    sent = paiza("kaz-liaison", "recall", note, "--reason", "An exercise", "--second", "kaz-duty", "--json").json
    assert sent["state"] == "waiting"
    assert paiza("kaz-duty", "approve", sent["id"], "--yes").code == 0
    at(federation, "tjk-liaison", sent["id"])
    listed = {each["id"]: each for each in paiza("tjk-liaison", "thread", note, "--json").json}
    assert listed[note]["recalled_by"] == [sent["digest"]]
    assert "RECALLED" in paiza("tjk-liaison", "thread", note).out
    refused = paiza("tjk-liaison", "open", note)
    assert (refused.code, "recalled" in refused.err) == (3, True)
    assert paiza("tjk-liaison", "open", note, "--reason", "needed for the file").code == 0
    (recall,) = [each for each in paiza("kaz-liaison", "thread", note, "--json").json if each["kind"] == "recall"]
    assert recall["answers"]["without_answer"] == ["tjk"]
    thread = paiza("kaz-liaison", "thread", note)
    assert "Not acknowledged by: tjk" in thread.err
    assert "not acknowledged" in thread.out
    noted = paiza("tjk-liaison", "acknowledge", sent["id"], "--json").json
    at(federation, "kaz-liaison", noted["id"])
    (recall,) = [each for each in paiza("kaz-liaison", "thread", note, "--json").json if each["kind"] == "recall"]
    assert recall["answers"]["without_answer"] == []
    # Evidence tells at both that it was taken back, and who read it nonetheless.
    root = federation.folder / "root.json"
    for profile, events in (("kaz-auditor", ["RECALLED"]), ("tjk-auditor", ["RECALLED", "OPENED"])):
        file = tmp_path / f"{profile}.zip"
        made = paiza(profile, "audit", "evidence", note, "-o", file, "--openings", "--json").json
        assert [each["event"] for each in made["others"]] == events
        assert agreed(second_verifier(), file.read_bytes(), root.read_bytes()) is not None


def test_another_members_message_is_not_recalled(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """The attempt ends at the desk with the remedy."""
    note = send(paiza, federation, draft)
    for command in (["recall", note, "--reason", "x"], ["correct", note, "--field", "text=x", "--reason", "x"]):
        refused = paiza("tjk-liaison", *command)
        assert (refused.code, "Only its author" in refused.err) == (3, True)


def test_a_correction_replaces_a_message_whole(
    paiza: Paiza, federation: Federation, draft: Path, tmp_path: Path
) -> None:
    """The template is the message itself; the old one stays, marked, and the correction names what changed."""
    note = send(paiza, federation, draft)
    template = paiza("kaz-liaison", "correct", note, "--template").out
    corrected = tmp_path / "corrected.yaml"
    corrected.write_text(template.replace("Nothing of this is real.", "All of this is invented."))
    sent = paiza("kaz-liaison", "correct", note, corrected, "--reason", "A slip", "--json").json
    at(federation, "tjk-liaison", sent["id"])
    thread = paiza("tjk-liaison", "thread", note, "--json").json
    assert [each["kind"] for each in thread] == ["free-message", "free-message", "correction"]
    assert thread[0]["corrected_by"] == [thread[2]["digest"]]
    assert thread[0]["replaced_by"] == thread[1]["digest"]
    opened = paiza("tjk-liaison", "open", sent["id"], "--json").json
    assert opened["content"]["changes"] == [
        {"path": "text", "before": "Nothing of this is real.", "after": "All of this is invented."}
    ]
    assert paiza("tjk-liaison", "open", note, "--json").json["content"]["text"] == "Nothing of this is real."


def test_a_correction_of_single_fields(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """A field that the message does not have is refused with those it has."""
    note = send(paiza, federation, draft)
    refused = paiza("kaz-liaison", "correct", note, "--field", "colour=red", "--reason", "x")
    assert refused.code == 2
    assert "subject, text" in refused.err
    sent = paiza("kaz-liaison", "correct", note, "--field", "subject=Drill", "--reason", "A slip", "--json").json
    at(federation, "tjk-liaison", sent["id"])
    opened = paiza("tjk-liaison", "open", sent["id"], "--json").json
    assert opened["content"]["changes"] == [{"path": "subject", "before": "Exercise", "after": "Drill"}]


def test_silence_is_shown_question_by_question(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """Headers tell who answered; opened, each question shows its own state, and nobody's silence is an answer."""
    draft = tmp_path / "request.yaml"
    draft.write_text(REQUEST.format(number=1))
    request = paiza("kaz-liaison", "send", "information-request", draft, "--json").json["id"]
    at(federation, "tjk-liaison", request)
    answer = tmp_path / "answer.yaml"
    answer.write_text(ANSWER)
    sent = paiza("tjk-liaison", "reply", request, answer, "--json").json["id"]
    at(federation, "kaz-liaison", sent)
    closed = paiza("kaz-liaison", "thread", request, "--json").json[0]["answers"]
    assert closed["without_answer"] == ["uzb"]
    assert [each["questions"][0]["state"] for each in closed["addressees"]] == ["unread", "no-answer"]
    shown = paiza("kaz-liaison", "thread", request, "--open", "--json").json[0]["answers"]
    states = {each["member"]: [question["state"] for question in each["questions"]] for each in shown["addressees"]}
    assert states == {"tjk": ["no-answer", "interim"], "uzb": ["no-answer", "no-answer"]}
    assert (shown["overdue"], shown["due"] is not None) == (False, True)
    text = paiza("kaz-liaison", "thread", request, "--open")
    assert f"{request[: display.SHORT_ID]}, asked" in text.out
    assert f"{request[: display.SHORT_ID]}, asked" in text.out
    assert "Who drove it?" in text.out
    assert "Silent: uzb. Silence is no consent." in text.err


def test_a_second_request_to_a_silent_addressee_is_warned_of(
    paiza: Paiza, federation: Federation, tmp_path: Path
) -> None:
    """Before another request of the kind goes to an addressee that owes an answer, the officer is told; it goes out."""
    draft = tmp_path / "request.yaml"
    draft.write_text(REQUEST.format(number=2))
    first = paiza("kaz-liaison", "send", "information-request", draft, "--json").json
    draft.write_text(REQUEST.format(number=3))
    second = paiza("kaz-duty", "send", "information-request", draft, "--json")
    assert second.code == 0
    assert first["id"][: display.SHORT_ID] in second.err
    at(federation, "tjk-liaison", second.json["id"])


def test_a_release_is_asked_for_and_denied_or_granted(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """The request goes to the originator; the grant repeats it, names request and message, and is signed by two."""
    note = send(paiza, federation, draft)
    asked = paiza(
        "tjk-liaison", "release", "request", note, "--to", "uzb", "--purpose", "investigate", "--reason", "Exercise",
        "--until", "2099-12-31", "--json",
    ).json  # fmt: skip
    at(federation, "kaz-liaison", asked["id"])
    denied = paiza("kaz-liaison", "release", "deny", asked["id"], "--refusal", "essential-interests", "--json").json
    granted = paiza("kaz-liaison", "release", "grant", asked["id"], "--second", "kaz-authoriser", "--json").json
    assert granted["state"] == "waiting"
    assert paiza("kaz-authoriser", "approve", granted["id"], "--yes").code == 0
    at(federation, "tjk-liaison", denied["id"])
    at(federation, "tjk-liaison", granted["id"])
    opened = paiza("tjk-liaison", "open", granted["id"], "--json").json
    assert opened["content"]["recipients"] == ["uzb"]
    thread = paiza("tjk-liaison", "thread", note, "--json").json
    assert opened["parents"] == [thread[1]["digest"], thread[0]["digest"]]
    assert thread[1]["answers"]["without_answer"] == []


def test_feedback_goes_to_the_author(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """Feedback on a message goes to its author; feedback to oneself is refused."""
    note = send(paiza, federation, draft)
    sent = paiza("tjk-liaison", "feedback", note, "--worth", "useful", "--led-to", "seizure,arrest", "--json").json
    at(federation, "kaz-liaison", sent["id"])
    content = paiza("kaz-liaison", "open", sent["id"], "--json").json["content"]
    assert content == {"usefulness": "useful", "outcomes": ["seizure", "arrest"]}
    assert paiza("kaz-liaison", "feedback", note, "--worth", "useful").code == 3
    wrong = paiza("tjk-liaison", "feedback", note, "--worth", "splendid")
    assert (wrong.code, "splendid" in wrong.err) == (2, True)


NOMINAL = """\
kind: seizure-notice
to: [tjk, uzb]
urgency: routine
handling: {tlp: AMBER, code: H2, classification: 1}
content:
  notice_id: KAZ-EX-9
  notice_version: 1
  status: initial
  seized_at: 2026-11-01
  reporting_agency: Invented agency
  place: {country: KAZ}
  substances:
    - {as_named: heroin, drug_group: opioids, drug_type: heroin, quantity: 12.5 kg}
  route_unknown: true
annex:
  persons:
    - {surname: Fictional, role: courier, category: suspect}
"""


def test_a_replacement_that_takes_two_officers_is_announced_once_it_is_released(
    paiza: Paiza, federation: Federation, tmp_path: Path
) -> None:
    """Changes in the annex are named by field and never by value; the version increases."""
    draft = tmp_path / "notice.yaml"
    draft.write_text(NOMINAL)
    sent = paiza("kaz-liaison", "send", "seizure-notice", draft, "--second", "kaz-duty", "--json").json["id"]
    assert paiza("kaz-duty", "approve", sent, "--yes").code == 0
    template = paiza("kaz-liaison", "correct", sent, "--template", "--reason", "wrong name").out
    assert "notice_version: 2" in template
    draft.write_text(template.replace("Fictional", "Invented"))
    waiting = paiza(
        "kaz-liaison", "correct", sent, draft, "--reason", "wrong name", "--second", "kaz-duty", "--json"
    )  # fmt: skip
    assert waiting.json["state"] == "waiting"
    assert "--replaced-by" in waiting.err
    replacement = waiting.json["id"]
    early = paiza("kaz-liaison", "correct", sent, "--replaced-by", replacement, "--reason", "wrong name")
    assert early.code == 3
    assert paiza("kaz-duty", "approve", replacement, "--yes").code == 0
    told = paiza(
        "kaz-liaison", "correct", sent, "--replaced-by", replacement, "--reason", "wrong name", "--json"
    ).json  # fmt: skip
    at(federation, "tjk-liaison", told["id"])
    changes = paiza("tjk-liaison", "open", told["id"], "--json").json["content"]["changes"]
    assert {"path": "annex.persons[0].surname"} in changes
    assert "Invented" not in str(changes)
    thread = paiza("tjk-liaison", "thread", sent, "--json").json
    assert thread[0]["replaced_by"] == thread[1]["digest"]
