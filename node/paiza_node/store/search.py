"""Blind tokens in the database: what each message speaks of, as keyed hashes that say nothing without their key."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, delete, func, select

from paiza_node.model import Found, IndexedMessage, MessageRow, SearchQuery, SharedToken
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, message_row, to_micros
from paiza_node.store.statements import insertion

MAX_SHARED: Final = 50  # messages that are told of for one message; an identifier in more of them says little


class SearchReads:
    """Questions about what messages speak of."""

    _connection: Connection

    def unindexed(self, after_seq: int, limit: int) -> list[MessageRow]:
        """Give stored messages behind the cursor, oldest first, refused ones too."""
        rows = self._connection.execute(
            select(s.message).where(s.message.c.seq > after_seq).order_by(s.message.c.seq).limit(limit)
        )
        return [message_row(row) for row in rows]

    def search(self, query: SearchQuery) -> list[Found]:
        """Give messages that meet all clauses, newest first."""
        m, i = s.message.c, s.indexed_message.c
        statement = select(s.message, i.event_time).join(s.indexed_message, i.seq == m.seq)
        for clause in query.clauses:
            statement = statement.where(_has(clause, annex=query.annex))
        if query.author:
            statement = statement.where(m.author == query.author)
        if query.kind:
            statement = statement.where(m.kind == query.kind)
        when = func.coalesce(i.event_time, m.stored_time)
        if query.since_time is not None:
            statement = statement.where(when >= to_micros(query.since_time))
        if query.until_time is not None:
            statement = statement.where(when < to_micros(query.until_time))
        if query.before_seq is not None:
            statement = statement.where(m.seq < query.before_seq)
        rows = self._connection.execute(statement.order_by(m.seq.desc()).limit(query.limit))
        return [Found(message_row(row), _time(row)) for row in rows]

    def sharing(
        self, tokens: Collection[bytes], *, before_seq: int | None = None, limit: int = MAX_SHARED, annex: bool = True
    ) -> list[SharedToken]:
        """Give the newest occurrences of these tokens, in messages before ``before_seq`` where that is given.

        Without ``annex`` those in nominal annexes are passed over before they are counted: they crowd nothing out.
        """
        t = s.term_token.c
        below = [t.seq < before_seq] if before_seq is not None else []
        below += [] if annex else [t.annex.is_(False)]
        rows = self._connection.execute(
            select(t.seq, t.field, t.annex, t.token)
            .where(t.token.in_(list(tokens)), *below)
            .order_by(t.seq.desc())
            .limit(limit)
        )
        return [SharedToken(row.seq, row.field, row.annex, row.token) for row in rows]

    def tokens_of(self, seq: int, fields: Collection[str]) -> list[SharedToken]:
        """Give the tokens of one message in these fields."""
        t = s.term_token.c
        rows = self._connection.execute(
            select(t.seq, t.field, t.annex, t.token).where(t.seq == seq, t.field.in_(list(fields)))
        )
        return [SharedToken(row.seq, row.field, row.annex, row.token) for row in rows]

    def messages_at(self, seqs: Collection[int]) -> list[MessageRow]:
        """Give messages by their numbers, newest first."""
        rows = self._connection.execute(
            select(s.message).where(s.message.c.seq.in_(list(seqs))).order_by(s.message.c.seq.desc())
        )
        return [message_row(row) for row in rows]

    def linked(self, seqs: Collection[int]) -> set[int]:
        """Say which of these messages shared an identifier with an older one when they were indexed."""
        i = s.indexed_message.c
        rows = self._connection.execute(select(i.seq).where(i.seq.in_(list(seqs)), i.linked.is_(True)))
        return {row[0] for row in rows}


class SearchWrites(SearchReads):
    """What the indexer writes."""

    def add_indexed(self, messages: Sequence[IndexedMessage]) -> None:
        """Store what messages speak of; one indexed before stays as it is."""
        _ADD_INDEXED.run(
            self._connection,
            [(m.seq, None if m.event_time is None else to_micros(m.event_time), m.linked) for m in messages],
        )
        _ADD_TOKEN.run(
            self._connection, [(token, m.seq, field, annex) for m in messages for token, field, annex in m.tokens]
        )

    def clear_index(self) -> None:
        """Forget all tokens: they were made with another key or by other rules."""
        self._connection.execute(delete(s.term_token))
        self._connection.execute(delete(s.indexed_message))


_ADD_INDEXED: Final = insertion(s.indexed_message, ignore_known=True)
_ADD_TOKEN: Final = insertion(s.term_token, ignore_known=True)


def _has(clause: Collection[bytes], *, annex: bool) -> ColumnElement[bool]:
    """Ask for any of these tokens; from the tokens' side, so that a rare one is found without reading all messages."""
    t = s.term_token.c
    open_to_all = [] if annex else [t.annex.is_(False)]
    return s.message.c.seq.in_(select(t.seq).where(t.token.in_(list(clause)), *open_to_all))


def _time(row: Row[Any]) -> datetime | None:
    return None if row.event_time is None else from_micros(row.event_time)
