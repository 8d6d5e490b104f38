"""Statements of the hot path: written with SQLAlchemy, compiled once per database, run by the driver with plain tuples.

SQLAlchemy's own execution converts every parameter of every row, which costs more than the database does. The
conversion is not needed: the columns written here are integers, texts, bytes and booleans, which both drivers accept
directly.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, Table, bindparam, literal_column, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import UpdateBase

from paiza_node.core.storage.connection import ReadConnection, WriteConnection

LOOKED_UP_AT_ONCE: Final = 500  # values of one query; both databases allow far more
_VALUES: Final = "(:values:)"  # placeholder for the values; a mark that occurs in no statement
_DIALECTS: Final[dict[str, Callable[[], Dialect]]] = {
    "sqlite": lambda: sqlite.dialect(paramstyle="qmark"),
    "postgresql": lambda: postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}

IN_LIMIT: Final = 500  # parameters of one IN list; both databases allow far more, plans stay cached


class Statement:
    """A statement with named parameters; rows are tuples in the order of ``parameters``."""

    def __init__(self, build: Callable[[str], UpdateBase], parameters: Sequence[str]) -> None:
        """Compile what ``build`` returns for a database once, at its first use there."""
        self._compiled = cache(lambda name: _compile(build(name), _DIALECTS[name](), parameters))

    def run(self, conn: WriteConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for every row; nothing happens without rows."""
        if not rows:
            return
        sql, arrange = self._compiled(conn.database)
        conn.exec_driver_sql(sql, [arrange(row) for row in rows] if arrange else list(rows))


def insertion(table: Table, *, ignore_known: bool = False) -> Statement:
    """Return the insertion of whole rows, in the order of the table's columns; existing keys may be ignored."""
    names = [column.name for column in table.columns]

    def build(database: str) -> UpdateBase:
        insert = postgresql.insert if database == "postgresql" else sqlite.insert
        statement = insert(table).values({name: bindparam(name) for name in names})
        return statement.on_conflict_do_nothing() if ignore_known else statement

    return Statement(build, names)


def replacement(table: Table) -> Statement:
    """Return the insertion of whole rows that replaces those of the same key, in the order of the table's columns."""
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]

    def build(database: str) -> UpdateBase:
        insert = postgresql.insert if database == "postgresql" else sqlite.insert
        statement = insert(table).values({name: bindparam(name) for name in names})
        changed = {name: statement.excluded[name] for name in names if name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    return Statement(build, names)


def addition(table: Table, column: str) -> Statement:
    """Return the insertion of counts, whole rows, that are added to ``column`` of the rows of the same key."""
    names = [each.name for each in table.columns]
    keys = [each.name for each in table.primary_key]

    def build(database: str) -> UpdateBase:
        insert = postgresql.insert if database == "postgresql" else sqlite.insert
        statement = insert(table).values({name: bindparam(name) for name in names})
        total = table.c[column] + statement.excluded[column]
        return statement.on_conflict_do_update(index_elements=keys, set_={column: total})

    return Statement(build, names)


class Lookup:
    """A query for the rows in which one column has any of many values; returns plain tuples."""

    def __init__(self, question: Select[Any], column: ColumnElement[Any]) -> None:
        """Store ``column`` and the ``question``, a query without parameters of its own."""
        narrowed = question.where(column.op("IN")(literal_column(_VALUES)))
        self._compiled = cache(lambda name: str(narrowed.compile(dialect=_DIALECTS[name]())))

    def run(self, conn: ReadConnection, values: Collection[Any]) -> Iterator[Any]:
        """Return the rows, in no particular order."""
        sql = self._compiled(conn.database)
        mark = "%s" if conn.database == "postgresql" else "?"
        wanted = list(values)
        for first in range(0, len(wanted), LOOKED_UP_AT_ONCE):
            block = tuple(wanted[first : first + LOOKED_UP_AT_ONCE])
            yield from conn.exec_driver_sql(sql.replace(_VALUES, f"({', '.join([mark] * len(block))})"), block)


class Occurrence:
    """A query for those of many values that occur in an indexed column, however often each does."""

    def __init__(self, column: Column[Any]) -> None:
        """Store the column."""
        here: Select[Any] = select(literal_column("1")).where(column == literal_column("wanted.column1"))
        question: Select[Any] = (
            select(literal_column("column1")).select_from(text(f"{_VALUES} AS wanted")).where(here.exists())
        )
        self._compiled = cache(lambda name: str(question.compile(dialect=_DIALECTS[name]())))

    def run(self, conn: ReadConnection, values: Collection[Any]) -> set[Any]:
        """Return those of the values that occur."""
        sql = self._compiled(conn.database)
        mark = "(%s)" if conn.database == "postgresql" else "(?)"
        found: set[Any] = set()
        for block in blocks(list(values)):
            asked = sql.replace(_VALUES, f"(VALUES {', '.join([mark] * len(block))})")
            found.update(row[0] for row in conn.exec_driver_sql(asked, tuple(block)))
        return found


def _compile(
    statement: UpdateBase, dialect: Dialect, parameters: Sequence[str]
) -> tuple[str, Callable[[tuple[Any, ...]], tuple[Any, ...]] | None]:
    compiled: Any = statement.compile(dialect=dialect)
    order = [list(parameters).index(name) for name in compiled.positiontup]
    return str(compiled), None if order == list(range(len(parameters))) else itemgetter(*order)


def blocks(values: list[Any]) -> list[list[Any]]:
    """Split values into lists that fit into one IN."""
    return [values[first : first + IN_LIMIT] for first in range(0, len(values), IN_LIMIT)]
