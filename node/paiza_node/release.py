"""Release: what was checked is released, inside the ledger's transaction, or kept until other officers have signed.

Here stands what only the moment of the commit can say: whether the message was released before, what stands in its
thread, who may act on what it follows from. Before the commit nothing of it is on disk, after it all of it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from paiza.v1 import log_pb2, message_pb2
from paiza_domain import thread
from paiza_domain.workflows.step import Step
from paiza_node.attachments.attached import check_uploaded, claim_uploaded
from paiza_node.context import Context
from paiza_node.desks.need_to_know import Desks
from paiza_node.desks.waiting import Waits, approved_entry, keep, waits
from paiza_node.erasing import requests
from paiza_node.ledger import Pen
from paiza_node.model import ApprovalRow, ApprovalState, DeliveryRow, MessageRow, MessageState, Officer
from paiza_node.passing import derive, taking_back
from paiza_node.passing.operation_limits import OperationLimits
from paiza_node.policy import principal_of
from paiza_node.workflows import precedence
from paiza_node.workflows.steps import Steps
from paiza_node.workflows.turns import Turns
from paiza_wire import receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import PendingMessage, VerifiedMessage

MAX_DENIALS: Final = 16  # logged per Submit: an officer cannot fill the log with refusals
DENIALS: Final = frozenset({"policy_denied", "not_author", "workflow_breach", "marks_lowered"})  # somebody may not


@dataclass(frozen=True, slots=True)
class Item:
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
class Released:
    """A message that is released, by its RELEASED entries; ``repeated``: it was so before."""

    digest: bytes
    indices: list[int]
    entries: list[bytes]
    repeated: bool
    thread_name: str


Outcome = Released | Waits | Rejected | Unavailable


class Release:
    """The part of submitting that runs in the transaction."""

    def __init__(
        self,
        context: Context,
        *,
        steps: Steps,
        desks: Desks,
        delivery_life: timedelta,
        approval_life: timedelta,
    ) -> None:
        """Take what the verb needs."""
        self._member = context.member
        self._node_id = context.node_id
        self._registers = context.registers
        self._steps = steps
        self._limits = OperationLimits(context.own_keys)
        self._desks = desks
        self._life = delivery_life
        self._approval_life = approval_life

    def __call__(self, pen: Pen, officer: Officer, checked: Sequence[Item | Rejected | Unavailable]) -> list[Outcome]:
        """Write a batch: rows, log entries, deliveries. The first of these that applies is what becomes of a message.

        1. A repeat is answered with the entries of then, another message under its id with a conflict.
        2. What the rules forbid at this moment (`_against`) is refused, and DENIED.
        3. What lacks signatures is SUBMITTED (`desks.waiting`).
        4. What came whole with its attachments is RELEASED, once per recipient; before that APPROVED, where the caller
           signed what another had submitted.
        """
        items = [item for item in checked if isinstance(item, Item)]
        known = pen.tx.claimed(self._member, [item.message.header.message_id for item in items])
        rows = pen.tx.messages_by_source_row([item.source_row for item in items if item.source_row])
        several = [item.message.header.message_id for item in items if len(item.message.header.required_signers) > 1]
        approvals = pen.tx.approvals_of(several) if several else {}
        followed = [item.message.header for item in items if item.message.header.parent_digests]
        threads = _ThreadNames(pen, self._member, {header.thread_id for header in followed})
        outcomes: list[Outcome] = []
        messages: list[MessageRow] = []
        deliveries: list[DeliveryRow] = []
        readers: list[tuple[str, int]] = []  # who signed with others sees the message, whatever his unit
        turns = Turns(self._steps, pen, messages)
        denials = _Denials(pen, officer)
        for item in checked:
            if not isinstance(item, Item):
                outcomes.append(item)
                denials.note(item)
                continue
            header, digest = item.message.header, item.message.digest
            # 1.
            settled = self._settled(pen, item, known, rows, approvals)
            if settled is not None:
                outcomes.append(settled)
            # 2.
            elif (denied := self._against(pen, item, officer, turns)) is not None:
                outcomes.append(denied)
                denials.note(denied, digest)
            # 3.
            elif isinstance(item.message, PendingMessage):
                outcomes.append(self._keep(pen, item, item.message, officer))
                approvals |= pen.tx.approvals_of([header.message_id])
            # 4.
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
        requests.note_released(pen, self._member, self._node_id, messages)
        return outcomes

    def _taking_back(self, pen: Pen, header: message_pb2.Header) -> Rejected | None:
        """Say why a recall, a correction or a request to erase is not released."""
        if not thread.concerned(header) and not thread.to_be_erased(header):
            return None
        active = {each.id for each in self._registers.current.active_members()}
        if header.kind == thread.ERASURE:
            return requests.refusal(pen.tx, header, self._member, active.__contains__)
        return taking_back.refusal(pen.tx, header, self._member, active.__contains__)

    def _settled(
        self,
        pen: Pen,
        item: Item,
        known: Mapping[bytes, bytes],
        rows: Mapping[bytes, bytes],
        approvals: Mapping[bytes, ApprovalRow],
    ) -> Outcome | None:
        """Answer for a message (or source row) that was released or came to wait before; None for a new one."""
        message_id, digest = item.message.header.message_id, item.message.digest
        if (released := known.get(message_id)) is not None:
            return self.repeat(pen, digest) if released == digest else _conflict()
        if item.source_row and item.source_row in rows:
            return self.repeat(pen, rows[item.source_row])
        earlier = approvals.get(message_id)
        if earlier is None:
            return None
        if earlier.digest != digest:
            return _conflict()
        if earlier.state is not ApprovalState.WAITING:
            return Rejected(earlier.reason or "conflict", "the message waited for a second officer, and that is over")
        # With every signature already there it waits all the same: each officer signs what waits himself.
        return None if item.approved and not isinstance(item.message, PendingMessage) else waits(pen, earlier)

    def _against(self, pen: Pen, item: Item, officer: Officer, turns: Turns) -> Rejected | Unavailable | None:
        """Say what forbids releasing a message now."""
        denied: Rejected | Unavailable | None = self._taking_back(pen, item.message.header)
        if denied is None:
            denied = self._limits.refusal(pen.tx, item.message.header, pen.now)
        if denied is None and item.step is not None:
            denied = turns.judge(item.message.header, item.step)
        if denied is None and item.message.header.parent_digests:
            denied = derive.refusal(pen.tx, item.message.header, principal_of(officer), self._registers.policy)
        return denied

    def _keep(self, pen: Pen, item: Item, message: PendingMessage, officer: Officer) -> Waits | Rejected | Unavailable:
        """Keep a message until its other officers have signed."""
        if item.source_row:
            return Rejected("second_officer_missing", "what is imported is signed by one officer alone")
        try:
            check_uploaded(pen.tx, message.header)
        except (Rejected, Unavailable) as error:
            return error
        return keep(pen, message, item.raw, officer, self._approval_life)

    def _release(
        self, pen: Pen, item: Item, message: VerifiedMessage, officer: Officer, threads: "_ThreadNames"
    ) -> tuple[Released, MessageRow, list[DeliveryRow]]:
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
        return Released(digest, indices, entries, repeated=False, thread_name=thread_name), row, deliveries

    def repeat(self, pen: Pen, digest: bytes) -> Released | Unavailable:
        """Answer for a message released before; one that stands twice in this very batch is answered next time."""
        row = pen.tx.message(digest)
        if row is None:
            return Unavailable("busy", "the same message or source row stands twice in this batch", 0.0)
        queued = pen.tx.deliveries_of(digest)
        stored = pen.tx.entries_at([delivery.released_index for delivery in queued])
        return Released(
            digest,
            [entry.index for entry in stored],
            [entry.entry for entry in stored],
            repeated=True,
            thread_name=row.thread_name,
        )


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


def _conflict() -> Rejected:
    return Rejected("conflict", "this message id was used before for other content")
