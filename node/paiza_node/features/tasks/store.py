"""Tasks in the database: assignees and due times of received messages."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    and_,
    literal_column,
    or_,
    select,
    text,
    update,
)

from paiza.officer.v1 import task_pb2
from paiza_node.core.messages.store import message_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.records import TIME, Records
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import blocks
from paiza_node.core.storage.times import to_micros
from paiza_node.features.tasks.model import TaskRow

# Tasks of received messages; states are those of the protocol.
work_table = Table(
    "work",
    METADATA,
    Column("seq", Number, ForeignKey(message_table.c.seq), primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("unit", Text, nullable=False),
    Column("assignee", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("acknowledge_time", BigInteger, nullable=True),
    Column("due_time", BigInteger, nullable=True),
    Column("escalations", Integer, nullable=False),
)
_WHERE_TO_DO: Final = text("state < 3")
Index(
    "ix_work_unit",
    work_table.c.unit,
    work_table.c.due_time,
    work_table.c.seq,
    sqlite_where=_WHERE_TO_DO,
    postgresql_where=_WHERE_TO_DO,
)
Index(
    "ix_work_assignee",
    work_table.c.assignee,
    work_table.c.due_time,
    work_table.c.seq,
    sqlite_where=_WHERE_TO_DO,
    postgresql_where=_WHERE_TO_DO,
)
_WHERE_WAITING: Final = text("state = 1")
Index("ix_work_new", work_table.c.acknowledge_time, sqlite_where=_WHERE_WAITING, postgresql_where=_WHERE_WAITING)


# Literals, so that the databases see that the partial indexes apply.
_OPEN: Final = work_table.c.state < literal_column("3")

_NEW: Final = work_table.c.state == literal_column("1")


def work(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, TaskRow]:
    """Return the tasks of these messages."""
    found: dict[bytes, TaskRow] = {}
    wanted = list(digests)
    for block in blocks(wanted):
        for row in _TASKS.find(conn, select(work_table).where(work_table.c.digest.in_(block))):
            found[row.digest] = row
    return found


def open_tasks(
    conn: ReadConnection,
    units: Collection[str] | None,
    officer: str,
    limit: int,
    after: tuple[datetime | None, int] | None = None,
) -> list[TaskRow]:
    """Return open tasks of these units (None: of all), or assigned to an officer; the next due first.

    ``after`` is the due time and the number of the preceding task.
    """
    w = work_table.c
    order = (w.due_time.asc().nulls_last(), w.seq)
    work = select(work_table).where(_OPEN, *_behind(after)).order_by(*order).limit(limit)
    if units is None:
        return _TASKS.find(conn, work)
    branches = [work.where(w.unit == unit) for unit in units]
    branches.append(work.where(w.assignee == officer))
    found: dict[int, TaskRow] = {}
    for branch in branches:
        found.update((row.seq, row) for row in _TASKS.find(conn, branch))
    return sorted(found.values(), key=lambda row: (row.due_time is None, row.due_time, row.seq))[:limit]


def unacknowledged(conn: ReadConnection, now: datetime, limit: int) -> list[TaskRow]:
    """Return tasks that should have been acknowledged by now."""
    w = work_table.c
    query = select(work_table).where(_NEW, w.acknowledge_time <= to_micros(now)).order_by(w.acknowledge_time)
    return _TASKS.find(conn, query.limit(limit))


def add_tasks(conn: WriteConnection, work: Sequence[TaskRow]) -> None:
    """Store new tasks."""
    _TASKS.add_new(conn, work)


def put_task(conn: WriteConnection, work: TaskRow) -> None:
    """Store the state of a task."""
    values = {
        "unit": work.unit,
        "assignee": work.assignee,
        "state": work.state,
        "acknowledge_time": None if work.acknowledge_time is None else to_micros(work.acknowledge_time),
        "escalations": work.escalations,
    }
    conn.execute(update(work_table).where(work_table.c.seq == work.seq), values)


_TASKS: Final = Records(work_table, TaskRow, acknowledge_time=TIME, due_time=TIME)


def _behind(after: tuple[datetime | None, int] | None) -> list[ColumnElement[bool]]:
    w = work_table.c
    if after is None:
        return []
    due, seq = after
    if due is None:
        return [w.due_time.is_(None), w.seq > seq]
    last = to_micros(due)
    return [or_(w.due_time > last, w.due_time.is_(None), and_(w.due_time == last, w.seq > seq))]


LIFECYCLES: Final = (
    Lifecycle(
        work_table,
        Key.MESSAGE,
        work_table.c.seq,
        on_erase=lambda subject, _now: (
            update(work_table).where(work_table.c.seq == subject.seq).values(state=int(task_pb2.TASK_STATE_DONE))
        ),
    ),
)
