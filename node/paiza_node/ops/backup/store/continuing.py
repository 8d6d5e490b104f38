"""Continuing a lost log: the log in a copied database gets a new first entry and becomes the beginning of a new log.

The new log consists of LOG_CONTINUED, which names the largest known checkpoint of the earlier log; then every remaining
entry of the earlier one, verbatim and in its order; then the entries written from now on. One log therefore contains
everything, and an entry of the earlier log is at an index higher by `FormerLog.first_index` in the new one. The earlier
log's own checkpoints, to which its entries still lead, prove that they are the same entries.

This is done in a copy that is not used yet: a crash leaves a file that is deleted.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Column, delete, insert, select, update

from paiza_node.core.access import store as access_store
from paiza_node.core.access.held import hold_all
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import BATCH_ID_BYTES
from paiza_node.core.log.model import FormerLog, LogText
from paiza_node.core.log.store import entry_leaves, put_former_log
from paiza_node.core.peers import store as peers_store
from paiza_node.core.storage import WriteConnection
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.engine import parse_url, writer_engine
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.audit import log_index
from paiza_node.features.audit import store as audit_store
from paiza_node.features.audit.model import LogIndexRow
from paiza_node.features.enrolment import store as enrolment_store
from paiza_node.features.peer_audit import store as peer_audit_store
from paiza_node.features.recovery import store as recovery_store
from paiza_node.features.retention import store as retention_store
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness import upgrade_proofs
from paiza_node.ops import announced_keys
from paiza_wire import log_entries, receipts
from paiza_wire.tlog import merkle
from paiza_wire.tlog.tiles import TILE_WIDTH, TileTree

BLOCK: Final = TILE_WIDTH * 32  # entries hashed at once

# Every column that names an entry of the own log by its index.
INDICES: Final[tuple[Column[int], ...]] = (
    log_store.log_entry_table.c.index,
    log_store.log_text_table.c.index,
    log_store.log_listed_table.c.index,
    deliveries_store.delivery_table.c.released_index,
    exchange_store.answer_table.c.log_index,
    exchange_store.forwarding_table.c.log_index,
    attachments_store.attachment_table.c.log_index,
    access_store.officer_table.c.log_index,
    access_store.officer_certificate_table.c.log_index,
    access_store.officer_certificate_table.c.confirmed_index,
    access_store.invitation_table.c.log_index,
    access_store.deputy_table.c.log_index,
    access_store.deputy_table.c.ended_index,
    enrolment_store.renewal_table.c.log_index,
    access_store.opened_table.c.log_index,
    approvals_store.approval_table.c.submitted_index,
    peers_store.finding_table.c.index,
    peers_store.finding_table.c.ended_index,
    peers_store.peer_block_table.c.index,
    audit_store.log_index_table.c.index,
    tasks_store.shift_note_table.c.log_index,
    retention_store.erasure_table.c.log_index,
    retention_store.hold_table.c.log_index,
    log_store.retired_table.c.index,
    peer_audit_store.reconciled_period_table.c.log_index,
    recovery_store.recovered_entry_table.c.log_index,
    log_store.former_log_table.c.first_index,
)

# Counters of tasks that follow the log: each the index of the next entry to process.
CURSORS: Final = (log_index.CURSOR, upgrade_proofs.COUNTER)


@dataclass(frozen=True, slots=True)
class Ended:
    """The earlier log: its name, a checkpoint that its remaining entries lead to, the largest known, and its source."""

    origin: str
    kept_note: bytes
    largest_note: bytes
    largest_size: int
    shown_by: str


def continue_log(file: Path, ended: Ended, actor: str, register_version: bytes, now: datetime) -> tuple[int, bytes]:
    """Make the log in a copied database (SQLite) the beginning of the next one; return its size and root.

    Numbers of threads continue after all that may have been used before: none is used twice.
    """
    with _copied(file) as connection:
        head = connection.execute(select(log_store.log_head_table)).one()
        moment = max(now, from_micros(head.last_time))
        _shift(connection)
        put_former_log(connection, FormerLog(ended.origin, 1, head.size, ended.kept_note, ended.largest_note))
        _write_first(connection, ended, actor, register_version, moment)
        # Cosignatures of the earlier log's checkpoints are kept by those who have proofs to them; by size they would be
        # mistaken for those of checkpoints of this log.
        connection.execute(delete(witness_store.witnessed_note_table))
        lost = max(0, ended.largest_size - head.size)
        threads = settings_store.counter_table.c.name.startswith("thread ")
        connection.execute(
            update(settings_store.counter_table)
            .where(threads)
            .values(value=settings_store.counter_table.c.value + lost)
        )
        size, root = _rebuild_tree(connection)
        values = {
            "size": size,
            "root": root,
            "last_time": to_micros(moment),
            "batch": secrets.token_bytes(BATCH_ID_BYTES),
        }
        connection.execute(update(log_store.log_head_table), values)
    return size, root


def put_setting(file: Path, name: str, value: bytes) -> None:
    """Store a setting for the node that will use this copy."""
    with _copied(file) as connection:
        connection.execute(delete(settings_store.setting_table).where(settings_store.setting_table.c.name == name))
        connection.execute(insert(settings_store.setting_table), {"name": name, "value": value})


def hold_officers(file: Path) -> None:
    """Hold all officers in a copied database until an operator confirms them; make open invitations void."""
    with _copied(file) as connection:
        hold_all(connection)


def _shift(connection: WriteConnection) -> None:
    """Increase every index by one; through negative numbers, so that no row meets its neighbour's key."""
    for column in INDICES:
        table = column.table
        connection.execute(update(table).where(column.is_not(None)).values({column: -column - 1}))
        connection.execute(update(table).where(column.is_not(None)).values({column: -column}))
    followed = settings_store.counter_table.c.name.in_(CURSORS)
    connection.execute(
        update(settings_store.counter_table).where(followed).values(value=settings_store.counter_table.c.value + 1)
    )
    s = settings_store.setting_table.c
    announced = select(s.name, s.value).where(s.name.startswith(announced_keys.ANNOUNCED, autoescape=True))
    for name, value in connection.execute(announced).all():
        key, index = announced_keys.read(value)
        settings_store.put_setting(connection, name, announced_keys.value_of(key, index + 1))


def _write_first(connection: WriteConnection, ended: Ended, actor: str, register_version: bytes, now: datetime) -> None:
    beside = LogText(receipts.new_text_salt(), ended.largest_note.decode())
    note_sha256 = sha256(ended.largest_note).digest()
    entry = log_entries.log_continued(actor=actor, shown_by=ended.shown_by, note_sha256=note_sha256)
    entry.salt, entry.register_version = receipts.new_salt(), register_version
    entry.text_sha256 = receipts.text_digest(beside.salt, beside.text)
    entry.entry_time.FromDatetime(now)
    values = {"index": 0, "entry": entry.SerializeToString(deterministic=True), "digest": None}
    connection.execute(insert(log_store.log_entry_table), values)
    connection.execute(insert(log_store.log_text_table), {"index": 0, "salt": beside.salt, "text": beside.text})
    # No task that follows the log returns to its beginning.
    audit_store.add_facts(connection, [LogIndexRow(0, entry.event, entry.actor, entry.counterpart)])


def _rebuild_tree(connection: WriteConnection) -> tuple[int, bytes]:
    size = connection.execute(select(log_store.log_head_table.c.size)).scalar_one() + 1
    connection.execute(delete(log_store.log_tile_table))
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
        connection.execute(insert(log_store.log_tile_table), rows[start : start + BLOCK])
    return size, root


@contextmanager
def _copied(file: Path) -> Iterator[WriteConnection]:
    engine = writer_engine(parse_url(f"sqlite:///{file}"))
    try:
        with engine.connect() as connection, connection.begin():
            yield WriteConnection(connection)
    finally:
        engine.dispose()
