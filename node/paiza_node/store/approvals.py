"""Messages that wait for the signatures of other officers, and what became of them."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select, update

from paiza_node.model import ApprovalRow, ApprovalState
from paiza_node.store import schema as s
from paiza_node.store.rows import from_micros, to_micros
from paiza_node.store.statements import blocks, insertion

# A literal, so that the databases see that the partial index over what waits applies.
_WAITING: Final = s.approval.c.state == s.WAITING_LITERAL
# Without the body: lists never read it.
_COLUMNS: Final = [column for column in s.approval.columns if column.name != "signed"]


class ApprovalReads:
    """Questions about approvals, asked over one connection."""

    _connection: Connection

    def approval(self, digest: bytes) -> ApprovalRow | None:
        """Give one message that waits or waited, with its body while it waits."""
        row = self._connection.execute(select(s.approval).where(s.approval.c.digest == digest)).one_or_none()
        return None if row is None else replace(_approval(row), signed=row.signed)

    def approvals_of(self, message_ids: Collection[bytes]) -> dict[bytes, ApprovalRow]:
        """Give what waits or waited under these message ids, without bodies."""
        wanted = list(message_ids)
        found: dict[bytes, ApprovalRow] = {}
        for block in blocks(wanted):
            for row in self._rows(select(*_COLUMNS).where(s.approval.c.message_id.in_(block))):
                found[row.message_id] = row
        return found

    def waiting_approvals(self) -> list[ApprovalRow]:
        """Give all that waits, without bodies, what is given up first at the head. What one officer has is bounded."""
        return self._rows(select(*_COLUMNS).where(_WAITING).order_by(s.approval.c.expires_time, s.approval.c.digest))

    def approvals_expired(self, now: datetime, limit: int) -> list[ApprovalRow]:
        """Give what waits and should have been decided by now."""
        due = s.approval.c.expires_time <= to_micros(now)
        return self._rows(select(*_COLUMNS).where(_WAITING, due).order_by(s.approval.c.expires_time).limit(limit))

    def _rows(self, query: Select[Any]) -> list[ApprovalRow]:
        return [_approval(row) for row in self._connection.execute(query)]


class ApprovalWrites:
    """Writes about approvals, in the one transaction of one connection."""

    _connection: Connection

    def add_approval(self, row: ApprovalRow) -> None:
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
        _ADD.run(self._connection, [values])

    def put_signed(self, digest: bytes, signed: bytes, missing: Collection[str]) -> None:
        """Keep a further signature of what waits."""
        changed = update(s.approval).where(s.approval.c.digest == digest)
        self._connection.execute(changed, {"signed": signed, "missing": " ".join(missing)})

    def end_approval(self, digest: bytes, state: ApprovalState, reason: str = "") -> None:
        """Say what became of it; its body is not kept here any longer."""
        changed = update(s.approval).where(s.approval.c.digest == digest)
        self._connection.execute(changed, {"state": int(state), "signed": None, "reason": reason})


_ADD: Final = insertion(s.approval)


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
