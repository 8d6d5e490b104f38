"""Receive: another member's node delivers messages, and each is answered with a receipt, a refusal or a retry.

A receipt (RECEIVED) states: on disk, key opened, whole ciphertext checked, content valid for its kind. One bad message
never fails its batch; a bad checkpoint or an unproven consistency claim fails the whole call, and nothing is stored. A
message that cannot be attributed to its author is answered and counted but never logged under its id, so that nobody
can occupy a foreign id. The checks that need no database are in `check`.

A crash before the commit leaves nothing, and the peer sends again; after it, before the answer, the peer sends again
and is given the same entries.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic
from typing import Final

import structlog

from paiza.peer.v1 import exchange_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import rejection, retry
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange.consent import CheckGrant
from paiza_node.core.exchange.piggyback import Piggyback, ProvenAnswer, check_answers
from paiza_node.core.exchange.receive.arrivals import Answer, Arrival, Arrivals, Checked
from paiza_node.core.exchange.receive.certificates import KnownCertificates
from paiza_node.core.exchange.receive.check import ValidateIncoming
from paiza_node.core.exchange.receive.forwarded import ReceiveForwarded
from paiza_node.core.executors.executors import fits_loop
from paiza_node.core.log.changes import HoldersChanged, MessagesChanged
from paiza_node.core.log.ledger import Committed
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import LOGGED_DIGITS
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.claims import accept_claim, consistency_claim
from paiza_node.core.peers.log_views import ConsistencyMismatch
from paiza_node.core.rate_limit import RateLimit
from paiza_node.core.register.state import check_state
from paiza_register import Member
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import ParsedMessage
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_DISPATCHES: Final = 256  # of one Deliver; one commit, one checkpoint signature

log = structlog.get_logger("paiza.exchange")


CheckedAnswers = tuple[Piggyback, Sequence[ProvenAnswer]]
"""Checked answers of one kind, carried by a Deliver."""


class Receive:
    """Handles deliveries of other members' nodes."""

    def __init__(
        self,
        core: Core,
        *,
        suspect: Callable[[str], None],
        arrivals: Arrivals,
        piggybacks: Sequence[Piggyback],
        check_grant: CheckGrant,
    ) -> None:
        """Store the collaborators.

        ``arrivals`` writes deliveries, ``piggybacks`` are the kinds of answers they may carry, and ``check_grant``
        checks the consent that a forwarder presents. ``suspect`` requests a comparison of our log with a member.
        """
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._logs = core.logs
        self._executor = core.executors.receive
        self._way = core.executors.way
        self._suspect = suspect
        self._arrivals = arrivals
        self._piggybacks = piggybacks
        self._certificates = KnownCertificates(core.store)
        forwarded = ReceiveForwarded(core, self._certificates, check_grant)
        self._admit = ValidateIncoming(core, self._certificates, forwarded)
        self._firsts = RateLimit(precedence.MAX_FIRST_CALLS)
        self._answered: dict[str, int] = {}  # size of our log in the last answer to each member

    async def __call__(self, member: Member, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        """Receive a batch from the node of ``member``, whose certificate authentication has verified."""
        if len(request.dispatches) > MAX_DISPATCHES:
            raise Rejected("too_large", f"a batch has at most {MAX_DISPATCHES} messages")
        check_state(request.register_state)
        self._register_cache.note_state(member.id, request.register_state)
        if request.consistency_claim.known_size > self._ledger.checkpoint.size:
            # The claim may be wrong, or our log was rolled back: the handshake decides. Nothing is signed until then.
            self._suspect(member.id)
            raise Unavailable("consistency_mismatch", "the caller claims to know more of our log than there is")
        try:
            checkpoint = await accept_claim(self._ledger, self._logs, member, request.consistency_claim)
        except ConsistencyMismatch as mismatch:
            return await asyncio.to_thread(self._mismatch, mismatch, request.consistency_claim.known_size)
        messages = [each.release.message or each.forwarding.message for each in request.dispatches]
        small = fits_loop(len(message) for message in messages)
        with self._way.occupied(when=small):
            return await self._received(member, request, checkpoint, messages, small=small)

    async def _received(
        self,
        member: Member,
        request: exchange_pb2.DeliverRequest,
        checkpoint: VerifiedCheckpoint,
        messages: Sequence[bytes],
        *,
        small: bool,
    ) -> exchange_pb2.DeliverResponse:
        parsed = precedence.read_small(messages)
        headers = [each.header for each in parsed if each is not None]
        overtaking = any(precedence.overtakes(header.kind) for header in headers)
        in_share = not overtaking or self._firsts.take(member.id, monotonic())
        first = in_share and any(map(precedence.is_flash, headers))
        answers = await self._check_piggybacked(member, request, checkpoint)
        committed = await self.take(
            member, request.dispatches, checkpoint, parsed, first=first, answers=answers, ahead=in_share
        )
        return await self._executor.run(
            len(messages),
            lambda: self._answer(member, committed, request.consistency_claim.known_size),
            first=first,
            on_loop=small,
        )

    async def _check_piggybacked(
        self, member: Member, request: exchange_pb2.DeliverRequest, checkpoint: VerifiedCheckpoint
    ) -> list[CheckedAnswers]:
        """Check the answers carried by a request in a thread: there may be hundreds of proofs."""
        riding = [(each, proven) for each in self._piggybacks if (proven := each.proven(request))]
        if not riding:
            return []
        return await self._executor.run(
            sum(len(proven) for _, proven in riding),
            lambda: [(each, check_answers(each, proven, checkpoint, member.id)) for each, proven in riding],
        )

    async def take(
        self,
        member: Member,
        dispatches: Sequence[exchange_pb2.Dispatch],
        checkpoint: VerifiedCheckpoint,
        parsed: Sequence[ParsedMessage | None] = (),
        *,
        first: bool = False,
        answers: Sequence[CheckedAnswers] = (),
        ahead: bool = True,
        before: Callable[[LogTransaction], object] | None = None,
    ) -> Committed[list[Answer]]:
        """Check and store messages that a member's node delivered, proven to an accepted checkpoint.

        ``parsed`` holds the messages if they were parsed before. ``first``: ahead of all other work. ``answers``: those
        carried by the delivery. ``ahead``: whether overtaking kinds go first; False once the member has used up its
        share. ``before``: work done first in the same transaction.

        A batch is one commit, or several while others wait for the ledger.
        """
        checked = await self._executor.run_in_slices(
            len(dispatches),
            lambda: self._admit(member, dispatches, checkpoint, parsed),
            first=first,
            on_loop=fits_loop(dispatch.ByteSize() for dispatch in dispatches),
        )
        known = self._logs.to_store(member.id, checkpoint)
        going = [item for item in checked if isinstance(item, Arrival)]
        overtaking = ahead and any(item.goes_first for item in going)
        urgent = overtaking or (first and any(item.is_flash for item in going))
        shown_first = frozenset(item.digest for item in going if ahead and item.is_flash)

        def work(tx: LogTransaction, begin: int, end: int) -> list[Answer]:
            part = checked[begin:end]
            told: set[bytes] = set()
            peers_store.put_known_log(tx.conn, known)
            if not begin:
                if before is not None:
                    before(tx)
                told = {digest for kind, proven in answers for digest in kind.record(tx, proven, member.id)}
            outcomes = self._arrivals(tx, member.id, part)
            _announce(tx, part, _arrived(part, outcomes), told, shown_first)
            return outcomes

        # Forwarded messages are checked against all of their batch.
        together = before is not None or any(item.forwarded for item in going)
        done = await self._ledger.commit_parts(
            work,
            len(checked),
            first=urgent,
            # The answers cost the ledger's time as well, and there may be more of them than messages.
            extra=sum(len(proven) for _, proven in answers),
            together=together,
            counts_messages=True,
        )
        committed = Committed([answer for each in done for answer in each.result], done[-1].checkpoint)
        self._certificates.note(certificate for item in going for certificate in item.certificates)
        arrived = _arrived(checked, committed.result)
        log.info("received", peer=member.id, messages=[digest.hex()[:LOGGED_DIGITS] for digest in arrived])
        for item in checked:
            if refused := item.refusal if isinstance(item, Arrival) else item:
                log.warning("not_received", peer=member.id, reason=refused.reason, detail=refused.detail)
        return committed

    def _mismatch(self, mismatch: ConsistencyMismatch, known_size: int) -> exchange_pb2.DeliverResponse:
        claim = consistency_claim(
            self._ledger, self._ledger.checkpoint, min(known_size, self._ledger.checkpoint.size), mismatch.known_size
        )
        return exchange_pb2.DeliverResponse(consistency_claim=claim, consistency_mismatch=True)

    def _answer(
        self, member: Member, committed: Committed[list[Answer]], caller_knows: int
    ) -> exchange_pb2.DeliverResponse:
        """Prove every answer to the checkpoint, and the checkpoint's consistency from the size the caller knows."""
        outcomes, checkpoint = committed.result, committed.checkpoint
        stored = [outcome for outcome in outcomes if isinstance(outcome, StoredEntry)]
        proofs = dict(
            zip(
                (entry.index for entry in stored),
                self._ledger.prove([entry.index for entry in stored], checkpoint.size),
                strict=True,
            )
        )
        # If two of its calls overlap, the caller already knows the size in our answer to the earlier one. If that
        # answer was lost, it asks (ProveConsistency).
        from_size = max(caller_knows, self._answered.get(member.id, 0))
        claim = consistency_claim(self._ledger, checkpoint, from_size, self._logs.size(member.id))
        self._answered[member.id] = checkpoint.size
        response = exchange_pb2.DeliverResponse(consistency_claim=claim)
        for outcome in outcomes:
            _fill(response.results.add(), outcome, proofs)
        return response


def _arrived(checked: Sequence[Checked], answers: Sequence[Answer]) -> list[bytes]:
    """Return the messages of a batch that are stored here and were not refused."""
    return [
        item.digest
        for item, answer in zip(checked, answers, strict=True)
        if isinstance(item, Arrival) and isinstance(answer, StoredEntry) and item.refusal is None
    ]


def _announce(
    tx: LogTransaction,
    checked: Sequence[Checked],
    arrived: Sequence[bytes],
    told: Collection[bytes],
    shown_first: frozenset[bytes],
) -> None:
    """Announce a batch: stored messages, those that its answers concern, and own messages that were forwarded."""
    if arrived or told:
        tx.announce(MessagesChanged((*arrived, *told), shown_first))
    if forwarded := tuple(item.digest for item in checked if isinstance(item, Arrival) and item.message is None):
        tx.announce(HoldersChanged(forwarded))


def _fill(result: exchange_pb2.DeliverResult, outcome: Answer, proofs: Mapping[int, list[bytes]]) -> None:
    """Fill an empty result in its place: constructors serialize and parse the messages that they are given."""
    if isinstance(outcome, Rejected):
        result.rejection.CopyFrom(rejection(outcome))
    elif isinstance(outcome, Unavailable):
        result.retry.CopyFrom(retry(outcome))
    else:
        result.answer.entry = outcome.entry
        result.answer.index = outcome.index
        result.answer.inclusion_hashes.extend(proofs[outcome.index])
