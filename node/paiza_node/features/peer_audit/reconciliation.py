"""Reconciliation: two members agree on the messages one released to the other in a period, and both logs record it.

A message belongs to the period in which its author's log released it. Each side computes the same digest from its data:
its own entries, and the stored proofs of the other's. If the digests differ nothing is logged; `paiza audit reconcile`
lists the differences.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sized
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from typing import Final

import structlog

from paiza.core.v1 import delivery_pb2, log_pb2, log_query_pb2
from paiza.officer.v1 import audit_query_pb2
from paiza.peer.v1 import peer_audit_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, ForeignProof, ProofKind
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.exchange.receive.check import MAX_CLOCK_SKEW
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.time_index import index_at
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers.claims import note_told_entry
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.rate_limit import RateLimit
from paiza_node.core.storage import ReadConnection
from paiza_node.features.peer_audit import store as peer_audit_store
from paiza_node.features.peer_audit.model import ReconciledPeriod
from paiza_node.features.peer_audit.query import parse, scan
from paiza_node.features.peer_audit.work_limit import WorkLimit
from paiza_register.model import Member
from paiza_wire import log_entries, receipts
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.message import DIGEST_SIZE
from paiza_wire.tlog import log_queries
from paiza_wire.tlog.log_queries import ExchangedMessage
from paiza_wire.tlog.merkle import leaf_hash

MAX_PROPOSALS: Final = 60  # of one member in a minute: each may make an entry; a year by months, acknowledged, is 24
MAX_COMPUTED_SECONDS: Final = 20.0  # of a minute, for proposals of one member: each reads through the log
MAX_MESSAGES: Final = 200_000  # of one period, both ways: held in memory during the computation
BLOCK: Final = 500  # messages whose proofs are read at once

_ANSWERS: Final = (log_pb2.LOG_EVENT_RECEIVED, log_pb2.LOG_EVENT_REFUSED)

log = structlog.get_logger("paiza.peer_audit")


class Reconciliation:
    """Closes periods, on both sides."""

    def __init__(self, core: Core, peers: PeerDirectory) -> None:
        self._core = core
        self._peers = peers
        self._calls = RateLimit(MAX_PROPOSALS)
        self._computed = WorkLimit()
        self._one_at_a_time = asyncio.Lock()
        self._asking: set[str] = set()  # members for whom a period is being computed or waits

    async def close(
        self, officer: Officer, request: audit_query_pb2.ClosePeriodRequest
    ) -> audit_query_pb2.ClosePeriodResponse:
        """Close a period with another member; repeated, it returns the same entries.

        1. The period is whole and past, the counterpart an active member.
        2. No message of ours in it waits for an answer (`period_open`).
        3. The other node computed the same, and logged it (`period_differs` otherwise).
        4. We log it with its proof.
        5. Our entry is sent to the other node. A crash before that leaves it without; the next close sends it.
        """
        # 1.
        since, until = self._whole(request.period)
        member = self._core.register_cache.current.active_member(request.counterpart)
        if member.id == self._core.member:
            raise Rejected("wrong_member", "a period is closed with another member")
        # 2.
        digest = await self._digest(member.id, since, until)
        # 3.
        peer = self._peers.session(member.id)
        asked = peer_audit_pb2.AgreePeriodRequest(period=request.period, period_digest=digest)
        theirs = (await peer.agree_period(asked)).reconciled
        proof = self._verified(member, theirs, digest)
        # 4.
        ours = await self._record(ReconciledPeriod(member.id, since, until, digest, 0, proof), officer.id)
        # 5.
        asked.reconciled.CopyFrom(ours)
        try:
            peer.require_compared()
            await peer.agree_period(asked)
        except PaizaError as error:
            log.warning("period_not_told", member=member.id, reason=error.reason, detail=error.detail)
        return audit_query_pb2.ClosePeriodResponse(period_digest=digest, own=ours, theirs=theirs)

    async def agree(
        self, member: Member, request: peer_audit_pb2.AgreePeriodRequest
    ) -> peer_audit_pb2.AgreePeriodResponse:
        """Answer a proposal to close a period: our RECONCILED entry if our digest is the same."""
        if not self._calls.take(member.id, monotonic()):
            raise Unavailable("busy", f"{MAX_PROPOSALS} periods of {member.id} in a minute are looked at", 10.0)
        since, until = self._whole(request.period)
        if len(request.period_digest) != DIGEST_SIZE:
            raise Rejected("malformed", "period_digest is not 32 bytes long")
        self._computed.check(member.id, MAX_COMPUTED_SECONDS, monotonic())
        digest = await self._digest(member.id, since, until)
        if digest != request.period_digest:
            raise Rejected("period_differs", f"{self._core.member} knows something else of that period")
        proof = None
        if request.HasField("reconciled"):
            proof = self._verified(member, request.reconciled, digest)
        ours = await self._record(ReconciledPeriod(member.id, since, until, digest, 0, proof), self._core.node_id)
        return peer_audit_pb2.AgreePeriodResponse(reconciled=ours)

    def _whole(self, period: log_query_pb2.Period) -> tuple[datetime, datetime]:
        since, until = log_queries.whole_period(period)
        if until > self._core.clock():
            raise Rejected("period_open", f"by the clock of {self._core.member} the period is not over")
        return since, until

    async def _digest(self, member: str, since: datetime, until: datetime) -> bytes:
        if member in self._asking:
            raise Unavailable("busy", f"a period with {member} is being computed already", 5.0)
        self._asking.add(member)
        try:
            async with self._one_at_a_time:
                began = monotonic()
                try:
                    return await asyncio.to_thread(self._compute, member, since, until)
                finally:
                    self._computed.add(member, monotonic() - began, monotonic())
        finally:
            self._asking.discard(member)

    def _compute(self, member: str, since: datetime, until: datetime) -> bytes:
        size = self._core.ledger.checkpoint.size
        with self._core.store.reads() as reads:
            exchanged = [
                *_ours(reads, self._core.member, member, since, until, size),
                *_theirs(reads, member, since, until, size),
            ]
        return log_queries.period_digest((self._core.member, member), since, until, exchanged)

    def _verified(self, member: Member, shown: log_pb2.LogProof, digest: bytes) -> ForeignProof:
        """Check the other side's RECONCILED entry.

        A checkpoint that is not known of its log is unverified: that log will be asked to prove consistency with it.
        """
        logs = self._core.logs
        checkpoint = logs.verify(member, shown.checkpoint)
        entry = receipts.verify_entry(shown.proven, checkpoint)
        note_told_entry(logs, member, entry, shown.proven.inclusion_hashes, told_by=member.id)
        logs.check_trusted(member.id)  # also if this very checkpoint shows that it is forked
        said = (entry.entry.event, entry.entry.counterpart, entry.entry.reconciled.period_digest)
        if said != (log_pb2.LOG_EVENT_RECONCILED, self._core.member, digest):
            raise Rejected("bad_proof", f"the entry of {member.id} does not say that the period agrees")
        return ForeignProof(
            digest=b"",
            member=member.id,
            kind=ProofKind.ANSWER,
            entry=entry.raw,
            index=entry.index,
            hashes=b"".join(shown.proven.inclusion_hashes),
            checkpoint=checkpoint.note,
            register_version=self._core.register_cache.version,
        )

    async def _record(self, period: ReconciledPeriod, actor: str) -> log_pb2.LogProof:
        """Log once that a period agrees, and store the other side's proof; return our entry."""

        def work(tx: LogTransaction) -> int:
            known = peer_audit_store.reconciled_period(
                tx.conn, period.counterpart, period.since_time, period.until_time
            )
            if known is not None and known.digest == period.digest:
                index, theirs = known.log_index, period.theirs or known.theirs
                if theirs == known.theirs:
                    return index
            else:
                entry = log_entries.reconciled(actor=actor, member=period.counterpart, period_digest=period.digest)
                span = period_text(period.since_time, period.until_time)
                index, theirs = tx.append(entry, text=span).index, period.theirs
            peer_audit_store.put_reconciled(
                tx.conn,
                ReconciledPeriod(
                    period.counterpart, period.since_time, period.until_time, period.digest, index, theirs
                ),
            )
            return index

        committed = await self._core.ledger.commit(work)
        with self._core.store.reads() as reads:
            stored = log_store.entry_at(reads, committed.result)
        return own_proof(self._core.ledger, stored, committed.checkpoint.size, committed.checkpoint.note)


def _ours(
    reads: ReadConnection, own: str, member: str, since: datetime, until: datetime, size: int
) -> Iterator[ExchangedMessage]:
    """Yield our messages to a member in the period that it answered; `period_open` if an answer is pending."""
    released: dict[bytes, bytes] = {}
    mark = member.encode()
    # The time of entries never decreases: the releases of the period end with it.
    for stored in scan(reads, index_at(reads, since, size) or 0, index_at(reads, until, size) or 0):
        if mark not in stored.entry:
            continue
        entry = parse(stored)
        if entry.event == log_pb2.LOG_EVENT_RELEASED and entry.counterpart == member:
            released[entry.message_digest] = leaf_hash(stored.entry)
            _check_bound(released)
    for block in _blocks(released):
        held = exchange_store.held_proofs(reads, block, member)
        for digest in block:
            answer = next((each for each in held.get(digest, ()) if _answers(each, own)), None)
            if answer is not None:
                yield ExchangedMessage(own, digest, released[digest], leaf_hash(answer.entry))
            elif _is_waiting(reads, digest, member):
                raise Rejected("period_open", f"a message to {member} is not answered yet: {digest.hex()[:16]}")


def _theirs(
    reads: ReadConnection, member: str, since: datetime, until: datetime, size: int
) -> Iterator[ExchangedMessage]:
    """Yield a member's messages to us in the period that we answered, by its stored proofs.

    Only messages of the period count against `MAX_MESSAGES`, however long ago it was.
    """
    given: set[bytes] = set()
    for block in _blocks(_answered(reads, member, since, size)):
        held = exchange_store.held_proofs(reads, block, member)
        answers = exchange_store.answers(reads, block)
        for digest in block:
            released = next((each for each in held.get(digest, ()) if _released_in(each, since, until)), None)
            if released is not None and digest in answers and digest not in given:
                given.add(digest)
                _check_bound(given)
                yield ExchangedMessage(member, digest, leaf_hash(released.entry), leaf_hash(answers[digest].entry))


def _answered(reads: ReadConnection, member: str, since: datetime, size: int) -> Iterator[bytes]:
    """Yield the messages of a member that we answered since a time; an answer may come long after the period's end."""
    mark = member.encode()
    # Its clock may differ from ours: the answer to a release of the period may have an earlier time.
    for stored in scan(reads, index_at(reads, since - MAX_CLOCK_SKEW, size) or 0, size):
        if mark not in stored.entry:
            continue
        entry = parse(stored)
        if entry.event in _ANSWERS and entry.counterpart == member and log_entries.part_number(entry) is None:
            yield entry.message_digest


def _answers(proof: ForeignProof, own: str) -> bool:
    entry = log_pb2.LogEntry.FromString(proof.entry)
    return (
        proof.kind is ProofKind.ANSWER
        and entry.event in _ANSWERS
        and entry.counterpart == own
        and log_entries.part_number(entry) is None
    )


def _released_in(proof: ForeignProof, since: datetime, until: datetime) -> bool:
    entry = log_pb2.LogEntry.FromString(proof.entry)
    moment = entry.entry_time.ToDatetime(tzinfo=UTC)
    return entry.event == log_pb2.LOG_EVENT_RELEASED and since <= moment < until


def _is_waiting(reads: ReadConnection, digest: bytes, member: str) -> bool:
    return any(
        delivery.recipient == member
        and delivery.delivery_kind == DeliveryKind.OWN
        and delivery.state == delivery_pb2.DELIVERY_STATE_WAITING
        for delivery in deliveries_store.deliveries_of(reads, digest)
    )


def _check_bound(found: Sized) -> None:
    if len(found) > MAX_MESSAGES:
        raise Rejected("too_large", f"a period holds at most {MAX_MESSAGES} messages; choose a shorter one")


def _blocks(digests: Iterable[bytes]) -> Iterator[list[bytes]]:
    each = iter(digests)
    while block := list(islice(each, BLOCK)):
        yield block


def period_text(since: datetime, until: datetime) -> str:
    """Return the text beside the entry that a period agrees."""
    return f"{since.isoformat()} – {until.isoformat()}"
