"""Officers of the own member, the messages they may see, and the parts they opened."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    exists,
    or_,
    select,
    union_all,
)

from paiza_node.core.access.model import MessageQuery, Officer, Opened, Viewer
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.messages.store import message_row, message_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.records import Kept, Records
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import blocks, insertion, replacement
from paiza_node.core.storage.times import to_micros

officer_table = Table(
    "officer",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("roles", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("authentication_certificate_sha256", LargeBinary, nullable=False),
    Column("signing_certificate_sha256", LargeBinary, nullable=False),
    Column("suspended", Boolean, nullable=False),
)

opened_table = Table(
    "opened",
    METADATA,
    Column("log_index", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("part_number", Integer, nullable=False),
    Column("officer", Text, nullable=False),
)
Index("ix_opened_digest_officer", opened_table.c.digest, opened_table.c.officer)

# Number of messages that each officer opened together on the last day they did so.
opened_together_table = Table(
    "opened_together",
    METADATA,
    Column("officer", Text, primary_key=True),
    Column("day", Integer, nullable=False),  # days since 1970, UTC
    Column("count", Integer, nullable=False),
)

# Officers who see a message in addition to those of its unit: those it was assigned to, and its signers.
reader_table = Table(
    "reader",
    METADATA,
    Column("officer", Text, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)


def officers(conn: ReadConnection) -> dict[str, Officer]:
    """Return the officers of the own member, by id."""
    return {officer.id: officer for officer in _OFFICERS.find(conn, select(officer_table))}


def put_officer(conn: WriteConnection, officer: Officer) -> None:
    """Store an officer of the own member."""
    _OFFICERS.put(conn, [officer])


def openers(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, set[str]]:
    """Return the officers who opened the main part of each of these messages."""
    o = opened_table.c
    found: dict[bytes, set[str]] = {}
    for block in blocks(list(digests)):
        for digest, officer in conn.execute(
            select(o.digest, o.officer).where(o.digest.in_(block), o.part_number == 0).distinct()
        ):
            found.setdefault(digest, set()).add(officer)
    return found


def add_opened(conn: WriteConnection, opened: Opened) -> None:
    """Store that an officer opened a part."""
    _OPENED.add(conn, [opened])


_OFFICERS: Final = Records(
    officer_table, Officer, roles=Kept(lambda roles: " ".join(sorted(roles)), lambda text: frozenset(text.split()))
)
_OPENED: Final = Records(opened_table, Opened)


def visible(conn: ReadConnection, seqs: Collection[int], viewer: Viewer) -> set[int]:
    """Return those of these messages that a viewer sees."""
    if viewer.units is None:
        return set(seqs)
    found: set[int] = set()
    wanted = list(seqs)
    for block in blocks(wanted):
        rows = conn.execute(select(message_table.c.seq).where(message_table.c.seq.in_(block), seen_by(viewer)))
        found.update(row[0] for row in rows)
    return found


def add_readers(conn: WriteConnection, readers: Sequence[tuple[str, int]]) -> None:
    """Allow officers to see messages regardless of the messages' unit."""
    _ADD_READER.run(conn, list(readers))


_ADD_READER: Final = insertion(reader_table, ignore_known=True)


def seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that a viewer sees a message; for queries that another condition already narrows."""
    assert viewer.units is not None
    r = reader_table.c
    given = exists().where(and_(r.officer == viewer.officer, r.seq == message_table.c.seq))
    return or_(message_table.c.unit.in_(viewer.units), given)


def find_messages(conn: ReadConnection, query: MessageQuery) -> list[MessageRow]:
    """Return the messages that match, newest first. The cost depends on the page size alone."""
    m = message_table.c
    order = m.seq.asc() if query.oldest_first else m.seq.desc()
    conditions = _conditions(query)
    if query.seen_by is not None and query.seen_by.units is not None:
        narrow = query.thread_id or query.thread_name or query.id_prefix
        conditions = [*conditions, seen_by(query.seen_by)] if narrow else [m.seq.in_(_page_seqs(query, conditions))]
    statement = select(message_table).where(*conditions).order_by(order).limit(query.limit)
    return [message_row(row) for row in conn.execute(statement)]


def seen_messages(conn: ReadConnection, digests: Collection[bytes], viewer: Viewer | None = None) -> list[MessageRow]:
    """Return those of these messages that ``viewer`` sees, in order of arrival."""
    found: list[MessageRow] = []
    seen = [] if viewer is None or viewer.units is None else [seen_by(viewer)]
    for block in blocks(list(digests)):
        rows = conn.execute(select(message_table).where(message_table.c.digest.in_(block), *seen))
        found.extend(message_row(row) for row in rows)
    return sorted(found, key=lambda row: row.seq)


def _conditions(query: MessageQuery) -> list[ColumnElement[bool]]:
    m = message_table.c
    conditions: list[ColumnElement[bool]] = []
    if query.received is not None:
        conditions.append(m.received == query.received)
        if query.received:
            conditions.append(m.state == int(MessageState.RECEIVED))
    if query.kind:
        conditions.append(m.kind == query.kind)
    if query.author:
        conditions.append(m.author == query.author)
    if query.since_time is not None:
        conditions.append(m.stored_time >= to_micros(query.since_time))
    if query.thread_id:
        conditions.append(m.thread_id == query.thread_id)
    if query.thread_name:
        conditions.append(m.thread_name == query.thread_name)
    if query.id_prefix:
        conditions.append(or_(*(_begins(column, query.id_prefix) for column in (m.digest, m.message_id))))
    if query.unread_by:
        o = opened_table.c
        conditions.append(~exists().where(and_(o.digest == m.digest, o.officer == query.unread_by, o.part_number == 0)))
    if query.before_seq is not None:
        conditions.append(m.seq < query.before_seq)
    if query.after_seq:
        conditions.append(m.seq > query.after_seq)
    return conditions


def _begins(column: Any, prefix: str) -> ColumnElement[bool]:
    """Return the condition that bytes begin with these hex digits, as a range that an index can serve."""
    low = bytes.fromhex(prefix + "0" * (len(prefix) % 2))
    high = bytes.fromhex(prefix + "f" * (len(prefix) % 2)) + b"\xff" * 32
    return and_(column >= low, column <= high)


def _page_seqs(query: MessageQuery, conditions: Sequence[ColumnElement[bool]]) -> Any:
    """Return a subquery of the numbers of a page that a viewer sees: the newest of each unit, through an index."""
    assert query.seen_by is not None
    assert query.seen_by.units is not None
    m, r = message_table.c, reader_table.c
    boxes = [query.received] if query.received is not None else [True, False]
    branches = []
    for unit in query.seen_by.units:
        for received in boxes:
            order = m.seq.asc() if query.oldest_first else m.seq.desc()
            page = select(m.seq).where(m.unit == unit, m.received == received, *conditions)
            branches.append(select(page.order_by(order).limit(query.limit).subquery().c.seq))
    joined = select(r.seq).join(message_table, m.seq == r.seq).where(r.officer == query.seen_by.officer, *conditions)
    order = r.seq.asc() if query.oldest_first else r.seq.desc()
    branches.append(select(joined.order_by(order).limit(query.limit).subquery().c.seq))
    return union_all(*branches)


def opened_together(conn: ReadConnection, officer: str, day: int) -> int:
    """Return how many messages an officer opened together on a day."""
    t = opened_together_table.c
    return conn.execute(select(t.count).where(t.officer == officer, t.day == day)).scalar_one_or_none() or 0


def put_opened_together(conn: WriteConnection, officer: str, day: int, count: int) -> None:
    """Store how many messages an officer opened together on a day."""
    _PUT_OPENED_TOGETHER.run(conn, [(officer, day, count)])


_PUT_OPENED_TOGETHER: Final = replacement(opened_together_table)


LIFECYCLES: Final = (
    Lifecycle(officer_table),
    Lifecycle(opened_together_table),
    Lifecycle(opened_table, Key.DIGEST, opened_table.c.digest),
    Lifecycle(reader_table, Key.MESSAGE, reader_table.c.seq),
)
