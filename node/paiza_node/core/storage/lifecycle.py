"""The lifecycle of each table's rows: what happens when a message's content is erased, and at the end of retention.

Every table has one `Lifecycle`, declared beside it by its owner. Retention runs the list of all of them, so that no
table is omitted from erasure or kept beyond retention.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, delete
from sqlalchemy.sql.dml import UpdateBase


class Key(Enum):
    """The key by which rows belong to a message or an entry."""

    DIGEST = auto()
    """The digest of a message."""
    MESSAGE = auto()
    """The number of a stored message."""
    ENTRY = auto()
    """The index of an entry of the own log."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A message by its digest; ``seq`` is None if no row of it is stored.

    ``keeps_body``: its content must be erased before it may be retired.
    """

    digest: bytes
    seq: int | None
    keeps_body: bool = True


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One table: its changes on erasure and on retirement, and the rows that prevent a message's retirement.

    Rows are found by ``column``, which holds the value that ``key`` names. Without these, rows concern no message or
    entry, or remain when those are retired. ``content``: the rows repeat message content, so that the database must not
    keep their bytes after deletion. ``on_erase`` returns the statement that an erasure runs, from the message and the
    time; ``in_use`` the condition under which a message may not be retired.
    """

    table: Table
    key: Key | None = None
    column: Column[Any] | None = None
    content: bool = False
    on_erase: Callable[[Subject, datetime], UpdateBase] | None = None
    in_use: Callable[[Subject], ColumnElement[bool] | None] | None = None

    def removal(self, values: Collection[Any]) -> UpdateBase:
        """Return the statement that deletes the rows of these messages or entries."""
        assert self.column is not None, "a table without key loses no rows"
        return delete(self.table).where(self.column.in_(values))
