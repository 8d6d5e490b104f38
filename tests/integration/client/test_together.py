"""Subjects in lists, and several messages opened together: as officers, auditors and courts meet them."""

from pathlib import Path
from typing import Any

import pytest

from paiza_client.evidence import container
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_exports import LEAVE, sent
from tests.two_verifiers import agreed, ours, second_verifier

SUBJECT = {"ru": "Героин 12,5 кг, Казахстан", "en": "Heroin 12.5 kg, Kazakhstan"}


@pytest.fixture
def notices(federation: Federation, paiza: Paiza, tmp_path: Path) -> list[str]:
    """Two notices of kaz that tjk has received."""
    return [sent(paiza, federation, tmp_path, f"{tmp_path.name[:40]}-{number}") for number in range(2)]


def listed(paiza: Paiza, profile: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """Return what an officer's list says of each message."""
    told = paiza(profile, *arguments, "--json").json
    return {each["id"]: each for each in (told["messages"] if isinstance(told, dict) else told)}


def events(paiza: Paiza, profile: str, message: str) -> list[str]:
    """Return the events of the own log about a message."""
    trail = paiza(profile, "audit", "trail", message, "--own-only", "--json").json
    return [each["event"] for each in trail["own"]]


def test_lists_say_what_messages_are_about(paiza: Paiza, notices: list[str]) -> None:
    """Author and recipient read the subject in their language without opening anything; the log says it was shown."""
    inbox = listed(paiza, "tjk-liaison", "inbox")
    assert {inbox[each]["unread"] for each in notices} == {True}
    assert [inbox[each]["subject"] for each in notices] == [SUBJECT] * 2
    assert listed(paiza, "kaz-liaison", "inbox", "--sent")[notices[0]]["subject"] == SUBJECT
    assert listed(paiza, "tjk-liaison", "thread", notices[1])[notices[1]]["subject"] == SUBJECT
    assert "Heroin 12.5 kg" in paiza("tjk-liaison", "inbox").out
    assert "Героин 12,5 кг" in paiza("tjk-liaison", "inbox", "--lang", "ru").out
    assert "SUBJECTS_SHOWN" in events(paiza, "tjk-auditor", notices[0])
    # Who sees that a message is there but may not open it is shown no subject.
    assert listed(paiza, "tjk-auditor", "inbox")[notices[0]]["subject"] == {"ru": "", "en": ""}


def test_an_export_opens_all_with_one_entry(
    paiza: Paiza, notices: list[str], federation: Federation, tmp_path: Path
) -> None:
    """A joint opening is in the trail of each, marks none as read, and both verifiers accept its evidence."""
    ran = paiza("tjk-liaison", "export", *notices, "--form", "unodc", *LEAVE, "-o", tmp_path / "rows.csv")
    assert ran.code == 0, ran.err
    assert {listed(paiza, "tjk-liaison", "inbox")[each]["unread"] for each in notices} == {True}
    for each in notices:
        found = events(paiza, "tjk-auditor", each)
        assert found.count("OPENED_TOGETHER") == 1
        assert "OPENED" not in found
    asked = ("audit", "log", "--event", "OPENED_TOGETHER", "--message", notices[0])
    logged = paiza("tjk-auditor", *asked, "--json").json["entries"]
    assert [(each["actor"].rpartition("/")[2], each["text"]) for each in logged] == [("liaison", "exercise")]
    file, root = tmp_path / "evidence.zip", (federation.folder / "root.json").read_bytes()
    assert paiza("tjk-auditor", "audit", "evidence", notices[0], "--openings", "-o", file).code == 0
    proven = ours(file.read_bytes(), root)
    assert proven is not None
    assert {"OPENED_TOGETHER", "SUBJECTS_SHOWN"} <= {claim["event"] for claim in proven["claims"]}
    assert agreed(second_verifier(), file.read_bytes(), root) is not None
    # A list of other messages, or none, is not what the entry commits to.
    members = container.unpack(file.read_bytes())
    name = next(each for each in members if each.endswith(".list"))
    for changed in ({name: members[name][32:]}, {name: members[name] + bytes(32)}, {name: members[name][:-1]}, {}):
        forged = {**{each: data for each, data in members.items() if each != name}, **changed}
        assert agreed(second_verifier(), container.pack(forged, {}), root) is None
