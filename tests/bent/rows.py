"""Bends of stored rows: each changes one value of one row, removes a row, or adds a copy of one under another key."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    NullPool,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    create_engine,
    delete,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import UserDefinedType
from typing_extensions import override

from paiza_node.ops.tables import METADATA

HUGE: Final = 70_000  # bytes or characters: more than any length field of 16 bits holds
GREATEST: Final = 2**63 - 1
UNLIKE: Final = frozenset({"setting", "counter"})

Row = Sequence[Any]


class _Raw(UserDefinedType[Any]):
    """The type of any value, which is given to the driver as it is."""

    cache_ok = True


RAW: Final = _Raw()


@dataclass(frozen=True)
class Bend:
    """One change: of a table, of the row with this key, in a way, and of a column where it is of a value."""

    table: str
    key: tuple[Any, ...]
    how: str
    column: str = ""
    value: Any = None

    @override
    def __str__(self) -> str:
        """Return what is bent, in words."""
        key = ", ".join(each.hex()[:12] if isinstance(each, bytes) else str(each) for each in self.key)
        return f"{self.table}[{key}].{self.column or 'row'} {self.how}"

    def apply(self, database: Path) -> bool:
        """Change a database; return False if it refuses the change, or the row is not there."""
        table = METADATA.tables[self.table]
        row = and_(*(_raw(column) == _given(value) for column, value in zip(table.primary_key, self.key, strict=True)))
        change: Any
        if self.how == "deleted":
            change = delete(table).where(row)
        elif self.how == "doubled":
            names = (column.name for column in table.columns)
            change = insert(table).values(dict(zip(names, map(_given, self.value), strict=True)))
        else:
            change = update(table).where(row).values({self.column: _given(self.value)})
        try:
            with _opened(database) as connection:
                return bool(connection.execute(change).rowcount)
        except IntegrityError:
            return False


def rows(database: Path, table: Table) -> list[Row]:
    """Return the rows of a table, as they lie in the database."""
    with _opened(database) as connection:
        return [tuple(row) for row in connection.execute(select(*map(_raw, table.columns)))]


@contextmanager
def _opened(database: Path) -> Iterator[Connection]:
    """Begin a transaction; no other connection is left open."""
    engine = create_engine(f"sqlite:///{database}", poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def _raw(column: "Column[Any]") -> ColumnElement[Any]:
    return type_coerce(column, RAW)


def _given(value: Any) -> BindParameter[Any]:
    """Return a value that no type of a column changes."""
    return bindparam(None, value, type_=RAW, unique=True)


def bends(database: Path, random: Random, rows_of_each: int) -> Iterator[Bend]:
    """Return bends of every table that has rows: every value of some rows, and some rows whole.

    The rows of `UNLIKE` tables are all of a kind of their own.
    """
    for table in METADATA.sorted_tables:
        stored = rows(database, table)
        count = len(stored) if table.name in UNLIKE else min(rows_of_each, len(stored))
        for row in random.sample(stored, count):
            yield from _of_row(table, row)


def _of_row(table: Table, row: Row) -> Iterator[Bend]:
    named = {column.name: value for column, value in zip(table.columns, row, strict=True)}
    key = tuple(named[column.name] for column in table.primary_key)
    yield Bend(table.name, key, "deleted")
    yield Bend(table.name, key, "doubled", value=_other_key(table, row))
    for column, value in zip(table.columns, row, strict=True):
        for how, changed in _of_value(column, value):
            if changed != value or type(changed) is not type(value):
                yield Bend(table.name, key, how, column.name, changed)


def _of_value(column: "Column[Any]", value: Any) -> Iterator[tuple[str, Any]]:
    if column.nullable and value is not None:
        yield "null", None
    kind = column.type
    if isinstance(kind, LargeBinary):
        held = bytes(value or b"")
        yield "flipped", _flipped(held)
        yield "empty", b""
        yield "cut", held[: len(held) // 2]
        yield "huge", bytes(HUGE)
        yield "text", "x"
    elif isinstance(kind, Boolean):
        yield "changed", not value
        yield "greatest", 7
    elif isinstance(kind, (BigInteger, Integer)):
        yield "changed", (value or 0) + 1
        yield "negative", -1
        yield "greatest", GREATEST
        yield "text", "x"
    else:
        yield "changed", f"{value or ''}x"
        yield "empty", ""
        yield "huge", "x" * HUGE
        yield "bytes", b"\xff\xfe"


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else b"\x01"


def _other_key(table: Table, row: Row) -> tuple[Any, ...]:
    """Return the row with other values where a key or a unique index would be in the way."""
    unique = {column.name for column in table.primary_key}
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            unique |= {column.name for column in constraint.columns}
    return tuple(
        _another(value) if column.name in unique else value for column, value in zip(table.columns, row, strict=True)
    )


def _another(value: Any) -> Any:
    if isinstance(value, bytes):
        return _flipped(value)
    return value + 1000 if isinstance(value, int) else f"{value}x"
