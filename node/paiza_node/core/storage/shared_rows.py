"""Rows that many rows of another table refer to by number, because they share what is in them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Table, func, literal_column, select

from paiza_node.core.storage.connection import WriteConnection
from paiza_node.core.storage.statements import Query, insertion


class SharedRows:
    """The rows of a table whose first column is their number, ``id``."""

    def __init__(self, table: Table) -> None:
        """Use this table."""
        self._last = Query(select(func.max(table.c.id)).where(table.c.id > literal_column("0")))  # from the key's end
        self._add = insertion(table)

    def add(self, conn: WriteConnection, contents: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
        """Store each of these contents once, numbered after the last row; return the numbers.

        A content that an earlier commit stored is stored again: to find it would cost more than it takes.
        """
        last = self._last.run(conn)[0][0] or 0
        numbers = {content: last + at for at, content in enumerate(dict.fromkeys(contents), 1)}
        self._add.run(conn, [(number, *content) for content, number in numbers.items()])
        return numbers
