"""`paiza cd show` as an officer reads it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from paiza_client.cli import display
from tests.integration.client.conftest import Paiza

CD_REQUEST: Final = Path(__file__).parents[2] / "demo" / "drafts" / "cd-request.yaml"


def test_a_step_is_named_by_the_id_of_its_message(paiza: Paiza, tmp_path: Path) -> None:
    """The id in the table is the one that `paiza thread` shows and `paiza open` takes."""

    def from_now(hours: re.Match[str]) -> str:
        return f"{datetime.now(UTC) + timedelta(hours=int(hours[1])):%Y-%m-%dT%H:%MZ}"

    draft = tmp_path / "cd-request.yaml"
    draft.write_text(re.sub(r"\{\+(\d+)h\}", from_now, CD_REQUEST.read_text("utf-8")), "utf-8")
    sent = paiza("tjk-liaison", "cd", "request", draft, "--json").json
    shown = paiza("tjk-liaison", "cd", "show", sent["thread"])
    assert shown.code == 0, shown.err
    assert sent["id"][: display.SHORT_ID] in shown.out
    assert sent["digest"][: display.SHORT_ID] not in shown.out
