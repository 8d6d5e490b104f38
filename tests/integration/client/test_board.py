"""`paiza cd show` as an officer reads it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from paiza_client.cli import display
from tests.integration.client.conftest import Paiza

CD_REQUEST: Final = Path(__file__).parents[2] / "demo" / "drafts" / "cd-request.yaml"


def requested(paiza: Paiza, folder: Path) -> Any:
    """Request a delivery from tjk through uzb to kaz, and return what was sent."""

    def from_now(hours: re.Match[str]) -> str:
        return f"{datetime.now(UTC) + timedelta(hours=int(hours[1])):%Y-%m-%dT%H:%MZ}"

    draft = folder / "cd-request.yaml"
    draft.write_text(re.sub(r"\{\+(\d+)h\}", from_now, CD_REQUEST.read_text("utf-8")), "utf-8")
    return paiza("tjk-liaison", "cd", "request", draft, "--json").json


def test_a_step_is_named_by_the_id_of_its_message(paiza: Paiza, tmp_path: Path) -> None:
    """The id in the table is the one that `paiza thread` shows and `paiza open` takes."""
    sent = requested(paiza, tmp_path)
    shown = paiza("tjk-liaison", "cd", "show", sent["thread"])
    assert shown.code == 0, shown.err
    assert sent["id"][: display.SHORT_ID] in shown.out
    assert sent["digest"][: display.SHORT_ID] not in shown.out


def test_the_template_of_a_step_says_what_the_request_says(paiza: Paiza, tmp_path: Path) -> None:
    """A plan begins with route and quantities, with the marks of the request; its own number is all that it lacks."""
    sent = requested(paiza, tmp_path)
    for lang in ("en", "ru"):
        printed = paiza("tjk-liaison", "cd", "plan", sent["thread"], "--template", "--lang", lang)
        assert printed.code == 0, printed.err
        for said in ("member: uzb", "exit_point: Invented Steppe Gate", "12 kg", "exercise-agreement", "tlp: AMBER"):
            assert said in printed.out, said
        plan = tmp_path / f"plan-{lang}.yaml"
        plan.write_text(printed.out.replace("  reference:  #", "  reference: PLAN-1  #"), "utf-8")
        tried = paiza("tjk-liaison", "cd", "plan", sent["thread"], plan, "--dry-run", "--lang", lang)
        assert (tried.code, "workflow_breach" in tried.err) == (3, True)  # nobody has authorised yet
    empty = paiza("tjk-liaison", "cd", "plan", sent["thread"], "--template", "--full")
    assert (empty.code, "Invented Steppe Gate" in empty.out) == (0, False)


def test_a_step_that_is_impossible_is_refused_before_anything_is_asked(paiza: Paiza, tmp_path: Path) -> None:
    """The beginning is long before the plan, and the delivery is stopped: only the stop is spoken of."""
    sent = requested(paiza, tmp_path)
    stop = ("cd", "stop", sent["thread"], "--set", "stop_reason=danger-to-life", "--set", "text=Exercise")
    assert paiza("tjk-liaison", *stop).code == 0
    shown = paiza("tjk-liaison", "cd", "show", sent["thread"]).out
    assert "not yet acknowledged by" in shown
    refused = paiza("tjk-liaison", "cd", "activate", sent["thread"])
    assert (refused.code, "workflow_breach" in refused.err, "unconfirmed" in refused.err) == (3, True, False)
    assert "long before" not in refused.err
