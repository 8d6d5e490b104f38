"""Approve: a second officer signs the same bytes as the first one, and only then is the message released.

A pending message was submitted by one of the officers its header names (`paiza_node.core.exchange.send.submit`:
SUBMITTED). Each of the others is shown the whole message, opened with the node's own key (OPENED), and signs or
declines; the last signature releases it, APPROVED and RELEASED in one commit. No officer can do both: the submitter is
never the second officer. A message that is not decided in time is given up. Every refusal is logged.

A crash before a commit leaves the message pending; after it, a repeat is answered with the existing entries.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import approval_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.denials import deny
from paiza_node.core.access.model import Officer, Opened
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import as_result
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.exchange.send.submit import Submit
from paiza_node.core.exchange.stages import Held, Outcome
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import Change
from paiza_node.core.log.model import MAX_REASON, StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import stored
from paiza_node.core.messages.model import LOGGED_DIGITS
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.model import ApprovalRow, ApprovalState
from paiza_node.features.approvals.notices import ASKED, approval_notice
from paiza_node.features.approvals.pending import ApprovalDecided, ApprovalRequested, approved_entry, held
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import PendingMessage, attachment

EXPIRED_AT_ONCE: Final = 100  # given up in one commit
GIVEN: Final = "approval_given"
LOOK_SECONDS: Final = 60.0  # longest interval between checks for messages that were not decided in time
SHOWN_BECAUSE: Final = "shown to the officer who decides on its release"

ENDED: Final[Mapping[ApprovalState, str]] = {
    ApprovalState.DECLINED: "approval_declined",
    ApprovalState.WITHDRAWN: "approval_withdrawn",
    ApprovalState.EXPIRED: "approval_expired",
}
_ENTRIES: Final = {
    ApprovalState.DECLINED: log_entries.declined,
    ApprovalState.WITHDRAWN: log_entries.withdrawn,
    ApprovalState.EXPIRED: log_entries.lapsed,
}

log = structlog.get_logger("paiza.approvals")


@dataclass(frozen=True, slots=True)
class Approved:
    """The result of one signature."""

    index: int
    entry: bytes
    outcome: Outcome


class Approve:
    """Handles the actions of second officers."""

    def __init__(
        self,
        core: Core,
        *,
        submit: Submit,
        officers: Callable[[], Mapping[str, Officer]],
    ) -> None:
        self._node_id = core.node_id
        self._ledger = core.ledger
        self._store = core.store
        self._notifier = core.notifier
        self._submit = submit
        self._officers = officers
        self._decryption_keys = core.decryption_keys
        self.task = PeriodicTask(self.round, period=LOOK_SECONDS, failed="approvals_not_read")

    def officers(self) -> list[Officer]:
        """Return the officers who can be a second officer."""
        return sorted((each for each in self._officers().values() if each.is_active), key=lambda each: each.id)

    async def listed(self, officer: Officer) -> list[ApprovalRow]:
        """Return the messages pending for an officer, and those they submitted that are pending, oldest first."""
        rows = await asyncio.to_thread(self._waiting)
        mine = [row for row in rows if officer.id == row.drafter or officer.id in row.missing]
        return sorted(mine, key=lambda row: (row.submitted_time, row.digest))

    def _waiting(self) -> list[ApprovalRow]:
        with self._store.reads() as reads:
            return approvals_store.waiting_approvals(reads)

    async def show(
        self, officer: Officer, request: approval_pb2.GetPendingApprovalRequest
    ) -> approval_pb2.GetPendingApprovalResponse:
        """Open a pending message for its submitter or an officer who must sign it: the annex only with a reason.

        Of an attachment only the key, if requested: its ciphertext is served separately (`shown_to`). That the message
        is still pending is checked in the transaction that writes OPENED.
        """
        if len(request.reason_text) > MAX_REASON:
            raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")
        row = await self._found(officer, request.message_digest)
        if row.signed is None:
            raise _over(row)
        committed = await self._ledger.commit(lambda tx: self._show(tx, officer, request))
        response, opened = committed.result
        size, note = committed.checkpoint.size, committed.checkpoint.note
        response.opened.extend(own_proof(self._ledger, entry, size, note) for entry in opened)
        return response

    def _show(
        self, tx: LogTransaction, officer: Officer, request: approval_pb2.GetPendingApprovalRequest
    ) -> tuple[approval_pb2.GetPendingApprovalResponse, list[StoredEntry]]:
        """Read body and keys of a message that is still pending, and write OPENED; runs in the transaction."""
        row = approvals_store.approval(tx.conn, request.message_digest)
        if row is None:
            raise _none_waits()
        if row.signed is None:
            raise _over(row)
        message = stored(row.signed)
        header, signed = message.header, message.signed
        sealed = [] if request.attachment_number else signed.parts
        numbers = [
            part.part_number
            for part in sealed
            if header.parts[part.part_number].kind != message_pb2.PART_KIND_NOMINAL_ANNEX or request.reason_text.strip()
        ]
        if request.attachment_number:
            attachment.part_description(header, request.attachment_number)
            numbers = [request.attachment_number]
        keys = self._decryption_keys.part_keys(message, numbers)
        reason = request.reason_text.strip() or SHOWN_BECAUSE
        response = approval_pb2.GetPendingApprovalResponse(
            message=message_pb2.SignedMessage(
                header=signed.header,
                signatures=signed.signatures,
                subject=signed.subject if sealed else b"",
                parts=sealed,
            ),
            part_keys=[
                approval_pb2.PendingPartKey(part_number=number, part_key=key)
                for number, key in zip(numbers, keys, strict=True)
            ],
            submitted_by=row.drafter,
        )
        response.expires_time.FromDatetime(row.expires_time)
        return response, [_log_opened(tx, officer, row.digest, number, reason) for number in numbers]

    async def shown_to(self, officer: Officer, digest: bytes) -> message_pb2.Header | None:
        """Return the header of a message that is pending and names the officer; None for any other."""
        row = await asyncio.to_thread(self._read, officer, digest)
        return wire.parse_header(row.header) if row is not None and row.state is ApprovalState.WAITING else None

    async def sign(self, officer: Officer, request: approval_pb2.ApproveRequest) -> approval_pb2.ApproveResponse:
        """Add an officer's signature, and release the message with the last one.

        1. It is pending, or was released: then a repeat is answered like the first time.
        2. The caller is not its submitter, and is one of those who have yet to sign.
        3. The signature is the caller's.
        4. With it the message passes the checks of a new submission: signatures, register, roles, policy (`Submit`).
        5. Inside the commit: it was not decided meanwhile, its time is not over, and no signer is suspended since. Then
           it is released, unless something forbids that at this moment (order of a workflow, for example).
        """
        row = await self._found(officer, request.message_digest)
        try:
            # 1.
            if (earlier := await self._repeated(officer, row)) is not None:
                return self._answer(*earlier)
            # 2.
            base = self._to_be_signed(officer, row)
            # 3.
            _check_own(officer, request.signature)
            # 4.
            raw = wire.add_signature(base, request.signature)
            item = await asyncio.to_thread(self._submit.examine, officer, raw)
        except Rejected as denied:
            raise await self._denied(officer, row.digest, denied) from denied

        # 5.
        def work(tx: LogTransaction) -> tuple[Approved | Rejected, bytes]:
            now = approvals_store.approval(tx.conn, row.digest)
            if now is None or now.signed is None:
                return _over(now or row), b""
            if tx.now >= now.expires_time:
                return Rejected("approval_expired", "the time to decide is over"), b""
            if now.signed != base:
                raise Unavailable("busy", "another officer signed at this very moment", 0.0)
            if isinstance(item.message, PendingMessage):
                try:
                    self._submit.check_signers(item.message)
                except Rejected as refusal:
                    return as_result(refusal), b""
                approved = tx.append(approved_entry(item.message, officer))
                missing = tuple(signer.id for signer in item.message.missing)
                approvals_store.put_signed(tx.conn, row.digest, raw, missing)
                tx.announce(ApprovalDecided(row.digest, row.header, row.drafter, GIVEN))
                return Approved(approved.index, approved.entry, _still(tx, now, missing)), raw
            index = tx.size
            outcome = self._submit.release(tx, officer, item)
            if isinstance(outcome, (Rejected, Unavailable)):
                return Approved(0, b"", outcome), b""
            tx.announce(ApprovalDecided(row.digest, row.header, row.drafter, GIVEN))
            return Approved(index, tx.appended(index).entry, outcome), raw

        # No quota of a day refuses an approval: it counts its message, and is not refused for its entries.
        committed = await self._ledger.commit(work, counts_messages=True)
        done, signed = committed.result
        if isinstance(done, Rejected):
            raise await self._denied(officer, row.digest, done)
        self._submit.log_released(officer, [done.outcome])
        return self._answer(done, committed.checkpoint.size, committed.checkpoint.note, signed)

    async def decline(self, officer: Officer, request: approval_pb2.DeclineRequest) -> approval_pb2.DeclineResponse:
        """End the approval: the submitter withdraws the message, or an officer who must sign declines with a reason."""
        text = request.reason_text.strip()
        if len(text) > MAX_REASON:
            raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")
        row = await self._found(officer, request.message_digest)
        withdrawn = officer.id == row.drafter
        if not withdrawn and not text:
            raise Rejected("reason_missing", "an officer who declines must state a reason")
        state = ApprovalState.WITHDRAWN if withdrawn else ApprovalState.DECLINED
        committed = await self._ledger.commit(lambda tx: _end(tx, row.digest, state, officer.id, text))
        log.info("approval_ended", officer=officer.id, reason=ENDED[state], message=row.digest.hex()[:LOGGED_DIGITS])
        (hashes,) = self._ledger.prove([committed.result.index], committed.checkpoint.size)
        return approval_pb2.DeclineResponse(
            checkpoint=committed.checkpoint.note,
            declined=log_pb2.ProvenEntry(
                entry=committed.result.entry, index=committed.result.index, inclusion_hashes=hashes
            ),
        )

    def notify(self, changes: Sequence[Change]) -> None:
        """Notify officers who must sign of a pending message, and the drafter of decisions."""
        for change in changes:
            if isinstance(change, ApprovalRequested):
                header = wire.parse_header(change.header)
                self._notifier.tell(approval_notice(header, change.digest, ASKED, change.drafter), only=change.missing)
            elif isinstance(change, ApprovalDecided):
                header = wire.parse_header(change.header)
                notice = approval_notice(header, change.digest, change.code, change.text)
                self._notifier.tell(notice, only=[change.drafter])

    def catch_up(self) -> None:
        """Do nothing: a new watch is sent the pending notices (`PendingNotices`)."""

    async def round(self) -> float:
        """Expire waiting messages; return the seconds until the next check."""
        committed = await self._ledger.commit(self._give_up)
        return 0.0 if len(committed.result) == EXPIRED_AT_ONCE else LOOK_SECONDS

    def _give_up(self, tx: LogTransaction) -> list[ApprovalRow]:
        over = approvals_store.approvals_expired(tx.conn, tx.now, EXPIRED_AT_ONCE)
        for row in over:
            _end(tx, row.digest, ApprovalState.EXPIRED, self._node_id, "")
        return over

    async def _found(self, officer: Officer, digest: bytes) -> ApprovalRow:
        """Return an approval that names an officer; to others it is unknown, and the denial is logged."""
        row = await asyncio.to_thread(self._read, officer, digest)
        if row is None:
            raise await self._denied(officer, digest, _none_waits())
        return row

    def _read(self, officer: Officer, digest: bytes) -> ApprovalRow | None:
        with self._store.reads() as reads:
            row = approvals_store.approval(reads, digest)
        if row is None or officer.id not in {signer.id for signer in wire.parse_header(row.header).required_signers}:
            return None
        return row

    def _to_be_signed(self, officer: Officer, row: ApprovalRow) -> bytes:
        """Return the pending message; raise if the officer may not sign it."""
        if officer.id == row.drafter:
            raise Rejected("self_approval", "the officer who submitted a message cannot be its second officer")
        if row.signed is None:
            raise _over(row)
        if officer.id not in row.missing:
            raise Rejected("not_signer", "the message does not wait for this officer's signature")
        return row.signed

    async def _repeated(self, officer: Officer, row: ApprovalRow) -> tuple[Approved, int, bytes, bytes] | None:
        """Return the earlier answer to an officer who signed before."""
        if officer.id == row.drafter or row.state not in _SIGNED_BEFORE:
            return None
        if row.state is ApprovalState.WAITING and officer.id in row.missing:  # once released, no signature is removed
            return None

        def work(tx: LogTransaction) -> tuple[Approved, bytes] | None:
            for entry in log_store.entries_of(tx.conn, row.digest):
                parsed = log_pb2.LogEntry.FromString(entry.entry)
                if parsed.event == log_pb2.LOG_EVENT_APPROVED and parsed.actor == officer.id:
                    if row.signed is not None:
                        return Approved(entry.index, entry.entry, held(tx, row)), row.signed
                    signed = messages_store.message(tx.conn, row.digest)
                    body = messages_store.body(tx.conn, signed.seq) if signed is not None else None
                    return Approved(entry.index, entry.entry, self._submit.repeated(tx, row.digest)), body or b""
            return None

        committed = await self._ledger.commit(work)
        if committed.result is None:
            return None
        return committed.result[0], committed.checkpoint.size, committed.checkpoint.note, committed.result[1]

    def _answer(self, done: Approved, size: int, note: bytes, signed: bytes) -> approval_pb2.ApproveResponse:
        response = approval_pb2.ApproveResponse(
            checkpoint=note,
            result=self._submit.answer(done.outcome, size),
            signatures=message_pb2.SignedMessage.FromString(signed).signatures,
        )
        if done.entry:
            (hashes,) = self._ledger.prove([done.index], size)
            response.approved.CopyFrom(log_pb2.ProvenEntry(entry=done.entry, index=done.index, inclusion_hashes=hashes))
        return response

    async def _denied(self, officer: Officer, digest: bytes, denied: Rejected) -> Rejected:
        """Log that an officer was refused; return the refusal."""
        return (await self._ledger.commit(lambda tx: deny(tx, officer, denied, digest))).result


_SIGNED_BEFORE: Final = frozenset({ApprovalState.WAITING, ApprovalState.RELEASED})


def _check_own(officer: Officer, signature: message_pb2.Signature) -> None:
    if signature.signer_id != officer.id:
        raise Rejected("not_signer", "the signature is not the caller's own")


def _none_waits() -> Rejected:
    return Rejected("unknown_id", "no such message waits here for this officer")


def _over(row: ApprovalRow) -> Rejected:
    reason = ENDED.get(row.state, "not_signer")
    return Rejected(reason, "the message does not wait any more")


def _still(tx: LogTransaction, row: ApprovalRow, missing: tuple[str, ...]) -> Held:
    found = held(tx, row)
    return Held(found.digest, found.index, found.entry, missing, found.expires_time)


def _end(tx: LogTransaction, digest: bytes, state: ApprovalState, actor: str, text: str) -> StoredEntry:
    row = approvals_store.approval(tx.conn, digest)
    if row is None or row.state is not ApprovalState.WAITING:
        raise _over(row) if row is not None else _none_waits()
    stored = tx.append(_ENTRIES[state](actor=actor, digest=digest), text=text)
    approvals_store.end_approval(tx.conn, digest, state, ENDED[state])
    tx.announce(ApprovalDecided(digest, row.header, row.drafter, ENDED[state], text))
    return stored


def _log_opened(tx: LogTransaction, officer: Officer, digest: bytes, number: int, reason: str) -> StoredEntry:
    stored = tx.append(log_entries.opened(actor=officer.id, digest=digest, part_number=number), text=reason)
    access_store.add_opened(tx.conn, Opened(digest, number, officer.id, stored.index))
    return stored
