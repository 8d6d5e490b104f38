"""Erasures, other holders' answers, legal holds, review dates and retirement in the database.

Deleted bytes are overwritten: SQLite's writer runs with ``secure_delete`` (`engine`), and `Store.purge` removes what
the databases keep besides the tables.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    LargeBinary,
    Row,
    Select,
    SmallInteger,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    update,
)

from paiza_domain.threads.thread import ERASURE
from paiza_node.core.access.model import Viewer
from paiza_node.core.access.store import seen_by
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.send.store import delivery_table
from paiza_node.core.exchange.store import note_table
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.messages.store import message_row, message_table, retired_message_table
from paiza_node.core.storage import ReadConnection, Store, WriteConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.lifecycle import Key, Lifecycle, Subject
from paiza_node.core.storage.records import TIME, Kept, Records
from paiza_node.core.storage.scanning import Rows
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import Lookup, blocks, replacement
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.retention.model import ErasureAnswer, ErasureRow, ErasureStep, ReviewRow

# Erasures here, planned, done or held; the request is empty if the own member erases its copy unasked.
erasure_table = Table(
    "erasure",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("request", LargeBinary, primary_key=True),
    Column("requester", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),  # `ErasureStep`
    Column("asked_time", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=True),  # the entry of our log that answers the request
    Column("tell_time", BigInteger, nullable=True),  # when the requester is to be informed (again)
)
Index("ix_erasure_request", erasure_table.c.request)
Index("ix_erasure_requester", erasure_table.c.requester)  # for a member that lost our answers
_WHERE_TO_ERASE: Final = text("state < 3")
Index("ix_erasure_due", erasure_table.c.asked_time, sqlite_where=_WHERE_TO_ERASE, postgresql_where=_WHERE_TO_ERASE)
_WHERE_TO_TELL: Final = text("tell_time IS NOT NULL")
Index("ix_erasure_tell", erasure_table.c.tell_time, sqlite_where=_WHERE_TO_TELL, postgresql_where=_WHERE_TO_TELL)

# A holder's entry that answers a request of ours, proven to its log.
erasure_answer_table = Table(
    "erasure_answer",
    METADATA,
    Column("request", LargeBinary, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("member", Text, primary_key=True),
    Column("entry", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
)
Index("ix_erasure_answer_digest", erasure_answer_table.c.digest)

hold_table = Table(
    "hold",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("log_index", BigInteger, nullable=False),  # the entry that records who put it under hold, and why
)

# Review dates of messages; an erased one has no row.
review_table = Table(
    "review",
    METADATA,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("review_time", BigInteger, nullable=False),
)
Index("ix_review_time", review_table.c.review_time, review_table.c.seq)


_E: Final = erasure_table.c

_ANSWERS: Final = (
    select(erasure_answer_table, note_table.c.note)
    .join(note_table, note_table.c.digest == erasure_answer_table.c.note_digest)
    .order_by(erasure_answer_table.c.member)
)


def erasure(conn: ReadConnection, digest: bytes, request: bytes) -> ErasureRow | None:
    """Return the state of the erasure of one message by one request here."""
    return _ERASURES.first(conn, select(erasure_table).where(_E.digest == digest, _E.request == request))


def erasures_of(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, list[ErasureRow]]:
    """Return the known erasures of these messages here, by message."""
    found: dict[bytes, list[ErasureRow]] = {}
    for row in _ERASURES_OF.run(conn, digests):
        found.setdefault(row[0], []).append(_ERASURES.read(row))
    return found


def erasures_due(conn: ReadConnection, limit: int) -> list[ErasureRow]:
    """Return erasures that are due, or begun and not finished, oldest first."""
    # A literal, so that the databases see that the partial index applies.
    due = _E.state < literal_column("3")
    return _ERASURES.find(conn, select(erasure_table).where(due).order_by(_E.asked_time).limit(limit))


def erasures_to_tell(conn: ReadConnection, limit: int) -> list[ErasureRow]:
    """Return the answers that requesters have not recorded, in the order in which they are due."""
    untold = select(erasure_table).where(_E.tell_time.is_not(None))
    return _ERASURES.find(conn, untold.order_by(_E.tell_time).limit(limit))


def erasures_here(conn: ReadConnection, viewer: Viewer, limit: int) -> list[ErasureRow]:
    """Return erased, planned and held messages here that a viewer sees, newest first.

    Of a message that never was here, those whose request the viewer sees.
    """
    m = message_table.c
    found = select(erasure_table).order_by(_E.asked_time.desc()).limit(limit)
    if viewer.units is not None:
        here = exists().where(m.digest == _E.digest)
        asked = exists().where(m.digest == _E.request, seen_by(viewer))
        found = found.where(or_(exists().where(m.digest == _E.digest, seen_by(viewer)), and_(~here, asked)))
    return _ERASURES.find(conn, found)


def erasure_answers(conn: ReadConnection, requests: Collection[bytes]) -> list[ErasureAnswer]:
    """Return holders' answers to these requests of ours."""
    found: list[ErasureAnswer] = []
    for block in blocks(list(requests)):
        rows = conn.execute(_ANSWERS.where(erasure_answer_table.c.request.in_(block)))
        found += map(_answer, rows)
    return found


def erasure_answers_of(conn: ReadConnection, digest: bytes) -> list[ErasureAnswer]:
    """Return holders' answers about erasing one message, by any request of ours."""
    return list(map(_answer, conn.execute(_ANSWERS.where(erasure_answer_table.c.digest == digest))))


def holds(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, int]:
    """Return, for those of these messages that are under legal hold, the entry that records it."""
    found: dict[bytes, int] = {}
    for block in blocks(list(digests)):
        rows = conn.execute(select(hold_table).where(hold_table.c.digest.in_(block)))
        found.update((row.digest, row.log_index) for row in rows)
    return found


def all_holds(
    conn: ReadConnection, viewer: Viewer, limit: int, below: int | None = None
) -> list[tuple[MessageRow, int]]:
    """Return (message, entry that records it) of messages under hold that a viewer sees, newest first.

    ``below`` is the index of the preceding entry.
    """
    h = hold_table.c
    older = [] if below is None else [h.log_index < below]
    seen = [] if viewer.units is None else [seen_by(viewer)]
    found = select(message_table, h.log_index).join(hold_table, h.digest == message_table.c.digest)
    rows = conn.execute(found.where(*older, *seen).order_by(h.log_index.desc()).limit(limit))
    return [(message_row(row), row.log_index) for row in rows]


def _answer(row: Row[Any]) -> ErasureAnswer:
    return ErasureAnswer(
        row.request, row.digest, row.member, row.entry, row.log_index, row.hashes, row.note, row.register_version
    )


def put_erasures(conn: WriteConnection, rows: Sequence[ErasureRow]) -> None:
    """Store states of erasures; they replace earlier ones."""
    _ERASURES.put(conn, rows)


def erase_body(
    conn: WriteConnection, lifecycles: Sequence[Lifecycle], message: MessageRow, tombstone: bytes, now: datetime
) -> None:
    """Delete a message's body and derived data; ``tombstone`` replaces it. The caller removes the files."""
    messages_store.add_erased(conn, message.digest, tombstone)
    for each in lifecycles:
        if each.on_erase is not None:
            conn.execute(each.on_erase(Subject(message.digest, message.seq), now))


def tell_again(conn: WriteConnection, requester: str, now: datetime) -> set[bytes]:
    """Plan to inform a member again of the results of its requests to erase; return the messages concerned."""
    decided = (_E.requester == requester) & _E.log_index.is_not(None)
    conn.execute(update(erasure_table).where(decided).values(tell_time=to_micros(now)))
    return set(conn.execute(select(_E.digest).where(decided)).scalars())


def purge(store: Store, lifecycles: Sequence[Lifecycle]) -> None:
    """Remove what the database keeps of deleted content; Unavailable("busy") if it cannot now."""
    store.purge([each.table for each in lifecycles if each.content])


def put_erasure_answer(conn: WriteConnection, answer: ErasureAnswer) -> None:
    """Store a holder's answer; it replaces an earlier one of the same holder."""
    notes = exchange_store.add_notes(conn, [answer.checkpoint])
    row = (
        answer.request,
        answer.digest,
        answer.member,
        answer.entry,
        answer.index,
        answer.hashes,
        notes[answer.checkpoint],
        answer.register_version,
    )
    _PUT_ANSWER.run(conn, [row])


def put_hold(conn: WriteConnection, digest: bytes, log_index: int) -> None:
    """Put a message under legal hold."""
    _PUT_HOLD.run(conn, [(digest, log_index)])


def lift_hold(conn: WriteConnection, digest: bytes) -> None:
    """End the legal hold of a message."""
    conn.execute(delete(hold_table).where(hold_table.c.digest == digest))


_ERASURES_OF: Final = Lookup(select(erasure_table), erasure_table.c.digest)

_ERASURES: Final = Records(
    erasure_table, ErasureRow, renamed={"state": "step"}, step=Kept(int, ErasureStep), asked_time=TIME, tell_time=TIME
)

_PUT_ANSWER: Final = replacement(erasure_answer_table)

_PUT_HOLD: Final = replacement(hold_table)


def reviews(
    conn: ReadConnection, before: datetime, viewer: Viewer, limit: int, after: tuple[datetime, int] | None = None
) -> list[ReviewRow]:
    """Return the messages to be reviewed before a time that a viewer sees, the most overdue first.

    ``after`` is the review date and the number of the preceding message.
    """
    r = review_table.c
    seen = true() if viewer.units is None else seen_by(viewer)
    behind: list[ColumnElement[bool]] = []
    if after is not None:
        last = to_micros(after[0])
        behind = [r.review_time >= last, or_(r.review_time > last, r.seq > after[1])]
    rows = conn.execute(
        _REVIEWS.where(r.review_time < to_micros(before), seen, *behind).order_by(r.review_time, r.seq).limit(limit)
    )
    return [ReviewRow(message_row(row), from_micros(row.review_time)) for row in rows]


def reviews_between(conn: ReadConnection, since: datetime, until: datetime, limit: int) -> list[ReviewRow]:
    """Return the messages whose review date is at or after one time and before another."""
    r = review_table.c
    dated = _REVIEWS.where(r.review_time >= to_micros(since), r.review_time < to_micros(until))
    rows = conn.execute(dated.order_by(r.review_time, r.seq).limit(limit))
    return [ReviewRow(message_row(row), from_micros(row.review_time)) for row in rows]


def review(conn: ReadConnection, seq: int) -> datetime | None:
    """Return when a message is to be reviewed; None if it is not."""
    found = conn.execute(select(review_table.c.review_time).where(review_table.c.seq == seq))
    micros = found.scalar_one_or_none()
    return None if micros is None else from_micros(micros)


def put_reviews(conn: WriteConnection, reviews: Sequence[tuple[int, datetime]]) -> None:
    """Store review dates of messages, by their numbers."""
    _PUT_REVIEW.run(conn, [(seq, to_micros(time)) for seq, time in reviews])


def drop_review(conn: WriteConnection, seq: int) -> None:
    """Delete the review date of a message."""
    conn.execute(delete(review_table).where(review_table.c.seq == seq))


_REVIEWS: Final[Select[Any]] = select(message_table, review_table.c.review_time).join(
    review_table, review_table.c.seq == message_table.c.seq
)

_PUT_REVIEW: Final = replacement(review_table)


def with_erased(conn: ReadConnection) -> Iterator[Rows]:
    """Return every message, and ``gone``: its digest if its content was erased here, else None."""
    m, e = message_table.c, messages_store.erased_table.c
    found = select(m.seq, m.digest, m.state, m.header, e.digest.label("gone"))
    joined = message_table.outerjoin(messages_store.erased_table, e.digest == m.digest)
    yield from scanning.pages(conn, found.select_from(joined), message_table)


DELIVERIES: Final = "retired_deliveries"  # counter of the deliveries retired with their messages


def may_retire(conn: ReadConnection, lifecycles: Sequence[Lifecycle], digest: bytes) -> bool:
    """Return whether a message is erased, and nothing about it is unfinished.

    A request to erase is not erased, and is retired when its retention ends.
    """
    m = message_table.c
    row = conn.execute(select(m.seq, m.kind, m.state).where(m.digest == digest)).one_or_none()
    keeps_body = row is not None and row.kind != ERASURE and row.state != int(MessageState.REFUSED)
    subject = Subject(digest, None if row is None else row.seq, keeps_body=keeps_body)
    conditions = [each.in_use(subject) for each in lifecycles if each.in_use is not None]
    return not conn.execute(select(or_(*(each for each in conditions if each is not None)))).scalar_one()


def retired_counts(conn: ReadConnection) -> tuple[int, int]:
    """Return how many messages and deliveries were retired."""
    messages = conn.execute(select(func.count()).select_from(retired_message_table)).scalar_one()
    return messages, settings_store.counter(conn, DELIVERIES)


def retire_messages(conn: WriteConnection, lifecycles: Sequence[Lifecycle], digests: Collection[bytes]) -> int:
    """Delete everything of messages but their digests; return how many messages had a row."""
    m = message_table.c
    rows: list[tuple[int, bytes]] = []
    paths = exchange_store.paths_of(conn, digests)
    for block in blocks(sorted(digests)):
        for each in lifecycles:
            if each.key is Key.DIGEST:
                conn.execute(each.removal(block))
        rows.extend((row[0], row[1]) for row in conn.execute(select(m.seq, m.digest).where(m.digest.in_(block))))
    exchange_store.drop_paths(conn, paths)
    messages_store.add_retired_messages(conn, rows)
    deliveries = 0
    for block in blocks([seq for seq, _ in rows]):
        for each in reversed(lifecycles):  # children before parents: PostgreSQL checks it
            if each.key is Key.MESSAGE:
                gone = conn.execute(each.removal(block)).rowcount
                deliveries += gone if each.table is delivery_table else 0
    if deliveries:
        settings_store.put_counter(conn, DELIVERIES, settings_store.counter(conn, DELIVERIES) + deliveries)
    return len(rows)


def retire_entries(conn: WriteConnection, lifecycles: Sequence[Lifecycle], entries: Sequence[StoredEntry]) -> None:
    """Replace entries by their hashes; texts beside them and their index rows are deleted."""
    log_store.add_retired(conn, entries)
    for block in blocks([entry.index for entry in entries]):
        for each in lifecycles:
            if each.key is Key.ENTRY:
                conn.execute(each.removal(block))


def _under_way(subject: Subject) -> ColumnElement[bool]:
    return exists().where(_E.digest == subject.digest, or_(_E.state < literal_column("3"), _E.tell_time.is_not(None)))


KEPT_PROOFS: Final = (
    Lookup(
        select(
            erasure_answer_table.c.member,
            erasure_answer_table.c.log_index,
            erasure_answer_table.c.entry,
            erasure_answer_table.c.note_digest,
            null(),
        ),
        erasure_answer_table.c.digest,
    ),
)

LIFECYCLES: Final = (
    Lifecycle(erasure_table, Key.DIGEST, erasure_table.c.digest, in_use=_under_way),
    Lifecycle(erasure_answer_table, Key.DIGEST, erasure_answer_table.c.digest),
    Lifecycle(hold_table, in_use=lambda subject: exists().where(hold_table.c.digest == subject.digest)),
    Lifecycle(
        review_table,
        Key.MESSAGE,
        review_table.c.seq,
        on_erase=lambda subject, _now: delete(review_table).where(review_table.c.seq == subject.seq),
    ),
)
