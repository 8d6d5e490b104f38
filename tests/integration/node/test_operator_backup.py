"""`paiza-node backup` on a running node, on both databases."""

import stat
import tarfile
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import NodeStopped
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage.scanning import open_scan
from paiza_node.features.witness import store as witness_store
from paiza_node.ops.backup import container
from paiza_node.ops.cli.backup import check_copy
from paiza_node.ops.config import load
from paiza_node.ops.offline import known_register
from tests.integration.node.conftest import Command, Exchanged


def test_backup_of_a_running_node(exchanged: Exchanged, command: Command, tmp_path: Path) -> None:
    """A backup is made while the node runs; it is private, holds all that was exchanged and no key, and is logged."""
    file = tmp_path / "kaz.backup"
    code, told = command("backup", str(file), "--config", exchanged.config)
    assert code == 0, told
    assert told["logged"]
    assert told["messages"] == len(exchanged.digests)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["kaz.backup"]
    manifest = container.extract(file, tmp_path / "out")
    assert {name.split("/")[0] for name in manifest.files} == {"paiza.db", "register"}
    config = load(Path(exchanged.config))
    _reader, register = known_register(config)
    copy = tmp_path / "out" / container.DATABASE
    assert check_copy(copy, register.member("kaz"), manifest.checkpoint, manifest.origin) == (
        told["entries"],
        told["messages"],
    )
    with open_scan(f"sqlite:///{copy}") as scan:
        assert {row.digest for rows in messages_store.messages(scan) for row, _ in rows} == set(exchanged.digests)
    with open_scan(config.database) as scan:
        events = [
            log_pb2.LogEntry.FromString(row[1])
            for rows in log_store.entry_rows(scan, 0, log_store.head(scan).size)
            for row in rows
        ]
    logged = [entry for entry in events if entry.event == log_pb2.LOG_EVENT_BACKED_UP]
    assert logged[-1].backed_up.backup_id == manifest.backup_id
    # Its own entry is in the copy, under a checkpoint that a quorum cosigned.
    with open_scan(f"sqlite:///{copy}") as scan:
        (last,) = log_store.entries(scan, told["entries"] - 1, 1)
        witnessed = witness_store.last_witnessed(scan)
    assert log_pb2.LogEntry.FromString(last.entry).backed_up.backup_id == manifest.backup_id
    assert told["witnessed"]
    assert witnessed is not None
    assert witnessed.size == told["entries"]


def test_backup_overwrites_nothing(exchanged: Exchanged, command: Command, tmp_path: Path) -> None:
    """A file that is there already is left as it is."""
    file = tmp_path / "kaz.backup"
    file.write_text("something else")
    code, told = command("backup", str(file), "--config", exchanged.config)
    assert (code, told["reason"]) == (3, "file_unwritable")
    assert file.read_text() == "something else"


def test_backup_that_was_changed(exchanged: Exchanged, command: Command, tmp_path: Path) -> None:
    """A byte changed anywhere, or the end cut off, refuses a backup."""
    file = tmp_path / "kaz.backup"
    assert command("backup", str(file), "--config", exchanged.config)[0] == 0
    whole = file.read_bytes()
    with tarfile.open(file) as archive:
        places = [member.offset_data + member.size // 2 for member in archive if member.size]
    for place in places:
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(NodeStopped, match="bad_backup"):
            container.check(file)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NodeStopped, match="bad_backup"):
        container.check(file)
