"""A log that goes on under the next name: every index moves by one, and everything still leads where it led."""

from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Opened
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import open_store, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.scanning import open_scan
from paiza_node.features.audit import log_index
from paiza_node.features.witness import upgrade_proofs
from paiza_node.ops.backup.store.continuing import CURSORS, INDICES, Ended, continue_log
from paiza_node.ops.tables import METADATA
from paiza_wire.identity import keys
from paiza_wire.receipts import check_text
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import merkle
from paiza_wire.tlog.notes import SignerKey
from paiza_wire.tlog.tiles import TILE_WIDTH, TileTree
from tests.log_entries import entry_of
from tests.unit.paiza_node.room import NoFile

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ORIGINS = [f"kaz.paiza.example/log/{number}" for number in (1, 2, 3)]

# Columns that name entries of other members' logs, or what is no entry of a log.
OTHERS = {
    "log_tile.index",
    "forwarding.entry_index",
    "proof.log_index",
    "proven_certificate.log_index",
    "attachment_proof.log_index",
    "erasure_answer.log_index",
    "uncosigned.log_index",
    "cosigned_proof.log_index",
    "reconciled_period.entry_index",
    "recovered_entry.entry_index",
}


def test_every_column_that_names_an_entry_is_known() -> None:
    """A new column that names an entry of the own log is moved too, or stands among those of others."""
    named = {f"{column.table.name}.{column.name}" for column in INDICES}
    found = {
        f"{table.name}.{column.name}"
        for table in METADATA.sorted_tables
        for column in table.columns
        if column.name.endswith("index")
    }
    assert found == named | OTHERS
    assert not named & OTHERS


def test_cursors_are_those_of_the_duties() -> None:
    """Positions in the log are moved with it."""
    assert set(CURSORS) == {log_index.CURSOR, upgrade_proofs.COUNTER}


@pytest.mark.parametrize("entries", [1, 3, TILE_WIDTH - 1, TILE_WIDTH + 2])
def test_log_goes_on_twice(tmp_path: Path, entries: int) -> None:
    """Entries, roots, the node's rows and earlier checkpoints agree after each continuation."""
    url = f"sqlite:///{tmp_path / 'paiza.db'}"
    signers = [SignerKey.from_ed25519(origin, keys.generate_ed25519()) for origin in ORIGINS]
    store = open_store(url)
    ledger = Ledger(store, LogSigner([signers[0]]), NoFile(), lambda: bytes(32), lambda: NOW)
    ledger.commit_now(lambda tx: _write(tx, entries))
    kept = [ledger.checkpoint]
    ledger.close()
    store.close()
    for number in (1, 2):
        ended = Ended(ORIGINS[number - 1], kept[-1].note, kept[-1].note, kept[-1].size + 7, "tjk")
        size, root = continue_log(tmp_path / "paiza.db", ended, "os-user:op", bytes(32), NOW)
        store = open_store(url)
        ledger = Ledger(store, LogSigner([signers[number]]), NoFile(), lambda: bytes(32), lambda: NOW)
        assert (ledger.checkpoint.size, ledger.checkpoint.root) == (size, root)
        ledger.commit_now(lambda tx: _write(tx, 2))
        kept.append(ledger.checkpoint)
        ledger.close()
        store.close()
    with open_scan(url) as scan:
        rows = [
            (index, entry)
            for block in log_store.entry_rows(scan, 0, log_store.head(scan).size)
            for index, entry, _ in block
        ]
        leaves = [merkle.leaf_hash(entry) for _index, entry in rows]
        assert [index for index, _entry in rows] == list(range(entries + 1 + 2 + 1 + 2))
        assert TileTree(len(leaves), partial(log_store.tile, scan)).root() == _root(leaves) == kept[-1].root
        formers = log_store.former_logs(scan)
        assert [(each.origin, each.first_index) for each in formers] == [(ORIGINS[1], 1), (ORIGINS[0], 2)]
        for former, signer in zip(formers, (signers[1], signers[0]), strict=True):
            old = checkpoints.verify(former.kept_note, [signer.verifier_key], former.origin)
            assert _root(leaves[former.first_index : former.first_index + old.size]) == old.root
            said = log_pb2.LogEntry.FromString(rows[former.first_index - 1][1])
            assert said.event == log_pb2.LOG_EVENT_LOG_CONTINUED
            assert said.log_continued.note_sha256 == sha256(former.largest_note).digest()
        # What rows and texts name are the same entries as before.
        for block in scanning.rows(scan, access_store.opened_table):
            for row in block:
                assert log_pb2.LogEntry.FromString(rows[row.log_index][1]).actor == row.officer
        for at, beside in log_store.texts_between(scan, 0, len(rows)).items():
            check_text(log_pb2.LogEntry.FromString(rows[at][1]), beside.salt, beside.text)
        # A number that may have been given out after the copy was made is not given again.
        assert settings_store.counter(scan, "thread KAZ-2026") == 5 + 7 + 7
        assert {name: settings_store.counter(scan, name) for name in CURSORS} == dict.fromkeys(CURSORS, 1 + 2)


def _write(tx: LogTransaction, entries: int) -> None:
    for number in range(entries):
        actor = f"officer {tx.size}"
        index = tx.append(entry_of(log_pb2.LOG_EVENT_OPENED, actor=actor), text=f"because {number}").index
        access_store.add_opened(tx.conn, Opened(bytes(32), 0, actor, index))
    if tx.size == entries:
        settings_store.put_counter(tx.conn, "thread KAZ-2026", 5)
        for name in CURSORS:
            settings_store.put_counter(tx.conn, name, 1)


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return merkle.node_hash(_root(leaves[:split]), _root(leaves[split:]))
