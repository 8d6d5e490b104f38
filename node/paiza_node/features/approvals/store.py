"""Pending and decided approvals in the database."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    exists,
    literal_column,
    select,
    text,
    update,
)

from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Key, Lifecycle
from paiza_node.core.storage.records import TIME, WORDS, Kept, Records
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.statements import blocks
from paiza_node.core.storage.times import to_micros
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState

# Messages that one officer signed and others must sign. A decided one keeps its row, so that a repeat is recognised.
approval_table = Table(
    "approval",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("message_id", LargeBinary, nullable=False, unique=True),
    Column("drafter", Text, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("submitted_index", BigInteger, nullable=False),
    Column("submitted_time", BigInteger, nullable=False),
    Column("expires_time", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("missing", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("signed", LargeBinary, nullable=True),
)
_WHERE_WAITING: Final = text("state = 1")
# The index holds pending messages only.
Index(
    "ix_approval_waiting", approval_table.c.expires_time, sqlite_where=_WHERE_WAITING, postgresql_where=_WHERE_WAITING
)


# A literal, so that the databases see that the partial index over pending messages applies.
_WAITING: Final = approval_table.c.state == literal_column("1")

# Without the body: lists never read it.
_COLUMNS: Final = [column for column in approval_table.columns if column.name != "signed"]


def approval(conn: ReadConnection, digest: bytes) -> ApprovalRow | None:
    """Return one pending or decided message, with its body while it is pending."""
    return _APPROVALS.first(conn, select(approval_table).where(approval_table.c.digest == digest))


def approvals_of(conn: ReadConnection, message_ids: Collection[bytes]) -> dict[bytes, ApprovalRow]:
    """Return the pending and decided messages with these message ids, without bodies."""
    wanted = list(message_ids)
    found: dict[bytes, ApprovalRow] = {}
    for block in blocks(wanted):
        for row in _APPROVALS.find(conn, select(*_COLUMNS).where(approval_table.c.message_id.in_(block))):
            found[row.message_id] = row
    return found


def waiting_approvals(conn: ReadConnection) -> list[ApprovalRow]:
    """Return all pending messages, without bodies, the next to expire first. Their number per officer is bounded."""
    return _APPROVALS.find(
        conn, select(*_COLUMNS).where(_WAITING).order_by(approval_table.c.expires_time, approval_table.c.digest)
    )


def approvals_expired(conn: ReadConnection, now: datetime, limit: int) -> list[ApprovalRow]:
    """Return the pending messages whose time is over."""
    due = approval_table.c.expires_time <= to_micros(now)
    return _APPROVALS.find(
        conn, select(*_COLUMNS).where(_WAITING, due).order_by(approval_table.c.expires_time).limit(limit)
    )


def add_approval(conn: WriteConnection, row: ApprovalRow) -> None:
    """Store a message that is pending approval."""
    _APPROVALS.add(conn, [row])


def put_signed(conn: WriteConnection, digest: bytes, signed: bytes, missing: Collection[str]) -> None:
    """Store a further signature of a pending message."""
    changed = update(approval_table).where(approval_table.c.digest == digest)
    conn.execute(changed, {"signed": signed, "missing": " ".join(missing)})


def end_approval(conn: WriteConnection, digest: bytes, state: ApprovalState, reason: str = "") -> None:
    """Store the decision on a message; its body is deleted here."""
    changed = update(approval_table).where(approval_table.c.digest == digest)
    conn.execute(changed, {"state": int(state), "signed": None, "reason": reason})


_APPROVALS: Final = Records(
    approval_table,
    ApprovalRow,
    submitted_time=TIME,
    expires_time=TIME,
    state=Kept(int, ApprovalState),
    missing=WORDS,
)


LIFECYCLES: Final = (
    Lifecycle(
        approval_table,
        Key.DIGEST,
        approval_table.c.digest,
        in_use=lambda subject: exists().where(approval_table.c.digest == subject.digest, _WAITING),
    ),
)
