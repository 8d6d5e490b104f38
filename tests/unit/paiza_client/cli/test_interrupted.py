"""Filling a draft in at prompts that ends early: nothing typed is lost, and the officer is told where it is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from paiza_client import language
from paiza_client.cli import interactive
from paiza_client.local import reference_data
from paiza_client.sdk import drafts
from paiza_domain import kinds
from paiza_domain.drafts import drafts as written
from paiza_domain.drafts.members import UNKNOWN
from paiza_wire.errors import Rejected


@pytest.mark.parametrize("ended", [click.Abort(), Rejected("unconfirmed")])
def test_an_interrupted_walk_says_where_the_draft_is(
    ended: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was answered before Ctrl-C or the end of the input is a draft, and the command that sends it is named."""
    language.use("en")
    answers = iter(["KAZ-1", "1", "Первичное", "20.11.2026", "Служба", "KZ"])

    def prompt(*_arguments: object, **_named: object) -> str:
        if (answer := next(answers, None)) is None:
            raise ended
        return answer

    said: list[str] = []
    terminal: Any = SimpleNamespace(
        profile=lambda: SimpleNamespace(folder=tmp_path), note=lambda _text: None, warn=said.append
    )
    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr(reference_data, "members", lambda _profile: UNKNOWN)
    with pytest.raises(type(ended)):
        interactive.fill(terminal, kinds.get("seizure-notice", 1), "short", drafts.writing_time(), ())
    (file,) = (tmp_path / "drafts").iterdir()
    assert f"in {file}" in said[0]
    assert f"paiza send seizure-notice {file}" in said[0]
    found = written.examine(file.read_text(), now=drafts.writing_time())
    assert found.draft is not None
    assert "20.11.2026" in file.read_text()
    assert found.draft.content.place.country == "KAZ"  # type: ignore[attr-defined]
