"""Statements of the hot path: written with SQLAlchemy, compiled once per database, run by the driver with plain tuples.

SQLAlchemy's own execution converts every parameter and result, which costs more than the database does. The conversion
is not needed: the columns here are integers, texts, bytes and booleans, which both drivers accept directly. SQLite
returns booleans as 0 and 1.

SQLite runs a statement for each row. PostgreSQL runs one for all rows, which it is given as arrays
(`paiza_node.core.storage.arrays`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Select,
    Table,
    any_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

from paiza_node.core.storage.arrays import array_class
from paiza_node.core.storage.connection import ReadConnection, Row, WriteConnection

_VALUES: Final = "(:values:)"  # placeholder for the values; a mark that occurs in no statement
_DIALECTS: Final[dict[str, Callable[[], Dialect]]] = {
    "sqlite": lambda: sqlite.dialect(paramstyle="qmark"),
    "postgresql": lambda: postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}

IN_LIMIT: Final = 500  # parameters of one IN list; both databases allow far more, plans stay cached

Given = Mapping[str, ColumnElement[Any]]
"""The values of a row, by name: parameters, or columns of the rows that PostgreSQL is given."""


class Statement:
    """A statement for many rows, which are tuples in the order of ``columns``."""

    def __init__(
        self,
        build: Callable[[str, Given], UpdateBase],
        columns: Mapping[str, TypeEngine[Any]],
        *,
        key: Sequence[str] = (),
    ) -> None:
        """Compile what ``build`` returns for a database once, at its first use there.

        Of rows that are equal in ``key`` only the last counts.
        """
        self._build = build
        self._columns = columns
        self._key = itemgetter(*(list(columns).index(name) for name in key)) if key else None
        self._arrays = [array_class(each) for each in columns.values()]
        self._compiled = cache(self._compile)

    def run(self, conn: WriteConnection, rows: Sequence[Row]) -> None:
        """Run it for every row; nothing happens without rows."""
        if not rows:
            return
        if self._key is not None and len(rows) > 1:
            rows = list({self._key(row): row for row in rows}.values())
        sql, arrange = self._compiled(conn.database)
        if conn.database == "postgresql":
            columns = zip(*rows, strict=True)
            conn.run(sql, tuple(array(each) for array, each in zip(self._arrays, columns, strict=True)))
        else:
            conn.run_each(sql, [arrange(row) for row in rows] if arrange else rows)

    def _compile(self, database: str) -> tuple[str, Callable[[Row], Row] | None]:
        if database == "postgresql":
            arrays = [bindparam(name, type_=ARRAY(each)) for name, each in self._columns.items()]
            given = func.unnest(*arrays).table_valued(*(column(name, each) for name, each in self._columns.items()))
            values: Given = dict(given.render_derived("given").c)
        else:
            values = {name: bindparam(name) for name in self._columns}
        compiled: Any = self._build(database, values).compile(dialect=_DIALECTS[database]())
        order = [list(self._columns).index(name) for name in compiled.positiontup]
        if database == "postgresql":
            assert order == list(range(len(order))), "each column is given once"
        return str(compiled), None if order == list(range(len(order))) else itemgetter(*order)


def insertion(table: Table, *, ignore_known: bool = False) -> Statement:
    """Return the insertion of whole rows, in the order of the table's columns; existing keys may be ignored."""

    def build(database: str, given: Given) -> UpdateBase:
        insert = _insert(table, database, given)
        return insert.on_conflict_do_nothing() if ignore_known else insert

    return Statement(build, _columns(table))


def replacement(table: Table) -> Statement:
    """Return the insertion of whole rows that replaces those of the same key, in the order of the table's columns."""
    keys = [each.name for each in table.primary_key]

    def build(database: str, given: Given) -> UpdateBase:
        insert = _insert(table, database, given)
        changed = {name: insert.excluded[name] for name in given if name not in keys}
        return insert.on_conflict_do_update(index_elements=keys, set_=changed)

    return Statement(build, _columns(table), key=keys)


def addition(table: Table, counted: str) -> Statement:
    """Return the insertion of counts, whole rows, that are added to column ``counted`` of the rows of the same key.

    No two rows have the same key.
    """
    keys = [each.name for each in table.primary_key]

    def build(database: str, given: Given) -> UpdateBase:
        insert = _insert(table, database, given)
        total = table.c[counted] + insert.excluded[counted]
        return insert.on_conflict_do_update(index_elements=keys, set_={counted: total})

    return Statement(build, _columns(table))


def _columns(table: Table) -> dict[str, TypeEngine[Any]]:
    return {each.name: each.type for each in table.columns}


def _insert(table: Table, database: str, given: Given) -> postgresql.Insert | sqlite.Insert:
    if database == "postgresql":
        return postgresql.insert(table).from_select(list(given), select(*given.values()))
    return sqlite.insert(table).values(dict(given))


class Query:
    """A query with named parameters; returns plain tuples."""

    def __init__(self, question: Select[Any], *parameters: str) -> None:
        """Store the ``question`` and the names of its parameters, in the order in which `run` gets their values."""
        self._question = question
        self._parameters = parameters
        self._compiled = cache(self._compile)

    def run(self, conn: ReadConnection, *values: Any) -> list[Row]:
        """Return the rows that it finds with these values."""
        sql, arrange = self._compiled(conn.database)
        return conn.run(sql, arrange(values))

    def _compile(self, database: str) -> tuple[str, Callable[[Row], Row]]:
        compiled: Any = self._question.compile(dialect=_DIALECTS[database]())
        place = {name: at for at, name in enumerate(self._parameters)}
        constants = tuple(value for name, value in compiled.params.items() if name not in place)
        for name in compiled.params:
            place.setdefault(name, len(place))
        order = [place[name] for name in compiled.positiontup]
        return str(compiled), lambda values: tuple([*values, *constants][at] for at in order)


class Lookup:
    """A query for the rows in which one column has any of many values; returns plain tuples."""

    def __init__(self, question: Select[Any], sought: ColumnElement[Any]) -> None:
        """Store the column that is ``sought`` and the ``question``; parameters of its own stand in its conditions."""
        self._question = question
        self._sought = sought
        self._array = array_class(sought.type)
        self._compiled = cache(self._compile)

    def run(self, conn: ReadConnection, values: Collection[Any], *parameters: Any) -> list[Row]:
        """Return the rows, in no particular order; ``parameters`` are those of the question, in their order."""
        if not values:
            return []
        sql = self._compiled(conn.database)
        wanted = list(values)
        if conn.database == "postgresql":
            return conn.run(sql, (*parameters, self._array(wanted)))
        found: list[Row] = []
        for block in blocks(wanted):
            found += conn.run(sql.replace(_VALUES, f"({', '.join(['?'] * len(block))})"), (*parameters, *block))
        return found

    def _compile(self, database: str) -> str:
        if database == "postgresql":
            narrowed = self._question.where(self._sought == any_(bindparam("values", type_=ARRAY(self._sought.type))))
        else:
            narrowed = self._question.where(self._sought.op("IN")(literal_column(_VALUES)))
        return str(narrowed.compile(dialect=_DIALECTS[database]()))


class Occurrence:
    """A query for those of many values that occur in an indexed column, however often each does."""

    def __init__(self, sought: Column[Any]) -> None:
        """Store the column."""
        self._sought = sought
        self._array = array_class(sought.type)
        self._compiled = cache(self._compile)

    def run(self, conn: ReadConnection, values: Collection[Any]) -> set[Any]:
        """Return those of the values that occur."""
        if not values:
            return set()
        sql = self._compiled(conn.database)
        wanted = list(values)
        if conn.database == "postgresql":
            return {row[0] for row in conn.run(sql, (self._array(wanted),))}
        found: set[Any] = set()
        for block in blocks(wanted):
            asked = sql.replace(_VALUES, f"(VALUES {', '.join(['(?)'] * len(block))})")
            found.update(row[0] for row in conn.run(asked, tuple(block)))
        return found

    def _compile(self, database: str) -> str:
        if database == "postgresql":
            values = func.unnest(bindparam("values", type_=ARRAY(self._sought.type)))
            wanted: Any = values.table_valued(column("column1", self._sought.type)).render_derived("wanted")
        else:
            wanted = text(f"{_VALUES} AS wanted")
        here: Select[Any] = select(literal_column("1")).where(self._sought == literal_column("wanted.column1"))
        question: Select[Any] = select(literal_column("column1")).select_from(wanted).where(here.exists())
        return str(question.compile(dialect=_DIALECTS[database]()))


def blocks(values: list[Any]) -> list[list[Any]]:
    """Split values into lists that fit into one IN."""
    return [values[first : first + IN_LIMIT] for first in range(0, len(values), IN_LIMIT)]
