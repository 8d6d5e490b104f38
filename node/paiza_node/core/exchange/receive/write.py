"""Receive: another member's node hands over messages, and each is answered with a receipt, a refusal or a retry.

A receipt (RECEIVED) says: on disk, key opened, whole ciphertext checked, content valid for its kind. One bad message
never fails its batch; a bad checkpoint or an unproven growth fails the whole call, and nothing is taken. What cannot
be ascribed to its author is answered and counted but never logged under its id, so that nobody can claim an id that
is not his. The checks that need no database are in `admit`.

A crash before the commit leaves nothing, and the peer sends again; after it, before the answer, the peer sends again
and is given the same entries.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from time import monotonic
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_domain.threads import thread
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import rejection, retry
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.exchange.receive.check import Checked, ValidatedMessage, ValidateIncoming
from paiza_node.core.exchange.receive.forwarded import ForwardedMessage, ReceiveForwarded
from paiza_node.core.log.changes import AttachmentsExpected, HoldersChanged, MessagesChanged, WorkflowsMoved
from paiza_node.core.log.ledger import Committed, LogTransaction
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import LOGGED_DIGITS, MessageRow, MessageState
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.log_views import ConsistencyMismatch, accept_claim, claim, record_fork
from paiza_node.core.policy import Principal
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.acknowledge import Answer, check_answers, record_answers
from paiza_node.features.attachments.attached import awaited
from paiza_node.features.attachments.model import AttachmentRow
from paiza_node.features.recalls import recalls
from paiza_node.features.retention import requests
from paiza_node.features.retention.acknowledge import VerifiedErasureAnswer, check_erasures, record_erasures
from paiza_register import Member
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_DISPATCHES: Final = 256  # of one Deliver; one commit, one checkpoint signature
MAX_IN_THREAD: Final = 2048  # messages of one member in one thread: to see where it stands it is read whole
MAX_SIZES: Final = 32  # of one proof of growth; what is known of a log and every doubt about it
PROTOCOL_VERSION: Final = 1


log = structlog.get_logger("paiza.receive")


_Outcome = StoredEntry | Rejected | Unavailable


class Receive:
    """The verb of the receiving side."""

    def __init__(
        self,
        core: Core,
        *,
        suspect: Callable[[str], None],
        compared: Callable[[str], bool],
        unit_directory: UnitDirectory,
    ) -> None:
        """Build the verb.

        ``suspect`` has a member asked what it holds of our log; ``compared`` returns whether a member was asked since
        the start what it holds of our log.
        """
        self._member = core.member
        self._node_id = core.node_id
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._logs = core.logs
        self._compared = compared
        self._executor = core.executors.receive
        self._suspect = suspect
        self._unit_directory = unit_directory
        self._passed_on = ReceiveForwarded(core, unit_directory)
        self._admit = ValidateIncoming(core, self._passed_on)
        self._firsts = precedence.Share()
        self._answered: dict[str, int] = {}  # size of our log in the last answer to each member

    async def handshake(self, member: Member, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        """Say which protocol version to use and what we know of the caller's log."""
        if request.protocol_version < 1:
            raise Rejected("unsupported_version", "protocol_version is not set")
        if len(request.register_version) == wire.DIGEST_SIZE:
            self._register_cache.note_version(request.register_version)
        return exchange_pb2.HandshakeResponse(
            protocol_version=min(request.protocol_version, PROTOCOL_VERSION),
            register_version=self._register_cache.version,
            known_checkpoint=self._logs.largest_note(member.id),
            # Nothing is signed for a member that was not asked itself.
            own_checkpoint=self._ledger.checkpoint.note if self._compared(member.id) else b"",
        )

    async def prove_consistency(
        self, member: Member, request: exchange_pb2.ProveConsistencyRequest
    ) -> exchange_pb2.ProveConsistencyResponse:
        """Prove that our log grew from each of these sizes to its current checkpoint."""
        if len(request.sizes) > MAX_SIZES:
            raise Rejected("too_large", f"at most {MAX_SIZES} sizes are proven at once")
        checkpoint = self._ledger.checkpoint
        if any(size > checkpoint.size for size in request.sizes):
            self._suspect(member.id)  # it may hold more of our log than there is, which its handshake must show
            raise Rejected("consistency_mismatch", "a size is larger than our log")
        return exchange_pb2.ProveConsistencyResponse(
            checkpoint=checkpoint.note,
            proofs=[
                exchange_pb2.ConsistencyProof(
                    from_size=size,
                    hashes=self._ledger.prove_consistency(size, checkpoint.size),
                    from_root=self._ledger.root(size),
                )
                for size in request.sizes
            ],
        )

    async def __call__(self, member: Member, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        """Take a batch from the node of ``member``, whose certificate the edge has verified."""
        if len(request.dispatches) > MAX_DISPATCHES:
            raise Rejected("too_large", f"a batch has at most {MAX_DISPATCHES} messages")
        self._register_cache.policy.check(
            Principal(member.id, suspended=member.status != "active", node=True), "exchange"
        )
        if len(request.register_version) != wire.DIGEST_SIZE:
            raise Rejected("malformed", "register_version is not 32 bytes long")
        self._register_cache.note_version(request.register_version)
        if request.consistency_claim.known_size > self._ledger.checkpoint.size:
            # It may be wrong, or we were rolled back: the handshake finds out. Nothing is signed until then.
            self._suspect(member.id)
            raise Unavailable("consistency_mismatch", "the caller claims to know more of our log than there is")
        try:
            checkpoint = await accept_claim(self._logs, member, request.consistency_claim)
        except ConsistencyMismatch as mismatch:
            return self._mismatch(mismatch, request.consistency_claim.known_size)
        except Rejected:
            await record_fork(self._ledger, self._logs)
            raise
        size = len(request.dispatches)
        first = precedence.claims_first(
            [each.release.message or each.forwarding.message for each in request.dispatches]
        )
        in_share = not first or self._firsts.take(member.id, monotonic())
        first = first and in_share
        answers, erasures = await self._check_piggybacked(member, request, checkpoint)
        committed = await self.take(
            member, request.dispatches, checkpoint, first=first, answers=answers, erasures=erasures, ahead=in_share
        )
        return await self._executor.run(
            size, lambda: self._answer(member, committed, request.consistency_claim.known_size), first=first
        )

    async def _check_piggybacked(
        self, member: Member, request: exchange_pb2.DeliverRequest, checkpoint: VerifiedCheckpoint
    ) -> tuple[list[Answer], list[VerifiedErasureAnswer]]:
        """Check in a thread what the member's log says of our attachments and requests to erase: hundreds of proofs."""
        if not request.attachment_answers and not request.erasure_answers:
            return [], []

        def check() -> tuple[list[Answer], list[VerifiedErasureAnswer]]:
            return (
                check_answers(request.attachment_answers, checkpoint, member.id, self._member),
                check_erasures(request.erasure_answers, checkpoint, member.id, self._member),
            )

        return await self._executor.run(len(request.attachment_answers) + len(request.erasure_answers), check)

    async def take(
        self,
        member: Member,
        dispatches: Sequence[exchange_pb2.Dispatch],
        checkpoint: VerifiedCheckpoint,
        *,
        first: bool = False,
        answers: Sequence[Answer] = (),
        erasures: Sequence[VerifiedErasureAnswer] = (),
        ahead: bool = True,
        before: Callable[[LogTransaction], object] = lambda _pen: None,
    ) -> Committed[list[_Outcome]]:
        """Check and store messages that a member's node handed over, proven to a checkpoint that was accepted.

        ``first``: ahead of all other work. ``answers``: what its log says of attachments of ours, ``erasures``: of
        requests of ours to erase. ``ahead``: whether
        what overtakes does so here; not where that member has used up its share. ``before``: what is written in the
        same transaction before any of it.
        """
        checked = await self._executor.run(
            len(dispatches), lambda: self._admit(member, dispatches, checkpoint), first=first
        )
        known = self._logs.to_store(member.id, checkpoint)
        going = [item for item in checked if isinstance(item, ValidatedMessage | ForwardedMessage)]
        alarms = frozenset(item.digest for item in going if item.goes_first) if ahead else frozenset[bytes]()

        def work(tx: LogTransaction) -> list[_Outcome]:
            peers_store.put_known_log(tx.conn, known)
            before(tx)
            told = record_answers(tx, answers, member.id, self._node_id, self._register_cache.version)
            told |= record_erasures(tx, erasures, member.id, self._node_id, self._register_cache.version)
            outcomes = self._take_all(tx, member, _in_bounds(tx, member, checked))
            _announce(tx, checked, _arrived(checked, outcomes), told, alarms)
            return outcomes

        committed = await self._ledger.commit(work, first=bool(alarms))
        arrived = _arrived(checked, committed.result)
        log.info("received", peer=member.id, messages=[digest.hex()[:LOGGED_DIGITS] for digest in arrived])
        for item in checked:
            if refused := item.refusal if isinstance(item, ValidatedMessage | ForwardedMessage) else item:
                log.warning("not_received", peer=member.id, reason=refused.reason, detail=refused.detail)
        return committed

    def _take_all(self, tx: LogTransaction, member: Member, checked: Sequence[Checked]) -> list[_Outcome]:
        """Write the batch: rows and RECEIVED or REFUSED entries; runs in the ledger's transaction."""
        taken = [item for item in checked if isinstance(item, ValidatedMessage)]
        answers = exchange_store.answers(tx.conn, [item.message.digest for item in taken])
        claimed = messages_store.claimed(tx.conn, member.id, [item.message.header.message_id for item in taken])
        followed = [item.message.header for item in taken if item.message.header.parent_digests]
        threads = messages_store.thread_names(tx.conn, {header.thread_id for header in followed})
        outcomes: list[_Outcome] = []
        messages: list[MessageRow] = []
        proofs: list[ForeignProof] = []
        fresh: list[tuple[bytes, int]] = []
        awaits = list[AttachmentRow]()
        passed: list[tuple[int, ForwardedMessage]] = []
        for item in checked:
            if isinstance(item, ForwardedMessage):
                passed.append((len(outcomes), item))
                outcomes.append(Unavailable("internal_error", "not decided"))
                continue
            if not isinstance(item, ValidatedMessage):
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
                exchange_store.came_directly(tx.conn, digest)
            entry = tx.append(self._entry(item, member, refusal), text=refusal.detail if refusal else "")
            answers[digest] = entry
            fresh.append((digest, entry.index))
            outcomes.append(entry)
            proofs.append(self._proof(item, member))
            if held is None:
                claimed[header.message_id] = digest
                thread_name = item.item.released.entry.thread_name or threads.get(header.thread_id, "")
                threads[header.thread_id] = thread_name
                messages.append(self._row(tx, item, thread_name, refusal))
                if refusal is None:
                    awaits.extend(awaited(digest, header, self._member, tx.now, source=member.id))
        self._store(tx, messages)
        attachments_store.put_attachments(tx.conn, awaits)
        exchange_store.add_answers(tx.conn, fresh)
        exchange_store.add_proofs(tx.conn, proofs)
        for place, passed_item in passed:
            outcomes[place] = self._passed_on.take(tx, passed_item, member, self._register_cache.version)
        return outcomes

    def _store(self, tx: LogTransaction, messages: Sequence[MessageRow]) -> None:
        """Write messages with their units and the work on them, and do what they say of others, or others of them."""
        placed = self._unit_directory.received(tx.conn, messages)
        messages = [row for row, _assignee in placed]
        messages_store.add_messages(tx.conn, messages)
        self._unit_directory.make_tasks(tx.conn, placed)
        recalls.note_received(tx, self._node_id, messages)
        requests.note_received(tx, self._member, self._node_id, messages)

    def _entry(self, item: ValidatedMessage, member: Member, refusal: Rejected | None) -> log_pb2.LogEntry:
        digest, released = item.message.digest, item.item.released
        dispatch = receipts.evidence_digest(released.raw, released.checkpoint.note)
        if refusal is None:
            return log_entries.received(actor=self._node_id, source=member.id, digest=digest, dispatch_sha256=dispatch)
        return log_entries.refused(
            actor=self._node_id,
            source=member.id,
            digest=digest,
            reason=refusal.reason,
            dispatch_sha256=dispatch,
        )

    def _proof(self, item: ValidatedMessage, member: Member) -> ForeignProof:
        return ForeignProof(
            digest=item.message.digest,
            member=member.id,
            kind=ProofKind.RELEASED,
            entry=item.item.released.raw,
            index=item.item.released.index,
            hashes=item.item.hashes,
            checkpoint=item.item.released.checkpoint.note,
            register_version=self._register_cache.version,
        )

    def _row(
        self, tx: LogTransaction, item: ValidatedMessage, thread_name: str, refusal: Rejected | None
    ) -> MessageRow:
        header = item.message.header
        return MessageRow(
            seq=tx.next_message_seq(),
            digest=item.message.digest,
            author=header.author,
            message_id=header.message_id,
            thread_id=header.thread_id,
            thread_name=thread_name,
            kind=header.kind,
            urgency=header.urgency,
            state=MessageState.REFUSED if refusal else MessageState.RECEIVED,
            header=item.message.signed.header,
            stored_time=tx.now,
            signed=None if refusal else item.item.raw,
            parents=tuple(header.parent_digests),
        )

    def _mismatch(self, mismatch: ConsistencyMismatch, known_size: int) -> exchange_pb2.DeliverResponse:
        consistency_claim = claim(
            self._ledger, self._ledger.checkpoint, min(known_size, self._ledger.checkpoint.size), mismatch.known_size
        )
        return exchange_pb2.DeliverResponse(consistency_claim=consistency_claim, consistency_mismatch=True)

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
            consistency_claim=claim(self._ledger, checkpoint, from_size, self._logs.size(member.id)),
            results=[_result(outcome, proofs) for outcome in outcomes],
        )


def _in_bounds(tx: LogTransaction, member: Member, checked: Sequence[Checked]) -> list[Checked]:
    """Refuse what was here until its retention ended, and what a member has too much of in one thread.

    Nothing of it is kept, not even the refusal.
    """
    items = [item for item in checked if isinstance(item, ValidatedMessage) and item.message.header.parent_digests]
    sizes = messages_store.thread_sizes(tx.conn, member.id, {item.thread for item in items})
    known = exchange_store.answers(tx.conn, [item.digest for item in items])
    taken = [
        item.digest
        for item in checked
        if isinstance(item, ValidatedMessage | ForwardedMessage) and item.message is not None
    ]
    retired = messages_store.retired_messages(tx.conn, taken)
    bounded: list[Checked] = []
    for item in checked:
        if isinstance(item, ValidatedMessage | ForwardedMessage) and item.digest in retired:
            bounded.append(Rejected("conflict", "this message was here, and its retention has ended"))
            continue
        follows = isinstance(item, ValidatedMessage) and item.thread in sizes and item.digest not in known
        if follows and isinstance(item, ValidatedMessage):
            sizes[item.thread] += 1
            if sizes[item.thread] > MAX_IN_THREAD:
                detail = f"a thread holds at most {MAX_IN_THREAD} messages of one member"
                bounded.append(Rejected("too_large", detail))
                continue
        bounded.append(item)
    return bounded


def _arrived(checked: Sequence[Checked], outcomes: Sequence[_Outcome]) -> list[bytes]:
    """Return the messages of a batch that are stored here and were not refused."""
    return [
        item.digest
        for item, outcome in zip(checked, outcomes, strict=True)
        if isinstance(item, ValidatedMessage | ForwardedMessage)
        and isinstance(outcome, StoredEntry)
        and item.refusal is None
    ]


def _announce(
    tx: LogTransaction,
    checked: Sequence[Checked],
    arrived: Sequence[bytes],
    told: Collection[bytes],
    alarms: frozenset[bytes],
) -> None:
    """Announce a batch: messages that arrived, those that others of it are about, and those its answers are about."""
    if arrived or told:
        tx.announce(MessagesChanged((*arrived, *told), alarms))
    if arrived:
        tx.announce(AttachmentsExpected())
    if concerned := _concerned(item for item in checked if isinstance(item, ValidatedMessage)):
        tx.announce(MessagesChanged(tuple(concerned)))
    if forwarding := tuple(
        item.digest for item in checked if isinstance(item, ForwardedMessage) and item.message is None
    ):
        tx.announce(HoldersChanged(forwarding))
    if moved := frozenset(
        item.thread for item in checked if isinstance(item, ValidatedMessage | ForwardedMessage) and item.is_step
    ):
        tx.announce(WorkflowsMoved(moved))


def _concerned(items: Iterable[ValidatedMessage]) -> set[bytes]:
    """Name the messages that recalls and corrections of a batch are about: what lists say of them has changed."""
    return {digest for item in items for digest in thread.concerned(item.message.header)}


def _result(outcome: _Outcome, proofs: Mapping[int, list[bytes]]) -> exchange_pb2.DeliverResult:
    if isinstance(outcome, Rejected):
        return exchange_pb2.DeliverResult(rejection=rejection(outcome))
    if isinstance(outcome, Unavailable):
        return exchange_pb2.DeliverResult(retry=retry(outcome))
    return exchange_pb2.DeliverResult(
        answer=log_pb2.ProvenEntry(entry=outcome.entry, index=outcome.index, inclusion_hashes=proofs[outcome.index])
    )
