"""What is to be erased, what was, and what other holders said of it; legal hold; review dates; the end of retention.

Deleted bytes are overwritten: SQLite's writer runs with ``secure_delete`` (`engine`), and `Store.purge` empties what
the databases keep besides the tables.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
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
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
    update,
)

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import desk_pb2
from paiza_domain.threads.thread import ERASURE
from paiza_node.core.access.model import Viewer
from paiza_node.core.access.store import seen_by
from paiza_node.core.exchange.send.store import delivery_table
from paiza_node.core.exchange.store import note_table
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.store import log_entry_table, log_text_table, retired_table
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.messages.store import (
    erased_table,
    message_body_table,
    message_row,
    message_table,
    retired_message_table,
)
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.schema import METADATA, WAITING_LITERAL, Number
from paiza_node.core.storage.settings import counter_table
from paiza_node.core.storage.statements import Lookup, blocks, insertion, replacement
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.approvals.model import ApprovalState
from paiza_node.features.attachments.store import attachment_table
from paiza_node.features.retention.model import ErasureAnswer, ErasureRow, ErasureStep, ReviewRow
from paiza_wire.tlog.merkle import leaf_hash

# What is to be erased here, was, or is held; the request is empty where the own member erases its copy by itself.
erasure_table = Table(
    "erasure",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("request", LargeBinary, primary_key=True),
    Column("requester", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),  # `ErasureStep`
    Column("asked_time", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=True),  # the entry of our log that answers the request
    Column("tell_time", BigInteger, nullable=True),  # when the requester is to be told (again)
)
Index("ix_erasure_request", erasure_table.c.request)
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
    Column("log_index", BigInteger, nullable=False),  # the entry that says who put it under hold, and why
)

# When messages are to be reviewed; one that was erased has no row.
review_table = Table(
    "review",
    METADATA,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("review_time", BigInteger, nullable=False),
)
Index("ix_review_time", review_table.c.review_time, review_table.c.seq)


_E: Final = erasure_table.c

_AWAITED: Final = delivery_pb2.ATTACHMENT_STATE_AWAITED

_ERASED: Final = delivery_pb2.ATTACHMENT_STATE_ERASED


_ANSWERS: Final = (
    select(erasure_answer_table, note_table.c.note)
    .join(note_table, note_table.c.digest == erasure_answer_table.c.note_digest)
    .order_by(erasure_answer_table.c.member)
)


def erasure(conn: ReadConnection, digest: bytes, request: bytes) -> ErasureRow | None:
    """Give where the erasure of one message by one request stands here."""
    found = conn.execute(select(erasure_table).where(_E.digest == digest, _E.request == request)).one_or_none()
    return None if found is None else _erasure(found)


def erasures_of(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, list[ErasureRow]]:
    """Give what is known of erasing these messages here, by message."""
    found: dict[bytes, list[ErasureRow]] = {}
    for row in _ERASURES_OF.run(conn, digests):
        found.setdefault(row[0], []).append(_erasure_tuple(row))
    return found


def erasures_due(conn: ReadConnection, limit: int) -> list[ErasureRow]:
    """Give what is to be erased, or was begun and is not finished, oldest first."""
    # A literal, so that the databases see that the partial index applies.
    due = _E.state < literal_column("3")
    rows = conn.execute(select(erasure_table).where(due).order_by(_E.asked_time).limit(limit))
    return [_erasure(row) for row in rows]


def erasures_to_tell(conn: ReadConnection, limit: int) -> list[ErasureRow]:
    """Give the answers that requesters have not taken note of, in the order in which they are to be told."""
    untold = select(erasure_table).where(_E.tell_time.is_not(None))
    return [_erasure(row) for row in conn.execute(untold.order_by(_E.tell_time).limit(limit))]


def erasures_of_others(conn: ReadConnection, limit: int) -> list[ErasureRow]:
    """Give what was erased here, is to be or is held, newest first."""
    rows = conn.execute(select(erasure_table).order_by(_E.asked_time.desc()).limit(limit))
    return [_erasure(row) for row in rows]


def erasure_answers(conn: ReadConnection, requests: Collection[bytes]) -> list[ErasureAnswer]:
    """Give what holders said of these requests of ours."""
    found: list[ErasureAnswer] = []
    for block in blocks(list(requests)):
        rows = conn.execute(_ANSWERS.where(erasure_answer_table.c.request.in_(block)))
        found += map(_answer, rows)
    return found


def erasure_answers_of(conn: ReadConnection, digest: bytes) -> list[ErasureAnswer]:
    """Give what holders said of erasing one message, by whichever request of ours."""
    return list(map(_answer, conn.execute(_ANSWERS.where(erasure_answer_table.c.digest == digest))))


def holds(conn: ReadConnection, digests: Collection[bytes]) -> dict[bytes, int]:
    """Give, for those of these messages that are under legal hold, the entry that says so."""
    found: dict[bytes, int] = {}
    for block in blocks(list(digests)):
        rows = conn.execute(select(hold_table).where(hold_table.c.digest.in_(block)))
        found.update((row.digest, row.log_index) for row in rows)
    return found


def all_holds(conn: ReadConnection, limit: int, below: int | None = None) -> list[tuple[bytes, int]]:
    """Give (message, entry that says so) of what is under legal hold, newest first, below an index."""
    older = [] if below is None else [hold_table.c.log_index < below]
    rows = conn.execute(select(hold_table).where(*older).order_by(hold_table.c.log_index.desc()).limit(limit))
    return [(row.digest, row.log_index) for row in rows]


def _answer(row: Row[Any]) -> ErasureAnswer:
    return ErasureAnswer(
        row.request, row.digest, row.member, row.entry, row.log_index, row.hashes, row.note, row.register_version
    )


def put_erasures(conn: WriteConnection, rows: Sequence[ErasureRow]) -> None:
    """Store where erasures stand, instead of what was stored of them before."""
    _PUT_ERASURE.run(
        conn,
        [
            (
                row.digest,
                row.request,
                row.requester,
                int(row.step),
                to_micros(row.asked_time),
                row.log_index,
                None if row.tell_time is None else to_micros(row.tell_time),
            )
            for row in rows
        ],
    )


def erase_body(conn: WriteConnection, message: MessageRow, tombstone: bytes, now: datetime) -> None:
    """Delete what a message says, and what was made of it; ``remains`` stays in its place.

    Of its attachments those not settled are settled as erased; the files are the caller's.
    """
    _ADD_ERASED.run(conn, [(message.digest, tombstone)])
    seq = message.seq
    for statement in (
        delete(message_body_table).where(message_body_table.c.seq == seq),
        delete(METADATA.tables["term_token"]).where(METADATA.tables["term_token"].c.seq == seq),
        delete(review_table).where(review_table.c.seq == seq),
        update(METADATA.tables["indexed_message"])
        .where(METADATA.tables["indexed_message"].c.seq == seq)
        .values(event_time=None, linked=False),
        update(METADATA.tables["work"])
        .where(METADATA.tables["work"].c.seq == seq)
        .values(state=int(desk_pb2.WORK_STATE_DONE)),
    ):
        conn.execute(statement)
    a = attachment_table.c
    here = (a.digest == message.digest) & ((a.source != "") | (a.state == _AWAITED))
    values = {
        "state": _ERASED,
        "due_time": None,
        "detail": "",
        "settled_time": func.coalesce(a.settled_time, to_micros(now)),
    }
    conn.execute(update(attachment_table).where(here).values(values))


def put_erasure_answer(conn: WriteConnection, answer: ErasureAnswer) -> None:
    """Keep a holder's answer, instead of an earlier one of the same holder."""
    digest = sha256(answer.checkpoint).digest()
    _ADD_NOTE.run(conn, [(digest, answer.checkpoint)])
    row = (
        answer.request,
        answer.digest,
        answer.member,
        answer.entry,
        answer.index,
        answer.hashes,
        digest,
        answer.register_version,
    )
    _PUT_ANSWER.run(conn, [row])


def put_hold(conn: WriteConnection, digest: bytes, log_index: int) -> None:
    """Put a message under legal hold."""
    _PUT_HOLD.run(conn, [(digest, log_index)])


def lift_hold(conn: WriteConnection, digest: bytes) -> None:
    """End the legal hold of a message."""
    conn.execute(delete(hold_table).where(hold_table.c.digest == digest))


def _erasure(row: Row[Any]) -> ErasureRow:
    return _erasure_tuple(tuple(row))


def _erasure_tuple(row: tuple[Any, ...]) -> ErasureRow:
    digest, request, requester, state, asked, log_index, tell = row
    return ErasureRow(
        digest=digest,
        request=request,
        requester=requester,
        step=ErasureStep(state),
        asked_time=from_micros(asked),
        log_index=log_index,
        tell_time=None if tell is None else from_micros(tell),
    )


_ERASURES_OF: Final = Lookup(select(erasure_table), erasure_table.c.digest)

_PUT_ERASURE: Final = replacement(erasure_table)

_ADD_ERASED: Final = insertion(erased_table, ignore_known=True)

_ADD_NOTE: Final = insertion(note_table, ignore_known=True)

_PUT_ANSWER: Final = replacement(erasure_answer_table)

_PUT_HOLD: Final = replacement(hold_table)


def reviews(
    conn: ReadConnection, before: datetime, viewer: Viewer, limit: int, after: tuple[datetime, int] | None = None
) -> list[ReviewRow]:
    """Give the messages to be reviewed before a time that a viewer sees, the most overdue first.

    ``after`` is the review date and the number of the message behind which they are given.
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
    """Give the messages whose review date lies from one time on and before another."""
    r = review_table.c
    dated = _REVIEWS.where(r.review_time >= to_micros(since), r.review_time < to_micros(until))
    rows = conn.execute(dated.order_by(r.review_time, r.seq).limit(limit))
    return [ReviewRow(message_row(row), from_micros(row.review_time)) for row in rows]


def review(conn: ReadConnection, seq: int) -> datetime | None:
    """Give when a message is to be reviewed; None where it is not."""
    found = conn.execute(select(review_table.c.review_time).where(review_table.c.seq == seq))
    micros = found.scalar_one_or_none()
    return None if micros is None else from_micros(micros)


def put_reviews(conn: WriteConnection, reviews: Sequence[tuple[int, datetime]]) -> None:
    """Say when messages are to be reviewed, by their numbers."""
    _PUT_REVIEW.run(conn, [(seq, to_micros(time)) for seq, time in reviews])


def drop_review(conn: WriteConnection, seq: int) -> None:
    """Say that a message is not to be reviewed any more."""
    conn.execute(delete(review_table).where(review_table.c.seq == seq))


_REVIEWS: Final[Select[Any]] = select(message_table, review_table.c.review_time).join(
    review_table, review_table.c.seq == message_table.c.seq
)

_PUT_REVIEW: Final = replacement(review_table)


DELIVERIES: Final = "retired_deliveries"  # counter of the deliveries that went with their messages


# What hangs on a message, children before parents: PostgreSQL minds.
_BY_SEQ: Final[tuple[tuple[str, str], ...]] = (
    ("message_parent", "seq"),
    ("message_body", "seq"),
    ("delivery", "message_seq"),
    ("reader", "seq"),
    ("work", "seq"),
    ("term_token", "seq"),
    ("indexed_message", "seq"),
    ("review", "seq"),
)

_BY_DIGEST: Final[tuple[str, ...]] = (
    "answer",
    "proof",
    "forwarding",
    "attachment",
    "attachment_proof",
    "opened",
    "approval",
    "erasure",
    "erased",
    "erasure_answer",
    "recovered_entry",
)


def may_retire(conn: ReadConnection, digest: bytes) -> bool:
    """Say whether nothing of a message is left but what tells of it, and nothing about it is under way.

    A request to erase is not erased, and goes when its retention ends.
    """
    m, d, e, b = message_table.c, delivery_table.c, erasure_table.c, message_body_table.c
    row = conn.execute(select(m.seq, m.kind, m.state).where(m.digest == digest)).one_or_none()
    living: list[ColumnElement[bool]] = [
        exists().where(hold_table.c.digest == digest),
        exists().where(e.digest == digest, or_(e.state < literal_column("3"), e.tell_time.is_not(None))),
        exists().where(
            METADATA.tables["approval"].c.digest == digest,
            METADATA.tables["approval"].c.state == int(ApprovalState.WAITING),
        ),
    ]
    if row is not None:
        living.append(exists().where(d.message_seq == row.seq, d.state == WAITING_LITERAL))
        if row.kind != ERASURE and row.state != int(MessageState.REFUSED):
            living.append(exists().where(b.seq == row.seq))
    return not conn.execute(select(or_(*living))).scalar_one()


def retired_counts(conn: ReadConnection) -> tuple[int, int]:
    """Give how many messages and deliveries went."""
    messages = conn.execute(select(func.count()).select_from(retired_message_table)).scalar_one()
    deliveries = conn.execute(select(counter_table.c.value).where(counter_table.c.name == DELIVERIES))
    return messages, deliveries.scalar_one_or_none() or 0


def retire_messages(conn: WriteConnection, digests: Collection[bytes]) -> int:
    """Delete all there is of messages but their digests; gives of how many there was a row."""
    m = message_table.c
    rows: list[tuple[int, bytes]] = []
    for block in blocks(sorted(digests)):
        for table in map(METADATA.tables.__getitem__, _BY_DIGEST):
            conn.execute(delete(table).where(table.c.digest.in_(block)))
        found = conn.execute(select(m.seq, m.digest).where(m.digest.in_(block)))
        rows.extend((row[0], row[1]) for row in found)
    _ADD_RETIRED_MESSAGE.run(conn, rows)
    for block in blocks([seq for seq, _ in rows]):
        for name, column in _BY_SEQ:
            table = METADATA.tables[name]
            gone = conn.execute(delete(table).where(table.c[column].in_(block))).rowcount
            if table is delivery_table and gone:
                _PUT_COUNTER.run(conn, [(DELIVERIES, retired_counts(conn)[1] + gone)])
        conn.execute(delete(message_table).where(m.seq.in_(block)))
    return len(rows)


def retire_entries(conn: WriteConnection, entries: Sequence[StoredEntry]) -> None:
    """Put the hashes of entries in their place; texts and facts beside them go."""
    _ADD_RETIRED.run(conn, [(entry.index, leaf_hash(entry.entry)) for entry in entries])
    for block in blocks([entry.index for entry in entries]):
        for table in (log_text_table, METADATA.tables["log_fact"], log_entry_table):
            conn.execute(delete(table).where(table.c.index.in_(block)))


_ADD_RETIRED: Final = insertion(retired_table)

_ADD_RETIRED_MESSAGE: Final = insertion(retired_message_table)

_PUT_COUNTER: Final = replacement(counter_table)
