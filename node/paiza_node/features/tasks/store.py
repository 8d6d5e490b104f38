"""Tasks in the database: assignees and due times of received messages."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Select,
    SmallInteger,
    Table,
    Text,
    and_,
    delete,
    literal_column,
    or_,
    select,
    text,
    update,
)

from paiza.officer.v1 import task_pb2
from paiza_node.core.access.model import Viewer
from paiza_node.core.access.store import seen_by
from paiza_node.core.messages.store import message_table
from paiza_node.core.storage import ReadConnection, WriteConnection, scanning
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.records import TIME, Kept, Records
from paiza_node.core.storage.scanning import Rows
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import blocks
from paiza_node.core.storage.times import to_micros
from paiza_node.features.tasks.model import ShiftNote, TaskRow
from paiza_wire.errors import Unavailable

# Tasks of received messages, by their numbers; states are those of the protocol.
task_table = Table(
    "task",
    METADATA,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("unit", Text, nullable=False),
    Column("assignee", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("acknowledge_time", BigInteger, nullable=True),
    Column("due_time", BigInteger, nullable=True),
    Column("escalations", Integer, nullable=False),
)
_WHERE_TO_DO: Final = text("state < 3")
Index(
    "ix_task_unit",
    task_table.c.unit,
    task_table.c.due_time,
    task_table.c.seq,
    sqlite_where=_WHERE_TO_DO,
    postgresql_where=_WHERE_TO_DO,
)
Index(
    "ix_task_assignee",
    task_table.c.assignee,
    task_table.c.due_time,
    task_table.c.seq,
    sqlite_where=_WHERE_TO_DO,
    postgresql_where=_WHERE_TO_DO,
)
_WHERE_WAITING: Final = text("state = 1")
Index("ix_task_new", task_table.c.acknowledge_time, sqlite_where=_WHERE_WAITING, postgresql_where=_WHERE_WAITING)


# The notes of each unit since its shift was handed over last; their texts lie beside the log.
shift_note_table = Table(
    "shift_note",
    METADATA,
    Column("log_index", Number, primary_key=True, autoincrement=False),
    Column("unit", Text, nullable=False),
    Column("officer", Text, nullable=False),
    Column("note_time", BigInteger, nullable=False),
    Column("hands_over", Boolean, nullable=False),
)
Index("ix_shift_note_unit", shift_note_table.c.unit)


# Literals, so that the databases see that the partial indexes apply.
_OPEN: Final = task_table.c.state < literal_column("3")

_NEW: Final = task_table.c.state == literal_column("1")


# A task and, last, the digest of its message.
_SELECT: Final = select(task_table, message_table.c.digest).join(message_table, message_table.c.seq == task_table.c.seq)


def tasks_of(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, TaskRow]:
    """Return the tasks of these messages."""
    of = message_table.c.digest
    return {row.digest: row for block in blocks(list(digests)) for row in _find(conn, _SELECT.where(of.in_(block)))}


def open_tasks(
    conn: ReadConnection,
    units: Collection[str] | None,
    viewer: Viewer,
    limit: int,
    after: tuple[datetime | None, int] | None = None,
) -> list[TaskRow]:
    """Return open tasks of these units (None: of all), or assigned to the viewer; the next due first.

    Those assigned to an officer whose deputy the viewer is count as theirs. Those whose messages the viewer does not
    see are left out.

    ``after`` is the due time and the number of the preceding task.
    """
    t = task_table.c
    order = (t.due_time.asc().nulls_last(), t.seq)
    query = _SELECT.where(_OPEN, *_behind(after)).order_by(*order).limit(limit)
    if viewer.units is not None:
        query = query.where(seen_by(viewer))
    if units is None:
        return _find(conn, query)
    branches = [query.where(t.unit == unit) for unit in units]
    branches += [query.where(t.assignee == reader) for reader in viewer.readers]
    found: dict[int, TaskRow] = {}
    for branch in branches:
        found.update((row.seq, row) for row in _find(conn, branch))
    return sorted(found.values(), key=lambda row: (row.due_time is None, row.due_time, row.seq))[:limit]


def unacknowledged(conn: ReadConnection, now: datetime, limit: int) -> list[TaskRow]:
    """Return tasks that should have been acknowledged by now."""
    t = task_table.c
    query = _SELECT.where(_NEW, t.acknowledge_time <= to_micros(now)).order_by(t.acknowledge_time)
    return _find(conn, query.limit(limit))


def add_tasks(conn: WriteConnection, tasks: Sequence[TaskRow]) -> None:
    """Store new tasks of stored messages."""
    _TASKS.add_new(conn, tasks)


def put_task(conn: WriteConnection, task: TaskRow) -> None:
    """Store the state of a task."""
    values = {
        "unit": task.unit,
        "assignee": task.assignee,
        "state": task.state,
        "acknowledge_time": None if task.acknowledge_time is None else to_micros(task.acknowledge_time),
        "escalations": task.escalations,
    }
    conn.execute(update(task_table).where(task_table.c.seq == task.seq), values)


def shift_notes(conn: ReadConnection, units: Collection[str]) -> list[ShiftNote]:
    """Return the notes of these units that are shown, unit by unit, the oldest first."""
    n = shift_note_table.c
    found = select(shift_note_table).where(n.unit.in_(sorted(set(units)))).order_by(n.unit, n.log_index)
    return _SHIFT_NOTES.find(conn, found)


def all_shift_notes(conn: ReadConnection) -> list[ShiftNote]:
    """Return the notes of all units, in the order of their entries."""
    return _SHIFT_NOTES.find(conn, select(shift_note_table).order_by(shift_note_table.c.log_index))


def add_shift_note(conn: WriteConnection, note: ShiftNote) -> None:
    """Store a note; if the shift is handed over with it, those before it are no longer shown."""
    if note.hands_over:
        conn.execute(delete(shift_note_table).where(shift_note_table.c.unit == note.unit))
    _SHIFT_NOTES.add(conn, [note])


def with_messages(conn: ReadConnection) -> Iterator[Rows]:
    """Return every task with columns of its message, which are None if there is none.

    They are ``digest``, ``header``, ``message_unit``, ``stored_time`` and ``urgency``.
    """
    m = message_table.c
    beside = m.digest, m.header, m.stored_time, m.urgency, m.unit.label("message_unit")
    joined = task_table.outerjoin(message_table, m.seq == task_table.c.seq)
    yield from scanning.pages(conn, select(task_table, *beside).select_from(joined), task_table)


_SHIFT_NOTES: Final = Records(shift_note_table, ShiftNote, note_time=TIME, hands_over=Kept(bool, bool))
_TASKS: Final = Records(task_table, partial(TaskRow, digest=b""), acknowledge_time=TIME, due_time=TIME)


def _find(conn: ReadConnection, query: Select[Any]) -> list[TaskRow]:
    """Return the tasks that a query beginning with `_SELECT` finds; Unavailable("log_damaged") as for `Records`."""
    found = []
    for row in conn.execute(query):
        task, digest = _TASKS.read(row[:-1]), row[-1]
        if not isinstance(digest, bytes):
            raise Unavailable("log_damaged", "the digest of a message with a task is none")
        found.append(replace(task, digest=digest))
    return found


def _behind(after: tuple[datetime | None, int] | None) -> list[ColumnElement[bool]]:
    t = task_table.c
    if after is None:
        return []
    due, seq = after
    if due is None:
        return [t.due_time.is_(None), t.seq > seq]
    last = to_micros(due)
    return [or_(t.due_time > last, t.due_time.is_(None), and_(t.due_time == last, t.seq > seq))]


LIFECYCLES: Final = (
    Lifecycle(shift_note_table, Key.ENTRY, shift_note_table.c.log_index),
    Lifecycle(
        task_table,
        Key.MESSAGE,
        task_table.c.seq,
        on_erase=lambda subject, _now: (
            update(task_table).where(task_table.c.seq == subject.seq).values(state=int(task_pb2.TASK_STATE_DONE))
        ),
    ),
)
