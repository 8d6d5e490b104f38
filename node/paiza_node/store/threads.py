"""Threads as a whole: the messages of one, and which threads hold messages of given kinds."""

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from paiza_domain.operations import OPERATION
from paiza_node.model import MessageRow, MessageState, ThreadRow
from paiza_node.store import schema as s
from paiza_node.store.rows import message_row


class ThreadReads:
    """Questions about threads; what this node refused belongs to none."""

    _connection: Connection

    def thread(self, thread_id: bytes) -> list[MessageRow]:
        """Give the messages of a thread, without their bodies, in order of arrival."""
        m = s.message.c
        statement = select(s.message).where(m.thread_id == thread_id, m.state != int(MessageState.REFUSED))
        return [message_row(row) for row in self._connection.execute(statement.order_by(m.seq))]

    def thread_sizes(self, author: str, threads: Collection[bytes]) -> dict[bytes, int]:
        """Count the messages of one member in each of these threads, those that were refused too."""
        m = s.message.c
        found: dict[bytes, int] = dict.fromkeys(threads, 0)
        for thread_id in found:
            counted = select(func.count()).where(m.thread_id == thread_id, m.author == author)
            found[thread_id] = int(self._connection.execute(counted).scalar_one())
        return found

    def operations(self, thread_id: bytes) -> list[MessageRow]:
        """Give the messages that describe the operation a thread belongs to; none where it begins with another kind."""
        m = s.message.c
        wanted = m.message_id == thread_id, m.kind == OPERATION, m.state != int(MessageState.REFUSED)
        if self._connection.execute(select(m.seq).where(*wanted).limit(1)).one_or_none() is None:
            return []
        wanted = m.thread_id == thread_id, m.kind == OPERATION, m.state != int(MessageState.REFUSED)
        return [message_row(row) for row in self._connection.execute(select(s.message).where(*wanted).order_by(m.seq))]

    def thread_id(self, thread_name: str) -> bytes | None:
        """Give the thread of a short name; None where there is none."""
        m = s.message.c
        found = self._connection.execute(select(m.thread_id).where(m.thread_name == thread_name).limit(1)).scalar()
        return None if found is None else bytes(found)

    def threads_of(self, kinds: Collection[str], *, before_seq: int | None = None, limit: int = 100) -> list[ThreadRow]:
        """Give the threads that hold messages of these kinds, the one that moved last first."""
        m = s.message.c
        last = func.max(m.seq)
        statement = (
            select(m.thread_id, func.max(m.thread_name), last)
            .where(m.kind.in_(sorted(kinds)), m.state != int(MessageState.REFUSED))
            .group_by(m.thread_id)
            .order_by(last.desc())
            .limit(limit)
        )
        if before_seq is not None:
            statement = statement.having(last < before_seq)
        return [ThreadRow(bytes(row[0]), row[1], row[2]) for row in self._connection.execute(statement)]

    def body(self, seq: int) -> bytes | None:
        """Give the serialized SignedMessage of a message; None where it was erased."""
        b = s.message_body.c
        found = self._connection.execute(select(b.signed).where(b.seq == seq)).scalar_one_or_none()
        return None if found is None else bytes(found)
