"""Verification of single values: each is of the type of its column, and in its range.

SQLite stores any value in any column, and a damaged file may hold any. All other checks, and the node, rely on types.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.types import NULLTYPE

from paiza_node.core.errors import N_
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Part, Step
from paiza_node.core.storage.times import EPOCH, to_micros

LATEST: Final = to_micros(EPOCH.replace(year=9999))
EARLIEST_EVENT: Final = to_micros(EPOCH.replace(year=1899))
"""Of the times that messages report: from 1900 on, in any zone. All other times are of this node, and after 1970."""
SMALL: Final = 2**15 - 1
MIDDLE: Final = 2**31 - 1
LARGE: Final = 2**53  # far above every number and size that a node can have
SHOWN: Final = 16  # characters of a value of a key


def check_values(scan: ReadConnection, metadata: MetaData, part: Part, step: Step) -> None:
    """Check every value of every table; each finding names table, column and key."""
    rows = 0
    for table in metadata.sorted_tables:
        _check_table(scan, table, part)
        count = scanning.count(scan, table)
        step(count)
        rows += count
    part.counts = {"rows": rows}


def count_rows(scan: ReadConnection, metadata: MetaData) -> int:
    """Count the rows of all tables."""
    return sum(scanning.count(scan, table) for table in metadata.sorted_tables)


def _check_table(scan: ReadConnection, table: Table, part: Part) -> None:
    wrong = {each.name: is_wrong for each in table.columns if (is_wrong := _wrong(each, scan.database)) is not None}
    if not wrong:
        return
    keys = [type_coerce(column, NULLTYPE) for column in table.primary_key]
    found: Any = select(*keys, *(condition.label(f"wrong_{name}") for name, condition in wrong.items()))
    for row in scan.execute(found.where(or_(*wrong.values()))):
        key = ", ".join(_shown(value) for value in row[: len(keys)])
        for name, told in zip(wrong, row[len(keys) :], strict=True):
            if told:
                part.find(
                    "log_damaged",
                    N_("The value is none that this column can hold."),
                    "{table}.{column} [{key}]",
                    table=table.name,
                    column=name,
                    key=key,
                )


def _wrong(column: "Column[Any]", database: str) -> ColumnElement[bool] | None:
    """Return the condition that a value is wrong; None where the database itself refuses wrong values."""
    kind = column.type
    number = isinstance(kind, (Integer, Boolean))
    conditions: list[ColumnElement[bool]] = []
    if database == "sqlite":
        name = "integer" if number else "blob" if isinstance(kind, LargeBinary) else "text"
        conditions.append(func.typeof(column).not_in([name, *(["null"] if column.nullable else [])]))
    if isinstance(kind, Boolean):
        if database == "sqlite":
            conditions.append(type_coerce(column, Integer).not_in([0, 1]))
    elif number:
        most = SMALL if isinstance(kind, SmallInteger) else LARGE if isinstance(kind, BigInteger) else MIDDLE
        least = EARLIEST_EVENT if column.name == "event_time" else 0
        conditions += [column < least, column > (LATEST if column.name.endswith("_time") else most)]
    return func.coalesce(or_(*conditions), False) if conditions else None


def _shown(value: object) -> str:
    return (value.hex() if isinstance(value, bytes) else str(value))[:SHOWN]
