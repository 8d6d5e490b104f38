"""Statements for many rows, on both databases: what is written is read again, whatever the types and values."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    delete,
    select,
    update,
)

from paiza_node.core.storage import WriteConnection
from paiza_node.core.storage.engine import parse_url, writer_engine
from paiza_node.core.storage.statements import Lookup, Statement, addition, insertion, replacement

VALUE = Table(
    "value",
    MetaData(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("middle", Integer),
    Column("small", SmallInteger),
    Column("flag", Boolean),
    Column("body", LargeBinary),
    Column("words", Text),
)
C = VALUE.c
NAMES = [column.name for column in VALUE.columns]

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(-(2**31), 2**31 - 1),
        st.none() | st.integers(-(2**15), 2**15 - 1),
        st.none() | st.booleans(),
        st.none() | st.binary(max_size=8),
        st.none() | TEXT,
    ),
    max_size=12,
    unique_by=lambda row: row[0],
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A transaction in a database with the one table."""
    engine = writer_engine(parse_url(database_url))
    VALUE.create(engine)
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


@pytest.fixture
def conn(connection: Connection) -> WriteConnection:
    """The same, to write over."""
    return WriteConnection(connection)


def stored(conn: WriteConnection) -> list[tuple[Any, ...]]:
    """Return all rows in the order of their numbers."""
    return [tuple(row) for row in conn.execute(select(VALUE).order_by(C.number))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(rows=ROWS)
def test_every_value_is_read_as_it_was_written(conn: WriteConnection, rows: list[tuple[Any, ...]]) -> None:
    """Extremes, empty values and NULL of every type come back, in a batch of any size."""
    conn.execute(delete(VALUE))
    insertion(VALUE).run(conn, rows)
    assert stored(conn) == sorted(rows, key=lambda row: row[0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(rows=ROWS)
def test_rows_are_found_by_values_of_every_type(conn: WriteConnection, rows: list[tuple[Any, ...]]) -> None:
    """A look-up finds the rows whose column has one of the values, and no other."""
    conn.execute(delete(VALUE))
    insertion(VALUE).run(conn, rows)
    for at, column in enumerate(VALUE.columns):
        wanted = {row[at] for row in rows[::2] if row[at] is not None}
        found = {row[0] for row in Lookup(select(C.number), column).run(conn, wanted)}
        assert found == {row[0] for row in rows if row[at] in wanted and row[at] is not None}


def numbered(number: int, words: str = "") -> tuple[Any, ...]:
    """Return a row in which only its number and words matter."""
    return number, 1, 2, True, b"", words


def test_a_known_key_is_replaced_or_left_alone(conn: WriteConnection) -> None:
    """Of two rows with one key in a batch the later one replaces, and the earlier one stays where known are ignored."""
    replacement(VALUE).run(conn, [numbered(1, "a"), numbered(2, "b"), numbered(1, "c")])
    replacement(VALUE).run(conn, [numbered(2, "d"), numbered(3, "e")])
    assert stored(conn) == [numbered(1, "c"), numbered(2, "d"), numbered(3, "e")]
    insertion(VALUE, ignore_known=True).run(conn, [numbered(3, "x"), numbered(4, "f"), numbered(4, "y")])
    assert stored(conn)[2:] == [numbered(3, "e"), numbered(4, "f")]


def test_counts_are_added(conn: WriteConnection) -> None:
    """A count is stored under a new key, and added under a known one."""
    addition(VALUE, "middle").run(conn, [numbered(1), numbered(2)])
    addition(VALUE, "middle").run(conn, [numbered(2), numbered(3)])
    assert [row[:2] for row in stored(conn)] == [(1, 1), (2, 2), (3, 1)]


def test_an_update_changes_the_rows_that_it_names(conn: WriteConnection) -> None:
    """Each row gets its own values; of two for one row the last counts, and an unknown row changes nothing."""
    insertion(VALUE).run(conn, [numbered(each) for each in range(4)])
    change = Statement(
        lambda _, given: update(VALUE).where(C.number == given["row"]).values(words=given["new"]),
        {"new": C.words.type, "row": C.number.type},
        key=["row"],
    )
    change.run(conn, [("a", 1), ("b", 2), ("c", 1), ("d", 9)])
    assert [row[5] for row in stored(conn)] == ["", "c", "b", ""]
