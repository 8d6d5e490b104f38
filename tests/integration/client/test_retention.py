"""Lawfulness as officers, coordinators and auditors meet it: the log, erasures, holds and reviews."""

import asyncio
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1.message_pb2 import SignedMessage
from tests.federation import Federation
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_commands import arrives

OPERATIONS = """\
kind: free-message
to: [tjk]
attention: {tjk: operations}
urgency: routine
handling: {tlp: AMBER, code: H2, classification: 1}
content:
  subject: Exercise
  text: Nothing of this is real.
"""
LOOKS = 600  # a tenth of a second each


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Two members; tjk has a duty unit, so that its units see what is their own."""
    with Federation.create(tmp_path_factory.mktemp("lawful") / "f", ["kaz", "tjk"]) as federation:
        federation.node("tjk").configure(duty_unit="duty")
        federation.start()
        yield federation


def sent(paiza: Paiza, federation: Federation, draft: Path) -> str:
    """Send a draft and wait until the duty unit of tjk, which sees everything, has it; gives its id."""
    outcome = paiza("kaz-liaison", "send", "free-message", draft, "--json").json
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-duty", outcome["id"]), 60))
    return str(outcome["id"])


def _parts(evidence: Path) -> list[bytes]:
    """Return the ciphertexts that an evidence file carries."""
    with zipfile.ZipFile(evidence) as archive:
        return [part.ciphertext for part in SignedMessage.FromString(archive.read("message.bin")).parts]


def states(paiza: Paiza, profile: str, digest: str) -> dict[str, Any]:
    """Return how the erasure of a message stands, by holder."""
    return {e["holder"]: e for e in paiza(profile, "erasures", "--json").json if e["digest"] == digest}


def test_an_opening_without_need_is_found_and_proven(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """An opening without need to know stands out with the stated reason; one with need does not."""
    draft.write_text(OPERATIONS)
    note = sent(paiza, federation, draft)
    assert paiza("tjk-authoriser", "open", note).code == 0
    assert paiza("tjk-duty", "open", note, "--reason", "I was curious").code == 0
    found = paiza("tjk-auditor", "audit", "log", "--without-need", "--json").json["entries"]
    assert [(each["event"], each["actor"].rpartition("/")[2], each["text"]) for each in found] == [
        ("OPENED", "duty", "I was curious")
    ]
    shown = paiza("tjk-auditor", "audit", "log", "--event", "OPENED", "--message", note)
    assert (shown.code, "authoriser" in shown.out, "I was curious" in shown.out) == (0, True, True)
    by_duty = paiza("tjk-auditor", "audit", "log", "--event", "opened", "--by", "duty", "--since", "1h", "--json").json
    assert [each["index"] for each in by_duty["entries"]] == [found[0]["index"]]
    assert paiza("tjk-auditor", "audit", "log", "--with", "uzb", "--json").json["entries"] == []
    again = paiza("tjk-auditor", "audit", "log", "--event", "CONSULTED", "--json").json["entries"]
    assert "without need" in again[0]["text"]
    assert paiza("tjk-auditor", "audit", "log", "--event", "PEEKED").code == 2
    refused = paiza("tjk-liaison", "audit", "log")
    assert refused.code == 3


def test_two_officers_have_a_message_erased(paiza: Paiza, federation: Federation, draft: Path, tmp_path: Path) -> None:
    """Both holders' entries are proven to the author; evidence still proves release and receipt, offline."""
    note = sent(paiza, federation, draft)
    evidence = tmp_path / "before.zip"
    digest = paiza("kaz-liaison", "audit", "evidence", note, "-o", evidence, "--json").json["digest"]
    asked = paiza(
        "kaz-liaison", "erase", note, "--because", "review", "--reason", "Exercise", "--second", "kaz-duty", "--json"
    ).json
    assert asked["state"] == "waiting"
    assert states(paiza, "kaz-liaison", digest) == {}
    assert paiza("kaz-duty", "approve", asked["id"], "--yes").code == 0
    found: dict[str, Any] = {}
    for _ in range(LOOKS):
        found = states(paiza, "kaz-liaison", digest)
        if {each["state"] for each in found.values()} == {"erased"}:
            break
        time.sleep(0.1)
    assert {holder: each["state"] for holder, each in found.items()} == {"kaz": "erased", "tjk": "erased"}
    assert found["tjk"]["answer"]["member"] == "tjk"
    assert paiza("kaz-liaison", "erasures", "--overdue", "--json").json == []
    late = paiza("kaz-liaison", "erasures", "--overdue")
    assert "Nothing is overdue." in late.out + late.err
    assert "What a holder says" not in late.out + late.err
    assert "ERASED" in paiza("tjk-duty", "inbox").out
    refused = paiza("tjk-duty", "open", note)
    assert (refused.code, "erased" in refused.err) == (3, True)
    after = tmp_path / "after.zip"
    proven = paiza("kaz-liaison", "audit", "evidence", note, "-o", after, "--json").json
    assert [each["event"] for each in (*proven["released"], *proven["answers"])] == ["RELEASED", "RECEIVED"]
    verified = paiza("kaz-liaison", "audit", "verify", after, "--json").json
    assert verified["verified"]
    assert _parts(evidence)
    assert not _parts(after)
    trail = paiza("kaz-liaison", "audit", "trail", note, "--json").json
    assert {each["event"] for each in trail["own"]} >= {"ERASED", "ERASURE_ANSWERED"}


def test_a_hold_keeps_a_message_and_is_named(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """A permitted officer places a hold with a reason; a review then cannot erase, and everybody sees why."""
    note = sent(paiza, federation, draft)
    assert paiza("tjk-liaison", "hold", note, "--reason", "case 17").code == 3
    assert paiza("tjk-duty", "hold", note).code == 2
    assert paiza("tjk-duty", "hold", note, "--reason", "case 17", "--json").json["held"] is True
    (held,) = paiza("tjk-auditor", "holds", "--json").json
    assert held["reason"] == "case 17"
    refused = paiza("tjk-duty", "review", note, "--erase", "--reason", "x")
    assert (refused.code, "legal hold" in refused.err) == (3, True)
    assert paiza("tjk-duty", "hold", note, "--lift", "--reason", "closed").code == 0
    assert paiza("tjk-auditor", "holds", "--json").json == []


def test_review_dates_are_listed_and_decided(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """A kept message moves to its new date; an erased one leaves the list, at this member alone."""
    note = sent(paiza, federation, draft)

    def due(days: int) -> dict[str, Any]:
        return {each["id"]: each for each in paiza("tjk-duty", "reviews", "--days", str(days), "--json").json}

    for _ in range(LOOKS):
        if note in due(1200):
            break
        time.sleep(0.1)
    assert note not in due(0)
    soon = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    assert paiza("tjk-duty", "review", note, "--keep-until", "soon", "--reason", "x").code == 2
    assert paiza("tjk-duty", "review", note, "--keep-until", soon, "--reason", "still open").code == 0
    assert note in due(31)
    assert soon in paiza("tjk-duty", "reviews", "--days", "31").out
    assert paiza("tjk-duty", "review", note, "--erase", "--reason", "done").code == 0
    for _ in range(LOOKS):
        if paiza("tjk-duty", "open", note).code == 3:
            break
        time.sleep(0.1)
    assert note not in due(1200)
    assert paiza("kaz-liaison", "open", note).code == 0
    command = [sys.executable, "-m", "paiza_node", "verify", "--json", "--config", str(federation.node("tjk").config)]
    answer = json.loads(subprocess.run(command, capture_output=True, check=False, text=True).stdout)
    assert answer["passed"], answer


def test_russian(paiza: Paiza) -> None:
    """The commands speak Russian."""
    said = paiza("tjk-auditor", "audit", "log", "--event", "OPENED", "--lang", "ru")
    assert (said.code, "открыто" in said.out) == (0, True)
