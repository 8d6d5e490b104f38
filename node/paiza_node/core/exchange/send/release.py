"""Release: checked messages are released in the ledger's transaction, or held until other officers have signed.

Some checks are only valid at the moment of the commit: whether a message was released before, the state of its thread,
and who may act on the messages it follows from; the stages of the capabilities (`paiza_node.core.exchange.stages`) make
them. Before the commit nothing of a message is on disk, after it all of it is. A message that is only tried is decided
by the same checks (`Release.judge`), and nothing is written.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from paiza_node.core.access.denials import deny
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory, read_by_absent
from paiza_node.core.errors import SourceRowKnown
from paiza_node.core.exchange import precedence, source_rows
from paiza_node.core.exchange.model import DeliveryRow
from paiza_node.core.exchange.reactions import Reaction, ReleasedMessage, released
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.known_threads import UnknownThread
from paiza_node.core.exchange.stages import (
    Moment,
    Outcome,
    Released,
    ReleaseSession,
    ReleaseStage,
    Submission,
    SubmittedMessage,
)
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import DeliveriesQueued, MessagesChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import settings as settings_store
from paiza_wire import log_entries, receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage

DENIALS: Final = frozenset({
    *("policy_denied", "not_author", "workflow_breach", "marks_lowered"),
    *("officer_not_enrolled", "officer_removed", "officer_suspended", "officer_unconfirmed", "wrong_certificate"),
})  # fmt: skip
"""Refusals that deny permission."""


class Release:
    """The part of submitting that runs in the transaction."""

    def __init__(
        self,
        *,
        member: str,
        stages: Sequence[ReleaseStage],
        reactions: Sequence[Reaction],
        unit_directory: UnitDirectory,
        delivery_life: timedelta,
        check_signers: Callable[[SubmittedMessage], None],
    ) -> None:
        """Store the ``stages``, which are evaluated in this order; that of approvals is the last.

        ``check_signers`` raises Rejected if a signer may not act any more.
        """
        self._member = member
        self._stages = stages
        self._reactions = reactions
        self._unit_directory = unit_directory
        self._life = delivery_life
        self._check_signers = check_signers

    def __call__(
        self, tx: LogTransaction, officer: Officer, checked: Sequence[Submission | Rejected | Unavailable]
    ) -> list[Outcome]:
        """Write a batch: rows, log entries, deliveries. The first rule that applies decides a message.

        1. A repeat is answered with the entries of its release, another message under its id with a conflict.
        2. A message of a signer who may not act any more is refused, and one for a source row that was sent before.
        3. A message that a stage knows is answered as it was then. One that a stage refuses is refused (and DENIED if
           permission is lacking), or held for a second officer.
        4. One beyond the officer's quota of the day has to wait, unless nothing may hold it up; so has one for which
           the disk has no room.
        5. Every other message is RELEASED, once per recipient, after the stages' own entries; then the reactions run.
        """
        items = [item for item in checked if isinstance(item, Submission)]
        judgement = self._judgement(tx, officer, items)
        followed = [item.message.header for item in items if item.message.header.parent_digests]
        threads = _ThreadNames(tx, self._member, {header.thread_id for header in followed})
        outcomes: list[Outcome] = []
        messages: list[MessageRow] = []
        verified: list[VerifiedMessage] = []
        deliveries: list[DeliveryRow] = []
        for item in checked:
            if not isinstance(item, Submission):
                outcomes.append(item)
                _note_denial(tx, officer, item)
                continue
            message, header = item.message, item.message.header
            # 1. to 3.
            outcome = judgement.decided(item, messages)
            if outcome is None and not isinstance(message, VerifiedMessage):
                outcome = judgement.sessions.held(tx, item)
            if outcome is not None:
                outcomes.append(outcome)
                if isinstance(outcome, Rejected | Unavailable):
                    _note_denial(tx, officer, outcome, message.digest)
                continue
            assert isinstance(message, VerifiedMessage), "every other one is held, or refused"
            # 4.
            waits = tx.count_message(len(item.raw), unhindered=item.approved or precedence.unhindered(header))
            if waits is not None:
                outcomes.append(waits)
                continue
            # 5.
            judgement.sessions.releasing(tx, item)
            answer, row, queued = self._release(tx, item, message, officer, threads)
            judgement.released(item)
            outcomes.append(answer)
            messages.append(row)
            verified.append(message)
            deliveries.extend(queued)
        placed = self._unit_directory.sent(officer, messages)
        messages_store.add_messages(tx.conn, placed)
        read_by_absent(tx.conn, officer, placed)
        deliveries_store.add_deliveries(tx.conn, deliveries)
        threads.store()
        written = [ReleasedMessage(row, each.header, officer.id) for row, each in zip(placed, verified, strict=True)]
        released(self._reactions, tx, written)
        announce_released(tx, verified)
        return outcomes

    def judge(self, at: Moment, officer: Officer, item: Submission) -> Outcome | None:
        """Return what decides a message at a moment, steps 1 to 3 above; None if it may be released, or held."""
        return self._judgement(at, officer, [item]).decided(item, ())

    def _judgement(self, at: Moment, officer: Officer, items: Sequence[Submission]) -> "_Judgement":
        sessions = _Sessions([stage.open(at, officer, items) for stage in self._stages])
        known = messages_store.claimed(at.conn, self._member, [item.message.header.message_id for item in items])
        repeats = _repeats(at, {item.message.digest for item in items}.intersection(known.values()))
        imported = [item.source_row for item in items if item.source_row]
        rows = source_rows.nameable(at.conn, officer, self._unit_directory, imported) if imported else {}
        return _Judgement(sessions, known, repeats, rows, self._check_signers)

    def _release(
        self, tx: LogTransaction, item: Submission, message: VerifiedMessage, officer: Officer, threads: "_ThreadNames"
    ) -> tuple[Released, MessageRow, list[DeliveryRow]]:
        header, digest = message.header, message.digest
        opens_thread = header.thread_id == header.message_id
        thread_name = threads.name(header.thread_id, new=opens_thread)
        signers = receipts.logged_signers(message)
        seq = tx.next_message_seq()
        indices: list[int] = []
        entries: list[bytes] = []
        deliveries: list[DeliveryRow] = []
        for recipient in header.recipients:
            stored = tx.append(
                log_entries.released(
                    actor=officer.id,
                    recipient=recipient.member,
                    digest=digest,
                    signers=signers,
                    thread_name=thread_name if opens_thread else "",
                ),
                text=source_rows.row_text(item.source_row) if item.source_row and not indices else "",
            )
            indices.append(stored.index)
            entries.append(stored.entry)
            deliveries.append(
                DeliveryRow(
                    id=tx.next_delivery_id(),
                    message_seq=seq,
                    digest=digest,
                    recipient=recipient.member,
                    urgency=precedence.urgency_of(header),
                    released_index=stored.index,
                    released_time=tx.now,
                    expires_time=tx.now + self._life,
                    next_attempt_time=tx.now,
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
            stored_time=tx.now,
            signed=item.raw,
            source_row=item.source_row or None,
            parents=tuple(header.parent_digests),
        )
        return Released(digest, indices, entries, repeated=False, thread_name=thread_name), row, deliveries

    def repeat(self, at: Moment, digest: bytes) -> Released | Unavailable:
        """Return the answer for a message released before."""
        return _repeats(at, [digest]).get(digest) or _twice()


def announce_released(tx: LogTransaction, messages: Sequence[VerifiedMessage]) -> None:
    """Announce messages of our own that this transaction releases."""
    if not messages:
        return
    headers = [message.header for message in messages]
    members = frozenset(recipient.member for header in headers for recipient in header.recipients)
    ahead = frozenset(message.digest for message in messages if precedence.is_flash(message.header))
    tx.announce(DeliveriesQueued(members, frozenset(map(precedence.urgency_of, headers))))
    tx.announce(MessagesChanged(tuple(message.digest for message in messages), ahead))


class _Sessions:
    """The sessions of all stages in one batch."""

    def __init__(self, sessions: Sequence[ReleaseSession]) -> None:
        self._known = [each.known for each in sessions if each.known is not None]
        self._judges = [each.judge for each in sessions if each.judge is not None]
        self._holding = [each.hold for each in sessions if each.hold is not None]
        self._releasing = [each.releasing for each in sessions if each.releasing is not None]

    def decided(self, item: Submission, before: Sequence[MessageRow]) -> Outcome | None:
        """Return the first answer of a stage that knows or refuses the message; None if there is none."""
        for known in self._known:
            if (outcome := known(item)) is not None:
                return outcome
        for judge in self._judges:
            if (against := judge(item, before)) is not None:
                return against
        return None

    def held(self, tx: LogTransaction, item: Submission) -> Outcome:
        """Hold a message that lacks signatures, by the stage that does; it is refused if none does."""
        if not self._holding:
            return Rejected("wrong_signers", "signatures of officers that the header names are missing")
        return self._holding[0](tx, item)

    def releasing(self, tx: LogTransaction, item: Submission) -> None:
        """Run every stage's writes for a message that is released next."""
        for releasing in self._releasing:
            releasing(tx, item)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What decides on the messages of a batch at one moment: it reads, and writes nothing.

    ``known`` are the digests of the messages with the ids of the batch, ``repeats`` the answers for those that were
    released before, and ``rows`` the digests of the messages for its source rows.
    """

    sessions: _Sessions
    known: dict[bytes, bytes]
    repeats: Mapping[bytes, Released]
    rows: dict[bytes, bytes]
    check_signers: Callable[[SubmittedMessage], None]

    def decided(self, item: Submission, before: Sequence[MessageRow]) -> Outcome | None:
        """Return the answer of the first rule that applies, steps 1 to 3 of `Release`; None if there is none."""
        message = item.message
        # 1.
        if (earlier := self.known.get(message.header.message_id)) is not None:
            return self.repeats.get(earlier) or _twice() if earlier == message.digest else _conflict()
        # 2.
        try:
            self.check_signers(message)
        except Rejected as refusal:
            return refusal
        if item.source_row in self.rows:
            return SourceRowKnown(self.rows[item.source_row])
        # 3.
        return self.sessions.decided(item, before)

    def released(self, item: Submission) -> None:
        """Note that a message is released: the rest of the batch is compared with it too."""
        self.known[item.message.header.message_id] = item.message.digest
        if item.source_row:
            self.rows[item.source_row] = item.message.digest


def is_denial(refusal: Rejected | Unavailable) -> bool:
    """Return whether a refusal denies permission, and is logged."""
    return refusal.reason in DENIALS or isinstance(refusal, UnknownThread)


def _note_denial(tx: LogTransaction, officer: Officer, refusal: Rejected | Unavailable, digest: bytes = b"") -> None:
    """Log a refusal if it denies permission."""
    if is_denial(refusal):
        deny(tx, officer, refusal, digest)


class _ThreadNames:
    """Short names of threads: member, year and a consecutive number without gaps."""

    def __init__(self, tx: LogTransaction, member: str, threads: set[bytes]) -> None:
        self._tx = tx
        self._prefix = f"{member.upper()}-{tx.now.year}"
        self._names = messages_store.thread_names(tx.conn, threads)
        self._first = self._last = settings_store.counter(tx.conn, f"thread {self._prefix}")

    def name(self, thread_id: bytes, *, new: bool) -> str:
        """Return a thread's name, a new one if the thread begins; empty if its first message was never stored here."""
        if new:
            self._last += 1
            self._names[thread_id] = f"{self._prefix}-{self._last:05d}"
        return self._names.get(thread_id, "")

    def store(self) -> None:
        """Store the last numbers used."""
        if self._last != self._first:
            settings_store.put_counter(self._tx.conn, f"thread {self._prefix}", self._last)


def _repeats(at: Moment, digests: Collection[bytes]) -> dict[bytes, Released]:
    """Return the answers for messages released before, by digest: in a few queries, however many they are."""
    rows = messages_store.messages_of(at.conn, digests)
    deliveries = deliveries_store.by_message(at.conn, [row.seq for row in rows])
    indices = {row.seq: [each.released_index for each in deliveries.get(row.seq, ())] for row in rows}
    stored = log_store.entries_at(at.conn, [index for each in indices.values() for index in each])
    entries = {each.index: each.entry for each in stored}
    found: dict[bytes, Released] = {}
    for row in rows:
        held = [index for index in indices[row.seq] if index in entries]
        raw = [entries[index] for index in held]
        found[row.digest] = Released(row.digest, held, raw, repeated=True, thread_name=row.thread_name)
    return found


def _twice() -> Unavailable:
    """Return the answer for the second of a message that is twice in a batch: it is answered next time."""
    return Unavailable("busy", "the same message stands twice in this batch", 0.0)


def _conflict() -> Rejected:
    return Rejected("conflict", "this message id was used before for other content")
