"""Which messages follow from which: the parents that headers name, found from the parent's side.

A parent may not be here (yet); whoever follows from it is found all the same once it is.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Final

from sqlalchemy import Connection, literal_column, or_, select

from paiza.core.v1.message_pb2 import Header
from paiza_domain import thread
from paiza_domain.kind import KIND_NAME
from paiza_domain.thread import Marks, ThreadMessage
from paiza_node.model import MessageRow
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros
from paiza_node.store.statements import Lookup, insertion

_TAKING_BACK: Final = (thread.RECALL, thread.CORRECTION)


class ParentReads:
    """Questions from the parent's side."""

    _connection: Connection

    def children(self, digests: Collection[bytes], kinds: tuple[str, ...]) -> dict[bytes, list[bytes]]:
        """Give, by parent, the digests of messages of these kinds that name it as a parent, in order of arrival.

        Messages that this node refused follow from nothing.
        """
        found: dict[bytes, list[bytes]] = {}
        rows = (row[:3] for row in _children(kinds).run(self._connection, digests))
        for _seq, parent, digest in sorted(rows):
            found.setdefault(parent, []).append(digest)
        return found

    def marks(self, messages: Collection[MessageRow]) -> Mapping[bytes, Marks]:
        """Give what authors said of their messages afterwards, as far as this node knows; the unmarked are left out."""
        afterwards = self._said_by({row.digest: row.author for row in messages})
        if not afterwards:
            return {}
        # A correction that was itself recalled corrects nothing.
        afterwards |= self._said_by({digest: each.author for digest, each in afterwards.items()})
        concerned = {digest for each in afterwards.values() for digest in thread.concerned(each.header)}
        targets = [
            ThreadMessage(row.digest, Header.FromString(row.header), row.stored_time)
            for row in messages
            if row.digest in concerned and row.digest not in afterwards
        ]
        known = thread.marks([*targets, *afterwards.values()])
        return {row.digest: known[row.digest] for row in messages if row.digest in known}

    def _said_by(self, authors: Mapping[bytes, str]) -> dict[bytes, ThreadMessage]:
        """Give the recalls and corrections of these messages by their own authors."""
        return {
            digest: ThreadMessage(digest, Header.FromString(header), from_micros(stored))
            for _seq, parent, digest, author, header, stored in _children(_TAKING_BACK).run(self._connection, authors)
            if author == authors[parent]
        }


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
    p, m = s.message_parent.c, s.message.c
    return Lookup(
        select(p.seq, p.parent, m.digest, m.author, m.header, m.stored_time)
        .join_from(s.message_parent, s.message, m.seq == p.seq)
        .where(or_(*(p.kind == literal_column(f"'{kind}'") for kind in kinds))),
        p.parent,
    )


_ADD_PARENT: Final = insertion(s.message_parent)
