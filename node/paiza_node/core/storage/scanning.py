"""Reads of whole tables, block by block and all of one moment, while the node may continue writing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Select, Table, func, select, tuple_
from sqlalchemy.exc import DBAPIError

from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.engine import parse_url, reader_engine
from paiza_wire.errors import Unavailable

BLOCK: Final = 8192  # rows read at once: 32 tiles of log entries, some megabytes of messages


Rows = Sequence[Any]


def count(conn: ReadConnection, table: Table) -> int:
    """Count the rows of a table."""
    return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def rows(conn: ReadConnection, table: Table) -> Iterator[Rows]:
    """Return all rows of a table, in the order of its primary key."""
    yield from pages(conn, select(table), table)


def pages(conn: ReadConnection, statement: Select[Any], table: Table, block: int = BLOCK) -> Iterator[Rows]:
    """Return the rows of a statement over one table, block by block, in the order of the table's primary key."""
    key = [statement.selected_columns[column.name] for column in table.primary_key]
    after: tuple[Any, ...] | None = None
    while True:
        page = statement.order_by(*key).limit(block)
        found = conn.execute(page if after is None else page.where(tuple_(*key) > tuple_(*after))).all()
        if found:
            yield found
        if len(found) < block:
            return
        after = tuple(getattr(found[-1], column.name) for column in table.primary_key)


@contextmanager
def open_scan(url: str) -> Iterator[ReadConnection]:
    """Open a database for reading all of it; Unavailable("database_unavailable") on failure."""
    engine = reader_engine(parse_url(url))
    try:
        with engine.connect() as connection, connection.begin():
            yield ReadConnection(connection)
    except DBAPIError as error:
        raise Unavailable("database_unavailable", f"the database failed: {error.orig}") from error
    finally:
        engine.dispose()
