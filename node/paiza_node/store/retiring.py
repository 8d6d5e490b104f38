"""The end of audit retention: entries and headers go, and the hashes that the log's tree is built of stay."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, literal_column, or_, select

from paiza_domain.thread import ERASURE
from paiza_node.model import ApprovalState, MessageState, StoredEntry
from paiza_node.store import schema as s
from paiza_node.store.statements import Lookup, blocks, insertion, replacement
from paiza_wire.merkle import leaf_hash

DELIVERIES: Final = "retired_deliveries"  # counter of the deliveries that went with their messages

# What hangs on a message, children before parents: PostgreSQL minds.
_BY_SEQ: Final[tuple[tuple[Table, str], ...]] = (
    (s.message_parent, "seq"),
    (s.message_body, "seq"),
    (s.delivery, "message_seq"),
    (s.reader, "seq"),
    (s.work, "seq"),
    (s.term_token, "seq"),
    (s.indexed_message, "seq"),
    (s.review, "seq"),
)
_BY_DIGEST: Final[tuple[Table, ...]] = (
    s.answer,
    s.proof,
    s.passed_on,
    s.attachment,
    s.attachment_proof,
    s.opened,
    s.approval,
    s.erasure,
    s.erased,
    s.erasure_answer,
    s.recovered_entry,
)


class RetiringReads:
    """Questions about what may go and what went, asked over one connection."""

    _connection: Connection

    def retired_messages(self, digests: Collection[bytes]) -> set[bytes]:
        """Give those of these messages that were here until their retention ended."""
        return {row[0] for row in _RETIRED.run(self._connection, digests)}

    def last_entry_of(self, digest: bytes) -> int | None:
        """Give the index of the newest entry about a message."""
        e = s.log_entry.c
        found: int | None = self._connection.execute(
            select(func.max(e.index)).where(e.digest == digest)
        ).scalar_one_or_none()
        return found

    def may_retire(self, digest: bytes) -> bool:
        """Say whether nothing of a message is left but what tells of it, and nothing about it is under way.

        A request to erase is not erased, and goes when its retention ends.
        """
        m, d, e, b = s.message.c, s.delivery.c, s.erasure.c, s.message_body.c
        row = self._connection.execute(select(m.seq, m.kind, m.state).where(m.digest == digest)).one_or_none()
        living: list[ColumnElement[bool]] = [
            exists().where(s.hold.c.digest == digest),
            exists().where(e.digest == digest, or_(e.state < literal_column("3"), e.tell_time.is_not(None))),
            exists().where(s.approval.c.digest == digest, s.approval.c.state == int(ApprovalState.WAITING)),
        ]
        if row is not None:
            living.append(exists().where(d.message_seq == row.seq, d.state == s.WAITING_LITERAL))
            if row.kind != ERASURE and row.state != int(MessageState.REFUSED):
                living.append(exists().where(b.seq == row.seq))
        return not self._connection.execute(select(or_(*living))).scalar_one()

    def retired_counts(self) -> tuple[int, int]:
        """Give how many messages and deliveries went."""
        messages = self._connection.execute(select(func.count()).select_from(s.retired_message)).scalar_one()
        deliveries = self._connection.execute(select(s.counter.c.value).where(s.counter.c.name == DELIVERIES))
        return messages, deliveries.scalar_one_or_none() or 0


class RetiringWrites(RetiringReads):
    """The writes of it, in the one transaction of one connection."""

    def retire_messages(self, digests: Collection[bytes]) -> int:
        """Delete all there is of messages but their digests; gives of how many there was a row."""
        m = s.message.c
        rows: list[tuple[int, bytes]] = []
        for block in blocks(sorted(digests)):
            for table in _BY_DIGEST:
                self._connection.execute(delete(table).where(table.c.digest.in_(block)))
            found = self._connection.execute(select(m.seq, m.digest).where(m.digest.in_(block)))
            rows.extend((row[0], row[1]) for row in found)
        _ADD_RETIRED_MESSAGE.run(self._connection, rows)
        for block in blocks([seq for seq, _ in rows]):
            for table, column in _BY_SEQ:
                gone = self._connection.execute(delete(table).where(table.c[column].in_(block))).rowcount
                if table is s.delivery and gone:
                    _PUT_COUNTER.run(self._connection, [(DELIVERIES, self.retired_counts()[1] + gone)])
            self._connection.execute(delete(s.message).where(m.seq.in_(block)))
        return len(rows)

    def retire_entries(self, entries: Sequence[StoredEntry]) -> None:
        """Put the hashes of entries in their place; texts and facts beside them go."""
        _ADD_RETIRED.run(self._connection, [(entry.index, leaf_hash(entry.entry)) for entry in entries])
        for block in blocks([entry.index for entry in entries]):
            for table in (s.log_text, s.log_fact, s.log_entry):
                self._connection.execute(delete(table).where(table.c.index.in_(block)))


_RETIRED: Final[Any] = Lookup(select(s.retired_message.c.digest), s.retired_message.c.digest)
_ADD_RETIRED: Final = insertion(s.retired)
_ADD_RETIRED_MESSAGE: Final = insertion(s.retired_message)
_PUT_COUNTER: Final = replacement(s.counter)
