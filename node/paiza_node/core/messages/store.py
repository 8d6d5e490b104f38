"""Messages in the database: headers, bodies, parents, and the remaining data of erased or retired ones."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    LargeBinary,
    Row,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from paiza_domain.operations.operations import OPERATION
from paiza_domain.schema.kind import KIND_NAME
from paiza_node.core.messages import packing
from paiza_node.core.messages.model import MessageRow, MessageState, Possession, ThreadRow
from paiza_node.core.storage import ReadConnection, Store, WriteConnection, scanning
from paiza_node.core.storage.lifecycle import Key, Lifecycle, Subject
from paiza_node.core.storage.records import check_types
from paiza_node.core.storage.scanning import BLOCK, Rows
from paiza_node.core.storage.schema import INLINE, METADATA, Number
from paiza_node.core.storage.shared_rows import SharedRows
from paiza_node.core.storage.statements import Lookup, Query, addition, blocks, insertion, replacement
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_wire.errors import Unavailable

message_table = Table(
    "message",
    METADATA,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("author", Text, nullable=False),
    Column("message_id", LargeBinary, nullable=False),
    Column("thread_id", LargeBinary, nullable=False),
    Column("thread_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("urgency", SmallInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("received", Boolean, nullable=False),
    Column("stored_time", BigInteger, nullable=False),
    Column("source_row", LargeBinary, nullable=True),  # several units may send one: `core.exchange.source_rows`
    Column("header", LargeBinary, nullable=False),
    Column("unit", Text, nullable=True),  # the unit it belongs to; one without a unit is seen only by those who see all
    UniqueConstraint("message_id", "author"),  # in this order it also finds ids by their beginning
)
MESSAGE_COLUMNS: Final = len(message_table.columns)
_CHECK_MESSAGE: Final = check_types(message_table)
Index("ix_message_thread_id_seq", message_table.c.thread_id, message_table.c.seq)
Index("ix_message_thread_name", message_table.c.thread_name)
Index("ix_message_received_seq", message_table.c.received, message_table.c.seq)
Index("ix_message_kind_seq", message_table.c.kind, message_table.c.seq)
Index("ix_message_unit_received_seq", message_table.c.unit, message_table.c.received, message_table.c.seq)
Index("ix_message_author_seq", message_table.c.author, message_table.c.seq)
_WHERE_IMPORTED: Final = text("source_row IS NOT NULL")
Index(
    "ix_message_source_row",
    message_table.c.source_row,
    sqlite_where=_WHERE_IMPORTED,
    postgresql_where=_WHERE_IMPORTED,
)

# The parents of each message. A parent is named by its digest: it may come later, or never.
message_parent_table = Table(
    "message_parent",
    METADATA,
    Column("parent", LargeBinary, primary_key=True),
    Column("kind", Text, primary_key=True),  # kind of the following message: an operation has thousands, of many kinds
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("place", SmallInteger, nullable=False),  # of the parent in the header, from 0
)

Index("ix_message_parent_seq", message_parent_table.c.seq)  # for retirement, and for all parents of a message

# How many replies each member has in a thread, refused ones included: counting the rows would read the whole thread
# while the writer is held. Messages that begin a thread are not counted: most threads are not answered.
thread_size_table = Table(
    "thread_size",
    METADATA,
    Column("thread_id", LargeBinary, primary_key=True),
    Column("author", Text, primary_key=True),
    Column("replies", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Separate from `message`, so that lists never read ciphertexts and erasure is the deletion of a row.
message_body_table = Table(
    "message_body",
    METADATA,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("cuts", LargeBinary, nullable=False),  # what was cut out of the rest, and where (`packing`)
    Column("rest", LargeBinary, nullable=False),
    Column("checksum", LargeBinary, nullable=False),  # of both: neither subject nor wraps are signed
    postgresql_with=INLINE,
)

# The beginnings of signatures, signer and certificate, which the messages of an officer share. None is ever deleted.
signature_front_table = Table(
    "signature_front",
    METADATA,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("front", LargeBinary, nullable=False),
)

# The header and signatures of an erased message, so that everything proven about it still is.
erased_table = Table(
    "erased",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("signed", LargeBinary, nullable=False),
)

# Digests of retired messages, so that none is received again.
retired_message_table = Table(
    "retired_message",
    METADATA,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
)
_WHERE_REFUSED: Final = text("state = 3")
Index(
    "ix_message_refused",
    message_table.c.author,
    message_table.c.seq,
    sqlite_where=_WHERE_REFUSED,
    postgresql_where=_WHERE_REFUSED,
)


def message_row(row: Sequence[Any]) -> MessageRow:
    """Return a message without its body from a row that begins with the columns of `message_table`.

    Unavailable("log_damaged") if its state is none, or a value is of another type than its column.
    """
    _CHECK_MESSAGE(row)
    (
        seq,
        digest,
        author,
        message_id,
        thread_id,
        thread_name,
        kind,
        urgency,
        state,
        _,
        stored,
        source_row,
        header,
        unit,
    ) = row[:MESSAGE_COLUMNS]
    return MessageRow(
        seq=seq,
        digest=digest,
        author=author,
        message_id=message_id,
        thread_id=thread_id,
        thread_name=thread_name,
        kind=kind,
        urgency=urgency,
        state=_state(seq, state),
        header=header,
        stored_time=from_micros(stored),
        source_row=source_row,
        unit=unit,
    )


def _state(seq: int, state: Any) -> MessageState:
    """Return a state as stored; Unavailable("log_damaged") if it is none."""
    try:
        return MessageState(state)
    except ValueError:
        raise Unavailable("log_damaged", f"the state of message {seq} cannot be read") from None


def children(conn: ReadConnection, digests: Collection[bytes], kinds: tuple[str, ...]) -> dict[bytes, list[bytes]]:
    """Return, by parent, the digests of messages of these kinds that name it as a parent, in order of arrival.

    Messages that this node refused are left out.
    """
    found: dict[bytes, list[bytes]] = {}
    rows = (row[:3] for row in _children(kinds).run(conn, digests))
    for _seq, parent, digest in sorted(rows):
        found.setdefault(parent, []).append(digest)
    return found


def follow_ups(
    conn: ReadConnection, authors: Mapping[bytes, str], kinds: tuple[str, ...]
) -> Iterator[tuple[bytes, str, str, list[bytes], datetime]]:
    """Yield (digest, kind, author, parents, time of storing) of the messages of these kinds by the author of a parent.

    ``authors`` are those of the parents, by digest. No header is read: a member may send thousands about one message,
    of 64 KiB each.
    """
    rows = _children(kinds).run(conn, authors.keys())
    wanted = {row[0]: row[2:] for row in rows if row[3] == authors[row[1]]}
    parents: dict[int, dict[int, bytes]] = {}
    for row in _PARENTS.run(conn, wanted):
        _CHECK_PARENT(row)
        parent, _kind, seq, place = row
        parents.setdefault(seq, {})[place] = parent
    for seq, (digest, author, kind, time) in wanted.items():
        found = parents.get(seq, {})
        yield digest, kind, author, [found[place] for place in sorted(found)], from_micros(time)


def add_parents(conn: WriteConnection, messages: Sequence[MessageRow]) -> None:
    """Store the parents of messages that are stored in this transaction."""
    rows = [(parent, m.kind, m.seq, place) for m in messages for place, parent in enumerate(dict.fromkeys(m.parents))]
    _ADD_PARENT.run(conn, rows)


@cache
def _children(kinds: tuple[str, ...]) -> Lookup:
    """Return the query for some kinds: their number is fixed, and they are part of the statement."""
    assert all(KIND_NAME.fullmatch(kind) for kind in kinds), "names of kinds need no quoting"
    p, m = message_parent_table.c, message_table.c
    return Lookup(
        select(p.seq, p.parent, m.digest, m.author, p.kind, m.stored_time)
        .join_from(message_parent_table, message_table, m.seq == p.seq)
        .where(or_(*(p.kind == literal_column(f"'{kind}'") for kind in kinds))),
        p.parent,
    )


_ADD_PARENT: Final = insertion(message_parent_table)
_PARENTS: Final = Lookup(select(message_parent_table), message_parent_table.c.seq)
_CHECK_PARENT: Final = check_types(message_parent_table)


def thread(conn: ReadConnection, thread_id: bytes) -> list[MessageRow]:
    """Return the messages of a thread, without their bodies, in order of arrival."""
    m = message_table.c
    statement = select(message_table).where(m.thread_id == thread_id, m.state != int(MessageState.REFUSED))
    return [message_row(row) for row in conn.execute(statement.order_by(m.seq))]


def thread_sizes(conn: ReadConnection, author: str, threads: Collection[bytes]) -> dict[bytes, int]:
    """Return how many messages one member has in each of these threads, including refused ones."""
    begun = claimed(conn, author, threads)  # the message that begins a thread has its id
    replies = {thread_id: count for thread_id, by, count in _THREAD_SIZES.run(conn, threads) if by == author}
    return {thread_id: replies.get(thread_id, 0) + (thread_id in begun) for thread_id in threads}


def operations(conn: ReadConnection, thread_id: bytes) -> list[MessageRow]:
    """Return the messages that describe the operation of a thread; none if it begins with another kind."""
    m = message_table.c
    # By the id alone: without statistics a database takes the kind for as good a key.
    begun = conn.execute(select(m.kind, m.state).where(m.message_id == thread_id))
    if not any(kind == OPERATION and state != int(MessageState.REFUSED) for kind, state in begun):
        return []
    wanted = m.thread_id == thread_id, m.kind == OPERATION, m.state != int(MessageState.REFUSED)
    return [message_row(row) for row in conn.execute(select(message_table).where(*wanted).order_by(m.seq))]


def thread_id(conn: ReadConnection, thread_name: str) -> bytes | None:
    """Return the thread of a short name; None if there is none."""
    m = message_table.c
    found = conn.execute(select(m.thread_id).where(m.thread_name == thread_name).limit(1)).scalar()
    return None if found is None else bytes(found)


def threads_of(
    conn: ReadConnection, kinds: Collection[str], *, before_seq: int | None = None, limit: int = 100
) -> list[ThreadRow]:
    """Return the threads that hold messages of these kinds, the last changed one first."""
    m = message_table.c
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
    return [ThreadRow(bytes(row[0]), row[1], row[2]) for row in conn.execute(statement)]


def body(conn: ReadConnection, seq: int) -> bytes | None:
    """Return the serialized SignedMessage of a message; None if it was erased."""
    return bodies(conn, [seq]).get(seq)


def bodies(conn: ReadConnection, seqs: Collection[int]) -> dict[int, bytes]:
    """Return the serialized SignedMessages of those of these messages whose content is stored, by number."""
    rows = list(_BODIES.run(conn, seqs))
    known = _fronts(conn, [cuts for _, cuts, _, _ in rows])
    return {seq: packing.unpack(cuts, rest, header, known) for seq, cuts, rest, header in rows}


def body_sizes(conn: ReadConnection, seqs: Collection[int]) -> dict[int, int]:
    """Return about how many bytes the stored bodies of these messages have, by number."""
    return dict(_BODY_SIZES.run(conn, seqs))


def fronts(conn: ReadConnection, seqs: Collection[int], size: int) -> dict[int, bytes]:
    """Return about the first ``size`` bytes of the serialized SignedMessages whose content is stored, by number."""
    rows = list(_BEGINNINGS.run(conn, seqs, size))
    known = _fronts(conn, [cuts for _, cuts, _, _ in rows])
    return {seq: packing.unpack(cuts, rest, header, known) for seq, cuts, rest, header in rows}


def _fronts(conn: ReadConnection, cuts: Iterable[bytes]) -> dict[int, bytes]:
    """Return the fronts of signatures that these bodies need, by number."""
    wanted = {number for each in set(cuts) for number in packing.numbers_of(each)}
    return dict(_FRONTS.run(conn, wanted))


_BEGINNINGS: Final = Lookup(
    select(
        message_body_table.c.seq,
        message_body_table.c.cuts,
        func.substr(message_body_table.c.rest, literal_column("1"), bindparam("size"), type_=LargeBinary),
        message_table.c.header,
    ).select_from(message_body_table.join(message_table, message_table.c.seq == message_body_table.c.seq)),
    message_body_table.c.seq,
)
_BODIES: Final = Lookup(
    select(
        message_body_table.c.seq, message_body_table.c.cuts, message_body_table.c.rest, message_table.c.header
    ).join_from(message_body_table, message_table, message_table.c.seq == message_body_table.c.seq),
    message_body_table.c.seq,
)

_BODY_SIZES: Final = Lookup(
    select(message_body_table.c.seq, func.length(message_body_table.c.rest)), message_body_table.c.seq
)

_FRONTS: Final = Lookup(select(signature_front_table.c.id, signature_front_table.c.front), signature_front_table.c.id)

_FRONT_NUMBERS: Final = Lookup(
    select(signature_front_table.c.digest, signature_front_table.c.id),
    signature_front_table.c.digest,
)

_SHARED_FRONTS: Final = SharedRows(signature_front_table)


def claimed(conn: ReadConnection, author: str, message_ids: Collection[bytes]) -> dict[bytes, bytes]:
    """Return the digests of the messages for which an author has used these message ids."""
    rows = _CLAIMED.run(conn, message_ids)
    return {message_id: digest for message_id, by, digest in rows if by == author}


def message(conn: ReadConnection, digest: bytes) -> MessageRow | None:
    """Return the message with this digest, without its body."""
    found = messages_of(conn, [digest])
    return found[0] if found else None


def messages_of(conn: ReadConnection, digests: Collection[bytes]) -> list[MessageRow]:
    """Return those of these messages that are stored, without their bodies, in order of arrival."""
    return [message_row(row) for row in sorted(_MESSAGES.run(conn, digests), key=itemgetter(0))]


def imported(conn: ReadConnection) -> Iterator[Rows]:
    """Return (seq, digest, source_row) of every message that was made from a source row."""
    m = message_table.c
    yield from scanning.pages(
        conn, select(m.seq, m.digest, m.source_row).where(m.source_row.is_not(None)), message_table
    )


def messages_by_source_row(conn: ReadConnection, rows: Collection[bytes]) -> list[MessageRow]:
    """Return the messages that were made from these source rows, in order of release."""
    m = message_table.c
    found: list[MessageRow] = []
    for block in blocks(list(rows)):
        result = conn.execute(select(message_table).where(m.source_row.in_(block)))
        found.extend(message_row(row) for row in result)
    return sorted(found, key=lambda row: row.seq)


def threads_of_messages(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, bytes]:
    """Return the threads of those of these messages that are stored, by digest."""
    return dict(_THREAD_OF.run(conn, digests))


def thread_names(conn: ReadConnection, threads: Collection[bytes]) -> dict[bytes, str]:
    """Return the short names of these threads, as the first message known of each gave it."""
    rows = sorted(_THREAD_NAMES.run(conn, threads), key=itemgetter(0), reverse=True)
    return {thread_id: name for _, thread_id, name in rows}


def misnamed(conn: ReadConnection) -> Iterator[bytes]:
    """Return the digests of messages with another thread name than the first message of the thread that has one.

    Those before it have none. Reads the whole table.
    """
    m, named = message_table.c, message_table.alias()
    first = (
        select(m.thread_id, func.min(m.seq).label("seq")).where(m.thread_name != "").group_by(m.thread_id).subquery()
    )
    wrong = (
        select(m.digest)
        .join_from(message_table, first, first.c.thread_id == m.thread_id)
        .join(named, named.c.seq == first.c.seq)
        .where(m.seq > first.c.seq, m.thread_name != named.c.thread_name)
    )
    yield from conn.execute(wrong).scalars()


def foreign_openings(conn: ReadConnection) -> Iterator[tuple[bytes, str]]:
    """Return digest and thread name of each received message that begins a thread. Reads the whole table."""
    m = message_table.c
    wanted = select(m.seq, m.digest, m.thread_name).where(m.received, m.message_id == m.thread_id)
    for rows in scanning.pages(conn, wanted, message_table):
        yield from ((row.digest, row.thread_name) for row in rows)


_MESSAGES: Final = Lookup(select(message_table), message_table.c.digest)

_THREAD_SIZES: Final = Lookup(select(thread_size_table), thread_size_table.c.thread_id)

_CLAIMED: Final = Lookup(
    select(message_table.c.message_id, message_table.c.author, message_table.c.digest), message_table.c.message_id
)

_THREAD_OF: Final = Lookup(select(message_table.c.digest, message_table.c.thread_id), message_table.c.digest)

_THREAD_NAMES: Final = Lookup(
    select(message_table.c.seq, message_table.c.thread_id, message_table.c.thread_name).where(
        message_table.c.thread_name != literal_column("''")
    ),
    message_table.c.thread_id,
)


def add_messages(conn: WriteConnection, messages: Sequence[MessageRow]) -> None:
    """Store messages with their bodies."""
    rows = [
        (
            m.seq,
            m.digest,
            m.author,
            m.message_id,
            m.thread_id,
            m.thread_name,
            m.kind,
            m.urgency,
            int(m.state),
            m.received,
            to_micros(m.stored_time),
            m.source_row,
            m.header,
            m.unit,
        )
        for m in messages
    ]
    _ADD_MESSAGE.run(conn, rows)
    _add_bodies(conn, [(m.seq, m.signed, m.header) for m in messages if m.signed is not None])
    add_parents(conn, [m for m in messages if m.state is not MessageState.REFUSED])
    _add_replies(conn, Counter((m.thread_id, m.author) for m in messages if m.thread_id != m.message_id))


def _add_bodies(conn: WriteConnection, messages: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Store bodies: (number of the message, serialized SignedMessage, header)."""
    fronts = [packing.fronts(signed) for _, signed, _ in messages]
    numbers = _front_numbers(conn, {front for each in fronts for front in each})
    rows = [
        (seq, *packing.pack(signed, header, {front: numbers[front] for front in each}))
        for (seq, signed, header), each in zip(messages, fronts, strict=True)
    ]
    _PUT_BODY.run(conn, rows)


def _front_numbers(conn: WriteConnection, fronts: Collection[bytes]) -> dict[bytes, int]:
    """Return the numbers of these fronts of signatures; those that are new are stored."""
    digests = {front: sha256(front).digest() for front in fronts}
    known: dict[bytes, int] = dict(_FRONT_NUMBERS.run(conn, digests.values()))
    new = {digest: front for front, digest in digests.items() if digest not in known}
    if new:
        numbers = _SHARED_FRONTS.add(conn, new.items())
        known |= {digest: number for (digest, _front), number in numbers.items()}
    return {front: known[digest] for front, digest in digests.items()}


def _add_replies(conn: WriteConnection, replies: Mapping[tuple[bytes, str], int]) -> None:
    _ADD_REPLIES.run(conn, [(thread_id, author, count) for (thread_id, author), count in replies.items()])


def replace_signed(conn: WriteConnection, digest: bytes, signed: bytes) -> None:
    """Replace the body of a message by one with other wraps, or more parts; one that was erased stays erased.

    Whoever brings the other body may have been asked for it before the erasure.
    """
    row = message(conn, digest)
    if row is not None and row.seq in body_sizes(conn, [row.seq]):
        _add_bodies(conn, [(row.seq, signed, row.header)])


_ADD_MESSAGE: Final = insertion(message_table)

_PUT_BODY: Final = replacement(message_body_table)

_ADD_REPLIES: Final = addition(thread_size_table, "replies")


def numbers(conn: ReadConnection, last: int) -> Iterator[Rows]:
    """Return the numbers of all messages up to one, as rows with ``seq``."""
    m = message_table.c
    yield from scanning.pages(conn, select(m.seq).where(m.seq <= last), message_table)


def last_stored_time(conn: ReadConnection) -> int:
    """Return when the newest message was stored, in microseconds; 0 if there is none."""
    m = message_table.c
    return conn.execute(select(m.stored_time).order_by(m.seq.desc()).limit(1)).scalar() or 0


def unit_of(conn: ReadConnection, digests: Collection[bytes]) -> str:
    """Return the unit of the first known of these messages; empty if none is known."""
    m = message_table.c
    found = select(m.unit).where(m.digest.in_(list(digests)), m.unit.is_not(None)).order_by(m.seq).limit(1)
    return conn.execute(found).scalar_one_or_none() or ""


def messages_of_unit(conn: ReadConnection, unit: str, limit: int) -> list[MessageRow]:
    """Return messages of a unit, in no particular order."""
    return [
        message_row(row) for row in conn.execute(select(message_table).where(message_table.c.unit == unit).limit(limit))
    ]


def put_unit(conn: WriteConnection, seq: int, unit: str | None) -> None:
    """Store the unit of a message; None for no unit."""
    conn.execute(update(message_table).where(message_table.c.seq == seq), {"unit": unit})


def tombstone(conn: ReadConnection, digest: bytes) -> bytes | None:
    """Return the header and signatures of an erased message, as a serialized SignedMessage without parts."""
    found = conn.execute(select(erased_table.c.signed).where(erased_table.c.digest == digest))
    value = found.scalar_one_or_none()
    return None if value is None else bytes(value)


def erased(conn: ReadConnection, digests: Collection[bytes]) -> set[bytes]:
    """Return those of these messages whose content was erased here."""
    return {row[0] for row in _ERASED_OF.run(conn, digests)}


def erased_seqs(conn: ReadConnection, seqs: Collection[int]) -> set[int]:
    """Return the numbers of those of these messages whose content was erased here."""
    return {row[0] for row in _ERASED_SEQS.run(conn, seqs)}


_ERASED_OF: Final = Lookup(select(erased_table.c.digest), erased_table.c.digest)

_ERASED_SEQS: Final = Lookup(
    select(message_table.c.seq).join_from(message_table, erased_table, erased_table.c.digest == message_table.c.digest),
    message_table.c.seq,
)


def possessions(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, Possession]:
    """Return the headers of these messages, as far as stored, and whether their ciphertexts are stored."""
    m = message_table.c
    body = exists().where(message_body_table.c.seq == m.seq)
    found: dict[bytes, Possession] = {}
    for block in blocks(list(digests)):
        rows = conn.execute(select(m.digest, m.author, m.header, body).where(m.digest.in_(block)))
        found.update((row[0], Possession(row[1], row[2], bool(row[3]))) for row in rows)
    return found


def retired_messages(conn: ReadConnection, digests: Collection[bytes]) -> set[bytes]:
    """Return those of these messages that were retired here."""
    return {row[0] for row in _RETIRED_OF.run(conn, digests)}


_RETIRED_OF: Final[Any] = Lookup(select(retired_message_table.c.digest), retired_message_table.c.digest)


def messages(conn: ReadConnection) -> Iterator[list[tuple[Row[Any], bytes | None]]]:
    """Return every message with its body, None for one without; an empty body is one that cannot be put together."""
    b = message_body_table.c
    joined = message_table.outerjoin(message_body_table, b.seq == message_table.c.seq)
    wanted = select(message_table, b.cuts, b.rest, b.checksum).select_from(joined)
    known = {row.id: row.front for rows in scanning.rows(conn, signature_front_table) for row in rows}
    for rows in scanning.pages(conn, wanted, message_table, BLOCK // 16):
        yield [(row, None if row.rest is None else _unpacked(row, known)) for row in rows]


def _unpacked(row: Row[Any], known: Mapping[int, bytes]) -> bytes:
    if packing.checksum(row.cuts, row.rest) != row.checksum:
        return b""
    try:
        return packing.unpack(row.cuts, row.rest, row.header, known)
    except Unavailable:
        return b""


def unindexed(conn: ReadConnection, after_seq: int, limit: int) -> list[tuple[int, bytes, MessageState]]:
    """Return number, digest and state of stored messages after the cursor, oldest first, including refused ones."""
    return [(seq, digest, _state(seq, state)) for seq, digest, state in _UNINDEXED.run(conn, after_seq, limit)]


_UNINDEXED: Final = Query(
    select(message_table.c.seq, message_table.c.digest, message_table.c.state)
    .where(message_table.c.seq > bindparam("after"))
    .order_by(message_table.c.seq)
    .limit(bindparam("most")),
    "after",
    "most",
)


def messages_at(conn: ReadConnection, seqs: Collection[int]) -> list[MessageRow]:
    """Return messages by their numbers, newest first."""
    rows = conn.execute(
        select(message_table).where(message_table.c.seq.in_(list(seqs))).order_by(message_table.c.seq.desc())
    )
    return [message_row(row) for row in rows]


def signed(conn: ReadConnection, digest: bytes) -> bytes | None:
    """Return the serialized SignedMessage with this digest; None if there is none or it was erased."""
    seq = conn.scalar(select(message_table.c.seq).where(message_table.c.digest == digest))
    return None if seq is None else body(conn, seq)


def read_signed(store: Store, digest: bytes) -> bytes | None:
    """Return the same over a connection of its own."""
    with store.reads() as reads:
        return signed(reads, digest)


def add_erased(conn: WriteConnection, digest: bytes, tombstone: bytes) -> None:
    """Store the remaining data of an erased message."""
    _ADD_ERASED.run(conn, [(digest, tombstone)])


def add_retired_messages(conn: WriteConnection, rows: Sequence[tuple[int, bytes]]) -> None:
    """Store the numbers and digests of messages whose retention ended; their threads count them no longer."""
    _ADD_RETIRED.run(conn, rows)
    m, t = message_table.c, thread_size_table.c
    gone: Counter[tuple[bytes, str]] = Counter()
    for block in blocks([seq for seq, _digest in rows]):
        retired = select(m.thread_id, m.author).where(m.seq.in_(block), m.thread_id != m.message_id)
        gone.update((row[0], row[1]) for row in conn.execute(retired))
    _add_replies(conn, {key: -count for key, count in gone.items()})
    for block in blocks(sorted({thread_id for thread_id, _author in gone})):
        conn.execute(delete(thread_size_table).where(t.thread_id.in_(block), t.replies == 0))


_ADD_ERASED: Final = insertion(erased_table, ignore_known=True)
_ADD_RETIRED: Final = insertion(retired_message_table)


def _has_body(subject: Subject) -> ColumnElement[bool] | None:
    return exists().where(message_body_table.c.seq == subject.seq) if subject.keeps_body else None


LIFECYCLES: Final = (
    Lifecycle(message_table, Key.MESSAGE, message_table.c.seq),
    Lifecycle(message_parent_table, Key.MESSAGE, message_parent_table.c.seq),
    Lifecycle(thread_size_table),
    Lifecycle(
        message_body_table,
        Key.MESSAGE,
        message_body_table.c.seq,
        content=True,
        on_erase=lambda subject, _now: delete(message_body_table).where(message_body_table.c.seq == subject.seq),
        in_use=_has_body,
    ),
    Lifecycle(signature_front_table),
    Lifecycle(erased_table, Key.DIGEST, erased_table.c.digest),
    Lifecycle(retired_message_table),
)
