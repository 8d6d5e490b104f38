"""Receive: another member's node hands over messages, and each is answered with a receipt, a refusal or a retry.

A receipt (RECEIVED) says: on disk, key opened, whole ciphertext checked, content valid for its kind. One bad message
never fails its batch; a bad checkpoint or an unproven growth fails the whole call, and nothing is taken. What cannot
be ascribed to its author is answered and counted but never logged under its id, so that nobody can claim an id that
is not his.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

import structlog

from paiza.v1 import exchange_pb2, log_pb2, message_pb2
from paiza_domain import kinds, thread, validation
from paiza_node.attachments.acknowledge import Answer, check_answers, record_answers
from paiza_node.attachments.attached import awaited
from paiza_node.context import Context
from paiza_node.desks.need_to_know import Desks
from paiza_node.errors import rejection, retry
from paiza_node.growth import GrowthMismatch, claim, record_fork
from paiza_node.lanes import each
from paiza_node.ledger import Committed, Pen
from paiza_node.model import (
    LOGGED_DIGITS,
    AttachmentRow,
    ForeignProof,
    MessageRow,
    MessageState,
    ProofKind,
    StoredEntry,
)
from paiza_node.passing import taking_back
from paiza_node.passing.passed_on import Passed, TakePassedOn
from paiza_node.policy import MessageFacts, Principal
from paiza_node.workflows import precedence
from paiza_node.workflows.steps import is_step
from paiza_register import Member, Register
from paiza_wire import attachment, receipts
from paiza_wire import message as wire
from paiza_wire.checkpoint import VerifiedCheckpoint
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from paiza_wire.receipts import VerifiedEntry

MAX_DISPATCHES: Final = 256  # of one Deliver; one commit, one checkpoint signature
MAX_IN_THREAD: Final = 2048  # messages of one member in one thread: to see where it stands it is read whole
MAX_SIZES: Final = 4  # of one proof of growth
MAX_CLOCK_SKEW: Final = timedelta(minutes=10)  # a release may lie this far in our future; clocks of states differ
PROTOCOL_VERSION: Final = 1

_THREAD_NAME: Final = re.compile(r"[A-Z][A-Z0-9-]{1,15}-[0-9]{4}-[0-9]{5,12}")


log = structlog.get_logger("paiza.receive")


@dataclass(frozen=True, slots=True)
class _Ascribed:
    """A message that is its author's and was released to us."""

    message: VerifiedMessage
    raw: bytes
    released: VerifiedEntry
    hashes: bytes


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is answered with an entry: a receipt, or the refusal that is given."""

    item: _Ascribed
    refusal: Rejected | None

    @property
    def message(self) -> VerifiedMessage:
        """Give the message."""
        return self.item.message

    @property
    def digest(self) -> bytes:
        """Give the message's digest."""
        return self.item.message.digest

    @property
    def goes_first(self) -> bool:
        """Say whether the message goes ahead of everything."""
        return precedence.overtakes(self.message.header.kind)

    @property
    def is_step(self) -> bool:
        """Say whether a workflow moves with the message."""
        return is_step(self.message.header.kind)

    @property
    def thread(self) -> bytes:
        """Give the thread it belongs to."""
        return self.message.header.thread_id


_Checked = _Taken | Passed | Rejected | Unavailable
_Outcome = StoredEntry | Rejected | Unavailable


class Receive:
    """The verb of the receiving side."""

    def __init__(
        self,
        context: Context,
        *,
        suspect: Callable[[str], None],
        new_holders: Callable[[Iterable[bytes]], None],
        moved: Callable[[Collection[bytes]], None],
        await_attachments: Callable[[], None],
        desks: Desks,
    ) -> None:
        """Take what the verb needs.

        ``suspect`` has a member asked what it holds of our log; ``new_holders`` hears of messages of ours that were
        passed on; ``moved`` hears of threads whose workflow got a step; ``await_attachments`` has attachments fetched.
        """
        self._member = context.member
        self._node_id = context.node_id
        self._registers = context.registers
        self._ledger = context.ledger
        self._logs = context.logs
        self._news = context.news
        self._lane = context.lanes.receive
        self._own_keys = context.own_keys
        self._suspect = suspect
        self._new_holders = new_holders
        self._moved = moved
        self._await_attachments = await_attachments
        self._desks = desks
        self._passed_on = TakePassedOn(context, desks)
        self._clock = context.clock
        self._firsts = precedence.Share()
        self._answered: dict[str, int] = {}  # size of our log in the last answer to each member

    async def handshake(self, member: Member, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        """Say which protocol version to use and what we know of the caller's log."""
        if request.protocol_version < 1:
            raise Rejected("unsupported_version", "protocol_version is not set")
        return exchange_pb2.HandshakeResponse(
            protocol_version=min(request.protocol_version, PROTOCOL_VERSION),
            register_version=self._registers.version,
            known_checkpoint=self._logs.note(member.id),
            own_checkpoint=self._ledger.checkpoint.note,
        )

    async def prove_growth(self, request: exchange_pb2.ProveGrowthRequest) -> exchange_pb2.ProveGrowthResponse:
        """Prove that our log grew from each of these sizes to its current checkpoint."""
        if len(request.sizes) > MAX_SIZES:
            raise Rejected("too_large", f"at most {MAX_SIZES} sizes are proven at once")
        checkpoint = self._ledger.checkpoint
        if any(size > checkpoint.size for size in request.sizes):
            raise Rejected("growth_mismatch", "a size is larger than our log")
        return exchange_pb2.ProveGrowthResponse(
            checkpoint=checkpoint.note,
            proofs=[
                exchange_pb2.GrowthProof(from_size=size, hashes=self._ledger.prove_growth(size, checkpoint.size))
                for size in request.sizes
            ],
        )

    async def __call__(self, member: Member, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        """Take a batch from the node of ``member``, whose certificate the edge has verified."""
        if len(request.dispatches) > MAX_DISPATCHES:
            raise Rejected("too_large", f"a batch has at most {MAX_DISPATCHES} messages")
        self._registers.policy.check(Principal(member.id, suspended=member.status != "active", node=True), "exchange")
        if len(request.register_version) != wire.DIGEST_SIZE:
            raise Rejected("malformed", "register_version is not 32 bytes long")
        self._registers.heard_of(request.register_version)
        if request.growth.known_size > self._ledger.checkpoint.size:
            # It may be wrong, or we were rolled back: the courier's handshake finds out. Nothing is signed until then.
            self._suspect(member.id)
            raise Unavailable("growth_mismatch", "the caller claims to know more of our log than there is")
        try:
            checkpoint = self._logs.accept(member, request.growth)
        except GrowthMismatch as mismatch:
            return self._mismatch(mismatch, request.growth.known_size)
        except Rejected:
            await record_fork(self._ledger, self._logs)
            raise
        size = len(request.dispatches)
        first = precedence.claims_first([dispatch.message for dispatch in request.dispatches])
        in_share = not first or self._firsts.take(member.id, monotonic())
        first = first and in_share
        answers = check_answers(request.attachment_answers, checkpoint, member.id, self._member)
        committed = await self.take(
            member, request.dispatches, checkpoint, first=first, answers=answers, ahead=in_share
        )
        return await self._lane.run(
            size, lambda: self._answer(member, committed, request.growth.known_size), first=first
        )

    async def take(
        self,
        member: Member,
        dispatches: Sequence[exchange_pb2.Dispatch],
        checkpoint: VerifiedCheckpoint,
        *,
        first: bool = False,
        answers: Sequence[Answer] = (),
        ahead: bool = True,
    ) -> Committed[list[_Outcome]]:
        """Check and store messages that a member's node handed over, proven to a checkpoint that was accepted.

        ``first``: ahead of all other work. ``answers``: what its log says of attachments of ours. ``ahead``: whether
        what overtakes does so here; not where that member has used up its share.
        """
        checked = await self._lane.run(
            len(dispatches), lambda: self._check_all(member, dispatches, checkpoint), first=first
        )
        known = self._logs.to_store(member.id, checkpoint)
        told: set[bytes] = set()

        def work(pen: Pen) -> list[_Outcome]:
            pen.tx.put_known_log(known)
            told.update(record_answers(pen, answers, member.id, self._node_id, self._registers.version))
            return self._take_all(pen, member, _in_bounds(pen, member, checked))

        going = [item for item in checked if isinstance(item, _Taken | Passed)]
        alarms = {item.digest for item in going if item.goes_first} if ahead else set()
        committed = await self._ledger.commit(work, first=bool(alarms))
        arrived = [
            item.digest
            for item, outcome in zip(checked, committed.result, strict=True)
            if isinstance(item, _Taken | Passed) and isinstance(outcome, StoredEntry) and item.refusal is None
        ]
        self._news.publish([*arrived, *told], alarms)
        self._news.publish(_concerned(item for item in checked if isinstance(item, _Taken)))
        self._new_holders(item.digest for item in checked if isinstance(item, Passed) and item.message is None)
        if arrived:
            self._await_attachments()
        self._moved({item.thread for item in checked if isinstance(item, _Taken | Passed) and item.is_step})
        log.info("received", peer=member.id, messages=[digest.hex()[:LOGGED_DIGITS] for digest in arrived])
        for item in checked:
            if refused := item.refusal if isinstance(item, _Taken | Passed) else item:
                log.warning("not_received", peer=member.id, reason=refused.reason, detail=refused.detail)
        return committed

    def _check_all(
        self, member: Member, dispatches: Sequence[exchange_pb2.Dispatch], checkpoint: VerifiedCheckpoint
    ) -> list[_Checked]:
        """Check a batch.

        What fails before step 5 is not ascribed to the author, and claims nothing.

        1. The caller's log holds the entry it shows, and its time is not in our future.
        2. The message verifies (`paiza_wire.message.verify`) with certificates valid at the time of its release. What
           does not, and names a register we do not know, is tried again after a refresh.
        3. Its author is the member whose node calls.
        4. It is addressed to us, and the entry is its release to us, by its signers, in their roles.
        5. Its register version is one we know; else it is tried again after a refresh.
        6. Its key opens; else the author is asked to wrap it again.
        7. The rules let us take this kind with these marks from that member.
        8. Its content is valid for its kind.
        """
        register, now = self._registers.current, self._clock()
        released = each(dispatches, self._prove, checkpoint, now)
        ascribed = each(released, self._ascribe, member, register)
        opened = each(ascribed, self._open)
        return each(opened, self._judge, register, member, now)

    def _prove(
        self, dispatch: exchange_pb2.Dispatch, checkpoint: VerifiedCheckpoint, now: datetime
    ) -> tuple[exchange_pb2.Dispatch, VerifiedEntry]:
        # 1.
        released = receipts.verify_entry(dispatch.released, checkpoint)
        if released.time > now + MAX_CLOCK_SKEW:
            raise Unavailable("clock_skew", "the release lies in our future: one of the two clocks is wrong", 60.0)
        return dispatch, released

    def _ascribe(
        self, proven: tuple[exchange_pb2.Dispatch, VerifiedEntry], member: Member, register: Register
    ) -> _Ascribed | Passed:
        dispatch, released = proven
        if released.entry.event == log_pb2.LOG_EVENT_FORWARDED:
            return self._passed_on.check(dispatch, released, member)
        # 2.
        try:
            message = wire.verify(dispatch.message, register.certificate_verifier(), at=released.time)
        except Rejected:
            # By the register it was made under it may hold: a new officer CA, for example. That one is to be had first.
            self._registers.check_known(_named_register(dispatch.message, otherwise=register.version))
            raise
        # 3.
        if message.header.author != member.id:
            raise Rejected("wrong_member", "the author is not the member whose node calls")
        # 4.
        if self._member not in {recipient.member for recipient in message.header.recipients}:
            raise Rejected("not_addressed", "the message does not name us among its recipients")
        receipts.check_released(released.entry, message, self._member)
        if not _names_thread(released.entry.thread_name, message.header):
            raise Rejected(
                "malformed", "the release names the thread in another member's name, or a thread it does not open"
            )
        # 5.
        self._registers.check_known(message.header.register_version)
        return _Ascribed(message, dispatch.message, released, b"".join(dispatch.released.inclusion_hashes))

    def _open(self, item: _Ascribed | Passed) -> tuple[_Ascribed, list[bytes] | Rejected] | Passed:
        if isinstance(item, Passed):
            return item
        # 6.
        message = item.message
        try:
            # They are fetched later, but a wrap that does not open is told now.
            for number in attachment.numbers(message.header):
                self._own_keys.part_key(message, number)
            return item, self._own_keys.parts(message)
        except Rejected as error:
            if error.reason == "cannot_open":
                raise Unavailable(error.reason, error.detail) from error
            return item, error

    def _judge(
        self,
        opened: tuple[_Ascribed, list[bytes] | Rejected] | Passed,
        register: Register,
        member: Member,
        now: datetime,
    ) -> _Taken | Passed:
        if isinstance(opened, Passed):
            return opened
        item, parts = opened
        if isinstance(parts, Rejected):
            return _Taken(item, parts)
        try:
            self._check_content(item.message.header, parts, register, member, now)
        except Rejected as error:
            return _Taken(item, error)
        return _Taken(item, None)

    def _check_content(
        self, header: message_pb2.Header, parts: Sequence[bytes], register: Register, member: Member, now: datetime
    ) -> None:
        # 7.
        kind = kinds.get(header.kind, header.kind_version)
        ceiling = register.member(self._member).classification_ceiling
        facts = MessageFacts.of(header, kind.sender_roles, ceiling, kind.workflow)
        principal = Principal(member.id, suspended=member.status != "active", node=True)
        self._registers.policy.check(principal, "deliver", facts)
        if not kind.sender_roles.issuperset(signer.role for signer in header.required_signers):
            raise Rejected("policy_denied", f"{header.kind} is not sent in the role its signer acts in")
        # 8.
        validation.check_message(header, parts[0], parts[1] if len(parts) > 1 else None, now)

    def _take_all(self, pen: Pen, member: Member, checked: Sequence[_Checked]) -> list[_Outcome]:
        """Write the batch: rows and RECEIVED or REFUSED entries; runs in the ledger's transaction."""
        taken = [item for item in checked if isinstance(item, _Taken)]
        answers = pen.tx.answers([item.message.digest for item in taken])
        claimed = pen.tx.claimed(member.id, [item.message.header.message_id for item in taken])
        followed = [item.message.header for item in taken if item.message.header.parent_digests]
        threads = pen.tx.thread_names({header.thread_id for header in followed})
        outcomes: list[_Outcome] = []
        messages: list[MessageRow] = []
        proofs: list[ForeignProof] = []
        fresh: list[tuple[bytes, int]] = []
        awaits: list[AttachmentRow] = []
        passed: list[tuple[int, Passed]] = []
        for item in checked:
            if isinstance(item, Passed):
                passed.append((len(outcomes), item))
                outcomes.append(Unavailable("internal_error", "not decided"))
                continue
            if not isinstance(item, _Taken):
                outcomes.append(item)
                continue
            digest, header = item.message.digest, item.message.header
            if digest in answers:  # a repeat gets the same entry at the same index
                outcomes.append(answers[digest])
                continue
            held = claimed.get(header.message_id)
            conflict = held is not None and held != digest
            refusal = Rejected("conflict", "this message id was used for other content") if conflict else item.refusal
            if held == digest:  # it was passed on to us before: what is here and valid is not refused
                refusal = None
                pen.tx.came_directly(digest)
            index = pen.append(self._entry(item, member, refusal), text=refusal.detail if refusal else "")
            entry = StoredEntry(index, pen.entries[-1][1])
            answers[digest] = entry
            fresh.append((digest, index))
            outcomes.append(entry)
            proofs.append(self._proof(item, member))
            if held is None:
                claimed[header.message_id] = digest
                thread_name = item.item.released.entry.thread_name or threads.get(header.thread_id, "")
                threads[header.thread_id] = thread_name
                messages.append(self._row(pen, item, thread_name, refusal))
                if refusal is None:
                    awaits.extend(awaited(digest, header, self._member, pen.now, source=member.id))
        messages = self._desks.received(pen.tx, messages)
        pen.tx.add_messages(messages)
        self._desks.make_work(pen.tx, messages)
        taking_back.note_received(pen, self._node_id, messages)
        pen.tx.put_attachments(awaits)
        pen.tx.add_answers(fresh)
        pen.tx.add_proofs(proofs)
        for place, passed_item in passed:
            outcomes[place] = self._passed_on.take(pen, passed_item, member, self._registers.version)
        return outcomes

    def _entry(self, item: _Taken, member: Member, refusal: Rejected | None) -> log_pb2.LogEntry:
        return log_pb2.LogEntry(
            event=log_pb2.LOG_EVENT_REFUSED if refusal else log_pb2.LOG_EVENT_RECEIVED,
            actor=self._node_id,
            counterpart=member.id,
            message_digest=item.message.digest,
            reason=refusal.reason if refusal else "",
            evidence_sha256=receipts.evidence_digest(item.item.released.raw, item.item.released.checkpoint.note),
        )

    def _proof(self, item: _Taken, member: Member) -> ForeignProof:
        return ForeignProof(
            digest=item.message.digest,
            member=member.id,
            kind=ProofKind.RELEASED,
            entry=item.item.released.raw,
            index=item.item.released.index,
            hashes=item.item.hashes,
            checkpoint=item.item.released.checkpoint.note,
            register_version=self._registers.version,
        )

    def _row(self, pen: Pen, item: _Taken, thread_name: str, refusal: Rejected | None) -> MessageRow:
        header = item.message.header
        return MessageRow(
            seq=pen.next_message_seq(),
            digest=item.message.digest,
            author=header.author,
            message_id=header.message_id,
            thread_id=header.thread_id,
            thread_name=thread_name,
            kind=header.kind,
            urgency=header.urgency,
            state=MessageState.REFUSED if refusal else MessageState.RECEIVED,
            header=item.message.signed.header,
            stored_time=pen.now,
            signed=None if refusal else item.item.raw,
            parents=tuple(header.parent_digests),
        )

    def _mismatch(self, mismatch: GrowthMismatch, known_size: int) -> exchange_pb2.DeliverResponse:
        growth = claim(
            self._ledger, self._ledger.checkpoint, min(known_size, self._ledger.checkpoint.size), mismatch.known_size
        )
        return exchange_pb2.DeliverResponse(growth=growth, growth_mismatch=True)

    def _answer(
        self, member: Member, committed: Committed[list[_Outcome]], caller_knows: int
    ) -> exchange_pb2.DeliverResponse:
        """Prove every answer to the checkpoint, and the checkpoint's growth from the size the caller knows."""
        outcomes, checkpoint = committed.result, committed.checkpoint
        stored = [outcome for outcome in outcomes if isinstance(outcome, StoredEntry)]
        proofs = dict(
            zip(
                (entry.index for entry in stored),
                self._ledger.prove([entry.index for entry in stored], checkpoint.size),
                strict=True,
            )
        )
        # Where two of its calls overlap, the caller knows by now what we answered to the one before; if that answer was
        # lost it asks (ProveGrowth).
        from_size = max(caller_knows, self._answered.get(member.id, 0))
        self._answered[member.id] = checkpoint.size
        return exchange_pb2.DeliverResponse(
            growth=claim(self._ledger, checkpoint, from_size, self._logs.size(member.id)),
            results=[_result(outcome, proofs) for outcome in outcomes],
        )


def _in_bounds(pen: Pen, member: Member, checked: Sequence[_Checked]) -> list[_Checked]:
    """Refuse what a member has too much of in one thread: nothing of it is kept, not even the refusal."""
    items = [item for item in checked if isinstance(item, _Taken) and item.message.header.parent_digests]
    sizes = pen.tx.thread_sizes(member.id, {item.thread for item in items})
    known = pen.tx.answers([item.digest for item in items])
    bounded: list[_Checked] = []
    for item in checked:
        follows = isinstance(item, _Taken) and item.thread in sizes and item.digest not in known
        if follows and isinstance(item, _Taken):
            sizes[item.thread] += 1
            if sizes[item.thread] > MAX_IN_THREAD:
                detail = f"a thread holds at most {MAX_IN_THREAD} messages of one member"
                bounded.append(Rejected("too_large", detail))
                continue
        bounded.append(item)
    return bounded


def _named_register(signed: bytes, *, otherwise: bytes) -> bytes:
    """Say which register a message names that did not verify; ``otherwise`` where it cannot be read."""
    try:
        return wire.parse_header(
            wire.parse_strictly(message_pb2.SignedMessage, signed, "the message").header
        ).register_version
    except Rejected:
        return otherwise


def _concerned(items: Iterable[_Taken]) -> set[bytes]:
    """Name the messages that recalls and corrections of a batch are about: what lists say of them has changed."""
    return {digest for item in items for digest in thread.concerned(item.message.header)}


def _names_thread(name: str, header: message_pb2.Header) -> bool:
    """Say whether a release names its thread rightly: by its own member, and only where it opens one."""
    if header.thread_id != header.message_id:
        return not name
    return _THREAD_NAME.fullmatch(name) is not None and name.startswith(f"{header.author.upper()}-")


def _result(outcome: _Outcome, proofs: Mapping[int, list[bytes]]) -> exchange_pb2.DeliverResult:
    if isinstance(outcome, Rejected):
        return exchange_pb2.DeliverResult(rejection=rejection(outcome))
    if isinstance(outcome, Unavailable):
        return exchange_pb2.DeliverResult(retry=retry(outcome))
    return exchange_pb2.DeliverResult(
        answer=log_pb2.ProvenEntry(entry=outcome.entry, index=outcome.index, inclusion_hashes=proofs[outcome.index])
    )
