"""Reading everything there is, block by block and all of one moment, while the node may go on writing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, exists, func, literal_column, select, tuple_
from sqlalchemy.exc import DBAPIError

from paiza.core.v1 import delivery_pb2
from paiza_node.model import ProofKind
from paiza_node.store import schema as s
from paiza_node.store.engine import parse_url, reader_engine
from paiza_node.store.reads import SqlReads
from paiza_wire.errors import Unavailable

BLOCK: Final = 8192  # rows read at once: 32 tiles of log entries, some megabytes of messages

RELEASED: Final = int(ProofKind.RELEASED)
ANSWER: Final = int(ProofKind.ANSWER)
EXPIRED: Final = int(delivery_pb2.DELIVERY_STATE_EXPIRED)
DROPPED: Final = int(delivery_pb2.DELIVERY_STATE_DROPPED)

Rows = Sequence[Any]


class Scan(SqlReads):
    """Whole tables in the order of their keys. Memory is bounded by `BLOCK` rows."""

    def __init__(self, connection: Connection) -> None:
        """Read over this connection, in its one transaction."""
        super().__init__(connection)
        self._scanned = connection

    @property
    def connection(self) -> Connection:
        """Give the connection, in its one transaction."""
        return self._scanned

    def log_entries(self, first: int, size: int) -> Iterator[Rows]:
        """Give (index, entry, digest) of the entries from ``first`` on, below ``size``.

        Of one that retention took: (index, None, leaf hash).
        """
        e = s.log_entry.c
        for start in range(first, size, BLOCK):
            end = min(start + BLOCK, size)
            columns = select(e.index, e.entry, e.digest)
            found = self._scanned.execute(columns.where(e.index >= start, e.index < end).order_by(e.index))
            # The driver's own tuples: a fifth of the time of a long log went into wrapping them.
            assert found.cursor is not None
            rows = found.cursor.fetchall()
            found.close()
            if len(rows) < end - start:
                rows = sorted([*rows, *self._retired(start, end)], key=itemgetter(0))
            yield rows

    def _retired(self, first: int, end: int) -> list[tuple[int, None, bytes]]:
        """Give (index, nothing, leaf hash) of the entries that retention took."""
        r = s.retired.c
        found = self._scanned.execute(select(r.index, r.leaf).where(r.index >= first, r.index < end))
        return [(row[0], None, row[1]) for row in found]

    def is_retired(self, index: int) -> bool:
        """Say whether retention took an entry of the log."""
        return bool(self._retired(index, index + 1))

    def tiles(self, level: int, first: int, last: int) -> dict[int, bytes]:
        """Give the tiles of one level from index ``first`` to ``last``."""
        t = s.log_tile.c
        found = self._all(select(t.index, t.hashes).where(t.level == level, t.index >= first, t.index <= last))
        return {row[0]: row[1] for row in found}

    def count(self, table: Table) -> int:
        """Count the rows of a table."""
        return int(self._scanned.execute(select(func.count()).select_from(table)).scalar_one())

    def texts_between(self, first: int, last: int) -> Rows:
        """Give (index, text) of the free texts beside these entries."""
        t = s.log_text.c
        return self._all(select(s.log_text).where(t.index >= first, t.index <= last).order_by(t.index))

    def rows(self, table: Table) -> Iterator[Rows]:
        """Give all rows of a table, in the order of its primary key."""
        yield from self._pages(select(table), table)

    def messages(self) -> Iterator[Rows]:
        """Give every message with its body, which is None where there is none."""
        joined = s.message.outerjoin(s.message_body, s.message_body.c.seq == s.message.c.seq)
        yield from self._pages(select(s.message, s.message_body.c.signed).select_from(joined), s.message, BLOCK // 16)

    def note(self, digest: bytes) -> bytes | None:
        """Give a checkpoint note that proofs lead to."""
        found: bytes | None = self.scalar(select(s.note.c.note).where(s.note.c.digest == digest))
        return found

    def late_receipts(self) -> Rows:
        """Give (digest, recipient) of deliveries that had been given up before their receipt came."""
        d, p = s.delivery.c, s.proof.c
        joined = s.delivery.join(s.proof, (p.digest == d.digest) & (p.member == d.recipient) & (p.kind == ANSWER))
        given_up = d.state.in_([EXPIRED, DROPPED])
        return self._all(
            select(d.digest, d.recipient).select_from(joined).where(given_up, d.state > literal_column("2"))
        )

    def recent(self, *, received: bool, member: str, limit: int) -> Rows:
        """Give (entry of the member's log, our earliest time, our latest time) of what was exchanged with it last.

        What was given back after a loss is left out: its times here are those at which it came back.
        """
        m, d, p = s.message.c, s.delivery.c, s.proof.c
        if received:
            joined = s.message.join(s.proof, (p.digest == m.digest) & (p.member == m.author) & (p.kind == RELEASED))
            newest = select(p.entry, m.stored_time, m.stored_time).select_from(joined)
            came_back = exists().where(s.recovered_entry.c.digest == m.digest)
            return self._all(newest.where(m.author == member, ~came_back).order_by(m.seq.desc()).limit(limit))
        joined = s.delivery.join(s.proof, (p.digest == d.digest) & (p.member == d.recipient) & (p.kind == ANSWER))
        settled = select(p.entry, d.released_time, d.settled_time).select_from(joined)
        came_back = exists().where(s.recovered_entry.c.digest == d.digest)
        chosen = settled.where(d.recipient == member, d.settled_time.is_not(None), ~came_back)
        return self._all(chosen.order_by(d.id.desc()).limit(limit))

    def _pages(self, statement: Select[Any], table: Table, block: int = BLOCK) -> Iterator[Rows]:
        key = [statement.selected_columns[column.name] for column in table.primary_key]
        after: tuple[Any, ...] | None = None
        while True:
            page = statement.order_by(*key).limit(block)
            found = self._all(page if after is None else page.where(tuple_(*key) > tuple_(*after)))
            if found:
                yield found
            if len(found) < block:
                return
            after = tuple(getattr(found[-1], column.name) for column in table.primary_key)

    def _all(self, statement: Select[Any]) -> Rows:
        return self._scanned.execute(statement).all()


@contextmanager
def open_scan(url: str) -> Iterator[Scan]:
    """Open a database for reading all of it; Unavailable("database_unavailable") where it fails."""
    engine = reader_engine(parse_url(url))
    try:
        with engine.connect() as connection, connection.begin():
            yield Scan(connection)
    except DBAPIError as error:
        raise Unavailable("database_unavailable", f"the database failed: {error.orig}") from error
    finally:
        engine.dispose()
