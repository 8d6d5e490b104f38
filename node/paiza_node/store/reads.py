"""Questions to the database, and how its rows become the node's nouns."""

from collections.abc import Collection
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
)

from paiza.core.v1 import message_pb2
from paiza_domain.thread import UNMARKED
from paiza_node.model import (
    ForeignProof,
    Head,
    KnownLog,
    ListedMessage,
    MessageQuery,
    MessageRow,
    MessageState,
    Officer,
    ProofKind,
    StoredEntry,
    Viewer,
)
from paiza_node.store import schema as s
from paiza_node.store.approvals import ApprovalReads
from paiza_node.store.attachments import AttachmentReads
from paiza_node.store.deliveries import DeliveryReads
from paiza_node.store.desks import DeskReads, seen_by
from paiza_node.store.erasures import ErasureReads
from paiza_node.store.findings import FindingReads
from paiza_node.store.lawful import LawfulReads
from paiza_node.store.oversight import OversightReads
from paiza_node.store.parents import ParentReads
from paiza_node.store.passing import PassingReads
from paiza_node.store.recovery import RecoveryReads
from paiza_node.store.retiring import RetiringReads
from paiza_node.store.rows import EPOCH, from_micros, message_row, to_micros
from paiza_node.store.search import SearchReads
from paiza_node.store.statements import Lookup, blocks
from paiza_node.store.threads import ThreadReads
from paiza_node.store.witness import WitnessReads
from paiza_wire.errors import Unavailable
from paiza_wire.merkle import EMPTY_ROOT

URGENT_FROM: Final = int(message_pb2.URGENCY_URGENT)  # it and FLASH have a slot of their own


class SqlReads(
    ApprovalReads,
    AttachmentReads,
    DeliveryReads,
    DeskReads,
    ErasureReads,
    LawfulReads,
    RetiringReads,
    SearchReads,
    FindingReads,
    OversightReads,
    ParentReads,
    PassingReads,
    RecoveryReads,
    ThreadReads,
    WitnessReads,
):
    """The questions of `paiza_node.ports.Reads`, asked over one connection."""

    def __init__(self, connection: Connection) -> None:
        """Ask over this connection, within whatever transaction it is in."""
        self._connection = connection

    def scalar(self, statement: Select[Any]) -> Any:
        """Give the one value a statement finds, or None."""
        return self._connection.execute(statement).scalar_one_or_none()

    def head(self) -> Head:
        """Give the head of the log; of an empty one where nothing was ever committed."""
        row = self._connection.execute(select(s.log_head)).one_or_none()
        if row is None:
            return Head(0, EMPTY_ROOT, 0, 0, EPOCH, b"")
        return Head(row.size, row.root, row.messages, row.deliveries, from_micros(row.last_time), row.batch)

    def tile(self, level: int, index: int) -> bytes:
        """Give one tile of the log's tree; Unavailable("log_damaged") where it is missing."""
        found = self._connection.execute(_TILE, {"level": level, "tile": index}).scalar_one_or_none()
        if found is None:
            raise Unavailable("log_damaged", f"tile {level}/{index} of the log is missing in the database")
        return bytes(found)

    def entries(self, first: int, limit: int) -> list[StoredEntry]:
        """Give entries in order of index, from ``first`` on."""
        e = s.log_entry.c
        rows = self._connection.execute(select(e.index, e.entry).where(e.index >= first).order_by(e.index).limit(limit))
        return [StoredEntry(row[0], row[1]) for row in rows]

    def entries_of(self, digest: bytes) -> list[StoredEntry]:
        """Give all entries that concern one message, oldest first."""
        e = s.log_entry.c
        rows = self._connection.execute(select(e.index, e.entry).where(e.digest == digest).order_by(e.index))
        return [StoredEntry(row[0], row[1]) for row in rows]

    def entries_at(self, indices: Collection[int]) -> list[StoredEntry]:
        """Give the entries at these indices, in order of index."""
        e = s.log_entry.c
        found: list[StoredEntry] = []
        for block in blocks(sorted(indices)):
            rows = self._connection.execute(select(e.index, e.entry).where(e.index.in_(block)).order_by(e.index))
            found.extend(StoredEntry(row[0], row[1]) for row in rows)
        return found

    def claimed(self, author: str, message_ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Give the digests of the messages for which an author has used these message ids."""
        rows = _CLAIMED.run(self._connection, message_ids)
        return {message_id: digest for message_id, by, digest in rows if by == author}

    def message(self, digest: bytes) -> MessageRow | None:
        """Give the message with this digest, without its body."""
        row = self._connection.execute(select(s.message).where(s.message.c.digest == digest)).one_or_none()
        return None if row is None else message_row(row)

    def messages_by_source_row(self, rows: Collection[bytes]) -> dict[bytes, bytes]:
        """Give the digests of the messages that were made from these source rows."""
        m = s.message.c
        found: dict[bytes, bytes] = {}
        for block in blocks(list(rows)):
            result = self._connection.execute(select(m.source_row, m.digest).where(m.source_row.in_(block)))
            found.update((row[0], row[1]) for row in result)
        return found

    def thread_names(self, threads: Collection[bytes]) -> dict[bytes, str]:
        """Give the short names of these threads, as the first message known of each gave it."""
        rows = sorted(_THREAD_NAMES.run(self._connection, threads), key=itemgetter(0), reverse=True)
        return {thread_id: name for _, thread_id, name in rows}

    def answers(self, digests: Collection[bytes]) -> dict[bytes, StoredEntry]:
        """Give our own RECEIVED or REFUSED entry for each of these messages that was answered before."""
        return {row[0]: StoredEntry(row[1], row[2]) for row in _ANSWERS.run(self._connection, digests)}

    def list_messages(self, query: MessageQuery, officer: str) -> list[ListedMessage]:
        """Give messages that match, newest first, with what became of them."""
        m = s.message.c
        order = m.seq.asc() if query.oldest_first else m.seq.desc()
        conditions = _conditions(query)
        if query.seen_by is not None and query.seen_by.units is not None:
            narrow = query.thread_id or query.thread_name or query.id_prefix
            conditions = (
                [*conditions, seen_by(query.seen_by)] if narrow else [m.seq.in_(self.page_seqs(query, conditions))]
            )
        statement = select(s.message).where(*conditions).order_by(order).limit(query.limit)
        return self._with_news([message_row(row) for row in self._connection.execute(statement)], officer)

    def listed(self, digests: Collection[bytes], officer: str, viewer: Viewer | None = None) -> list[ListedMessage]:
        """Give these messages as a list shows them, in order of arrival; only those that ``viewer`` sees."""
        found: list[MessageRow] = []
        seen = [] if viewer is None or viewer.units is None else [seen_by(viewer)]
        for block in blocks(list(digests)):
            rows = self._connection.execute(select(s.message).where(s.message.c.digest.in_(block), *seen))
            found.extend(message_row(row) for row in rows)
        return self._with_news(sorted(found, key=lambda row: row.seq), officer)

    def proofs(self, digest: bytes, kind: ProofKind | None = None) -> list[ForeignProof]:
        """Give the proofs from other members' logs kept for one message."""
        p = s.proof.c
        of_kind = [p.kind == int(kind)] if kind is not None else []
        rows = self._connection.execute(
            select(s.proof, s.note.c.note)
            .join(s.note, s.note.c.digest == p.note_digest)
            .where(p.digest == digest, *of_kind)
            .order_by(p.kind, p.member)
        )
        return [
            ForeignProof(
                r.digest, r.member, ProofKind(r.kind), r.entry, r.log_index, r.hashes, r.note, r.register_version
            )
            for r in rows
        ]

    def known_logs(self) -> dict[str, KnownLog]:
        """Give the largest accepted checkpoint of every other member."""
        rows = self._connection.execute(select(s.known_log))
        return {r.member: KnownLog(r.member, r.size, r.root, r.note, from_micros(r.accepted_time)) for r in rows}

    def officers(self) -> dict[str, Officer]:
        """Give the officers of the own member, by id."""
        rows = self._connection.execute(select(s.officer))
        return {
            r.id: Officer(r.id, frozenset(r.roles.split()), r.unit, r.certificate_sha256, r.suspended) for r in rows
        }

    def setting(self, name: str) -> bytes | None:
        """Give a value the node remembers across restarts."""
        return self._connection.execute(select(s.setting.c.value).where(s.setting.c.name == name)).scalar_one_or_none()

    def counter(self, name: str) -> int:
        """Give the last number that was given out under a name; 0 where none was."""
        c = s.counter.c
        return self._connection.execute(select(c.value).where(c.name == name)).scalar_one_or_none() or 0

    def texts(self, indices: Collection[int]) -> dict[int, str]:
        """Give the free texts kept beside these entries."""
        t = s.log_text.c
        found: dict[int, str] = {}
        for block in blocks(sorted(indices)):
            rows = self._connection.execute(select(t.index, t.text).where(t.index.in_(block)))
            found.update((row[0], row[1]) for row in rows)
        return found

    def _with_news(self, messages: list[MessageRow], officer: str) -> list[ListedMessage]:
        sent = [row.seq for row in messages if row.state is MessageState.RELEASED]
        deliveries = self._deliveries(sent)
        o = s.opened.c
        openers: dict[bytes, set[str]] = {}
        for block in blocks([row.digest for row in messages]):
            rows = self._connection.execute(
                select(o.digest, o.officer).where(o.digest.in_(block), o.part_number == 0).distinct()
            )
            for digest, name in rows:
                openers.setdefault(digest, set()).add(name)
        marks = self.marks(messages)
        attachments = self.attachments_of([row.digest for row in messages])
        erased = self.erased([row.digest for row in messages])
        return [
            ListedMessage(
                row,
                officer in openers.get(row.digest, ()),
                row.digest in openers,
                deliveries.get(row.seq, []),
                marks=marks.get(row.digest, UNMARKED),
                attachments=attachments.get(row.digest, []),
                erased=row.digest in erased,
            )
            for row in messages
        ]


_CLAIMED: Final = Lookup(select(s.message.c.message_id, s.message.c.author, s.message.c.digest), s.message.c.message_id)
_THREAD_NAMES: Final = Lookup(
    select(s.message.c.seq, s.message.c.thread_id, s.message.c.thread_name).where(
        s.message.c.thread_name != literal_column("''")
    ),
    s.message.c.thread_id,
)
_ANSWERS: Final = Lookup(
    select(s.answer.c.digest, s.log_entry.c.index, s.log_entry.c.entry).join_from(
        s.answer, s.log_entry, s.log_entry.c.index == s.answer.c.log_index
    ),
    s.answer.c.digest,
)
_TILE: Final = select(s.log_tile.c.hashes).where(
    s.log_tile.c.level == bindparam("level"), s.log_tile.c.index == bindparam("tile")
)


def _conditions(query: MessageQuery) -> list[ColumnElement[bool]]:
    m = s.message.c
    conditions: list[ColumnElement[bool]] = []
    if query.received is not None:
        conditions.append(m.received == query.received)
        if query.received:
            conditions.append(m.state == int(MessageState.RECEIVED))
    if query.kind:
        conditions.append(m.kind == query.kind)
    if query.author:
        conditions.append(m.author == query.author)
    if query.since_time is not None:
        conditions.append(m.stored_time >= to_micros(query.since_time))
    if query.thread_id:
        conditions.append(m.thread_id == query.thread_id)
    if query.thread_name:
        conditions.append(m.thread_name == query.thread_name)
    if query.id_prefix:
        conditions.append(or_(*(_begins(column, query.id_prefix) for column in (m.digest, m.message_id))))
    if query.unread_by:
        o = s.opened.c
        conditions.append(~exists().where(and_(o.digest == m.digest, o.officer == query.unread_by, o.part_number == 0)))
    if query.before_seq is not None:
        conditions.append(m.seq < query.before_seq)
    if query.after_seq:
        conditions.append(m.seq > query.after_seq)
    return conditions


def _begins(column: Any, prefix: str) -> ColumnElement[bool]:
    """Compare the beginning of bytes with hex digits, as a range that an index can serve."""
    low = bytes.fromhex(prefix + "0" * (len(prefix) % 2))
    high = bytes.fromhex(prefix + "f" * (len(prefix) % 2)) + b"\xff" * 32
    return and_(column >= low, column <= high)
