"""A dry run asks the node: it refuses what sending refuses, and says so where the node took no part."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paiza_client.sdk.session import Session
from paiza_officer.errors import Unreachable
from tests.integration.client.conftest import Paiza
from tests.integration.client.test_board import CD_REQUEST
from tests.integration.client.test_second_officer import NOMINAL

INCOMPLETE = 7


@pytest.fixture
def delivery(paiza: Paiza, tmp_path: Path) -> str:
    """The thread of a delivery that was requested and nothing more."""

    def from_now(hours: re.Match[str]) -> str:
        return f"{datetime.now(UTC) + timedelta(hours=int(hours[1])):%Y-%m-%dT%H:%MZ}"

    draft = tmp_path / "cd-request.yaml"
    draft.write_text(re.sub(r"\{\+(\d+)h\}", from_now, CD_REQUEST.read_text("utf-8")), "utf-8")
    thread: str = paiza("tjk-liaison", "cd", "request", draft, "--json").json["thread"]
    return thread


def test_a_step_that_breaks_a_rule_is_refused_before_it_is_sent(paiza: Paiza, delivery: str) -> None:
    """The error is that of sending, and nothing of the thread has changed."""
    step = ("cd", "activate", delivery, "--set", "started_at=2026-11-29T08:00Z", "--yes")
    before = paiza("tjk-liaison", "cd", "show", delivery).out
    tried = paiza("tjk-liaison", *step, "--dry-run")
    assert paiza("tjk-liaison", "cd", "show", delivery).out == before
    sent = paiza("tjk-liaison", *step)
    assert (tried.code, "workflow_breach" in tried.err) == (3, True), tried.err
    assert f"Where: {delivery}" in tried.err, "there is no message that an id could name"
    said = [[line for line in each.err.splitlines() if "Where:" not in line] for each in (tried, sent)]
    assert (sent.code, said[1]) == (tried.code, said[0])


def test_a_dry_run_names_whose_signature_is_awaited(paiza: Paiza, tmp_path: Path) -> None:
    """A message for two officers would be held, which the dry run says; no approval waits for anybody."""
    draft = tmp_path / "nominal.yaml"
    draft.write_text(NOMINAL)
    command = ("send", "information-request", draft, "--second", "duty", "--dry-run")
    assert [each.rpartition("/")[2] for each in paiza("kaz-liaison", *command, "--json").json["missing"]] == ["duty"]
    assert "duty" in paiza("kaz-liaison", *command).err
    assert "nominal" not in paiza("kaz-duty", "approve", "--json").out


def test_a_dry_run_that_the_node_took_no_part_in_says_so(
    paiza: Paiza, draft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this machine can check was checked, and the exit code says that it is not all."""

    async def away(_session: Session, _message: object) -> None:
        raise Unreachable("node_unreachable", "127.0.0.1:1")

    monkeypatch.setattr(Session, "try_message", away)
    tried = paiza("kaz-liaison", "send", "free", draft, "--dry-run")
    assert (tried.code, "Only this machine checked it" in tried.err) == (INCOMPLETE, True)
    told = paiza("kaz-liaison", "send", "free", draft, "--dry-run", "--json")
    assert (told.code, '"checked_by": "this_machine"' in told.out) == (INCOMPLETE, True)
