"""`verify` on committed entries and texts that no node should have written."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from paiza.core.v1 import log_pb2
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checks import verify_log
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import open_store
from paiza_node.core.storage.findings import Part
from paiza_node.core.storage.scanning import open_scan
from paiza_register import LogKey, Member
from paiza_wire import log_entries
from paiza_wire.identity import MemberAuthority, keys
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_node.room import NoFile

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SIGNER = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
KAZ = Member(
    "kaz",
    {},
    "active",
    MemberAuthority("kaz", "paiza.example", (), ()),
    (),
    (LogKey(SIGNER.verifier_key.name, SIGNER.verifier_key.to_vkey(), None, SIGNER.verifier_key),),
    (),
    (),
    1,
)


def found(folder: Path, entry: log_pb2.LogEntry, damage: str = "") -> list[tuple[str, str]]:
    """Commit an entry with a text, do ``damage`` to the database, and verify the log."""
    url = f"sqlite:///{folder / 'paiza.db'}"
    store = open_store(url)
    ledger = Ledger(store, LogSigner([SIGNER]), NoFile(), lambda: bytes(32), lambda: NOW)
    note = ledger.commit_now(lambda tx: tx.append(entry, text="because")).checkpoint.note
    ledger.close()
    store.close()
    if damage:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(damage))
        engine.dispose()
    part = Part("log")
    with open_scan(url) as scan:
        verify_log(scan, KAZ, note, part, {}, lambda _rows: None)
    return [(each.reason, each.where) for each in part.findings]


def test_what_a_node_writes_holds(tmp_path: Path) -> None:
    """An entry with its own detail, and the text it commits to."""
    assert found(tmp_path, log_entries.searched(actor="x")) == []


DETAILS: dict[str, Callable[[log_pb2.LogEntry], object]] = {
    "unset": lambda entry: entry.ClearField("detail"),
    "of another event": lambda entry: entry.recalled.SetInParent(),
}


@pytest.mark.parametrize("how", DETAILS)
def test_a_detail_that_is_not_its_events_is_found(tmp_path: Path, how: str) -> None:
    """A log can commit to what no entry may say: `verify` names it, as every other reader refuses it."""
    entry = log_entries.searched(actor="x")
    DETAILS[how](entry)
    assert found(tmp_path, entry) == [("log_damaged", "entry 0")]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_text SET salt = zeroblob(16)",
        "UPDATE log_text SET salt = zeroblob(0)",
        "UPDATE log_text SET text = 'be cause'",
    ],
)
def test_a_text_or_salt_that_was_changed_is_found(tmp_path: Path, damage: str) -> None:
    """An entry commits to both."""
    assert found(tmp_path, log_entries.searched(actor="x"), damage) == [("log_damaged", "entry 0")]


LIST_DAMAGE = {
    "one is missing": "DELETE FROM log_listed WHERE digest = (SELECT min(digest) FROM log_listed)",
    "all are missing": "DELETE FROM log_listed",
    "one is another": "UPDATE log_listed SET digest = x'00' WHERE digest = (SELECT min(digest) FROM log_listed)",
    "of an entry about none": "INSERT INTO log_listed (\"index\", digest) VALUES (1, x'00')",
}


@pytest.mark.parametrize("damage", ["", *LIST_DAMAGE])
def test_the_messages_beside_an_entry_are_those_it_commits_to(tmp_path: Path, damage: str) -> None:
    """A list that lacks a message, holds another, or stands beside an entry about none is named."""
    digests = [bytes([number]) * 32 for number in range(3)]
    url = f"sqlite:///{tmp_path / 'paiza.db'}"
    store = open_store(url)
    ledger = Ledger(store, LogSigner([SIGNER]), NoFile(), lambda: bytes(32), lambda: NOW)

    def work(tx: LogTransaction) -> None:
        entry = tx.append(log_entries.opened_together(actor="x", digests=digests), text="because")
        log_store.add_listed(tx.conn, entry.index, digests)
        tx.append(log_entries.searched(actor="x"))

    note = ledger.commit_now(work).checkpoint.note
    ledger.close()
    store.close()
    if damage:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(LIST_DAMAGE[damage]))
        engine.dispose()
    part = Part("log")
    with open_scan(url) as scan:
        verify_log(scan, KAZ, note, part, {}, lambda _rows: None)
    place = "entry 1" if damage == "of an entry about none" else "entry 0"
    assert [(each.reason, each.where) for each in part.findings] == ([("log_damaged", place)] if damage else [])
