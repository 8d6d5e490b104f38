"""Builders of log entries: one an event, and each says what it is given."""

import inspect
import re
from pathlib import Path

import pytest

from paiza_wire import log_entries

ACCESSORS = {"signers", "thread_name", "part_number"}
BUILDERS = {
    name: function
    for name, function in vars(log_entries).items()
    if inspect.isfunction(function) and name not in ACCESSORS
}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_builder_takes_keywords_only(name: str) -> None:
    """Digests look alike: by position one could stand for another."""
    kinds = {each.kind for each in inspect.signature(BUILDERS[name]).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_no_entry_is_built_elsewhere(root: Path) -> None:
    """Entries are built by the builders alone; LogEntry() is also what nothing was found reads as."""
    built = re.compile(r"LogEntry\((?!\))")
    folders = [root / "node" / "paiza_node", root / "client" / "paiza_client", root / "proto" / "paiza_wire"]
    files = [file for folder in folders for file in folder.rglob("*.py") if file.name != "log_entries.py"]
    assert [file.name for file in files if built.search(file.read_text())] == []
