"""A new log goes on where an earlier one was lost: the copy of a database gets a first entry in front of its log.

The new log is: LOG_CONTINUED, which names the largest checkpoint of the earlier log that anybody showed; then every
entry of the earlier one that is left, verbatim and in its order; then what is written from now on. So one log holds all
there is, whatever is asked of it, and an entry of the earlier log stands in the new one `FormerLog.first_index` further
on. That they are the same entries is shown by the earlier log's own checkpoints, to which they still lead.

It is done in a copy that nobody uses yet: a crash leaves a file that is thrown away.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, delete, insert, select, update

from paiza_node.lawful import facts
from paiza_node.ledger import BATCH_ID_BYTES
from paiza_node.model import FormerLog, LogFact
from paiza_node.store import schema as s
from paiza_node.store.engine import parse_url, writer_engine
from paiza_node.store.recovery import put_former_log
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.sql import SqlTransaction
from paiza_node.witness import upgrade
from paiza_wire import log_entries, merkle, receipts
from paiza_wire.tiles import TILE_WIDTH, TileTree

BLOCK: Final = TILE_WIDTH * 32  # entries hashed at once

# Every column that names an entry of the own log by its index.
INDICES: Final[tuple[Column[int], ...]] = (
    s.log_entry.c.index,
    s.log_text.c.index,
    s.delivery.c.released_index,
    s.answer.c.log_index,
    s.passed_on.c.log_index,
    s.attachment.c.log_index,
    s.opened.c.log_index,
    s.approval.c.submitted_index,
    s.finding.c.index,
    s.finding.c.ended_index,
    s.log_fact.c.index,
    s.erasure.c.log_index,
    s.hold.c.log_index,
    s.retired.c.index,
    s.reconciled_period.c.log_index,
    s.recovered_entry.c.log_index,
    s.former_log.c.first_index,
)

# Counters of duties that follow the log: each the index of the entry that is looked at next.
CURSORS: Final = (facts.CURSOR, upgrade.COUNTER)


@dataclass(frozen=True, slots=True)
class Ended:
    """The earlier log: its name, a checkpoint that what is left leads to, the largest known, and who showed that."""

    origin: str
    kept_note: bytes
    largest_note: bytes
    largest_size: int
    shown_by: str


def continue_log(file: Path, ended: Ended, actor: str, register_version: bytes, now: datetime) -> tuple[int, bytes]:
    """Make the log in a copied database (SQLite) the beginning of the next one; gives its size and root.

    Numbers of threads go on behind all that may have been given out before: none is given twice.
    """
    with _copied(file) as connection:
        head = connection.execute(select(s.log_head)).one()
        moment = max(now, from_micros(head.last_time))
        _shift(connection)
        put_former_log(connection, FormerLog(ended.origin, 1, head.size, ended.kept_note, ended.largest_note))
        _write_first(connection, ended, actor, register_version, moment)
        # Cosignatures of the earlier log's checkpoints are kept by those who have proofs to them; by size they would be
        # taken for checkpoints of this log.
        connection.execute(delete(s.witnessed_note))
        lost = max(0, ended.largest_size - head.size)
        threads = s.counter.c.name.startswith("thread ")
        connection.execute(update(s.counter).where(threads).values(value=s.counter.c.value + lost))
        size, root = _rebuild_tree(connection)
        values = {
            "size": size,
            "root": root,
            "last_time": to_micros(moment),
            "batch": secrets.token_bytes(BATCH_ID_BYTES),
        }
        connection.execute(update(s.log_head), values)
    return size, root


def put_setting(file: Path, name: str, value: bytes) -> None:
    """Have a node that will be started with this copy remember something."""
    with _copied(file) as connection:
        connection.execute(delete(s.setting).where(s.setting.c.name == name))
        connection.execute(insert(s.setting), {"name": name, "value": value})


def entry_leaves(connection: Connection, first: int, end: int) -> Iterator[list[bytes]]:
    """Give the leaf hashes of the log in order, block by block: of entries, and of those that retention took."""
    e, r = s.log_entry.c, s.retired.c
    for start in range(first, end, BLOCK):
        stop = min(start + BLOCK, end)
        rows = connection.execute(select(e.index, e.entry).where(e.index >= start, e.index < stop))
        leaves = {row[0]: merkle.leaf_hash(row[1]) for row in rows}
        rows = connection.execute(select(r.index, r.leaf).where(r.index >= start, r.index < stop))
        leaves |= {row[0]: row[1] for row in rows}
        yield [leaves[index] for index in range(start, stop)]


def _shift(connection: Connection) -> None:
    """Move every index by one. Through negative numbers, so that no row meets the key of its neighbour on the way."""
    for column in INDICES:
        table = column.table
        connection.execute(update(table).where(column.is_not(None)).values({column: -column - 1}))
        connection.execute(update(table).where(column.is_not(None)).values({column: -column}))
    followed = s.counter.c.name.in_(CURSORS)
    connection.execute(update(s.counter).where(followed).values(value=s.counter.c.value + 1))


def _write_first(connection: Connection, ended: Ended, actor: str, register_version: bytes, now: datetime) -> None:
    salt, text = receipts.new_salt(), ended.largest_note.decode()
    note_sha256 = sha256(ended.largest_note).digest()
    entry = log_entries.log_continued(actor=actor, shown_by=ended.shown_by, note_sha256=note_sha256)
    entry.salt, entry.register_version = salt, register_version
    entry.text_sha256 = receipts.text_digest(salt, text)
    entry.entry_time.FromDatetime(now)
    values = {"index": 0, "entry": entry.SerializeToString(deterministic=True), "digest": None}
    connection.execute(insert(s.log_entry), values)
    connection.execute(insert(s.log_text), {"index": 0, "text": text})
    # Nobody who follows the log looks back at its beginning.
    SqlTransaction(connection).add_facts([LogFact(0, entry.event, entry.actor, entry.counterpart)])


def _rebuild_tree(connection: Connection) -> tuple[int, bytes]:
    size = connection.execute(select(s.log_head.c.size)).scalar_one() + 1
    connection.execute(delete(s.log_tile))
    stored: dict[tuple[int, int], bytes] = {}
    tree = TileTree(0, lambda level, index: stored[level, index])
    root = merkle.EMPTY_ROOT
    for leaves in entry_leaves(connection, 0, size):
        batch = tree.append(leaves)
        stored.update({(level, index): hashes for level, index, hashes in batch.tiles})
        tree.commit(batch)
        root = batch.root
    rows = [{"level": level, "index": index, "hashes": hashes} for (level, index), hashes in stored.items()]
    for start in range(0, len(rows), BLOCK):
        connection.execute(insert(s.log_tile), rows[start : start + BLOCK])
    return size, root


@contextmanager
def _copied(file: Path) -> Iterator[Connection]:
    engine = writer_engine(parse_url(f"sqlite:///{file}"))
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()
