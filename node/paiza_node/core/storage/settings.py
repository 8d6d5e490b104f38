"""Values and counters that persist across restarts."""

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text, bindparam, select

from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.statements import Query, replacement

setting_table = Table(
    "setting",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

counter_table = Table(
    "counter",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)


def setting(conn: ReadConnection, name: str) -> bytes | None:
    """Return a persistent value."""
    found = _SETTING.run(conn, name)
    return found[0][0] if found else None


def counter(conn: ReadConnection, name: str) -> int:
    """Return the last number used under a name; 0 if there is none."""
    found = _COUNTER.run(conn, name)
    return found[0][0] if found else 0


def put_setting(conn: WriteConnection, name: str, value: bytes) -> None:
    """Store a persistent value."""
    _PUT_SETTING.run(conn, [(name, value)])


def counters(conn: ReadConnection, prefix: str) -> dict[str, int]:
    """Return the counters whose names begin with a prefix, without it."""
    c = counter_table.c
    rows = conn.execute(select(c.name, c.value).where(c.name.startswith(prefix, autoescape=True)))
    return {name.removeprefix(prefix): value for name, value in rows}


def put_counter(conn: WriteConnection, name: str, value: int) -> None:
    """Store the last number used; rolled back with the transaction, so that numbers have no gaps."""
    _PUT_COUNTER.run(conn, [(name, value)])


_SETTING: Final = Query(
    select(setting_table.c.value).where(setting_table.c.name == bindparam("name", type_=Text)), "name"
)

_COUNTER: Final = Query(
    select(counter_table.c.value).where(counter_table.c.name == bindparam("name", type_=Text)), "name"
)

_PUT_SETTING: Final = replacement(setting_table)

_PUT_COUNTER: Final = replacement(counter_table)


LIFECYCLES: Final = (Lifecycle(setting_table), Lifecycle(counter_table))
