"""The doctor's check of a database's standbys: absent, behind, hidden from the node's role, or none at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from paiza_node.core.storage.replication import Replication, Standby
from paiza_node.ops.config import Config, load
from paiza_node.ops.doctor import replication
from paiza_node.ops.doctor.machine import Level
from paiza_node.ops.doctor.store import DatabaseFacts
from paiza_register.node_toml import node_toml

FOLLOWS = Standby("one", "streaming", "quorum", 4096)
ALONE, SEVERAL = "postgresql://paiza@one/paiza", "postgresql://paiza@one,two/paiza"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The configuration of a node."""
    path = tmp_path / "node.toml"
    path.write_text(node_toml("kaz", "paiza.example", "0.0.0.0:7401", "data/admin.sock", None))
    return load(path, {})


def found(named: str, *standbys: Standby) -> Replication:
    """Return what the server says."""
    return Replication(named, "paiza", standbys)


@pytest.mark.parametrize(
    ("said", "url", "level", "words"),
    [
        (None, ALONE, None, ""),
        (found(""), ALONE, Level.OK, "one machine holds all data"),
        (found(""), SEVERAL, Level.WARN, "may lose what was acknowledged"),
        (found("", replace(FOLLOWS, synchronous="async")), ALONE, Level.WARN, "may lose what was acknowledged"),
        (found("ANY 1 (one)", FOLLOWS), ALONE, Level.OK, "Commits wait for a synchronous standby: one."),
        (found("ANY 1 (one)"), ALONE, Level.FAIL, "every commit waits"),
        (found("ANY 1 (one)", replace(FOLLOWS, state="catchup")), ALONE, Level.FAIL, "every commit waits"),
        (found("ANY 1 (one)", replace(FOLLOWS, synchronous="async")), ALONE, Level.FAIL, "every commit waits"),
        (found("ANY 1 (one)", replace(FOLLOWS, lacks=1 << 30)), ALONE, Level.WARN, "The standby one lacks"),
        (found("one", Standby("one", None, None, None)), ALONE, Level.WARN, "may not see"),
    ],
)
def test_each_state_of_the_standbys_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch, said: Replication | None, url: str, level: Level | None, words: str
) -> None:
    """What stops the node is a failure, what may lose data a warning, and a single machine is neither."""
    facts = DatabaseFacts("postgresql", "17", "0001", newest=True, size=1, settings={}, replication=said)
    monkeypatch.setattr(replication, "database_facts", lambda _url: facts)
    checks = list(replication.check_replication(replace(config, database=url)))
    assert [each.level for each in checks] == ([] if level is None else [level])
    assert all(words in each.in_words()[0] for each in checks)
