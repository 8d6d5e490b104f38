"""Failing operator commands: a message in both languages, and the documented exit code."""

import io
import json
import re
import sys
from pathlib import Path

import click
import pytest
import structlog

from paiza_node.__main__ import run
from paiza_node.app.run import set_up_logs
from paiza_node.core.errors import NodeStopped
from paiza_node.ops.cli.frame import guarded
from paiza_node.ops.language import use
from paiza_wire.errors import Unavailable

CYRILLIC = re.compile("[а-яА-Я]")
SECRET = "a passphrase nobody may read"


def write_config(folder: Path, **changes: str) -> str:
    """Write a configuration with these settings changed."""
    settings = {
        "member": '"kaz"',
        "federation": '"paiza.example"',
        "listen": '"127.0.0.1:7401"',
        "bootstrap_root": '"root.json"',
        **changes,
    }
    path = folder / "node.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    return str(path)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("The file is not TOML: {error}.", "Файл не в формате TOML."),
        ("{error}", "what nobody translated"),
    ],
)
def test_a_russian_sentence_has_no_english_in_it(what: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The details of another program, or of the other side, stand behind the reason code."""

    @click.command()
    def failing() -> None:
        raise NodeStopped(
            "bad_configuration",
            what=what,
            where="{detail}",
            remedy="",
            error="what nobody translated",
            detail="a b c d",
        )

    @click.command()
    def refused() -> None:
        raise Unavailable("node_unreachable", "connection was refused")

    use("ru")
    try:
        assert guarded(failing, []) == 3
        first, *_others = capsys.readouterr().err.splitlines()
        assert first.partition(": ")[2] == told
        assert guarded(refused, []) == 4
        *sentences, last = capsys.readouterr().err.splitlines()
        assert "connection was refused" in last
        assert "connection" not in "".join(sentences)
    finally:
        use("en")


@pytest.mark.parametrize("group", ["audit", "misbehaviour", "peers", "policy", "queue", "register"])
def test_the_help_of_a_group_is_in_the_language_asked_for(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The option stands before or after --help, as with every command."""
    for arguments in (["--help", "--lang", "ru"], ["--lang=ru", "--help"]):
        assert run([group, *arguments]) == 0
        assert CYRILLIC.search(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["status", "--config", "nowhere.toml"], 3, "bad_configuration"),
        (["queue", "retry", "--config", "x"], 2, "usage"),
        (["nonsense"], 2, "usage"),
        (["init", "--member", "K", "--federation", "paiza.example"], 2, "usage"),
        (["init", "--member", "kaz", "--federation", "paiza"], 2, "usage"),
        (["init", "--member", "kaz", "--federation", "paiza.example", "--endpoint", "a:1,b"], 2, "usage"),
    ],
)
def test_wrong_use_is_told_in_both_languages(
    arguments: list[str], code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each error has reason, what, where and remedy, an exit code, and no traceback; in Russian as in English."""
    for language in ("en", "ru"):
        assert run([*arguments, "--lang", language, "--json"] if "nonsense" not in arguments else arguments) == code
        told = capsys.readouterr().err
        assert "Traceback" not in told
        if told.startswith("{"):
            error = json.loads(told)
            assert (error["reason"], error["exit_code"]) == (reason, code)
            assert error["what"]
            assert error["remedy"]
            assert bool(CYRILLIC.search(error["remedy"])) == (language == "ru")
        else:
            assert f"Reason code: {reason}" in told


def test_commands_without_a_database_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A node that never started has no database, and looking does not make one."""
    config = write_config(tmp_path)
    for command in (["status"], ["peers"], ["queue", "show"], ["verify"]):
        assert run([*command, "--config", config, "--json"]) == 3
        assert json.loads(capsys.readouterr().err)["reason"] == "database_unavailable"
    assert not (tmp_path / "data").exists()


def test_defect_is_told_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """An unforeseen exception names its place and nothing it worked on; details come with --log-level debug only."""

    @click.command()
    @click.option("--log-level")
    def broken(log_level: str | None) -> None:
        raise ZeroDivisionError(SECRET + str(log_level))

    assert guarded(broken, []) == 1
    told = capsys.readouterr().err
    assert "internal_error" in told
    assert SECRET not in told
    assert "Traceback" not in told
    assert guarded(broken, ["--log-level", "debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_failures_of_tasks_are_unwrapped(capsys: pytest.CaptureFixture[str]) -> None:
    """The cause of a stop is reported through any number of task groups."""
    stopped = NodeStopped("log_rolled_back", what="Old {x}.", where="", remedy="Stop.", x="copy")

    @click.command()
    def grouped() -> None:
        raise ExceptionGroup("outer", [ValueError("other"), ExceptionGroup("inner", [stopped])])

    assert guarded(grouped, []) == 3
    told = capsys.readouterr().err
    assert "Error: Old copy.\n" in told
    assert "Reason code: log_rolled_back\n" in told


def test_unavailable_has_its_own_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A temporary failure exits with 4, and its sentence comes from the registry of reasons."""

    @click.command()
    def later() -> None:
        raise Unavailable("busy", "1024 wait")

    assert guarded(later, []) == 4
    assert "Reason code: busy" in capsys.readouterr().err


def test_logged_tracebacks_hold_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logged exception shows places in the code, never the values of variables: those may be keys."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_logs("info", sys.stderr)
    try:
        secret = SECRET
        try:
            int(secret[:0])
        except ValueError:
            structlog.get_logger("test").exception("failed")
    finally:
        structlog.reset_defaults()
    assert "ValueError" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_the_words_of_the_operating_system_are_translated(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A missing file is told of in Russian throughout."""
    assert run(["status", "--config", str(tmp_path / "none.toml"), "--lang", "ru"]) == 3
    assert "Файл не читается: файла или папки нет." in capsys.readouterr().err


def test_doctor_tells_a_missing_folder_in_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The data folder of a node that has never run is missing: what the system says of it is translated too."""
    assert run(["doctor", "--config", write_config(tmp_path), "--lang", "ru"]) == 11
    assert f"{tmp_path / 'data'}: файла или папки нет. Что делать:" in capsys.readouterr().out
