"""`verify` finds every change in a node's database, and names the place."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from paiza_node.core.log import store as log_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.witness import store as witness_store
from tests.federation import Federation, NodeProcess
from tests.integration.node.conftest import Command, delivered, send
from tests.integration.witness.looking import eventually, look
from tests.officer import Officer

ENTRY = 'UPDATE log_entry SET entry = flipped(entry, 30) WHERE "index" = 9'

DAMAGE = {
    "an entry changed": (ENTRY, "log", "tile 0/0"),
    "an entry lost": ('DELETE FROM log_entry WHERE "index" = 9', "log", "entry 9"),
    "the last entry lost": (
        'DELETE FROM log_entry WHERE "index" = (SELECT max("index") FROM log_entry)',
        "log",
        "entry",
    ),
    "an entry filed under another message": (
        'UPDATE log_entry SET digest = zeroblob(32) WHERE "index" = 9',
        "log",
        "entry 9",
    ),
    "a tile changed": (
        "UPDATE log_tile SET hashes = flipped(hashes, 0) WHERE level = 0",
        "log",
        "tile 0/0",
    ),
    "a tile too many": ('INSERT INTO log_tile (level, "index", hashes) VALUES (3, 7, zeroblob(32))', "log", "log_tile"),
    "the head's root changed": ("UPDATE log_head SET root = zeroblob(32)", "log", "log_head"),
    "a text changed": ("UPDATE log_text SET text = text || '.'", "log", "entry"),
    "a text lost": ('DELETE FROM log_text WHERE "index" = 2', "rows", "log_entry / log_text"),
    "the head lost": ("DELETE FROM log_head", "log", "log_tile"),
    "a head too many": (
        "INSERT INTO log_head SELECT 2, size, root, messages, deliveries, last_time, batch FROM log_head",
        "log",
        "log_head",
    ),
    "a head ahead of its time": ("UPDATE log_head SET last_time = last_time + 86400000000", "log", "log_head"),
    "another source row": ("UPDATE message SET source_row = zeroblob(32) WHERE seq = 1", "rows", "message"),
    "another unit": ("UPDATE message SET unit = 'operations' WHERE seq = 1", "messages", "message"),
    "a delivery lost": ("DELETE FROM delivery WHERE id = 1", "rows", "RELEASED / delivery"),
    "a delivery to another recipient": ("UPDATE delivery SET recipient = 'uzb' WHERE id = 1", "rows", "delivery"),
    "a delivery that never arrived": ("UPDATE delivery SET state = 1 WHERE id = 1", "rows", "DELIVERED"),
    "a header changed": (
        "UPDATE message SET header = CAST(header || x'00' AS BLOB) WHERE seq = 1",
        "messages",
        "message",
    ),
    "a body lost": ("DELETE FROM message_body WHERE seq = 1", "messages", "message"),
    "a ciphertext changed": (
        "UPDATE message_body SET rest = flipped(rest, -1) WHERE seq = 1",
        "messages",
        "message",
    ),
    "the front of a signature lost": ("DELETE FROM signature_front", "messages", "message"),
    "the front of a signature changed": (
        "UPDATE signature_front SET front = flipped(front, -1)",
        "messages",
        "signature_front 1",
    ),
    "a receipt lost": (
        "DELETE FROM proof WHERE digest = (SELECT min(digest) FROM proof)",
        "proofs",
        "delivery / proof",
    ),
    "a receipt changed": ("UPDATE proof SET entry = CAST(entry || x'00' AS BLOB)", "proofs", "ANSWER of tjk"),
    "a receipt of another place": ("UPDATE proof SET log_index = log_index + 1", "proofs", "ANSWER of tjk"),
    "a receipt of no known kind": ("UPDATE proof SET kind = 9", "proofs", "9 of tjk"),
    "what receipts share lost": ("DELETE FROM proof_path", "proofs", "ANSWER of tjk"),
    "what receipts share changed": (
        "UPDATE proof_path SET note_digest = zeroblob(32)",
        "proofs",
        "ANSWER of tjk",
    ),
    "what cosigned proofs share lost": ("DELETE FROM cosigned_path", "witnesses", "entry"),
    "a cosigned checkpoint of the own log changed": (
        "UPDATE witnessed_note SET note = CAST(replace(CAST(note AS TEXT), '/log/1', '/log/2') AS BLOB)",
        "witnesses",
        "witnessed checkpoint",
    ),
    "a cosigned checkpoint of another size": (
        "UPDATE witnessed_note SET size = size + 1000",
        "witnesses",
        "witnessed checkpoint",
    ),
    "a witness who did not cosign": ("UPDATE witnessed_note SET witnesses = 'kaz tjk'", "witnesses", "witnessed"),
    "a cosigned proof changed": (
        "UPDATE cosigned_proof SET hashes = CAST(coalesce(hashes, x'') || zeroblob(32) AS BLOB)",
        "witnesses",
        "cosigned proof",
    ),
    "the growth between two cosigned checkpoints changed": (
        (
            "UPDATE cosigned_span SET consistency_proof = CAST(consistency_proof || zeroblob(32) AS BLOB)"
            " WHERE before_digest IS NOT NULL"
        ),
        "witnesses",
        "cosigned proof",
    ),
    "a task of no message": ("INSERT INTO task VALUES (1000, '', '', 1, NULL, NULL, 0)", "tasks", "task 1000"),
    "a checkpoint of a peer changed": ("UPDATE note SET note = CAST(note || x'0a' AS BLOB)", "proofs", "ANSWER of tjk"),
}


def upgraded(node: NodeProcess, least: int) -> bool:
    """Return whether the log has more than so many entries, and all receipts lead to cosigned checkpoints."""
    return look(
        node, lambda reads: settings_store.counter(reads, "uncosigned_swept") >= log_store.head(reads).size > least
    ) and not look(node, witness_store.uncosigned_counts)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a stopped node that sent three messages."""
    folder = tmp_path_factory.mktemp("damage")
    with Federation.create(folder / "f", ["kaz", "tjk"]) as federation:
        federation.start()
        officer = Officer(federation.folder, "kaz-liaison")
        for count, least in ((2, 7), (1, 9)):  # in two goes, so that a cosigned checkpoint follows another
            asyncio.run(delivered(officer, asyncio.run(send(officer, ["tjk"], count))))
            eventually(partial(upgraded, federation.node("kaz"), least))
        federation.stop()
        yield federation.node("kaz").folder


@pytest.fixture
def copy(stopped: Path, tmp_path: Path) -> Path:
    """A copy of the node's folder that a test may damage."""
    target = tmp_path / "kaz"
    shutil.copytree(stopped, target, ignore=shutil.ignore_patterns("admin.sock", "node.log"))
    return target


def flipped(data: bytes, place: int) -> bytes:
    """Return the bytes with one bit of one of them changed: never the same bytes, whatever they are."""
    bent = bytearray(data)
    bent[place] ^= 1
    return bytes(bent)


def damage(folder: Path, statement: str) -> None:
    """Change the database behind the node's back."""
    database = sqlite3.connect(folder / "data" / "paiza.db")
    database.create_function("flipped", 2, flipped, deterministic=True)
    with database:
        assert database.execute(statement).rowcount != 0
    database.close()


def test_copy_itself_holds(copy: Path, command: Command) -> None:
    """An undamaged database verifies: the findings below come from the damage."""
    assert command("verify", "--config", str(copy / "node.toml"))[0] == 0


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found(kind: str, copy: Path, command: Command) -> None:
    """The part that was damaged does not hold, the place is named, and the exit code says so."""
    statement, part, where = DAMAGE[kind]
    damage(copy, statement)
    code, told = command("verify", "--config", str(copy / "node.toml"))
    assert code == 5
    found = {each["part"]: each for each in told["parts"]}[part]
    assert not found["passed"]
    assert any(where in finding["where"] for finding in found["findings"]), found


def test_shorter_log_than_signed_is_found(copy: Path, command: Command) -> None:
    """A database that ends before the signed checkpoint is a rollback."""
    damage(copy, "UPDATE log_head SET size = size - 1")
    code, told = command("verify", "--log-only", "--config", str(copy / "node.toml"))
    assert code == 5
    assert "log_rolled_back" in {finding["reason"] for finding in told["parts"][0]["findings"]}


def test_missing_checkpoint_file_is_found(copy: Path, command: Command) -> None:
    """A missing signed checkpoint fails: an old database could not be told from the newest."""
    (copy / "data" / "checkpoint").unlink()
    code, told = command("verify", "--log-only", "--config", str(copy / "node.toml"))
    assert (code, told["passed"]) == (5, False)
