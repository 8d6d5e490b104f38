"""Exercises over real nodes: the mark is signed, shown at both ends, passed on to the answer, and never counted."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza
from tests.integration.client.test_commands import arrives
from tests.integration.client.test_exports import NOTICE


def test_an_exercise_is_shown_answered_and_left_out_of_statistics(
    paiza: Paiza, federation: Federation, tmp_path: Path
) -> None:
    """The officer at the other end sees the mark before anything else, and their answer carries it by itself."""
    draft, answer = tmp_path / "notice.yaml", tmp_path / "answer.yaml"
    since = ("--since", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")  # other tests have sent notices to these nodes
    draft.write_text(NOTICE.format(tlp="GREEN", code="H0", level=0, number="EX-4711", purposes=""))
    answer.write_text(DRAFT.replace("to: [tjk]\n", ""))
    notice = str(paiza("kaz-liaison", "send", "seizure-notice", draft, "--exercise", "--json").json["id"])
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", notice), 60))
    for command in (("inbox",), ("open", notice), ("thread", notice)):
        assert "EXERCISE" in paiza("tjk-liaison", *command).out, command
    assert "УЧЕНИЕ" in paiza("tjk-liaison", "inbox", "--lang", "ru").out
    replied = str(paiza("tjk-liaison", "reply", notice, answer, "--json").json["id"])
    asyncio.run(asyncio.wait_for(arrives(federation, "kaz-liaison", replied), 60))
    thread = paiza("kaz-liaison", "thread", notice, "--json").json
    messages = thread["messages"] if isinstance(thread, dict) else thread
    assert [each["exercise"] for each in messages] == [True, True]
    assert paiza("tjk-liaison", "statistics", *since, "--json").json["exercises"] == 1
    assert "Left out, because they are exercises: 1" in paiza("tjk-liaison", "statistics", *since).err


def test_an_exercise_does_not_answer_a_real_message(paiza: Paiza, federation: Federation, tmp_path: Path) -> None:
    """The answer is refused before it is signed."""
    draft, answer = tmp_path / "message.yaml", tmp_path / "answer.yaml"
    draft.write_text(DRAFT)
    answer.write_text(DRAFT.replace("to: [tjk]\n", ""))
    real = str(paiza("kaz-liaison", "send", "free-message", draft, "--json").json["id"])
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", real), 60))
    refused = paiza("tjk-liaison", "reply", real, answer, "--exercise")
    assert "exercise_differs" in refused.err
