"""The doctor's line about the disk: growth is told only of a store that is old enough to show it."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from paiza.core.v1 import log_pb2
from paiza_cli.language import Language
from paiza_node.core.log import store as log_store
from paiza_node.ops import language
from paiza_node.ops.config import load
from paiza_node.ops.doctor import machine
from paiza_node.ops.doctor.store import DatabaseFacts
from paiza_register.node_toml import node_toml

NOW = datetime(2026, 11, 30, tzinfo=UTC)
GIB = 2**30


@pytest.mark.parametrize(
    ("age", "lang", "words"),
    [
        (None, "en", "100 GiB free. How fast the store grows is shown once it is a day old."),
        (timedelta(seconds=40), "en", "100 GiB free. How fast the store grows is shown once it is a day old."),
        (timedelta(seconds=40), "ru", "Свободно 100 ГиБ; рост хранилища станет виден, когда ему исполнятся сутки."),
        (timedelta(days=2), "en", "100 GiB free. The store grows by 512 MiB a day: enough for 200 days."),
    ],
)
def test_the_growth_of_a_young_store_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: timedelta | None, lang: Language, words: str
) -> None:
    """A day's growth is measured over a day at least."""
    path = tmp_path / "node.toml"
    path.write_text(node_toml("kaz", "paiza.example", "0.0.0.0:7401", "data/admin.sock", None))
    first = log_pb2.LogEntry()
    first.entry_time.FromDatetime(NOW - (age or timedelta(0)))
    entries = [] if age is None else [SimpleNamespace(entry=first.SerializeToString())]
    facts = DatabaseFacts("sqlite", "3", "0001", newest=True, size=GIB, settings={}, replication=None)
    monkeypatch.setattr(machine, "database_facts", lambda _url: facts)
    monkeypatch.setattr(machine, "free_bytes", lambda *_: 100 * GIB)
    monkeypatch.setattr(machine, "open_scan", lambda _url: nullcontext())
    monkeypatch.setattr(log_store, "entries", lambda *_: entries)
    language.use(lang)
    try:
        (check,) = machine.check_disk(load(path, {}), NOW)
        assert check.in_words()[0] == words
    finally:
        language.use("en")
