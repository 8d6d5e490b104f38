"""Waiting: a message that lacks signatures of officers its header requires is kept until they have signed.

It stands in the log as SUBMITTED; nothing of it leaves the node. What becomes of it is said in `approve`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paiza.v1 import log_pb2
from paiza_domain import deadlines
from paiza_node.ledger import Pen
from paiza_node.model import ApprovalRow, Officer
from paiza_wire import receipts
from paiza_wire.errors import Unavailable
from paiza_wire.message import PendingMessage, VerifiedMessage

MAX_WAITING: Final = 64  # messages of one officer that wait for others, and as many that wait for one officer
MAX_WAITING_OF_ONE: Final = 16  # of these, what one officer has wait for another: nobody fills up a colleague's desk


@dataclass(frozen=True, slots=True)
class Waits:
    """A message that is kept until other officers have signed, by its SUBMITTED entry."""

    digest: bytes
    index: int
    entry: bytes
    missing: tuple[str, ...]
    expires_time: datetime


def keep(pen: Pen, message: PendingMessage, raw: bytes, officer: Officer, life: timedelta) -> Waits | Unavailable:
    """Keep a message for so long at most, or as long as an answer to it may take; Unavailable where too many wait."""
    header = message.header
    waiting = pen.tx.waiting_approvals()
    missing = tuple(signer.id for signer in message.missing)
    own = [row for row in waiting if row.drafter == officer.id]
    if len(own) >= MAX_WAITING or any(sum(name in row.missing for row in waiting) >= MAX_WAITING for name in missing):
        return Unavailable("busy", f"{MAX_WAITING} messages of or for one officer wait for a second one", 60.0)
    if any(sum(name in row.missing for row in own) >= MAX_WAITING_OF_ONE for name in missing):
        return Unavailable("busy", f"{MAX_WAITING_OF_ONE} messages of this officer wait for the same second one", 60.0)
    index = pen.append(
        log_pb2.LogEntry(
            event=log_pb2.LOG_EVENT_SUBMITTED,
            actor=officer.id,
            message_digest=message.digest,
            signers=signed_by(message),
        )
    )
    row = ApprovalRow(
        digest=message.digest,
        message_id=header.message_id,
        drafter=officer.id,
        header=message.signed.header,
        submitted_index=index,
        submitted_time=pen.now,
        expires_time=pen.now + min(life, deadlines.ANSWER_WITHIN.get(header.urgency, life)),
        missing=missing,
        signed=raw,
    )
    pen.tx.add_approval(row)
    return Waits(row.digest, index, pen.entries[-1][1], missing, row.expires_time)


def waits(pen: Pen, row: ApprovalRow) -> Waits:
    """Say of a message that waits by which entry it does."""
    (entry,) = pen.tx.entries_at([row.submitted_index])
    return Waits(row.digest, entry.index, entry.entry, row.missing, row.expires_time)


def approved_entry(message: VerifiedMessage | PendingMessage, officer: Officer) -> log_pb2.LogEntry:
    """Write down that an officer signed what another had submitted."""
    return log_pb2.LogEntry(
        event=log_pb2.LOG_EVENT_APPROVED,
        actor=officer.id,
        message_digest=message.digest,
        signers=[signer for signer in signed_by(message) if signer.id == officer.id],
    )


def signed_by(message: VerifiedMessage | PendingMessage) -> list[log_pb2.LoggedSigner]:
    """Name those who have signed."""
    if isinstance(message, VerifiedMessage):
        return receipts.logged_signers(message)
    return [
        log_pb2.LoggedSigner(id=signer.id, role=signer.role, certificate_sha256=certificate.fingerprint)
        for signer, certificate in message.signers
    ]
