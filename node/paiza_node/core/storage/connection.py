"""Database connections for the packages that own tables: one type that reads, one that writes.

`ReadConnection.execute` accepts only statements that find rows; changes need a `WriteConnection`, so that a function
that only reads cannot write.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVarTuple, overload

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import TypedReturnsRows
from typing_extensions import override

from paiza_wire.errors import Unavailable

Columns = TypeVarTuple("Columns")


class ReadConnection:
    """Queries within one transaction: all results are of one moment."""

    def __init__(self, connection: Connection) -> None:
        """Use this connection, within its current transaction."""
        self._connection = connection

    @property
    def database(self) -> str:
        """The kind of database: "sqlite" or "postgresql"."""
        return self._connection.dialect.name

    def execute(
        self, statement: TypedReturnsRows[*Columns], parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[*Columns]:
        """Run a statement that finds rows."""
        return self._connection.execute(statement, parameters)

    def scalar(self, statement: Executable) -> Any:
        """Return the one value a statement finds, or None."""
        return self._connection.execute(statement).scalar_one_or_none()

    def exec_driver_sql(self, sql: str, parameters: Any) -> CursorResult[Any]:
        """Run SQL that was compiled before, with the driver's own parameters; for `statements`."""
        return self._connection.exec_driver_sql(sql, parameters)


class WriteConnection(ReadConnection):
    """Writes of one commit: all of them happen or none does."""

    @overload
    def execute(
        self, statement: TypedReturnsRows[*Columns], parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[*Columns]: ...

    @overload
    def execute(
        self, statement: UpdateBase, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]: ...

    @override
    def execute(self, statement: Any, parameters: Any = None) -> CursorResult[Any]:
        """Run a statement that finds or changes rows."""
        return self._connection.execute(statement, parameters)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the writes of the block if it raises, and nothing else."""
        try:
            with self._connection.begin_nested():
                yield
        except OperationalError as error:
            raise Unavailable("database_unavailable", f"the database failed: {said(error)}") from error


def said(error: DBAPIError) -> str:
    """Return the first line of the database's error message."""
    return str(error.orig).strip().splitlines()[0] if error.orig is not None else type(error).__name__
