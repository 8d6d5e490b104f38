"""What is unusual is confirmed: by an option where nobody can be asked, and never passed over in silence."""

import pytest

from paiza_client.cli import doubts
from paiza_client.cli.terminal import Terminal
from paiza_officer.errors import FieldProblem, Refused

UNUSUAL = (FieldProblem("", "The plan begins in tjk tomorrow.", "unusual"),)


def test_nobody_to_ask_is_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    """A script learns what it would have to confirm."""
    with pytest.raises(Refused, match="unconfirmed") as caught:
        doubts.confirm_found(Terminal(), "TJK-2026-00001", UNUSUAL, yes=False)
    assert caught.value.problems == UNUSUAL
    doubts.confirm_found(Terminal(), "TJK-2026-00001", (), yes=False)
    assert capsys.readouterr().err == ""


def test_a_confirmed_warning_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The officer still sees it."""
    doubts.confirm_found(Terminal(), "TJK-2026-00001", UNUSUAL, yes=True)
    assert "The plan begins in tjk tomorrow." in capsys.readouterr().err
