"""Rows of one table as values of a dataclass: one declaration of how they are written and read.

Rows of the hot path are written as tuples (`statements`): the conversion here costs a microsecond a row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Column, LargeBinary, Select, Table, Text

from paiza_node.core.storage.connection import ReadConnection, WriteConnection
from paiza_node.core.storage.statements import insertion, replacement
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_wire.errors import Unavailable

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Kept:
    """The conversion of a field to its column and back. None stays None."""

    to_column: Callable[[Any], Any]
    to_field: Callable[[Any], Any]


TIME: Final = Kept(to_micros, from_micros)
WORDS: Final = Kept(" ".join, lambda text: tuple(text.split()))


class Records(Generic[R]):
    """The rows of a table as values of a dataclass, which has a field for each column."""

    def __init__(
        self, table: Table, record: Callable[..., R], *, renamed: Mapping[str, str] | None = None, **kept: Kept
    ) -> None:
        """Match columns and fields by name; ``renamed`` maps fields whose column has another name."""
        names = [column.name for column in table.columns]
        fields = [(renamed or {}).get(name, name) for name in names]
        self._table = table.name
        self._record = record
        self._check = check_types(table)
        self._columns = [(field, kept.get(field)) for field in fields]
        self._fields = attrgetter(*fields)
        self._add, self._add_new, self._put = insertion(table), insertion(table, ignore_known=True), replacement(table)

    def add(self, conn: WriteConnection, records: Iterable[R]) -> None:
        """Insert rows."""
        self._add.run(conn, [self._row(record) for record in records])

    def add_new(self, conn: WriteConnection, records: Iterable[R]) -> None:
        """Insert rows; those whose key exists already are unchanged."""
        self._add_new.run(conn, [self._row(record) for record in records])

    def put(self, conn: WriteConnection, records: Iterable[R]) -> None:
        """Insert rows; they replace those of the same key."""
        self._put.run(conn, [self._row(record) for record in records])

    def find(self, conn: ReadConnection, statement: Select[Any]) -> list[R]:
        """Return the values of the rows that a statement finds."""
        return [self.read(row) for row in conn.execute(statement)]

    def first(self, conn: ReadConnection, statement: Select[Any]) -> R | None:
        """Return the value of the first row that a statement finds."""
        row = conn.execute(statement.limit(1)).one_or_none()
        return None if row is None else self.read(row)

    def read(self, row: Iterable[Any]) -> R:
        """Return the value of a row; columns missing at its end take the defaults of their fields.

        Unavailable("log_damaged") if a value of the row is none that was written here.
        """
        values = tuple(row)
        self._check(values)
        if any(isinstance(value, int) and value < 0 for value in values):
            raise Unavailable("log_damaged", f"a row of {self._table} holds a negative number")
        try:
            fields = {
                field: value if kept is None or value is None else kept.to_field(value)
                for (field, kept), value in zip(self._columns, values, strict=False)
            }
            return self._record(**fields)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise Unavailable("log_damaged", f"a row of {self._table} cannot be read: {error}") from error

    def _row(self, record: R) -> tuple[Any, ...]:
        return tuple(
            value if kept is None or value is None else kept.to_column(value)
            for (_, kept), value in zip(self._columns, self._fields(record), strict=True)
        )


def check_types(table: Table) -> Callable[[Sequence[Any]], None]:
    """Return a check of rows that begin with the columns of a table: SQLite stores values of any type in a column.

    It raises Unavailable("log_damaged") for a value of another type than its column's.
    """
    name = table.name
    types = tuple(_types(column) for column in table.columns)

    def check(row: Sequence[Any]) -> None:
        if not all(map(isinstance, row, types)):
            raise Unavailable("log_damaged", f"a row of {name} holds a value of another type")

    return check


def _types(column: "Column[Any]") -> tuple[type, ...]:
    kind = bytes if isinstance(column.type, LargeBinary) else str if isinstance(column.type, Text) else int
    return (kind, type(None)) if column.nullable else (kind,)
