"""The doctor of a node that has joined and never run, and of one whose database is gone."""

import json
from pathlib import Path

import pytest

from paiza_node.__main__ import run
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_trust import dev


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a node of an exercise federation that has never run."""
    dev.create(tmp_path / "federation", ["kaz"], base_port=20_000)
    return tmp_path / "federation/nodes/kaz/node.toml"


def test_a_node_that_has_never_run_is_warned_of_once(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says that the first `run` makes the database; a second call finds the same."""
    for _ in range(2):
        code = run(["doctor", "--config", str(config), "--json"])
        checks = json.loads(capsys.readouterr().out)["checks"]
        assert (code, [each for each in checks if each["level"] == "fail"]) == (10, [])
        (database,) = (each for each in checks if each["check"] == "database")
        assert database["what"] == "There is no database yet: the first `run` makes it."
        assert not list((config.parent / "data").glob("*.db*"))


def test_an_empty_database_is_none_yet(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file without tables is what a database that was made for the node and never used is."""
    (config.parent / "data/paiza.db").touch()
    assert run(["doctor", "--config", str(config), "--lang", "ru"]) == 10
    assert "Базы данных ещё нет: её создаёт первый запуск `run`." in capsys.readouterr().out


def test_the_database_of_a_node_that_has_run_is_missed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A checkpoint without a database is a failure: the node signed what it no longer holds."""
    checkpoint = CheckpointSlots(config.parent / "data/checkpoint")
    checkpoint.save(b"kaz.example/log/1\n1\nAAAA\n")
    checkpoint.close()
    assert run(["doctor", "--config", str(config), "--json"]) == 11
    failed = [each for each in json.loads(capsys.readouterr().out)["checks"] if each["level"] == "fail"]
    assert [each["check"] for each in failed] == ["database"]
    assert "this node has run" in failed[0]["what"]
