"""The plans of the statements in write transactions: each finds its rows by key, however much is stored.

While the writer is held nobody else commits: a statement that reads through a table costs everybody more each day. A
plan is refused if it reads all of a table that grows, or finds rows by columns that many of its rows have in common,
such as their author.

SQLite: the node keeps no statistics, so the plan in a test's own database is that of a database of any size. PostgreSQL
plans by statistics; there the question is whether an index can serve, which shows when reading through is forbidden.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch
from weakref import WeakSet

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    event,
)

from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import WriteConnection
from paiza_node.ops.tables import METADATA
from tests.statements import followed

BOUNDED: Final[Mapping[str, str]] = {
    "setting": "named by the program",
    "counter": "named by the program",
    "log_head": "one row",
    "former_log": "one row for each restored backup",
    "known_log": "one row for each member",
    "former_known_log": "one row for each restored backup of a member",
    "outbound_queue": "one row for each member",
    "peer_block": "one row for each member",
    "finding": "one row for each misbehaviour of a member, which people judge",
    "officer": "one row for each officer",
    "officer_certificate": "hundreds in ten years",
    "deputy": "one row for each time that an officer appoints a deputy",
    "shift_note": "at most 50 for each unit",
    "saved_search": "at most 20 for each officer",
    "invitation": "one row for each time that an officer is invited",
    "renewal": "one row for each renewal of an officer's certificates, of which a day allows a few",
    "opened_together": "one row for each officer",
    "audit_grant": "one row for each decision of the operator",
    "proposal": "at most 64 that wait, and those of a day",
    "upload": "those of a few days, some for each officer",
}
"""Tables that may be read through, and why they stay small."""

READ_THROUGH: Final[Mapping[str, str]] = {
    "ix_approval_waiting": "an officer may have few messages that wait for a second officer",
    "ix_task_new": "read with a limit, in the order in which they are due",
    "ix_erasure_requester": "a member that restored a backup is told its own again, a few times a minute at most",
    "ix_attachment_source": "the same",
    "DELETE FROM uncosigned WHERE uncosigned.origin IN (SELECT": "those of a former log, once",
    "DELETE FROM term_token": "once, when the key of the search index was lost",
    "DELETE FROM indexed_message": "the same",
}
"""Indexes and statements that find many rows by what these have in common, and why that is right."""

_ALIAS: Final = re.compile(r'\b(\w+) AS "?(\w+)"?')
_INDEX: Final = r" USING (?:COVERING )?(?:INDEX (\w+)|(?:INTEGER )?PRIMARY KEY)"
_STEP: Final = re.compile(rf"(SCAN|SEARCH) (\w+)(?:{_INDEX})?(?: \((.*)\))?(?: LEFT-JOIN| EXISTS)*")
_COLUMN: Final = re.compile(r"(\w+)[=<>]")
_VALUES: Final = re.compile(r"\((?:\?|%s|%\(\w+\)s(?:::\w+)?)(?:, (?:\?|%s|%\(\w+\)s(?:::\w+)?))*\)")


@dataclass(frozen=True)
class Access:
    """A table is read: by which index, if any, and by which columns."""

    table: str
    index: str
    columns: frozenset[str]

    @property
    def finds_by_key(self) -> bool:
        """Whether few rows are read, however many there are."""
        if self.table in BOUNDED or self.index in READ_THROUGH or self.table not in METADATA.tables:
            return True
        table = METADATA.tables[self.table]
        return bool(self.columns & _keys(table)) or any(each <= self.columns for each in _unique(table))


class Plans:
    """Explains every distinct statement that ledgers run, and keeps those that are refused."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self._known: set[tuple[str, str]] = set()
        self._held: WeakSet[Connection] = WeakSet()  # those over which a ledger writes now

    @property
    def explained(self) -> int:
        """The number of distinct statements that were explained."""
        return len(self._known)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Explain what the ledgers run in the block."""
        begin = LogTransaction.__init__

        def mark(tx: LogTransaction, conn: WriteConnection, *rest: Any) -> None:
            self._held.add(conn._connection)
            begin(tx, conn, *rest)

        event.listen(Engine, "commit", self._held.discard)
        event.listen(Engine, "rollback", self._held.discard)
        try:
            with patch.object(LogTransaction, "__init__", mark), followed(self._follow):
                yield
        finally:
            event.remove(Engine, "commit", self._held.discard)
            event.remove(Engine, "rollback", self._held.discard)

    def _follow(self, connection: Connection, statement: str, values: Any) -> None:
        """Explain a statement unless it was explained before."""
        key = (connection.dialect.name, _VALUES.sub("(…)", statement))
        explained = statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
        if connection not in self._held or key in self._known or not explained:
            return
        self._known.add(key)
        explain = _sqlite if connection.dialect.name == "sqlite" else _postgresql
        accesses = explain(connection, statement, values)
        if not any(statement.startswith(each) and ("WHERE" in each or each == statement) for each in READ_THROUGH):
            self.refused += [f"{each}\n{statement}" for each in accesses if not each.finds_by_key]


def _keys(table: Table) -> frozenset[str]:
    """Return the columns by which few rows of a table are found: digests and numbers, no names, states or times."""
    return frozenset(
        column.name
        for column in table.columns
        if isinstance(column.type, LargeBinary)
        or (
            isinstance(column.type, BigInteger | Integer)
            and not isinstance(column.type, SmallInteger)
            and not column.name.endswith("_time")
        )
    ) | {"rowid", "thread_name"}


def _unique(table: Table) -> list[set[str]]:
    """Return the sets of columns that no two rows of a table have in common."""
    unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    return [{column.name for column in each.columns} for each in (table.primary_key, *unique)]


def _sqlite(connection: Connection, statement: str, values: Any) -> list[Access]:
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        steps = [row[3] for row in cursor.fetchall()]
    finally:
        cursor.close()
    named = {alias: table for table, alias in _ALIAS.findall(statement)}
    return [
        Access(named.get(str(found[2]), str(found[2])), found[3] or "", frozenset(_COLUMN.findall(found[4] or "")))
        for step in steps
        if (found := _STEP.fullmatch(step)) is not None
    ]


def _postgresql(connection: Connection, statement: str, values: Any) -> list[Access]:
    """Return what is read through although that is forbidden: no index can serve it."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}", values)
        lines = [row[0] for row in cursor.fetchall()]
        cursor.execute("SET LOCAL enable_seqscan = on")
    finally:
        cursor.close()
    found = [re.search(r"Seq Scan on (\w+)", line) for line in lines]
    return [Access(str(each[1]), "", frozenset()) for each in found if each is not None]
