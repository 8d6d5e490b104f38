"""What each caller caused on the last day on which it caused anything: one row a caller, replaced in place."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Table, Text, select

from paiza_node.core.caller import CallerKey
from paiza_node.core.quotas.model import Used
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.statements import replacement

caller_day_table = Table(
    "caller_day",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("caller", Text, primary_key=True),
    Column("day", Integer, nullable=False),  # counted from 0001-01-01
    Column("messages", BigInteger, nullable=False),
    Column("log_entries", BigInteger, nullable=False),
    Column("message_bytes", BigInteger, nullable=False),
)


def used_on(conn: ReadConnection, day: date) -> dict[CallerKey, Used]:
    """Return what each caller caused on a day, if that was its last."""
    c = caller_day_table.c
    rows = conn.execute(select(caller_day_table).where(c.day == day.toordinal()))
    return {
        CallerKey(row.kind, row.caller): Used(row.messages, row.log_entries, row.message_bytes)
        for row in rows
        if row.kind in ("peer", "officer")
    }


def put_used(conn: WriteConnection, day: date, used: Mapping[CallerKey, Used]) -> None:
    """Store what callers caused on a day, in place of what they caused before."""
    rows: Sequence[tuple[str, str, int, int, int, int]] = [
        (caller.kind, caller.id, day.toordinal(), each.messages, each.log_entries, each.message_bytes)
        for caller, each in used.items()
    ]
    _PUT_USED.run(conn, rows)


_PUT_USED: Final = replacement(caller_day_table)

LIFECYCLES: Final = (Lifecycle(caller_day_table),)
