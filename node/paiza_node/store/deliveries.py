"""What is on its way to other members: what waits, what may be tried now, and what became of it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Select,
    bindparam,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from paiza.core.v1 import delivery_pb2, message_pb2
from paiza_node.model import DeliveryRow, Outgoing, Passing, QueueSummary, Slot
from paiza_node.store import schema as s
from paiza_node.store.rows import delivery_row, from_micros, to_micros
from paiza_node.store.statements import Lookup, blocks

DELIVERED: Final = delivery_pb2.DELIVERY_STATE_DELIVERED


class DeliveryReads:
    """Questions about deliveries, asked over one connection."""

    _connection: Connection

    def waiting(self, ids: Collection[int]) -> set[int]:
        """Give those of these deliveries that still wait."""
        return {row[0] for row in _STILL_WAITING.run(self._connection, ids)}

    def deliveries_of(self, digest: bytes) -> list[DeliveryRow]:
        """Give the deliveries of one message to those it is addressed to, in the order of its recipients."""
        rows = self._connection.execute(
            _DELIVERIES.where(s.message.c.digest == digest, s.delivery.c.passing == literal_column("0")).order_by(
                s.delivery.c.id
            )
        )
        return [delivery_row(row) for row in rows]

    def delivery(self, delivery_id: int) -> DeliveryRow | None:
        """Give one delivery."""
        row = self._connection.execute(_DELIVERIES.where(s.delivery.c.id == delivery_id)).one_or_none()
        return None if row is None else delivery_row(row)

    def due(
        self, recipient: str, now: datetime, *, slot: Slot, limit: int, max_bytes: int, after_id: int
    ) -> list[Outgoing]:
        """Give deliveries to one member that may be tried now, FLASH first, then by age, behind ``after_id``.

        At least one, else as many as fit into ``max_bytes``: no more bodies are read than are sent.
        """
        asked = {"recipient": recipient, "now": to_micros(now), "wanted": limit, "after": after_id}
        ids: list[int] = []
        size = 0
        for delivery_id, length in self._connection.execute(_DUE[slot], asked):
            size += length
            if ids and size > max_bytes:
                break
            ids.append(delivery_id)
        rows = self._connection.execute(_OUTGOING.where(s.delivery.c.id.in_(ids))) if ids else ()
        found = {row[0]: Outgoing(*row) for row in rows}
        return [found[delivery_id] for delivery_id in ids]

    def next_attempt(self, recipient: str, *, slot: Slot) -> datetime | None:
        """Say when the next waiting delivery to one member may be tried; None where none waits."""
        d = s.delivery.c
        found = self._connection.execute(
            select(func.min(d.next_attempt_time)).where(
                d.state == _WAITING, d.recipient == recipient, *_WAITS_FOR[slot]
            )
        ).scalar_one()
        return None if found is None else from_micros(found)

    def expired(self, now: datetime, limit: int) -> list[DeliveryRow]:
        """Give waiting deliveries whose life time is over."""
        d = s.delivery.c
        rows = self._connection.execute(
            _DELIVERIES.where(d.state == _WAITING, d.expires_time <= to_micros(now))
            .order_by(d.expires_time)
            .limit(limit)
        )
        return [delivery_row(row) for row in rows]

    def queue(self, recipient: str, limit: int) -> list[DeliveryRow]:
        """Give deliveries that wait or failed, oldest first."""
        d = s.delivery.c
        to_one = [d.recipient == recipient] if recipient else []
        rows: list[DeliveryRow] = []
        for state in (d.state == _WAITING, d.state > DELIVERED):
            found = self._connection.execute(_DELIVERIES.where(state, *to_one).order_by(d.id).limit(limit))
            rows.extend(delivery_row(row) for row in found)
        return sorted(rows, key=lambda row: row.id)[:limit]

    def queue_summary(self) -> list[QueueSummary]:
        """Count what waits for each member."""
        d = s.delivery.c
        rows = self._connection.execute(
            select(d.recipient, func.count(), func.min(d.released_time))
            .where(d.state == _WAITING)
            .group_by(d.recipient)
        )
        return [QueueSummary(row[0], row[1], None if row[2] is None else from_micros(row[2])) for row in rows]

    def _deliveries(self, seqs: Collection[int]) -> dict[int, list[DeliveryRow]]:
        found: dict[int, list[DeliveryRow]] = {}
        for block in blocks(list(seqs)):
            rows = self._connection.execute(
                _DELIVERIES.where(
                    s.delivery.c.message_seq.in_(block), s.delivery.c.passing == literal_column("0")
                ).order_by(s.delivery.c.id)
            )
            for row in rows:
                found.setdefault(row.message_seq, []).append(delivery_row(row))
        return found


# A literal, so that the databases see that the partial indexes over what waits apply.
_WAITING: Final[Any] = s.WAITING_LITERAL

_STILL_WAITING: Final = Lookup(select(s.delivery.c.id).where(s.delivery.c.state == _WAITING), s.delivery.c.id)
_DELIVERIES: Final = select(s.delivery, s.message.c.kind).join(s.message, s.message.c.seq == s.delivery.c.message_seq)


# Literals, so that the databases see that the partial index over what overtakes applies.
_FLASH: Final[Any] = literal_column(str(int(message_pb2.URGENCY_FLASH)), Integer())
_WAITS_FOR: Final[dict[Slot, tuple[ColumnElement[bool], ...]]] = {
    Slot.BULK: (s.delivery.c.urgent.is_(False),),
    Slot.URGENT: (s.delivery.c.urgent.is_(True), s.delivery.c.urgency <= _FLASH),
    Slot.FIRST: (s.delivery.c.urgency > _FLASH,),
}


# What was erased is not sent; word that it was passed on needs no body, and goes all the same.
_CAN_GO: Final = or_(
    s.message_body.c.signed.is_not(None), s.delivery.c.passing == literal_column(str(int(Passing.NOTICE)))
)
_NOTHING: Final = literal(b"", LargeBinary())


def _due(slot: Slot, *order: ColumnElement[Any]) -> Select[Any]:
    d = s.delivery.c
    return (
        select(d.id, func.coalesce(func.length(s.message_body.c.signed), literal_column("0")))
        .outerjoin(s.message_body, s.message_body.c.seq == d.message_seq)
        .where(
            d.state == _WAITING,
            _CAN_GO,
            d.recipient == bindparam("recipient"),
            *_WAITS_FOR[slot],
            d.id > bindparam("after"),
            d.next_attempt_time <= bindparam("now"),
            d.expires_time > bindparam("now"),
        )
        .order_by(*order, d.id)
        .limit(bindparam("wanted"))
    )


_OUTGOING: Final = (
    select(
        s.delivery.c.id,
        s.delivery.c.digest,
        s.delivery.c.attempts,
        func.coalesce(s.message_body.c.signed, _NOTHING),
        s.delivery.c.released_index,
        s.log_entry.c.entry,
        s.delivery.c.passing,
    )
    .outerjoin(s.message_body, s.message_body.c.seq == s.delivery.c.message_seq)
    .join(s.log_entry, s.log_entry.c.index == s.delivery.c.released_index)
)
_DUE: Final = {
    Slot.BULK: _due(Slot.BULK),
    Slot.URGENT: _due(Slot.URGENT, s.delivery.c.urgency.desc()),
    Slot.FIRST: _due(Slot.FIRST),
}
