"""Printed errors of a program."""

import json

import click
import pytest

from paiza_cli.errors import MAX_PLACES, ErrorReport, Labels, print_error, run_command
from paiza_cli.exit_codes import ExitCode

LABELS = Labels("Error", "Where", "What to do", "Reason", "and {n} more")
REPORT = ErrorReport("malformed", "It cannot be read.", "a.yaml", "Mend it.", ExitCode.REFUSED, "line 3")


def test_a_person_reads_four_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """An error shows what, where, remedy, and code with detail; no escape of it reaches the terminal."""
    print_error(REPORT, LABELS, as_json=False)
    text = "Error: It cannot be read.\nWhere: a.yaml\nWhat to do: Mend it.\nReason: malformed (line 3)\n"
    assert capsys.readouterr().err == text
    hostile = ErrorReport("malformed", "\x1b[2J", "", "Mend it.", ExitCode.REFUSED)
    print_error(hostile, LABELS, as_json=False)
    assert "\x1b" not in capsys.readouterr().err


def test_of_many_places_some_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal gets the first, and how many more there are; JSON has them all."""
    places = [f"row {number}" for number in range(MAX_PLACES + 2)]
    many = ErrorReport("malformed", "Wrong.", "f", "Mend it.", ExitCode.REFUSED, places=places, more={"rows": places})
    print_error(many, LABELS, as_json=False)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1 : MAX_PLACES + 2] == [*(f"Where: {each}" for each in places[:MAX_PLACES]), "Where: and 2 more"]
    print_error(many, LABELS, as_json=True)
    shown = json.loads(capsys.readouterr().err)
    assert (shown["rows"], shown["exit_code"]) == (places, 3)


@pytest.mark.parametrize(("raised", "code"), [(KeyError("x"), 3), (KeyboardInterrupt(), 130), (BrokenPipeError(), 0)])
def test_every_error_ends_in_its_exit_code(raised: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error is reported, or ends with a code alone; a reader who has gone is no error."""

    @click.command()
    def broken() -> None:
        raise raised

    def report(error: BaseException) -> ErrorReport | ExitCode:
        return ExitCode.INTERRUPTED if isinstance(error, (KeyboardInterrupt, click.Abort)) else REPORT

    monkeypatch.setattr("paiza_cli.errors.os.dup2", lambda *_: None)
    assert run_command(broken, "program", [], report, lambda: LABELS) == code
