"""Rows as values of a dataclass, on both databases."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    select,
)

from paiza_node.core.storage import WriteConnection
from paiza_node.core.storage.engine import parse_url, writer_engine
from paiza_node.core.storage.records import TIME, WORDS, Kept, Records
from paiza_wire.errors import Unavailable

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)


class Step(IntEnum):
    """The state of a record."""

    BEGUN = 1
    DONE = 2


@dataclass(frozen=True, slots=True)
class Thing:
    """A row; its fields stand in another order than the columns."""

    name: str
    step: Step
    begun: datetime
    ended: datetime | None = None
    words: tuple[str, ...] = ()
    body: bytes | None = None


THING = Table(
    "thing",
    MetaData(),
    Column("state", SmallInteger, nullable=False),
    Column("name", Text, primary_key=True),
    Column("words", Text, nullable=False),
    Column("begun", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=True),
    Column("body", LargeBinary, nullable=True),
)
THINGS = Records(THING, Thing, renamed={"state": "step"}, step=Kept(int, Step), begun=TIME, ended=TIME, words=WORDS)
ALL = select(THING).order_by(THING.c.name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with the one table."""
    engine = writer_engine(parse_url(database_url))
    THING.create(engine)
    yield engine
    engine.dispose()


def test_what_is_read_is_what_was_written(engine: Engine) -> None:
    """Times keep their microseconds, words their order, None stays None."""
    things = [Thing("a", Step.BEGUN, NOON), Thing("b", Step.DONE, NOON, NOON, ("x", "y"), b"body")]
    with engine.begin() as connection:
        conn = WriteConnection(connection)
        THINGS.add(conn, things)
        assert THINGS.find(conn, ALL) == things
        assert THINGS.first(conn, ALL) == things[0]
        assert THINGS.first(conn, ALL.where(THING.c.name == "c")) is None


def test_a_known_key_stays_or_is_replaced(engine: Engine) -> None:
    """`add_new` leaves what is stored, `put` replaces it."""
    first, second = Thing("a", Step.BEGUN, NOON), Thing("a", Step.DONE, NOON, words=("z",))
    with engine.begin() as connection:
        conn = WriteConnection(connection)
        THINGS.add_new(conn, [first])
        THINGS.add_new(conn, [second])
        assert THINGS.find(conn, ALL) == [first]
        THINGS.put(conn, [second])
        assert THINGS.find(conn, ALL) == [second]


def test_columns_left_out_at_the_end_keep_their_defaults(engine: Engine) -> None:
    """A list that does not read the wide column at the end gives values without it."""
    with engine.begin() as connection:
        conn = WriteConnection(connection)
        THINGS.add(conn, [Thing("a", Step.BEGUN, NOON, body=b"wide")])
        narrow = select(*list(THING.columns)[:-1])
        assert THINGS.find(conn, narrow) == [Thing("a", Step.BEGUN, NOON)]


@pytest.mark.parametrize("bent", [("x", "name"), (1, b"\xff"), (1, None), (-1, "name")])
def test_a_value_that_no_column_holds_is_damage(bent: tuple[object, object]) -> None:
    """SQLite stores values of any type in a column: such a row is refused by name, and fails nowhere later."""
    state, name = bent
    with pytest.raises(Unavailable, match="log_damaged"):
        THINGS.read((state, name, "", 1, None, None))
