"""Grants to other members, reconciled periods, and counts of exchanged messages in the database.

Counts need no scan of wide rows: totals come from an index that contains only the recipient and the number of a
message, and unsettled and refused ones are in partial indexes. Numbers grow with time, so that a period is a range of
numbers.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    literal_column,
    select,
    update,
)

from paiza.core.v1 import delivery_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, ForeignProof, ProofKind
from paiza_node.core.exchange.send.store import WAITING, delivery_table
from paiza_node.core.exchange.store import forwarding_table, note_table
from paiza_node.core.messages.model import MessageState
from paiza_node.core.messages.store import message_table
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.records import TIME, Kept, Records
from paiza_node.core.storage.schema import METADATA, Number
from paiza_node.core.storage.statements import replacement
from paiza_node.core.storage.times import to_micros
from paiza_node.features.peer_audit.model import AuditGrant, ReconciledPeriod, Tally

# Permissions of other members to see the log. An ended grant keeps its row, as a record of what was visible when.
audit_grant_table = Table(
    "audit_grant",
    METADATA,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("member", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("since_time", BigInteger, nullable=True),
    Column("until_time", BigInteger, nullable=False),
    Column("headers", Boolean, nullable=False),
    Column("granted_time", BigInteger, nullable=False),
    Column("withdrawn_time", BigInteger, nullable=True),
)
Index("ix_audit_grant_member", audit_grant_table.c.member)

# Periods on whose messages the other member's node agrees with ours.
reconciled_period_table = Table(
    "reconciled_period",
    METADATA,
    Column("counterpart", Text, primary_key=True),
    Column("since_time", BigInteger, primary_key=True, autoincrement=False),
    Column("until_time", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("entry", LargeBinary, nullable=True),
    Column("entry_index", BigInteger, nullable=True),
    Column("hashes", LargeBinary, nullable=True),
    Column("note_digest", LargeBinary, nullable=True),
    Column("register_version", LargeBinary, nullable=True),
)


_OWN: Final[Any] = literal_column(str(int(DeliveryKind.OWN)), Integer())

_REFUSED_HERE: Final[Any] = literal_column(str(int(MessageState.REFUSED)), Integer())

_REFUSED_THERE: Final = (delivery_pb2.DELIVERY_STATE_REFUSED, delivery_pb2.DELIVERY_STATE_REJECTED)


def audit_grants(conn: ReadConnection, member: str = "") -> list[AuditGrant]:
    """Return the grants to one member, or all, oldest first; including ended ones."""
    g = audit_grant_table.c
    statement = select(audit_grant_table).order_by(g.id)
    return _GRANTS.find(conn, statement.where(g.member == member) if member else statement)


def reconciled_period(
    conn: ReadConnection, counterpart: str, since: datetime, until: datetime
) -> ReconciledPeriod | None:
    """Return the agreement with a member on exactly this period."""
    r = reconciled_period_table.c
    row = conn.execute(
        select(reconciled_period_table, note_table.c.note)
        .outerjoin(note_table, note_table.c.digest == r.note_digest)
        .where(r.counterpart == counterpart, r.since_time == to_micros(since), r.until_time == to_micros(until))
    ).one_or_none()
    if row is None:
        return None
    theirs = None
    if row.entry is not None:
        theirs = ForeignProof(
            b"",
            counterpart,
            ProofKind.ANSWER,
            row.entry,
            row.entry_index,
            row.hashes,
            row.note,
            row.register_version,
        )
    return ReconciledPeriod(counterpart, since, until, row.digest, row.log_index, theirs)


def tallies(
    conn: ReadConnection,
    members: Collection[str],
    since: datetime | None,
    until: datetime | None,
    overdue_before: datetime,
) -> list[Tally]:
    """Count the messages exchanged with these members in a period, and those unanswered since before a time."""
    d, m = delivery_table.c, message_table.c
    first = 0 if since is None else _number_at(conn, d.id, d.released_time, since)
    last = None if until is None else _number_at(conn, d.id, d.released_time, until)
    overdue = _number_at(conn, d.id, d.released_time, overdue_before)
    overdue = overdue if last is None else min(overdue, last)
    first_seq = 0 if since is None else _number_at(conn, m.seq, m.stored_time, since)
    last_seq = None if until is None else _number_at(conn, m.seq, m.stored_time, until)
    sent_span = [d.id >= first, *([d.id < last] if last is not None else [])]
    seq_span = [m.seq >= first_seq, *([m.seq < last_seq] if last_seq is not None else [])]
    failed: dict[tuple[str, bool], int] = {}
    rows = conn.execute(
        select(d.recipient, d.state, func.count())
        .where(d.state > literal_column("2", Integer()), d.delivery_kind == _OWN, *sent_span)
        .group_by(d.recipient, d.state)
    )
    for recipient, state, count in rows:
        key = (recipient, state in _REFUSED_THERE)
        failed[key] = failed.get(key, 0) + count
    passed = _passed_on_held(conn, seq_span)
    return [
        tally
        for member in sorted(members)
        if (tally := _tally(conn, member, sent_span, overdue, seq_span, failed, passed.get(member, 0))) is not None
    ]


def _tally(
    conn: ReadConnection,
    member: str,
    sent_span: list[Any],
    overdue: int,
    seq_span: list[Any],
    failed: dict[tuple[str, bool], int],
    passed: int,
) -> Tally | None:
    d, m = delivery_table.c, message_table.c
    sent = _count(conn, delivery_table, d.recipient == member, d.delivery_kind == _OWN, *sent_span)
    waits = [d.state == WAITING, d.recipient == member, d.delivery_kind == _OWN, *sent_span]
    waiting = _count(conn, delivery_table, *waits)
    late = _count(conn, delivery_table, *waits, d.id < overdue) if waiting else 0
    refused, given_up = failed.get((member, True), 0), failed.get((member, False), 0)
    refused_here = _count(conn, message_table, m.state == _REFUSED_HERE, m.author == member, *seq_span)
    received = _count(conn, message_table, m.author == member, *seq_span) - refused_here - passed
    if not (sent or received or refused_here):
        return None
    return Tally(member, sent, sent - waiting - refused - given_up, refused, late + given_up, received, refused_here)


def _passed_on_held(conn: ReadConnection, span: list[Any]) -> dict[str, int]:
    """Count the messages that are here only because they were forwarded, by author."""
    m, o = message_table.c, forwarding_table.c
    joined = forwarding_table.join(message_table, m.digest == o.digest)
    rows = conn.execute(
        select(m.author, func.count(m.seq.distinct()))
        .select_from(joined)
        .where(o.held.is_(True), *span)
        .group_by(m.author)
    )
    return {row[0]: row[1] for row in rows}


def _count(conn: ReadConnection, table: Table, *conditions: Any) -> int:
    return int(conn.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())


def _number_at(conn: ReadConnection, number: Column[Any], time: Column[Any], moment: datetime) -> int:
    """Return the first number whose row is of this moment or later, by bisection: times never decrease with numbers."""
    wanted = to_micros(moment)
    low = 0
    high = (conn.execute(select(func.max(number))).scalar_one() or 0) + 1
    at = select(number, time).order_by(number).limit(1)
    while low < high:
        middle = (low + high) // 2
        row = conn.execute(at.where(number >= middle)).one_or_none()
        if row is None or row[1] >= wanted:
            high = middle
        else:
            low = row[0] + 1
    return low


def add_audit_grant(conn: WriteConnection, grant: AuditGrant) -> None:
    """Store a new grant."""
    _GRANTS.add(conn, [grant])


def end_audit_grant(conn: WriteConnection, grant_id: int, now: datetime) -> None:
    """Store the time at which a grant was withdrawn."""
    g = audit_grant_table
    conn.execute(update(g).where(g.c.id == grant_id).values(withdrawn_time=to_micros(now)))


def put_reconciled(conn: WriteConnection, period: ReconciledPeriod) -> None:
    """Store the agreement on a period, and the other side's proof as soon as there is one."""
    theirs = period.theirs
    note = None
    if theirs is not None:
        note = exchange_store.add_notes(conn, [theirs.checkpoint])[theirs.checkpoint]
    row = (
        period.counterpart,
        to_micros(period.since_time),
        to_micros(period.until_time),
        period.digest,
        period.log_index,
        None if theirs is None else theirs.entry,
        None if theirs is None else theirs.index,
        None if theirs is None else theirs.hashes,
        note,
        None if theirs is None else theirs.register_version,
    )
    _PUT_PERIOD.run(conn, [row])


_GRANTS: Final = Records(
    audit_grant_table,
    AuditGrant,
    events=Kept(
        lambda events: " ".join(str(event) for event in sorted(events)),
        lambda text: frozenset(int(event) for event in text.split()),
    ),
    since_time=TIME,
    until_time=TIME,
    granted_time=TIME,
    withdrawn_time=TIME,
)

_PUT_PERIOD: Final = replacement(reconciled_period_table)


LIFECYCLES: Final = (Lifecycle(audit_grant_table), Lifecycle(reconciled_period_table))
