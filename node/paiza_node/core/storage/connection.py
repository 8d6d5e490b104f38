"""Database connections for the packages that own tables: one type that reads, one that writes.

`ReadConnection.execute` accepts only statements that find rows; changes need a `WriteConnection`, so that a function
that only reads cannot write.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVarTuple, overload

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import TypedReturnsRows
from typing_extensions import override

from paiza_wire.errors import Unavailable

Columns = TypeVarTuple("Columns")
Row = tuple[Any, ...]

_NO_NUMBER: Final = "a stored row holds a number that no column can hold"


class ReadConnection:
    """Queries within one transaction: all results are of one moment."""

    def __init__(self, connection: Connection) -> None:
        """Use this connection, within its current transaction."""
        self._connection = connection
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        self.database = connection.dialect.name
        """The kind of database: "sqlite" or "postgresql"."""
        # In PostgreSQL's binary form bytes take half of the room and need no conversion.
        self._cursor = driver.cursor(**({} if self.database == "sqlite" else {"binary": True}))

    def execute(
        self, statement: TypedReturnsRows[*Columns], parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[*Columns]:
        """Run a statement that finds rows.

        Unavailable("log_damaged") for a parameter that does not fit its column: it comes of a damaged row.
        """
        with _damaged_parameters():
            return self._connection.execute(statement, parameters)

    def scalar(self, statement: Executable) -> Any:
        """Return the one value a statement finds, or None."""
        with _damaged_parameters():
            return self._connection.execute(statement).scalar_one_or_none()

    def run(self, sql: str, parameters: Row = ()) -> list[Row]:
        """Run SQL by the driver itself, and return the rows that it finds; for `statements`.

        SQLAlchemy takes longer for a short statement than the database does.
        """
        try:
            self._cursor.execute(sql, parameters)
            return self._cursor.fetchall() if self._cursor.description else []
        except OverflowError as error:
            raise Unavailable("log_damaged", _NO_NUMBER) from error
        except self._connection.dialect.loaded_dbapi.Error as error:
            raise self._failed(sql, error) from error

    def run_each(self, sql: str, rows: Sequence[Row]) -> None:
        """Run SQL that finds nothing for each row of parameters by the driver itself; for `statements`."""
        try:
            self._cursor.executemany(sql, rows)
        except OverflowError as error:
            raise Unavailable("log_damaged", _NO_NUMBER) from error
        except self._connection.dialect.loaded_dbapi.Error as error:
            raise self._failed(sql, error) from error

    def _failed(self, sql: str, error: Exception) -> DBAPIError:
        """Return the error that SQLAlchemy would raise; a connection that is lost is not used again."""
        dialect = self._connection.dialect
        is_lost = dialect.is_disconnect(error, self._driver, self._cursor)  # type: ignore[arg-type]
        if is_lost:
            self._connection.invalidate(error)
        made = DBAPIError.instance(
            sql,
            None,
            error,
            dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=is_lost,
            dialect=dialect,
        )
        assert isinstance(made, DBAPIError)
        return made


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
        """Run a statement that finds or changes rows; otherwise as for reading."""
        with _damaged_parameters():
            return self._connection.execute(statement, parameters)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the writes of the block if it raises, and nothing else."""
        try:
            self.run("SAVEPOINT work")
            try:
                yield
            except BaseException:
                self.run("ROLLBACK TO SAVEPOINT work")
                raise
            finally:
                self.run("RELEASE SAVEPOINT work")
        except IntegrityError as error:
            raise Unavailable("log_damaged", f"stored rows contradict what is to be written: {said(error)}") from error
        except DBAPIError as error:
            if isinstance(error, OperationalError) or error.connection_invalidated:
                raise Unavailable("database_unavailable", f"the database failed: {said(error)}") from error
            raise


@contextmanager
def _damaged_parameters() -> Iterator[None]:
    try:
        yield
    except OverflowError as error:
        raise Unavailable("log_damaged", _NO_NUMBER) from error
    except StatementError as error:
        if isinstance(error, DBAPIError):
            raise
        raise Unavailable("log_damaged", f"a stored row holds a value of another type: {error.orig}") from error


def said(error: DBAPIError) -> str:
    """Return the first line of the database's error message."""
    return str(error.orig).strip().splitlines()[0] if error.orig is not None else type(error).__name__
