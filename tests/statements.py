"""Follows every statement that the node's stores run, by SQLAlchemy or by the driver itself."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, event

from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.connection import Row

Note = Callable[[Connection, str, Any], None]


@contextmanager
def followed(note: Note) -> Iterator[None]:
    """Call ``note`` before each statement of the block with the connection, the SQL, and the values of one row."""
    run, run_each = ReadConnection.run, ReadConnection.run_each

    def note_run(conn: ReadConnection, sql: str, parameters: Row = ()) -> list[Row]:
        note(conn._connection, sql, parameters)
        return run(conn, sql, parameters)

    def note_run_each(conn: ReadConnection, sql: str, rows: Sequence[Row]) -> None:
        note(conn._connection, sql, rows[0])
        run_each(conn, sql, rows)

    def note_executed(*executed: Any) -> None:
        connection, _cursor, sql, values, _context, many = executed
        note(connection, sql, values[0] if many else values)

    event.listen(Engine, "before_cursor_execute", note_executed)
    try:
        with patch.object(ReadConnection, "run", note_run), patch.object(ReadConnection, "run_each", note_run_each):
            yield
    finally:
        event.remove(Engine, "before_cursor_execute", note_executed)
