"""Lists of messages as officers see them."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    or_,
    select,
    union_all,
)

from paiza_domain.threads.thread import UNMARKED
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Viewer
from paiza_node.core.access.store import opened_table, reader_table, seen_by
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.messages import markings
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.messages.store import message_row, message_table
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.statements import blocks
from paiza_node.core.storage.times import to_micros
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.inbox.model import ListedMessage, MessageQuery


def list_messages(conn: ReadConnection, query: MessageQuery, officer: str) -> list[ListedMessage]:
    """Return messages that match, newest first, with what became of them."""
    m = message_table.c
    order = m.seq.asc() if query.oldest_first else m.seq.desc()
    conditions = _conditions(query)
    if query.seen_by is not None and query.seen_by.units is not None:
        narrow = query.thread_id or query.thread_name or query.id_prefix
        conditions = [*conditions, seen_by(query.seen_by)] if narrow else [m.seq.in_(_page_seqs(query, conditions))]
    statement = select(message_table).where(*conditions).order_by(order).limit(query.limit)
    return _with_facts(conn, [message_row(row) for row in conn.execute(statement)], officer)


def listed(
    conn: ReadConnection, digests: Collection[bytes], officer: str, viewer: Viewer | None = None
) -> list[ListedMessage]:
    """Return these messages as a list shows them, in order of arrival; only those that ``viewer`` sees."""
    found: list[MessageRow] = []
    seen = [] if viewer is None or viewer.units is None else [seen_by(viewer)]
    for block in blocks(list(digests)):
        rows = conn.execute(select(message_table).where(message_table.c.digest.in_(block), *seen))
        found.extend(message_row(row) for row in rows)
    return _with_facts(conn, sorted(found, key=lambda row: row.seq), officer)


def _with_facts(conn: ReadConnection, messages: list[MessageRow], officer: str) -> list[ListedMessage]:
    """Look up what became of the messages of a page: one question of each owner."""
    digests = [row.digest for row in messages]
    deliveries = deliveries_store.by_message(conn, [row.seq for row in messages if row.state is MessageState.RELEASED])
    openers = access_store.openers(conn, digests)
    marks = markings.marks(conn, messages)
    attachments = attachments_store.attachments_of(conn, digests)
    erased = messages_store.erased(conn, digests)
    return [
        ListedMessage(
            row,
            officer in openers.get(row.digest, ()),
            row.digest in openers,
            deliveries.get(row.seq, []),
            marks=marks.get(row.digest, UNMARKED),
            attachments=attachments.get(row.digest, []),
            erased=row.digest in erased,
        )
        for row in messages
    ]


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
    """Compare the beginning of bytes with hex digits, as a range that an index can serve."""
    low = bytes.fromhex(prefix + "0" * (len(prefix) % 2))
    high = bytes.fromhex(prefix + "f" * (len(prefix) % 2)) + b"\xff" * 32
    return and_(column >= low, column <= high)


def _page_seqs(query: MessageQuery, conditions: Sequence[ColumnElement[bool]]) -> Any:
    """Return a subquery of the numbers of a page that a viewer sees: each unit's newest, from an index of its own."""
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
