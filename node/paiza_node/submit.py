"""Submit: an officer hands over signed and sealed messages, and the node releases them.

Every item of a batch is answered for itself: released, refused for good, or to be tried again. A message that was
released before (same id, same digest, or same source row) is answered with the entries of then. A message is not opened
here, unless it is a step of a workflow: its author's client validated the content and every recipient will. One that
lacks signatures of officers its header requires is kept until they have signed (`paiza_node.desks.approve`): SUBMITTED.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from paiza.v1 import exchange_pb2, log_pb2, message_pb2, officer_pb2
from paiza_domain import deadlines, kinds, thread, validation
from paiza_domain.workflows.step import Step
from paiza_node.attachments.attached import check_uploaded, claim_uploaded
from paiza_node.context import Context
from paiza_node.desks.need_to_know import Desks
from paiza_node.lanes import each
from paiza_node.ledger import Pen
from paiza_node.model import ApprovalRow, ApprovalState, DeliveryRow, MessageRow, MessageState, Officer
from paiza_node.passing import derive, taking_back
from paiza_node.passing.operation_limits import OperationLimits
from paiza_node.policy import MessageFacts, Principal
from paiza_node.workflows import precedence
from paiza_node.workflows.steps import Steps, is_step
from paiza_node.workflows.turns import Turns
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire import receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import PendingMessage, VerifiedMessage

MAX_ITEMS: Final = 256  # of one Submit; one commit, one checkpoint signature
LOGGED_DIGITS: Final = 16  # hex digits of a digest in the node's log: enough to find the message
DENIALS: Final = frozenset({"policy_denied", "not_author", "workflow_breach", "marks_lowered"})  # somebody may not
MAX_WAITING: Final = 64  # messages of one officer that wait for others, and as many that wait for one officer
MAX_DENIALS: Final = 16  # logged per Submit: an officer cannot fill the log with refusals


log = structlog.get_logger("paiza.submit")


@dataclass(frozen=True, slots=True)
class _Item:
    """An item that passed every check that needs no database."""

    message: VerifiedMessage | PendingMessage
    raw: bytes
    source_row: bytes
    step: Step | None = None  # of a workflow, opened
    approved: bool = False  # the caller signed what another officer had submitted

    @property
    def goes_first(self) -> bool:
        """Say whether the message goes ahead of everything."""
        return precedence.overtakes(self.message.header.kind)


@dataclass(frozen=True, slots=True)
class _Released:
    digest: bytes
    indices: list[int]
    entries: list[bytes]
    repeated: bool
    thread_name: str


@dataclass(frozen=True, slots=True)
class Waits:
    """A message that is kept until other officers have signed, by its SUBMITTED entry."""

    digest: bytes
    index: int
    entry: bytes
    missing: tuple[str, ...]
    expires_time: datetime


Asked = Callable[[PendingMessage, str], None]
"""Hears of a message that came to wait for a second officer, and who submitted it."""

_Outcome = _Released | Waits | Rejected | Unavailable


class Submit:
    """The verb of the sending side."""

    def __init__(
        self,
        context: Context,
        *,
        steps: Steps,
        moved: Callable[[Collection[bytes]], None],
        officers: Callable[[], dict[str, Officer]],
        wake: Callable[[Iterable[str]], None],
        delivery_life: timedelta,
        approval_life: timedelta,
        desks: Desks,
    ) -> None:
        """Take what the verb needs.

        ``wake`` tells the deliverers which recipients have something waiting; ``moved`` hears of threads whose workflow
        got a step. `connect` says who hears of messages that came to wait for a second officer, and by whom.
        """
        self._member = context.member
        self._registers = context.registers
        self._ledger = context.ledger
        self._news = context.news
        self._lane = context.lanes.submit
        self._steps = steps
        self._limits = OperationLimits(context.own_keys)
        self._moved = moved
        self._officers = officers
        self._wake = wake
        self._life = delivery_life
        self._approval_life = approval_life
        self._desks = desks
        self._asked: Asked | None = None
        self._clock = context.clock

    def connect(self, asked: "Asked") -> None:
        """Say who hears of messages that came to wait for a second officer."""
        self._asked = asked

    async def __call__(self, officer: Officer, items: Sequence[officer_pb2.SubmitItem]) -> officer_pb2.SubmitResponse:
        """Release what may be released. Unavailable where nothing was decided for the whole batch."""
        if len(items) > MAX_ITEMS:
            raise Rejected("too_large", f"a batch has at most {MAX_ITEMS} items")
        checked = await self._lane.run(len(items), lambda: self._check_all(officer, items))
        ahead = {item.message.digest for item in checked if isinstance(item, _Item) and item.goes_first}
        committed = await self._ledger.commit(lambda pen: self._release_all(pen, officer, checked), first=bool(ahead))
        outcomes = committed.result
        self._tell(officer, checked, outcomes, ahead)
        checkpoint = committed.checkpoint
        results = await self._lane.run(len(items), lambda: self._answer_all(outcomes, checkpoint.size))
        return officer_pb2.SubmitResponse(checkpoint=checkpoint.note, results=results)

    def _tell(
        self,
        officer: Officer,
        checked: Sequence[_Item | Rejected | Unavailable],
        outcomes: Sequence[_Outcome],
        ahead: Collection[bytes],
    ) -> None:
        """Tell whoever waits for it what has been committed."""
        for item, outcome in zip(checked, outcomes, strict=True):
            if not isinstance(outcome, Waits) or not isinstance(item, _Item) or self._asked is None:
                continue
            if isinstance(item.message, PendingMessage) and not item.approved:
                self._asked(item.message, officer.id)
        fresh = [o for o in outcomes if isinstance(o, _Released) and not o.repeated]
        if fresh:
            headers = [item.message.header for item in checked if isinstance(item, _Item)]
            self._wake({recipient.member for header in headers for recipient in header.recipients})
            self._news.publish((o.digest for o in fresh), ahead)
            self._news.publish({digest for header in headers for digest in thread.concerned(header)})
            self._moved({header.thread_id for header in headers if is_step(header.kind)})
            log.info("released", officer=officer.id, messages=[o.digest.hex()[:LOGGED_DIGITS] for o in fresh])

    def examine(self, officer: Officer, raw: bytes) -> _Item:
        """Check a message that another officer submitted, with the caller's signature added, as if it came anew."""
        register = self._registers.current
        item = self._verify(officer_pb2.SubmitItem(message=raw), register, self._clock())
        return replace(self._allow(item, officer, register), approved=True)

    def release(self, pen: Pen, officer: Officer, item: _Item) -> _Outcome:
        """Release a message in the transaction in which its last officer signs: APPROVED, then RELEASED."""
        return self._release_all(pen, officer, [item])[0]

    def repeated(self, pen: Pen, digest: bytes) -> _Outcome:
        """Answer for a message that was released before."""
        return self._repeat(pen, digest)

    def tell(self, officer: Officer, item: _Item, outcome: _Outcome) -> None:
        """Tell whoever waits for it what has been committed of one message."""
        self._tell(officer, [item], [outcome], {item.message.digest} if item.goes_first else ())

    def answer(self, outcome: _Outcome, size: int) -> officer_pb2.SubmitResult:
        """Write down what became of a message, proven to the log of this size."""
        return self._answer(outcome, size)

    def _check_all(
        self, officer: Officer, items: Sequence[officer_pb2.SubmitItem]
    ) -> list[_Item | Rejected | Unavailable]:
        """Check a batch.

        1. The message verifies (`paiza_wire.message.verify`) with certificates valid now; or it lacks signatures, and
           those there are do (`verify_pending`).
        2. It is this member's own, and the caller is one of its signers.
        3. Its register version is one we know.
        4. Every recipient is an active member, and its part keys are wrapped for all of them and for us.
        5. Its signers are known officers of ours, as many as its kind needs, who hold the roles they claim; and the
           rules let the caller send this kind in his role, to these recipients.
        6. A step of a workflow opens with our own key and is valid; whether it is its turn is judged where it is
           released, see `_release_all`.
        """
        register, now = self._registers.current, self._clock()
        verified = each(items, self._verify, register, now)
        return each(verified, self._allow, officer, register)

    def _verify(self, item: officer_pb2.SubmitItem, register: Register, now: datetime) -> _Item:
        # 1.
        message: VerifiedMessage | PendingMessage
        try:
            message = wire.verify(item.message, register.certificate_verifier(), at=now)
        except Rejected as error:
            if error.reason != "wrong_signers":
                raise
            message = wire.verify_pending(item.message, register.certificate_verifier(), at=now)
        if item.source_row_sha256 and len(item.source_row_sha256) != wire.DIGEST_SIZE:
            raise Rejected("malformed", "source_row_sha256 is not 32 bytes long")
        return _Item(message, item.message, item.source_row_sha256)

    def _allow(self, item: _Item, officer: Officer, register: Register) -> _Item:
        message, header = item.message, item.message.header
        # 2.
        if header.author != self._member:
            raise Rejected("wrong_member", "a node releases only its own member's messages")
        if officer.id not in {signer.id for signer in header.required_signers}:
            raise Rejected("wrong_signers", "a message is submitted by one of its signers")
        if isinstance(message, PendingMessage) and officer.id not in {signer.id for signer, _ in message.signers}:
            raise Rejected("wrong_signers", "a message is submitted by an officer who has signed it")
        # 3.
        self._registers.check_known(header.register_version)
        # 4.
        recipients = [register.active_member(recipient.member) for recipient in header.recipients]
        wrapped = {(wrap.part_number, wrap.recipient) for wrap in message.signed.wraps}
        for number in range(len(header.parts)):
            for reader in (*(recipient.id for recipient in recipients), self._member):
                if (number, reader) not in wrapped:
                    raise Rejected("cannot_open", f"the key of part {number} is not wrapped for {reader}")
        # 5.
        kind = kinds.get(header.kind, header.kind_version)
        validation.check_four_eyes(header, kind)
        for signer in header.required_signers:
            self._check_signer(signer)
            if signer.role not in kind.sender_roles:
                raise Rejected("policy_denied", f"{kind.name} is not sent in the role of one of its signers")
        ceiling = min(recipient.classification_ceiling for recipient in recipients)
        facts = MessageFacts.of(header, kind.sender_roles, ceiling, kind.workflow)
        roles = frozenset(signer.role for signer in header.required_signers if signer.id == officer.id)
        self._registers.policy.check(principal_of(officer), "submit", facts, roles)
        # 6.
        return replace(item, step=self._steps.open(message, self._clock())) if kind.workflow else item

    def _check_signer(self, required: message_pb2.RequiredSigner) -> None:
        """Check that a signer is an officer on our record who holds the role: RELEASED attests it to the others."""
        signer = self._officers().get(required.id)
        if signer is None or signer.suspended:
            raise Rejected("unknown_officer", "a signer is not known to the node, or suspended")
        if required.role not in signer.roles:
            raise Rejected("policy_denied", "a signer does not hold the role claimed")

    def _release_all(
        self, pen: Pen, officer: Officer, checked: Sequence[_Item | Rejected | Unavailable]
    ) -> list[_Outcome]:
        """Write the batch: rows, RELEASED entries, deliveries; runs in the ledger's transaction."""
        items = [item for item in checked if isinstance(item, _Item)]
        known = pen.tx.claimed(self._member, [item.message.header.message_id for item in items])
        rows = pen.tx.messages_by_source_row([item.source_row for item in items if item.source_row])
        several = [item.message.header.message_id for item in items if len(item.message.header.required_signers) > 1]
        approvals = pen.tx.approvals_of(several) if several else {}
        followed = [item.message.header for item in items if item.message.header.parent_digests]
        threads = _ThreadNames(pen, self._member, {header.thread_id for header in followed})
        outcomes: list[_Outcome] = []
        messages: list[MessageRow] = []
        deliveries: list[DeliveryRow] = []
        readers: list[tuple[str, int]] = []  # who signed with others sees the message, whatever his unit
        turns = Turns(self._steps, pen, messages)
        denials = _Denials(pen, officer)
        for item in checked:
            if not isinstance(item, _Item):
                outcomes.append(item)
                denials.note(item)
                continue
            header, digest = item.message.header, item.message.digest
            settled = self._settled(pen, item, known, rows, approvals)
            if settled is not None:
                outcomes.append(settled)
            elif (denied := self._against(pen, item, officer, turns)) is not None:
                outcomes.append(denied)
                denials.note(denied, digest)
            elif isinstance(item.message, PendingMessage):
                outcomes.append(self._keep(pen, item, item.message, officer))
                approvals |= pen.tx.approvals_of([header.message_id])
            elif (lacking := claim_uploaded(pen.tx, digest, header, pen.now)) is not None:
                outcomes.append(lacking)
            else:
                if item.approved:
                    pen.append(approved_entry(item.message, officer))
                if header.message_id in approvals:
                    pen.tx.end_approval(digest, ApprovalState.RELEASED)
                released, row, queued = self._release(pen, item, item.message, officer, threads)
                known[header.message_id] = digest
                if item.source_row:
                    rows[item.source_row] = digest
                outcomes.append(released)
                messages.append(row)
                if len(header.required_signers) > 1:
                    readers += [(signer.id, row.seq) for signer in header.required_signers]
                deliveries.extend(queued)
        pen.tx.add_messages(self._desks.sent(officer, messages))
        pen.tx.add_readers(readers)
        pen.tx.add_deliveries(deliveries)
        threads.store()
        taking_back.note_released(pen, officer.id, messages)
        return outcomes

    def _taking_back(self, pen: Pen, header: message_pb2.Header) -> Rejected | None:
        """Say why a recall or correction is not released."""
        if not thread.concerned(header):
            return None
        active = {each.id for each in self._registers.current.active_members()}
        return taking_back.refusal(pen.tx, header, self._member, active.__contains__)

    def _settled(
        self,
        pen: Pen,
        item: _Item,
        known: Mapping[bytes, bytes],
        rows: Mapping[bytes, bytes],
        approvals: Mapping[bytes, ApprovalRow],
    ) -> _Outcome | None:
        """Answer for a message (or source row) that was released or came to wait before; None for a new one."""
        message_id, digest = item.message.header.message_id, item.message.digest
        if (released := known.get(message_id)) is not None:
            return self._repeat(pen, digest) if released == digest else _conflict()
        if item.source_row and item.source_row in rows:
            return self._repeat(pen, rows[item.source_row])
        earlier = approvals.get(message_id)
        if earlier is None:
            return None
        if earlier.digest != digest:
            return _conflict()
        if earlier.state is not ApprovalState.WAITING:
            return Rejected(earlier.reason or "conflict", "the message waited for a second officer, and that is over")
        return waits(pen, earlier) if isinstance(item.message, PendingMessage) else None

    def _against(self, pen: Pen, item: _Item, officer: Officer, turns: Turns) -> Rejected | None:
        """Say what forbids releasing a message now."""
        denied = self._taking_back(pen, item.message.header)
        if denied is None:
            denied = self._limits.refusal(pen.tx, item.message.header, pen.now)
        if denied is None and item.step is not None:
            denied = turns.judge(item.message.header, item.step)
        if denied is None and item.message.header.parent_digests:
            denied = derive.refusal(pen.tx, item.message.header, principal_of(officer), self._registers.policy)
        return denied

    def _keep(self, pen: Pen, item: _Item, message: PendingMessage, officer: Officer) -> Waits | Rejected | Unavailable:
        """Keep a message until its other officers have signed; nothing of it leaves the node before."""
        header = message.header
        if item.source_row:
            return Rejected("second_officer_missing", "what is imported is signed by one officer alone")
        try:
            check_uploaded(pen.tx, header)
        except (Rejected, Unavailable) as error:
            return error
        waiting = pen.tx.waiting_approvals()
        missing = tuple(signer.id for signer in message.missing)
        if sum(row.drafter == officer.id for row in waiting) >= MAX_WAITING or any(
            sum(name in row.missing for row in waiting) >= MAX_WAITING for name in missing
        ):
            return Unavailable("busy", f"{MAX_WAITING} messages of or for one officer wait for a second one", 60.0)
        index = pen.append(
            log_pb2.LogEntry(
                event=log_pb2.LOG_EVENT_SUBMITTED,
                actor=officer.id,
                message_digest=message.digest,
                signers=_present(message),
            )
        )
        life = min(self._approval_life, deadlines.ANSWER_WITHIN.get(header.urgency, self._approval_life))
        row = ApprovalRow(
            digest=message.digest,
            message_id=header.message_id,
            drafter=officer.id,
            header=message.signed.header,
            submitted_index=index,
            submitted_time=pen.now,
            expires_time=pen.now + life,
            missing=missing,
            signed=item.raw,
        )
        pen.tx.add_approval(row)
        return Waits(row.digest, index, pen.entries[-1][1], missing, row.expires_time)

    def _release(
        self, pen: Pen, item: _Item, message: VerifiedMessage, officer: Officer, threads: "_ThreadNames"
    ) -> tuple[_Released, MessageRow, list[DeliveryRow]]:
        header, digest = message.header, message.digest
        opens_thread = header.thread_id == header.message_id
        thread_name = threads.name(header.thread_id, new=opens_thread)
        signers = receipts.logged_signers(message)
        seq = pen.next_message_seq()
        indices: list[int] = []
        entries: list[bytes] = []
        deliveries: list[DeliveryRow] = []
        for recipient in header.recipients:
            index = pen.append(
                log_pb2.LogEntry(
                    event=log_pb2.LOG_EVENT_RELEASED,
                    actor=officer.id,
                    counterpart=recipient.member,
                    message_digest=digest,
                    signers=signers,
                    thread_name=thread_name if opens_thread else "",
                )
            )
            indices.append(index)
            entries.append(pen.entries[-1][1])
            deliveries.append(
                DeliveryRow(
                    id=pen.next_delivery_id(),
                    message_seq=seq,
                    digest=digest,
                    recipient=recipient.member,
                    urgency=precedence.urgency_of(header),
                    released_index=index,
                    released_time=pen.now,
                    expires_time=pen.now + self._life,
                    next_attempt_time=pen.now,
                )
            )
        row = MessageRow(
            seq=seq,
            digest=digest,
            author=header.author,
            message_id=header.message_id,
            thread_id=header.thread_id,
            thread_name=thread_name,
            kind=header.kind,
            urgency=header.urgency,
            state=MessageState.RELEASED,
            header=message.signed.header,
            stored_time=pen.now,
            signed=item.raw,
            source_row=item.source_row or None,
            parents=tuple(header.parent_digests),
        )
        return _Released(digest, indices, entries, repeated=False, thread_name=thread_name), row, deliveries

    def _repeat(self, pen: Pen, digest: bytes) -> _Released | Unavailable:
        """Answer for a message released before; one that stands twice in this very batch is answered next time."""
        row = pen.tx.message(digest)
        if row is None:
            return Unavailable("busy", "the same message or source row stands twice in this batch", 0.0)
        queued = pen.tx.deliveries_of(digest)
        stored = pen.tx.entries_at([delivery.released_index for delivery in queued])
        return _Released(
            digest,
            [entry.index for entry in stored],
            [entry.entry for entry in stored],
            repeated=True,
            thread_name=row.thread_name,
        )

    def _answer_all(self, outcomes: Sequence[_Outcome], size: int) -> list[officer_pb2.SubmitResult]:
        return [self._answer(outcome, size) for outcome in outcomes]

    def _answer(self, outcome: _Outcome, size: int) -> officer_pb2.SubmitResult:
        if isinstance(outcome, Rejected):
            return officer_pb2.SubmitResult(rejection=rejection(outcome))
        if isinstance(outcome, Unavailable):
            return officer_pb2.SubmitResult(retry=retry(outcome))
        if isinstance(outcome, Waits):
            return officer_pb2.SubmitResult(waiting=self._waiting(outcome, size))
        proofs = self._ledger.prove(outcome.indices, size)
        return officer_pb2.SubmitResult(
            released=officer_pb2.Released(
                message_digest=outcome.digest,
                entries=[
                    log_pb2.ProvenEntry(entry=entry, index=index, inclusion_hashes=proof)
                    for index, entry, proof in zip(outcome.indices, outcome.entries, proofs, strict=True)
                ],
                repeated_submission=outcome.repeated,
                thread_name=outcome.thread_name,
            )
        )

    def _waiting(self, outcome: Waits, size: int) -> officer_pb2.WaitingForApproval:
        (proof,) = self._ledger.prove([outcome.index], size)
        told = officer_pb2.WaitingForApproval(
            message_digest=outcome.digest,
            submitted=log_pb2.ProvenEntry(entry=outcome.entry, index=outcome.index, inclusion_hashes=proof),
            missing_signers=outcome.missing,
        )
        told.expires_time.FromDatetime(outcome.expires_time)
        return told


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
        signers=[signer for signer in _present(message) if signer.id == officer.id],
    )


def _present(message: VerifiedMessage | PendingMessage) -> list[log_pb2.LoggedSigner]:
    """Name those who have signed."""
    if isinstance(message, VerifiedMessage):
        return receipts.logged_signers(message)
    return [
        log_pb2.LoggedSigner(id=signer.id, role=signer.role, certificate_sha256=certificate.fingerprint)
        for signer, certificate in message.signers
    ]


class _Denials:
    """Logs what an officer was denied, as far as one batch may fill the log with it."""

    def __init__(self, pen: Pen, officer: Officer) -> None:
        self._pen = pen
        self._officer = officer
        self._left = MAX_DENIALS

    def note(self, refusal: Rejected | Unavailable, digest: bytes = b"") -> None:
        """Log a refusal, where it says that the officer may not."""
        if refusal.reason not in DENIALS or self._left == 0:
            return
        self._left -= 1
        entry = log_pb2.LogEntry(
            event=log_pb2.LOG_EVENT_DENIED, actor=self._officer.id, reason=refusal.reason, message_digest=digest
        )
        self._pen.append(entry, text=refusal.detail)


class _ThreadNames:
    """Short names of threads: member, year and a number without gaps, as in a register of letters."""

    def __init__(self, pen: Pen, member: str, threads: set[bytes]) -> None:
        self._pen = pen
        self._prefix = f"{member.upper()}-{pen.now.year}"
        self._names = pen.tx.thread_names(threads)
        self._first = self._last = pen.tx.counter(f"thread {self._prefix}")

    def name(self, thread_id: bytes, *, new: bool) -> str:
        """Give a thread's name, a new one where the thread begins; empty where its beginning was never seen here."""
        if new:
            self._last += 1
            self._names[thread_id] = f"{self._prefix}-{self._last:05d}"
        return self._names.get(thread_id, "")

    def store(self) -> None:
        """Remember how far the numbers have come."""
        if self._last != self._first:
            self._pen.tx.put_counter(f"thread {self._prefix}", self._last)


def principal_of(officer: Officer) -> Principal:
    """Give an officer as the rules see him."""
    return Principal(officer.id, officer.roles, officer.unit, officer.suspended)


def rejection(error: Rejected) -> exchange_pb2.Rejection:
    """Write a final refusal down for the other side."""
    return exchange_pb2.Rejection(reason=error.reason, detail=error.detail)


def retry(error: Unavailable) -> exchange_pb2.Retry:
    """Write down for the other side that nothing was decided."""
    answer = exchange_pb2.Retry(reason=error.reason, detail=error.detail)
    answer.retry_after.FromTimedelta(timedelta(seconds=error.retry_after_seconds or 1.0))
    return answer


def _conflict() -> Rejected:
    return Rejected("conflict", "this message id was used before for other content")
