"""Printed text of others is harmless; ids and times are read as an officer writes them."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta

import click
import pytest

from paiza.core.v1 import message_pb2
from paiza_cli.exit_codes import ExitCode
from paiza_cli.terminal import plain
from paiza_client.__main__ import run
from paiza_client.cli.frame import report
from paiza_client.cli.options import TimeParameter, split
from paiza_client.cli.terminal import Terminal
from paiza_client.sdk import as_json
from paiza_client.sdk.drafts import find_kind
from paiza_officer.errors import (
    FieldProblem,
    Misused,
    ProfileProblem,
    Refused,
    Unreachable,
    disk_problem,
    exit_code,
    located,
    misused,
)
from paiza_wire.errors import Rejected, Unavailable


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J", "\x9b31m", "a\rb", "\u202eeverted", "\u2066x", "\x07", "\x00", "\ud800"],
)
def test_no_text_can_steer_the_terminal(text: str) -> None:
    """Escape sequences, carriage returns, bells and marks that turn the direction of writing are not printed."""
    shown = plain(text)
    assert "\N{REPLACEMENT CHARACTER}" in shown
    assert all(character.isprintable() or character in "\n\t" for character in shown)


def test_ordinary_text_is_printed_as_it_is() -> None:
    """Russian, English, line ends and tabs stay."""
    assert plain("Изъято 12,5 кг\n\tnear the border — “X”") == "Изъято 12,5 кг\n\tnear the border — “X”"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T14:30+05:00", datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),
        ("2026-11-23T14:30:00Z", datetime(2026, 11, 23, 14, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_read(text: str, expected: datetime) -> None:
    """A time with its zone is that moment."""
    assert TimeParameter().convert(text, None, None) == expected


def test_a_time_ago_is_read() -> None:
    """3d is three days before now."""
    assert abs(datetime.now(UTC) - timedelta(days=3) - TimeParameter().convert("3d", None, None)) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["soon", "3 days", "0d", "2026-13-01", "99999d", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Anything else is an error of usage."""
    with pytest.raises(click.BadParameter):
        TimeParameter().convert(text, None, None)


def test_lists_are_read_with_commas_and_repeated() -> None:
    """--to kaz,uzb --to tjk names three."""
    assert split(("kaz, uzb", "tjk", ",")) == ["kaz", "uzb", "tjk"]


def test_a_kind_is_found_by_a_unique_beginning() -> None:
    """`seizure` is the seizure notice; `information` could be two kinds, and is refused."""
    assert find_kind("seizure").name == "seizure-notice"
    with pytest.raises(Misused):
        find_kind("information")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Rejected("malformed"), ExitCode.REFUSED),
        (Unavailable("busy"), ExitCode.UNAVAILABLE),
        (Misused("usage"), ExitCode.USAGE),
        (Unreachable("node_unreachable"), ExitCode.UNAVAILABLE),
    ],
)
def test_the_exit_code_follows_from_the_family(error: Rejected | Unavailable, code: ExitCode) -> None:
    """A bare error of the wire is refused or unavailable; ours carry their own code."""
    assert exit_code(error) == code


def test_a_place_is_added_once() -> None:
    """An error gets the place of the innermost block that knows one, and keeps its family."""
    with pytest.raises(Refused) as refused, located("outer"), located("inner"):
        raise Rejected("malformed", "x")
    assert (refused.value.where, refused.value.reason, refused.value.detail) == ("inner", "malformed", "x")
    with pytest.raises(Unreachable) as away, located("node"):
        raise Unavailable("busy")
    assert away.value.where == "node"


def test_an_error_is_one_object() -> None:
    """{reason, what, where, remedy}, and every problem, can be read by a program."""
    error = Refused("invalid_draft", "d.yaml", "x", [FieldProblem("d.yaml:3:1 text", "Too long.", "text_too_long")])
    shown = json.loads(json.dumps(report(error, ExitCode.REFUSED).as_object()))
    assert {"reason", "what", "where", "remedy"} <= set(shown)
    assert shown["problems"] == [{"where": "d.yaml:3:1 text", "what": "Too long.", "code": "text_too_long"}]


def test_a_problem_of_the_whole_message_stands_with_the_error() -> None:
    """A broken rule has no place, so no line names one; a program still reads it among the problems."""
    rule = FieldProblem("", "There is no plan.", "plan_missing")
    told = report(Refused("workflow_breach", "m1", "x", [rule]), ExitCode.REFUSED)
    assert told.what == "The step breaks a rule of its workflow. There is no plan."
    assert list(told.places) == []
    assert told.as_object()["problems"] == [{"where": "", "what": "There is no plan.", "code": "plan_missing"}]


def test_a_saved_message_says_so() -> None:
    """When a message waits in the outbox, the remedy names the outbox, not the network."""
    saved = report(Unreachable("node_unreachable", saved=True), ExitCode.UNAVAILABLE)
    assert "outbox" in saved.remedy
    assert "outbox" not in report(Unreachable("node_unreachable"), ExitCode.UNAVAILABLE).remedy


def test_a_wrong_passphrase_of_a_file_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can enter another one then."""
    wrong = ProfileProblem("bad_passphrase", "authentication.key")
    monkeypatch.delenv("PAIZA_PASSPHRASE_FILE", raising=False)
    assert "keyboard" in report(wrong, ExitCode.PROFILE).remedy
    monkeypatch.setenv("PAIZA_PASSPHRASE_FILE", "/run/phrase")
    assert "/run/phrase" in report(wrong, ExitCode.PROFILE).remedy


def test_marks_that_exclude_each_other_have_a_remedy_for_each_use() -> None:
    """The remedy fits a message of several parts, an export and a count."""
    remedy = report(Refused("marks_incompatible", "export"), ExitCode.REFUSED).remedy
    assert "message for each part" in remedy
    assert "export or count" in remedy


def test_disk_failures_are_told_apart() -> None:
    """A full disk may be tried again; a read-only file system is final."""
    assert disk_problem(OSError(28, "No space left on device"), "x").reason == "disk_full"
    assert disk_problem(OSError(30, "Read-only file system"), "x").reason == "file_unwritable"
    assert disk_problem(FileNotFoundError(2, "No such file"), "x").reason == "file_unreadable"


def test_json_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Hostile text is in JSON unchanged, and no escape of it reaches a terminal."""
    hostile = "Ночь \x1b[2J\x9b31m\u202etxt.exe\ud800 é"
    Terminal().json({"text": hostile})
    printed = capsys.readouterr().out
    assert json.loads(printed)["text"] == hostile
    assert "Ночь" in printed
    assert "é" in printed
    assert not [each for each in printed.rstrip("\n") if unicodedata.category(each) in {"Cc", "Cf", "Cs"}]


def test_json_has_hex_and_utc() -> None:
    """Bytes are hexadecimal, times are UTC with milliseconds, urgencies are words."""
    assert as_json.value(b"\x01\xff") == "01ff"
    assert as_json.value(datetime(2026, 11, 23, 12, 0, 0, 5000, tzinfo=UTC)) == "2026-11-23T12:00:00.005Z"
    header = message_pb2.Header(urgency=message_pb2.URGENCY_FLASH, message_id=bytes(16))
    assert as_json.header(header)["urgency"] == "FLASH"


@pytest.mark.parametrize(
    ("where", "help_of"), [("paiza tasks list", "paiza tasks list"), ("--reason", "paiza"), ("draft.yaml", "paiza")]
)
def test_a_fault_of_the_command_line_has_one_shape(where: str, help_of: str) -> None:
    """The error is the fault itself, as with the other programs; its place and the help to read follow."""
    told = report(misused(where, "Name a message."), ExitCode.USAGE)
    assert (told.what, told.where, told.remedy) == ("Name a message.", where, f"See {help_of} --help.")
    assert not told.places
    assert told.as_object()["problems"] == [{"where": where, "what": "Name a message.", "code": "usage"}]


def test_a_group_without_its_command_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands is what the officer looked for, and no error; a program still reads an object."""
    assert run(["cd"]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("Usage: paiza cd")
    assert run(["cd", "--json"]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().err)["reason"] == "usage"


def test_a_section_is_set_off_from_what_stands_above(capsys: pytest.CaptureFixture[str]) -> None:
    """An output does not begin with an empty line."""
    terminal = Terminal()
    terminal.section(("Member",), [("kaz",)])
    terminal.section(("Member",), [("tjk",)])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == ["Member", "kaz", "", "Member", "tjk"]
