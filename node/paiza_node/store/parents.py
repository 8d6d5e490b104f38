"""Which messages follow from which: the parents that headers name, found from the parent's side.

A parent may not be here (yet); whoever follows from it is found all the same once it is.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Final

from sqlalchemy import Connection, literal_column, or_, select

from paiza_domain.kind import KIND_NAME
from paiza_node.model import MessageRow
from paiza_node.store import schema as s
from paiza_node.store.statements import Lookup, insertion


class ParentReads:
    """Questions from the parent's side."""

    _connection: Connection

    def children(self, digests: Collection[bytes], kinds: tuple[str, ...]) -> dict[bytes, list[bytes]]:
        """Give, by parent, the digests of messages of these kinds that name it as a parent, in order of arrival.

        Messages that this node refused follow from nothing.
        """
        found: dict[bytes, list[bytes]] = {}
        for _seq, parent, digest in sorted(_children(kinds).run(self._connection, digests)):
            found.setdefault(parent, []).append(digest)
        return found


class ParentWrites:
    """What is remembered of a message that follows from others."""

    _connection: Connection

    def add_parents(self, messages: Sequence[MessageRow]) -> None:
        """Remember the parents of messages that are stored in this transaction."""
        rows = [(parent, m.kind, m.seq) for m in messages for parent in dict.fromkeys(m.parents)]
        _ADD_PARENT.run(self._connection, rows)


@cache
def _children(kinds: tuple[str, ...]) -> Lookup:
    """Give the question for some kinds: they are of a fixed number, and part of the statement."""
    assert all(KIND_NAME.fullmatch(kind) for kind in kinds), "names of kinds need no quoting"
    p = s.message_parent.c
    return Lookup(
        select(p.seq, p.parent, s.message.c.digest)
        .join_from(s.message_parent, s.message, s.message.c.seq == p.seq)
        .where(or_(*(p.kind == literal_column(f"'{kind}'") for kind in kinds))),
        p.parent,
    )


_ADD_PARENT: Final = insertion(s.message_parent)
