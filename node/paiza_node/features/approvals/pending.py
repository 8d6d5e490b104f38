"""Pending approvals: a message that lacks signatures its header requires is held until those officers have signed.

It is logged as SUBMITTED; nothing of it leaves the node. Decisions are made in `approve`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from paiza.core.v1 import log_pb2
from paiza_domain.threads import deadlines
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange.stages import (
    Held,
    Moment,
    Outcome,
    ReleaseSession,
    ReleaseStage,
    Submission,
    SubmittedMessage,
)
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import Change
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import PendingMessage, VerifiedMessage
from paiza_wire.message.attachment import part_numbers

MAX_WAITING: Final = 64  # messages of one officer pending for others, and as many pending for one officer
MAX_WAITING_OF_ONE: Final = 16  # of these, from one officer to another: nobody fills a colleague's list


@dataclass(frozen=True, slots=True)
class ApprovalRequested(Change):
    """A message is pending approval by other officers."""

    digest: bytes
    header: bytes
    drafter: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApprovalDecided(Change):
    """A pending message was signed, declined or withdrawn, or has expired; ``code`` is that of the notice."""

    digest: bytes
    header: bytes
    drafter: str
    code: str
    text: str = ""


def named_ciphertexts(conn: ReadConnection) -> frozenset[bytes]:
    """Return the digests of the attachment ciphertexts that pending messages name."""
    headers = [wire.parse_header(row.header) for row in approvals_store.waiting_approvals(conn)]
    return frozenset(header.parts[number].ciphertext_sha256 for header in headers for number in part_numbers(header))


def approval_stage(life: timedelta) -> ReleaseStage:
    """The stage of approvals in a release: a message that lacks signatures is held for at most ``life``.

    This stage comes last: only what nothing else refuses counts against the bounds of what waits.
    """

    def begin(at: Moment, officer: Officer, batch: Sequence[Submission]) -> ReleaseSession:
        session = _Approvals(at, officer, batch, life)
        return ReleaseSession(session.known, session.judge, session.hold, session.releasing)

    return ReleaseStage("approvals", begin)


class _Approvals:
    """The pending and decided approvals of the messages of one batch."""

    def __init__(self, at: Moment, officer: Officer, batch: Sequence[Submission], life: timedelta) -> None:
        self._at = at
        self._officer = officer
        self._life = life
        several = [each.message.header.message_id for each in batch if len(each.message.header.required_signers) > 1]
        self._approvals = approvals_store.approvals_of(at.conn, several) if several else {}

    def known(self, item: Submission) -> Outcome | None:
        """Return the answer for a message that became pending before."""
        earlier = self._approvals.get(item.message.header.message_id) if self._approvals else None
        if earlier is None:
            return None
        if earlier.digest != item.message.digest:
            return Rejected("conflict", "this message id was used before for other content")
        if earlier.state is not ApprovalState.WAITING:
            return Rejected(earlier.reason or "conflict", "the message waited for a second officer, and that is over")
        # With every signature already there it is pending nevertheless: each officer signs it in person.
        return None if item.approved and isinstance(item.message, VerifiedMessage) else held(self._at, earlier)

    def judge(self, item: Submission, _before: Sequence[MessageRow]) -> Rejected | Unavailable | None:
        """Return why a message that lacks signatures cannot wait for them."""
        if not item.missing:
            return None
        if item.source_row:
            return Rejected("second_officer_missing", "what is imported is signed by one officer alone")
        return _too_many(self._at.conn, item.missing, self._officer)

    def hold(self, tx: LogTransaction, item: Submission) -> Held | Unavailable:
        """Store a message that lacks signatures."""
        assert isinstance(item.message, PendingMessage), "a trial stores nothing"
        kept = keep(tx, item.message, item.raw, self._officer, self._life)
        if isinstance(kept, Held):
            self._approvals |= approvals_store.approvals_of(tx.conn, [item.message.header.message_id])
        return kept

    def releasing(self, tx: LogTransaction, item: Submission) -> None:
        """Log the last signature, and end the approval."""
        if item.approved:
            tx.append(approved_entry(item.message, self._officer))
        if self._approvals and item.message.header.message_id in self._approvals:
            approvals_store.end_approval(tx.conn, item.message.digest, ApprovalState.RELEASED)


def _too_many(reads: ReadConnection, missing: Sequence[str], officer: Officer) -> Unavailable | None:
    """Return why no further message of an officer may wait for those who are missing."""
    waiting = approvals_store.waiting_approvals(reads)
    own = [row for row in waiting if row.drafter == officer.id]
    if len(own) >= MAX_WAITING or any(sum(name in row.missing for row in waiting) >= MAX_WAITING for name in missing):
        return Unavailable("busy", f"{MAX_WAITING} messages of or for one officer wait for a second one", 60.0)
    if any(sum(name in row.missing for row in own) >= MAX_WAITING_OF_ONE for name in missing):
        return Unavailable("busy", f"{MAX_WAITING_OF_ONE} messages of this officer wait for the same second one", 60.0)
    return None


def keep(
    tx: LogTransaction, message: PendingMessage, raw: bytes, officer: Officer, life: timedelta
) -> Held | Unavailable:
    """Store a message for at most ``life``, or as long as its answer may take.

    Unavailable if the disk has no room for it.
    """
    header = message.header
    missing = tuple(signer.id for signer in message.missing)
    if (full := tx.take_room(len(raw), unhindered=precedence.unhindered(header))) is not None:
        return full
    submitted = tx.append(log_entries.submitted(actor=officer.id, digest=message.digest, signers=signed_by(message)))
    row = ApprovalRow(
        digest=message.digest,
        message_id=header.message_id,
        drafter=officer.id,
        header=message.signed.header,
        submitted_index=submitted.index,
        submitted_time=tx.now,
        expires_time=tx.now + min(life, deadlines.ANSWER_WITHIN.get(header.urgency, life)),
        missing=missing,
        signed=raw,
    )
    approvals_store.add_approval(tx.conn, row)
    tx.announce(ApprovalRequested(row.digest, row.header, row.drafter, row.missing))
    return Held(row.digest, submitted.index, submitted.entry, missing, row.expires_time)


def held(at: Moment, row: ApprovalRow) -> Held:
    """Return the answer for a pending message, by its SUBMITTED entry."""
    entry = log_store.entry_at(at.conn, row.submitted_index)
    return Held(row.digest, entry.index, entry.entry, row.missing, row.expires_time)


def approved_entry(message: SubmittedMessage, officer: Officer) -> log_pb2.LogEntry:
    """Return the log entry that an officer signed a message another had submitted."""
    signer = next(signer for signer in signed_by(message) if signer.id == officer.id)
    return log_entries.approved(actor=officer.id, digest=message.digest, signer=signer)


def signed_by(message: SubmittedMessage) -> list[log_pb2.LoggedSigner]:
    """Return the officers who have signed."""
    if isinstance(message, VerifiedMessage):
        return receipts.logged_signers(message)
    return [
        log_pb2.LoggedSigner(id=signer.id, role=signer.role, certificate_sha256=certificate.fingerprint)
        for signer, certificate in message.signers
    ]
