"""Deliveries to other members: which wait, which may be tried now, and their results."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import UpdateBase

from paiza.core.v1 import delivery_pb2, message_pb2
from paiza_node.core.exchange.model import (
    DeliveryKind,
    DeliveryRow,
    Outgoing,
    Postponement,
    ProofKind,
    QueueSummary,
    Settlement,
    Slot,
)
from paiza_node.core.exchange.precedence import AHEAD_OF_FLASH
from paiza_node.core.exchange.store import proof_table
from paiza_node.core.log.store import log_entry_table
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.store import message_body_table, message_table
from paiza_node.core.peers.blocks import REASON as BLOCKED
from paiza_node.core.peers.store import peer_block_table
from paiza_node.core.storage import ReadConnection, WriteConnection, scanning
from paiza_node.core.storage.connection import Row
from paiza_node.core.storage.lifecycle import Key, Lifecycle, Subject
from paiza_node.core.storage.records import check_types
from paiza_node.core.storage.scanning import Rows
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import Given, Lookup, Query, Statement, addition, insertion
from paiza_node.core.storage.times import from_micros, to_micros

delivery_table = Table(
    "delivery",
    METADATA,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("message_seq", BigInteger, nullable=False, index=True),
    Column("digest", LargeBinary, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("urgency", SmallInteger, nullable=False),
    Column("urgent", Boolean, nullable=False),  # the slot of an outbound queue
    Column("released_index", BigInteger, nullable=False),
    Column("released_time", BigInteger, nullable=False),
    Column("expires_time", BigInteger, nullable=False),
    Column("next_attempt_time", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("settled_time", BigInteger, nullable=True),
    Column("delivery_kind", SmallInteger, nullable=False, server_default="0"),  # `Passing`
)
# These hold waiting deliveries only, so that they stay small regardless of how many messages were ever sent.
_WHERE_WAITING: Final = text("state = 1")
# In the order of the next attempt, so that those which wait for another attempt are not read before those due now.
Index(
    "ix_delivery_waiting",
    delivery_table.c.recipient,
    delivery_table.c.urgent,
    delivery_table.c.next_attempt_time,
    delivery_table.c.id,
    sqlite_where=_WHERE_WAITING,
    postgresql_where=_WHERE_WAITING,
)
_WHERE_FLASH: Final = text("state = 1 AND urgency > 4")
Index(
    "ix_delivery_flash",
    delivery_table.c.recipient,
    delivery_table.c.urgency,
    delivery_table.c.next_attempt_time,
    delivery_table.c.id,
    sqlite_where=_WHERE_FLASH,
    postgresql_where=_WHERE_FLASH,
)
Index(
    "ix_delivery_expires",
    delivery_table.c.recipient,
    delivery_table.c.expires_time,
    sqlite_where=_WHERE_WAITING,
    postgresql_where=_WHERE_WAITING,
)
_WHERE_FAILED: Final = text("state > 2")
Index("ix_delivery_failed", delivery_table.c.id, sqlite_where=_WHERE_FAILED, postgresql_where=_WHERE_FAILED)

# For counts over all messages: no wide column is read, and nothing is written when a delivery is settled.
Index(
    "ix_delivery_recipient_delivery_kind_id",
    delivery_table.c.recipient,
    delivery_table.c.delivery_kind,
    delivery_table.c.id,
)

# How many deliveries wait for each member: counted with each change, for what is asked every few seconds.
outbound_queue_table = Table(
    "outbound_queue",
    METADATA,
    Column("recipient", Text, primary_key=True),
    Column("waiting", BigInteger, nullable=False),
)

# A literal, so that the databases see that the partial indexes over waiting deliveries apply.
WAITING: Final[Any] = literal_column("1", Integer())


_CHECK_DELIVERY: Final = check_types(delivery_table)


def delivery_row(row: Sequence[Any]) -> DeliveryRow:
    """Return a delivery from a row of `_DELIVERIES`.

    Unavailable("log_damaged") if a value is of another type than its column.
    """
    _CHECK_DELIVERY(row)
    (
        delivery_id,
        message_seq,
        digest,
        recipient,
        urgency,
        _urgent,
        released_index,
        released_time,
        expires_time,
        next_attempt_time,
        state,
        attempts,
        reason,
        detail,
        settled_time,
        delivery_kind,
        kind,
        blocked,
    ) = row
    return DeliveryRow(
        id=delivery_id,
        message_seq=message_seq,
        digest=digest,
        recipient=recipient,
        urgency=urgency,
        released_index=released_index,
        released_time=from_micros(released_time),
        expires_time=from_micros(expires_time),
        next_attempt_time=from_micros(next_attempt_time),
        state=state,
        reason=reason if blocked is None else BLOCKED,
        detail=detail if blocked is None else "",
        attempts=attempts,
        settled_time=None if settled_time is None else from_micros(settled_time),
        kind=kind,
        delivery_kind=delivery_kind,
    )


DELIVERED: Final = delivery_pb2.DELIVERY_STATE_DELIVERED


def still_waiting(conn: ReadConnection, ids: Collection[int]) -> set[int]:
    """Return those of these deliveries that still wait."""
    return set(_waiting(conn, ids))


def _waiting(conn: ReadConnection, ids: Collection[int]) -> dict[int, str]:
    """Return the recipients of those of these deliveries that still wait."""
    return {row[0]: row[1] for row in _STILL_WAITING.run(conn, ids)}


def deliveries_of(conn: ReadConnection, digest: bytes) -> list[DeliveryRow]:
    """Return the deliveries of one message to its addressees, in the order of its recipients."""
    rows = conn.execute(_OWN_DELIVERIES.where(message_table.c.digest == digest).order_by(delivery_table.c.id))
    return [delivery_row(row) for row in rows]


def delivery(conn: ReadConnection, delivery_id: int) -> DeliveryRow | None:
    """Return one delivery."""
    row = conn.execute(_DELIVERIES.where(delivery_table.c.id == delivery_id)).one_or_none()
    return None if row is None else delivery_row(row)


def due(
    conn: ReadConnection, recipient: str, now: datetime, *, slot: Slot, limit: int, max_bytes: int, after_id: int
) -> list[Outgoing]:
    """Return deliveries to one member that may be tried now, FLASH first, then by the time of the next attempt.

    Those up to ``after_id`` are left out. At least one is returned, else as many as fit into ``max_bytes``: only bodies
    that are sent are read.
    """
    place = _NEXT_ATTEMPT.run(conn, [after_id]) if after_id else []
    ids: list[int] = []
    size = 0
    asked = (recipient, place[0][0] if place else 0, after_id, to_micros(now))
    for delivery_id, length in _lengths(conn, slot, asked, limit):
        size += length
        if ids and size > max_bytes:
            break
        ids.append(delivery_id)
    rows = _OUTGOING.run(conn, ids)
    bodies = messages_store.bodies(conn, {seq for _, seq, *_ in rows})
    found = {
        delivery_id: Outgoing(delivery_id, digest, attempts, bodies.get(seq, b""), released_index, entry, kind, reason)
        for delivery_id, seq, digest, attempts, released_index, entry, kind, reason in rows
    }
    return [found[delivery_id] for delivery_id in ids]


def _lengths(conn: ReadConnection, slot: Slot, asked: Row, limit: int) -> Iterator[Row]:
    """Return (id, about the bytes of the body) of at most ``limit`` deliveries that are due."""
    for statement in _DUE[slot]:
        found = statement.run(conn, *asked, limit) if limit else []
        limit -= len(found)
        yield from found


def next_attempt(conn: ReadConnection, recipient: str, *, slot: Slot) -> datetime | None:
    """Return when the next waiting delivery to one member may be tried; None if none waits."""
    found = [row[0] for statement in _NEXT[slot] for row in statement.run(conn, recipient)]
    return from_micros(min(found)) if found else None


def expired(conn: ReadConnection, now: datetime, limit: int) -> list[DeliveryRow]:
    """Return waiting deliveries whose lifetime is over."""
    d = delivery_table.c
    rows = conn.execute(
        _DELIVERIES.where(
            d.state == WAITING,
            d.recipient.in_(select(outbound_queue_table.c.recipient)),
            d.expires_time <= to_micros(now),
        )
        .order_by(d.expires_time)
        .limit(limit)
    )
    return [delivery_row(row) for row in rows]


def queue(conn: ReadConnection, recipient: str, limit: int, after_id: int = 0) -> list[DeliveryRow]:
    """Return waiting and failed deliveries, oldest first, after one."""
    d = delivery_table.c
    to_one = [d.recipient == recipient] if recipient else []
    rows: list[DeliveryRow] = []
    for state in (d.state == WAITING, d.state > DELIVERED):
        found = conn.execute(_DELIVERIES.where(state, d.id > after_id, *to_one).order_by(d.id).limit(limit))
        rows.extend(delivery_row(row) for row in found)
    return sorted(rows, key=lambda row: row.id)[:limit]


def queue_summary(conn: ReadConnection) -> list[QueueSummary]:
    """Return how many deliveries wait for each member, and since when the one that expires first has waited."""
    q, d = outbound_queue_table.c, delivery_table.c
    first = (
        select(d.released_time)
        .where(d.state == WAITING, d.recipient == q.recipient)
        .order_by(d.expires_time)
        .limit(1)
        .scalar_subquery()
    )
    rows = conn.execute(select(q.recipient, q.waiting, first).where(q.waiting > 0).order_by(q.recipient))
    return [QueueSummary(row[0], row[1], None if row[2] is None else from_micros(row[2])) for row in rows]


def queue_lengths(conn: ReadConnection) -> dict[str, int]:
    """Return how many deliveries wait for each member to which anything was ever sent, by the counters."""
    q = outbound_queue_table.c
    return {row[0]: row[1] for row in conn.execute(select(q.recipient, q.waiting))}


def by_message(conn: ReadConnection, seqs: Collection[int]) -> dict[int, list[DeliveryRow]]:
    """Return the deliveries of these messages to their addressees, by the number of the message."""
    found: dict[int, list[DeliveryRow]] = {}
    for row in sorted(_BY_MESSAGE.run(conn, seqs), key=itemgetter(0)):
        delivery = delivery_row(row)
        found.setdefault(delivery.message_seq, []).append(delivery)
    return found


_STILL_WAITING: Final = Lookup(
    select(delivery_table.c.id, delivery_table.c.recipient).where(delivery_table.c.state == WAITING),
    delivery_table.c.id,
)

_DELIVERIES: Final = (
    select(delivery_table, message_table.c.kind, peer_block_table.c.member.label("blocked"))
    .join(message_table, message_table.c.seq == delivery_table.c.message_seq)
    .outerjoin(
        peer_block_table,
        and_(peer_block_table.c.member == delivery_table.c.recipient, delivery_table.c.state == WAITING),
    )
)


_OWN_DELIVERIES: Final = _DELIVERIES.where(delivery_table.c.delivery_kind == literal_column("0"))

_BY_MESSAGE: Final = Lookup(_OWN_DELIVERIES, delivery_table.c.message_seq)


# Literals, so that the databases see that the partial index over urgent deliveries applies.
_URGENT: Final[Any] = literal_column(str(int(message_pb2.URGENCY_URGENT)), Integer())
_FLASH: Final[Any] = literal_column(str(int(message_pb2.URGENCY_FLASH)), Integer())

_AHEAD: Final[Any] = literal_column(str(AHEAD_OF_FLASH), Integer())

# Each condition is served by one index, in the order of the next attempt.
_WAITS_FOR: Final[dict[Slot, tuple[tuple[ColumnElement[bool], ...], ...]]] = {
    Slot.BULK: ((delivery_table.c.urgent.is_(False),),),
    Slot.URGENT: (
        (delivery_table.c.urgency > _URGENT, delivery_table.c.urgency == _FLASH),
        (delivery_table.c.urgent.is_(True), delivery_table.c.urgency <= _URGENT),
    ),
    Slot.FIRST: ((delivery_table.c.urgency > _URGENT, delivery_table.c.urgency == _AHEAD),),
}


# An erased message is not sent; a notice that it was forwarded needs no body and is sent.
_CAN_GO: Final = or_(
    message_body_table.c.rest.is_not(None),
    delivery_table.c.delivery_kind == literal_column(str(int(DeliveryKind.NOTICE))),
)


def _due(waits_for: Sequence[ColumnElement[bool]]) -> Query:
    d = delivery_table.c
    question = (
        select(d.id, func.coalesce(func.length(message_body_table.c.rest), literal_column("0")))
        .outerjoin(message_body_table, message_body_table.c.seq == d.message_seq)
        .where(
            d.state == WAITING,
            _CAN_GO,
            d.recipient == bindparam("recipient"),
            *waits_for,
            tuple_(d.next_attempt_time, d.id) > tuple_(bindparam("after_time"), bindparam("after")),
            d.next_attempt_time <= bindparam("now"),
            d.expires_time > bindparam("now"),
        )
        .order_by(d.next_attempt_time, d.id)
        .limit(bindparam("wanted"))
    )
    return Query(question, "recipient", "after_time", "after", "now", "wanted")


def _next(waits_for: Sequence[ColumnElement[bool]]) -> Query:
    d = delivery_table.c
    waiting = select(d.next_attempt_time).where(d.state == WAITING, d.recipient == bindparam("recipient"), *waits_for)
    return Query(waiting.order_by(d.next_attempt_time, d.id).limit(literal_column("1")), "recipient")


_NEXT_ATTEMPT: Final = Lookup(select(delivery_table.c.next_attempt_time), delivery_table.c.id)

_OUTGOING: Final = Lookup(
    select(
        delivery_table.c.id,
        delivery_table.c.message_seq,
        delivery_table.c.digest,
        delivery_table.c.attempts,
        delivery_table.c.released_index,
        log_entry_table.c.entry,
        delivery_table.c.delivery_kind,
        delivery_table.c.reason,
    ).join(log_entry_table, log_entry_table.c.index == delivery_table.c.released_index),
    delivery_table.c.id,
)

_DUE: Final = {slot: tuple(map(_due, conditions)) for slot, conditions in _WAITS_FOR.items()}
_NEXT: Final = {slot: tuple(map(_next, conditions)) for slot, conditions in _WAITS_FOR.items()}


URGENT_FROM: Final = int(message_pb2.URGENCY_URGENT)  # it and FLASH have a slot of their own


MAX_DETAIL: Final = 500  # stored characters of a reason's detail


def slot_of(urgency: int) -> Slot:
    """Return the slot of an outbound queue in which a delivery of this urgency waits."""
    if urgency >= AHEAD_OF_FLASH:
        return Slot.FIRST
    return Slot.URGENT if urgency >= URGENT_FROM else Slot.BULK


def add_deliveries(conn: WriteConnection, deliveries: Sequence[DeliveryRow]) -> None:
    """Queue deliveries."""
    rows = [
        (
            d.id,
            d.message_seq,
            d.digest,
            d.recipient,
            d.urgency,
            d.urgency >= URGENT_FROM,
            d.released_index,
            to_micros(d.released_time),
            to_micros(d.expires_time),
            to_micros(d.next_attempt_time),
            d.state,
            d.attempts,
            d.reason,
            d.detail,
            None,
            int(d.delivery_kind),
        )
        for d in deliveries
    ]
    _ADD_DELIVERY.run(conn, rows)
    _count_waiting(conn, Counter(d.recipient for d in deliveries if d.state == delivery_pb2.DELIVERY_STATE_WAITING))


def settle(conn: WriteConnection, settlements: Sequence[Settlement], now: datetime) -> list[int]:
    """End deliveries that still wait; return their ids. Deliveries settled before are unchanged."""
    waiting = _waiting(conn, [settlement.id for settlement in settlements])
    ended = [settlement for settlement in settlements if settlement.id in waiting]
    micros = to_micros(now)
    _SETTLE.run(conn, [(e.state, e.reason, e.detail[:MAX_DETAIL], micros, e.id) for e in ended])
    ended_of = Counter(waiting[each] for each in {settlement.id for settlement in ended})
    _count_waiting(conn, {recipient: -count for recipient, count in ended_of.items()})
    return [settlement.id for settlement in ended]


def _count_waiting(conn: WriteConnection, counts: Mapping[str, int]) -> None:
    _COUNT_WAITING.run(conn, list(counts.items()))


def postpone(conn: WriteConnection, postponements: Sequence[Postponement]) -> None:
    """Plan another attempt for deliveries that still wait; one that ended during its attempt is unchanged."""
    rows = [(to_micros(p.next_attempt_time), p.reason, p.detail[:MAX_DETAIL], p.id) for p in postponements]
    _POSTPONE.run(conn, rows)


_ADD_DELIVERY: Final = insertion(delivery_table)

_COUNT_WAITING: Final = addition(outbound_queue_table, "waiting")


def _attempted(given: Given, **changes: ColumnElement[Any]) -> UpdateBase:
    d = delivery_table.c
    changed = {d[name]: value for name, value in changes.items()}
    counted = {d.reason: given["why"], d.detail: given["what"], d.attempts: d.attempts + literal_column("1")}
    return update(delivery_table).where(d.id == given["row"], d.state == WAITING).values({**changed, **counted})


_D: Final = delivery_table.c

_SETTLE: Final = Statement(
    lambda _, given: _attempted(given, state=given["new_state"], settled_time=given["settled"]),
    {
        "new_state": _D.state.type,
        "why": _D.reason.type,
        "what": _D.detail.type,
        "settled": _D.settled_time.type,
        "row": _D.id.type,
    },
    key=["row"],
)

_POSTPONE: Final = Statement(
    lambda _, given: _attempted(given, next_attempt_time=given["next"]),
    {"next": _D.next_attempt_time.type, "why": _D.reason.type, "what": _D.detail.type, "row": _D.id.type},
    key=["row"],
)


def waiting_deliveries(conn: ReadConnection, seq: int) -> list[tuple[int, str, int]]:
    """Return (id, recipient, kind of delivery) of the deliveries of a message that still wait."""
    d = delivery_table.c
    rows = conn.execute(
        select(d.id, d.recipient, d.delivery_kind).where(d.message_seq == seq, d.state == WAITING).order_by(d.id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def forwarded_indices(conn: ReadConnection, digest: bytes) -> list[tuple[str, int, int]]:
    """Return (recipient, index of our FORWARDED entry, delivery state) for each member one message was forwarded to."""
    d = delivery_table.c
    joined = delivery_table.join(message_table, message_table.c.seq == d.message_seq)
    rows = conn.execute(
        select(d.recipient, d.released_index, d.state)
        .select_from(joined)
        .where(message_table.c.digest == digest, d.delivery_kind == int(DeliveryKind.FORWARDED))
        .order_by(d.id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def forwarded_by_message(conn: ReadConnection, seqs: Collection[int]) -> dict[int, list[int]]:
    """Return the indices of our FORWARDED entries, by the number of the message."""
    found: dict[int, list[int]] = {}
    for seq, index in _FORWARDED_INDICES.run(conn, seqs):
        found.setdefault(seq, []).append(index)
    return found


_FORWARDED_INDICES: Final = Lookup(
    select(delivery_table.c.message_seq, delivery_table.c.released_index).where(
        delivery_table.c.delivery_kind == literal_column(str(int(DeliveryKind.FORWARDED)))
    ),
    delivery_table.c.message_seq,
)


def with_messages(conn: ReadConnection) -> Iterator[Rows]:
    """Return every delivery with columns of its message, which are None if there is none.

    They are ``author``, ``kind``, ``message_digest`` and ``message_urgency``.
    """
    m = message_table.c
    beside = (m.author, m.kind, m.digest.label("message_digest"), m.urgency.label("message_urgency"))
    joined = delivery_table.outerjoin(message_table, m.seq == delivery_table.c.message_seq)
    yield from scanning.pages(conn, select(delivery_table, *beside).select_from(joined), delivery_table)


ANSWER: Final = int(ProofKind.ANSWER)

EXPIRED: Final = int(delivery_pb2.DELIVERY_STATE_EXPIRED)

DROPPED: Final = int(delivery_pb2.DELIVERY_STATE_DROPPED)


def late_receipts(conn: ReadConnection) -> Rows:
    """Return (digest, recipient) of deliveries that had been given up before their receipt came."""
    d, p = delivery_table.c, proof_table.c
    joined = delivery_table.join(proof_table, (p.digest == d.digest) & (p.member == d.recipient) & (p.kind == ANSWER))
    given_up = d.state.in_([EXPIRED, DROPPED])
    return conn.execute(
        select(d.digest, d.recipient).select_from(joined).where(given_up, d.state > literal_column("2"))
    ).all()


def _waits(subject: Subject) -> ColumnElement[bool] | None:
    d = delivery_table.c
    return None if subject.seq is None else exists().where(d.message_seq == subject.seq, d.state == WAITING)


LIFECYCLES: Final = (
    Lifecycle(delivery_table, Key.MESSAGE, delivery_table.c.message_seq, in_use=_waits),
    Lifecycle(outbound_queue_table),
)
