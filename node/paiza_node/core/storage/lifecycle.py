"""What becomes of the rows of each table: when a message's content is erased, and when the log's retention ends.

Every table has one `Lifecycle`, declared beside it by its owner. Retention runs the list of all of them, so that a new
table is neither forgotten by an erasure nor kept beyond the retention.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, delete
from sqlalchemy.sql.dml import UpdateBase


class Key(Enum):
    """What names the rows that go with a message or an entry."""

    DIGEST = auto()
    """The digest of a message."""
    MESSAGE = auto()
    """The number of a stored message."""
    ENTRY = auto()
    """The index of an entry of the own log."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A message by its digest; ``seq`` is None where no row of it is stored.

    ``keeps_body``: its content must be erased before it may be retired.
    """

    digest: bytes
    seq: int | None
    keeps_body: bool = True


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One table: what an erasure changes in it, what goes at the end of retention, and what keeps a message from going.

    Rows are found by ``column``, which holds what ``key`` says. Without these the rows concern no message or entry, or
    stay when those go. ``content``: they repeat what messages say, so that the database must not keep their bytes
    once they are deleted. ``on_erase`` makes the statement that an erasure runs, from the message and the time;
    ``in_use`` the condition under which a message may not be retired.
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
