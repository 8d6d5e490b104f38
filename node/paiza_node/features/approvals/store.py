"""Messages that wait for the signatures of other officers, and what became of them."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    Row,
    Select,
    SmallInteger,
    Table,
    Text,
    select,
    text,
    update,
)

from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.schema import METADATA, WAITING_LITERAL
from paiza_node.core.storage.statements import blocks, insertion
from paiza_node.core.storage.times import from_micros, to_micros
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState

# Messages that one officer signed and others must sign. What is decided keeps its row, so that a repeat is known.
approval_table = Table(
    "approval",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("message_id", LargeBinary, nullable=False, unique=True),
    Column("drafter", Text, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("signed", LargeBinary, nullable=True),
    Column("submitted_index", BigInteger, nullable=False),
    Column("submitted_time", BigInteger, nullable=False),
    Column("expires_time", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("missing", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
# Only what waits stands in these, so that they stay small however many messages were ever sent.
_WHERE_WAITING: Final = text("state = 1")
# Only what waits stands in it.
Index(
    "ix_approval_waiting", approval_table.c.expires_time, sqlite_where=_WHERE_WAITING, postgresql_where=_WHERE_WAITING
)


# A literal, so that the databases see that the partial index over what waits applies.
_WAITING: Final = approval_table.c.state == WAITING_LITERAL

# Without the body: lists never read it.
_COLUMNS: Final = [column for column in approval_table.columns if column.name != "signed"]


def approval(conn: ReadConnection, digest: bytes) -> ApprovalRow | None:
    """Give one message that waits or waited, with its body while it waits."""
    row = conn.execute(select(approval_table).where(approval_table.c.digest == digest)).one_or_none()
    return None if row is None else replace(_approval(row), signed=row.signed)


def approvals_of(conn: ReadConnection, message_ids: Collection[bytes]) -> dict[bytes, ApprovalRow]:
    """Give what waits or waited under these message ids, without bodies."""
    wanted = list(message_ids)
    found: dict[bytes, ApprovalRow] = {}
    for block in blocks(wanted):
        for row in _approval_rows(conn, select(*_COLUMNS).where(approval_table.c.message_id.in_(block))):
            found[row.message_id] = row
    return found


def waiting_approvals(conn: ReadConnection) -> list[ApprovalRow]:
    """Give all that waits, without bodies, what is given up first at the head. What one officer has is bounded."""
    return _approval_rows(
        conn, select(*_COLUMNS).where(_WAITING).order_by(approval_table.c.expires_time, approval_table.c.digest)
    )


def approvals_expired(conn: ReadConnection, now: datetime, limit: int) -> list[ApprovalRow]:
    """Give what waits and should have been decided by now."""
    due = approval_table.c.expires_time <= to_micros(now)
    return _approval_rows(
        conn, select(*_COLUMNS).where(_WAITING, due).order_by(approval_table.c.expires_time).limit(limit)
    )


def _approval_rows(conn: ReadConnection, query: Select[Any]) -> list[ApprovalRow]:
    return [_approval(row) for row in conn.execute(query)]


def add_approval(conn: WriteConnection, row: ApprovalRow) -> None:
    """Keep a message until its other officers have signed."""
    values = (
        row.digest,
        row.message_id,
        row.drafter,
        row.header,
        row.signed,
        row.submitted_index,
        to_micros(row.submitted_time),
        to_micros(row.expires_time),
        int(row.state),
        " ".join(row.missing),
        row.reason,
    )
    _ADD.run(conn, [values])


def put_signed(conn: WriteConnection, digest: bytes, signed: bytes, missing: Collection[str]) -> None:
    """Keep a further signature of what waits."""
    changed = update(approval_table).where(approval_table.c.digest == digest)
    conn.execute(changed, {"signed": signed, "missing": " ".join(missing)})


def end_approval(conn: WriteConnection, digest: bytes, state: ApprovalState, reason: str = "") -> None:
    """Say what became of it; its body is not kept here any longer."""
    changed = update(approval_table).where(approval_table.c.digest == digest)
    conn.execute(changed, {"state": int(state), "signed": None, "reason": reason})


_ADD: Final = insertion(approval_table)


def _approval(row: Row[Any]) -> ApprovalRow:
    return ApprovalRow(
        digest=row.digest,
        message_id=row.message_id,
        drafter=row.drafter,
        header=row.header,
        submitted_index=row.submitted_index,
        submitted_time=from_micros(row.submitted_time),
        expires_time=from_micros(row.expires_time),
        state=ApprovalState(row.state),
        missing=tuple(row.missing.split()),
        reason=row.reason,
    )
