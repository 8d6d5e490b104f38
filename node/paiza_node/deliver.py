"""Deliver: how a released message gets to another member's node.

Every peer has one courier with two slots: one for bulk, and one for what is URGENT or FLASH, so that a moving
consignment never waits behind statistics. A slot takes what waits in the store, oldest first, builds one batch with
the proof of each release, sends it, verifies every answer against the peer's log, and only then commits what became
of the batch (DELIVERED, REFUSED, another attempt) together with the proofs. Then it takes the next batch. Nothing is
kept in memory that the store does not hold: after a crash between sending and committing, the batch is sent again and
the peer answers with the same entries.

A peer that cannot be reached is tried again with growing, jittered pauses; a message whose life time is over is given
up, which is logged and told to its officers.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Any, Final

import structlog

from paiza.v1 import exchange_pb2, log_pb2, officer_pb2
from paiza_node.errors import N_, NodeStopped
from paiza_node.growth import GrowthMismatch, KnownLogs, claim, record_fork
from paiza_node.lanes import Lane
from paiza_node.ledger import Ledger, Pen
from paiza_node.model import DeliveryRow, ForeignProof, KnownLog, Outgoing, Postponement, ProofKind, Settlement
from paiza_node.news import News
from paiza_node.ports import Peer, Store
from paiza_node.refresh import Registers
from paiza_node.rewrap import rewrap
from paiza_node.submit import LOGGED_DIGITS
from paiza_wire import checkpoint as checkpoints
from paiza_wire import hpke, receipts
from paiza_wire.checkpoint import VerifiedCheckpoint
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.notes import VerifierKey
from paiza_wire.reasons import REASONS

BULK_BATCH: Final = 256  # messages; the receiver's commit and signature are shared by all of them
BULK_FLIGHTS: Final = 2  # batches under way to one peer: it checks the second while it commits the first
URGENT_BATCH: Final = 32  # messages; small, so that the answer is quick
MAX_BATCH_BYTES: Final = 6 * 1024 * 1024  # bytes of messages in one call; the receiver takes 8 MiB
FIRST_PAUSE_SECONDS: Final = 0.5  # after the first failure of a peer
LONGEST_PAUSE_SECONDS: Final = 60.0  # a peer that is back is found within this time
URGENT_PAUSE_SECONDS: Final = 5.0  # the same for what is urgent
LEAST_PAUSE_SECONDS: Final = 0.05  # where something is due that cannot be proven yet
IDLE_SECONDS: Final = 30.0  # look into the store at least this often
EXPIRY_SECONDS: Final = 30.0  # how often expired deliveries are looked for
EXPIRY_BATCH: Final = 256
FIRST_RETRY_SECONDS: Final = 2.0  # of one message that the peer asks to have again
LONGEST_RETRY_SECONDS: Final = 3600.0
MAX_DETAIL: Final = 500  # characters of what a peer says beside its reason

log = structlog.get_logger("paiza.deliver")


@dataclass(slots=True)
class PeerHealth:
    """What is known of reaching one peer, for status and metrics."""

    reachable: bool = False
    last_error: str = ""
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch that was sent, what the peer answered, and its checkpoint that the answers are proven to."""

    batch: list[Outgoing]
    results: Sequence[exchange_pb2.DeliverResult]
    checkpoint: VerifiedCheckpoint


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """What the answers to one batch come to."""

    settlements: list[tuple[Settlement, Outgoing, log_pb2.LogEvent.ValueType, bytes]]
    proofs: list[ForeignProof]
    postponements: list[Postponement]
    rewrapped: list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Context:
    """What all couriers share."""

    member: str
    node_id: str
    registers: Registers
    ledger: Ledger
    store: Store
    logs: KnownLogs
    news: News
    lane: Lane
    private_keys: Mapping[bytes, hpke.DecryptionKey]
    clock: Callable[[], datetime]


class Courier:
    """Delivers to one peer. Belongs to one event loop."""

    def __init__(self, context: Context, peer: Peer) -> None:
        """Take the peer; `run` begins."""
        self._context = context
        self._peer = peer
        self._wakers = {True: asyncio.Event(), False: asyncio.Event()}
        self._handshake = asyncio.Lock()
        self._asked = asyncio.Event()
        self._assumed: int | None = None  # size of our log that the peer knows; None before the first handshake
        self.health = PeerHealth()

    @property
    def member(self) -> str:
        """Give the peer's member id."""
        return self._peer.member

    def wake(self) -> None:
        """Say that something may be waiting."""
        for event in self._wakers.values():
            event.set()

    def ask(self) -> None:
        """Have the peer asked what it holds of our log, before anything else is sent to it."""
        self._assumed = None
        self._asked.set()

    async def _keep_asking(self) -> None:
        """Compare logs with the peer at the start and whenever there is doubt: a rolled-back node must find out."""
        failures = 0
        while True:
            self._asked.clear()
            try:
                await self._agree()
                failures = 0
                await self._asked.wait()
            except PaizaError as error:
                failures += 1
                self._failed(error, failures)
                await asyncio.sleep(_pause_seconds(failures, LONGEST_PAUSE_SECONDS))

    async def run(self) -> None:
        """Deliver for as long as the node runs; cancelled between batches or within one, nothing is lost."""
        duties = (self._slot(urgent=True), self._slot(urgent=False), self._keep_asking())
        slots = [asyncio.create_task(duty) for duty in duties]
        try:
            await asyncio.gather(*slots)
        finally:
            for slot in slots:
                slot.cancel()
            await asyncio.gather(*slots, return_exceptions=True)

    async def close(self) -> None:
        """Close the channel."""
        await self._peer.close()

    async def _slot(self, *, urgent: bool) -> None:
        """Send batch after batch: while one is under way the next is sent as well, and the one before is settled."""
        flights: deque[asyncio.Task[_Sent]] = deque()
        settling: asyncio.Task[None] | None = None
        last_id = 0  # deliveries up to here are under way or being settled: not to be taken again before they are
        failures = 0
        try:
            while True:
                self._wakers[urgent].clear()
                try:
                    while len(flights) < (1 if urgent else BULK_FLIGHTS):
                        batch = await self._take(urgent=urgent, after_id=last_id)
                        if not batch:
                            break
                        last_id = 0 if urgent else batch[-1].id  # what is urgent is not taken in the order of ids
                        flights.append(asyncio.create_task(self._send(batch)))
                    if flights:
                        sent = await flights.popleft()
                        await _done(settling)
                        settling = asyncio.create_task(self._settle(sent))
                        failures = 0
                    if urgent or not flights:
                        await _done(settling)
                        settling = None
                    if flights or settling is not None or last_id:
                        last_id = last_id if flights else 0  # look again from the beginning before pausing
                        continue
                except NodeStopped:
                    raise
                except Exception as error:  # noqa: BLE001 - no answer of one peer may end the node
                    failures += 1
                    self._failed(error, failures)
                    await _ended(settling, *flights)
                    flights.clear()
                    settling, last_id = None, 0
                    self._assumed = None  # begin anew with what the peer says it knows
                await self._pause(urgent=urgent, failures=failures)
        finally:
            for flight in flights:
                flight.cancel()
            await _ended(settling, *flights)  # the node stops: what the peer answered is still committed

    async def _pause(self, *, urgent: bool, failures: int) -> None:
        """Wait for something to do: being woken, the next attempt falling due, or the peer's pause being over."""
        if failures:
            await asyncio.sleep(_pause_seconds(failures, URGENT_PAUSE_SECONDS if urgent else LONGEST_PAUSE_SECONDS))
            return
        context = self._context
        due = await asyncio.to_thread(self._next_attempt, urgent)
        seconds = (
            IDLE_SECONDS
            if due is None
            else min(IDLE_SECONDS, max(LEAST_PAUSE_SECONDS, (due - context.clock()).total_seconds()))
        )
        try:
            await asyncio.wait_for(self._wakers[urgent].wait(), seconds)
        except TimeoutError:
            return

    def _next_attempt(self, urgent: bool) -> datetime | None:  # noqa: FBT001 - called through to_thread
        try:
            with self._context.store.reads() as reads:
                return reads.next_attempt(self.member, urgent=urgent)
        except Unavailable:
            return self._context.clock() + timedelta(seconds=FIRST_RETRY_SECONDS)  # the database is away for now

    def _failed(self, error: Exception, failures: int) -> None:
        self.health.reachable = False
        if not isinstance(error, PaizaError):
            log.error("courier_failed", peer=self.member, failures=failures, exc_info=error)
            self.health.last_error = "internal_error"
            return
        self.health.last_error = f"{error.reason}: {error.detail}"
        if failures == 1 or failures % 20 == 0:
            log.warning("peer_failed", peer=self.member, reason=error.reason, detail=error.detail, failures=failures)

    async def _take(self, *, urgent: bool, after_id: int) -> list[Outgoing]:
        """Give the next batch of what is due."""
        self._context.registers.current.active_member(self.member)
        wanted = URGENT_BATCH if urgent else BULK_BATCH
        return await self._context.lane.run(wanted, lambda: self._due(wanted, urgent=urgent, after_id=after_id))

    async def _send(self, batch: list[Outgoing]) -> _Sent:
        """Send a batch and check that the peer's log grew honestly."""
        if self._assumed is None:
            await self._agree()
        response = await self._deliver(batch)
        return _Sent(batch, response.results, await self._accept(response))

    async def _settle(self, sent: _Sent) -> None:
        """Verify what the peer answered and commit what became of the batch, with the proofs."""
        context = self._context
        register = context.registers.current
        peer = register.active_member(self.member)
        verdicts = await context.lane.run(len(sent.batch), lambda: self._judge_all(sent, register.version))
        known = context.logs.to_store(peer.id, sent.checkpoint)
        await context.ledger.commit(lambda pen: _record(pen, context.node_id, self.member, verdicts, known))
        self.health = PeerHealth(reachable=True, last_seen=context.clock())
        settled = [outgoing.digest for _, outgoing, _, _ in verdicts.settlements]
        context.news.publish(settled)
        log.info("answered", peer=self.member, messages=[digest.hex()[:LOGGED_DIGITS] for digest in settled])

    def _due(self, limit: int, *, urgent: bool, after_id: int) -> list[Outgoing]:
        provable = self._context.ledger.checkpoint.size
        with self._context.store.reads() as reads:
            batch = reads.due(
                self.member,
                self._context.clock(),
                urgent=urgent,
                limit=limit,
                max_bytes=MAX_BATCH_BYTES,
                after_id=after_id,
            )
        # What was committed a moment ago may still wait for the checkpoint that proves it; it goes with the next.
        return list(takewhile(lambda outgoing: outgoing.released_index < provable, batch))

    async def _agree(self) -> None:
        """Ask the peer what it knows of our log; more than there is means that we were rolled back."""
        async with self._handshake:
            if self._assumed is not None:
                return
            context = self._context
            response = await self._peer.handshake(
                exchange_pb2.HandshakeRequest(protocol_version=1, register_version=context.registers.version)
            )
            own = context.registers.current.active_member(context.member)
            if response.known_checkpoint:
                known = _own_checkpoint(context.ledger, own.log_keys[-1].vkey, response.known_checkpoint)
                self._check_not_rolled_back(known)
                self._assumed = known.size
            else:
                self._assumed = 0
            self.health = PeerHealth(reachable=True, last_seen=context.clock())
            context.registers.heard_of(response.register_version)

    def _check_not_rolled_back(self, known: VerifiedCheckpoint) -> None:
        ledger = self._context.ledger
        if known.size > ledger.checkpoint.size:
            log.critical("log_rolled_back", peer=self.member, known_size=known.size, own_size=ledger.checkpoint.size)
            raise NodeStopped(
                "log_rolled_back",
                what=N_("{peer} holds our checkpoint of size {known}; we have {size}."),
                where="{origin}",
                remedy=N_("An old copy of the database was put back. Stop this node and put the newest copy back."),
                peer=self.member,
                known=known.size,
                size=ledger.checkpoint.size,
                origin=ledger.origin,
            )

    async def _deliver(self, batch: Sequence[Outgoing]) -> exchange_pb2.DeliverResponse:
        """Send a batch; where the peer knows another size of our log, once more from that size."""
        context = self._context
        for _ in range(3):
            own = context.ledger.checkpoint
            request = await context.lane.run(len(batch), partial(self._request, batch, own))
            # From here to the call nothing waits: claims go out in the order in which they build on each other.
            assumed = self._assumed or 0
            request.growth.CopyFrom(claim(context.ledger, own, assumed, context.logs.size(self.member)))
            self._assumed = max(assumed, own.size)
            response = await self._peer.deliver(request)
            if not response.growth_mismatch:
                return response
            if response.growth.known_size > context.ledger.checkpoint.size:
                raise Unavailable("growth_mismatch", "the peer claims to know more of our log than there is")
            self._assumed = response.growth.known_size
        raise Unavailable("growth_mismatch", "the peer and we did not agree on what it knows of our log")

    def _request(self, batch: Sequence[Outgoing], own: VerifiedCheckpoint) -> exchange_pb2.DeliverRequest:
        """Build the request but for what it claims of growth."""
        context = self._context
        proofs = context.ledger.prove([outgoing.released_index for outgoing in batch], own.size)
        return exchange_pb2.DeliverRequest(
            register_version=context.registers.version,
            dispatches=[
                exchange_pb2.Dispatch(
                    message=outgoing.signed,
                    released=log_pb2.ProvenEntry(
                        entry=outgoing.released_entry, index=outgoing.released_index, inclusion_hashes=proof
                    ),
                )
                for outgoing, proof in zip(batch, proofs, strict=True)
            ],
        )

    async def _accept(self, response: exchange_pb2.DeliverResponse) -> VerifiedCheckpoint:
        """Check that the peer's log grew honestly to the checkpoint it answers with."""
        logs = self._context.logs
        peer = self._context.registers.current.active_member(self.member)
        try:
            try:
                return logs.accept(peer, response.growth)
            except GrowthMismatch:
                # The other slot's answer overtook this one, so this proof begins behind what is known now.
                checkpoint = logs.verify(peer, response.growth.checkpoint)
                sizes = [logs.size(peer.id), checkpoint.size]
                proof = await self._peer.prove_growth(exchange_pb2.ProveGrowthRequest(sizes=sizes))
                return logs.accept_between(peer, checkpoint, proof)
        except Rejected:
            await record_fork(self._context.ledger, logs)
            raise

    def _judge_all(self, sent: _Sent, register_version: bytes) -> _Verdicts:
        if len(sent.results) != len(sent.batch):
            raise Unavailable("unexpected_answer", "the peer did not answer for every message")
        verdicts = _Verdicts([], [], [], [])
        for outgoing, result in zip(sent.batch, sent.results, strict=True):
            try:
                self._judge(verdicts, outgoing, result, sent.checkpoint, register_version)
            except PaizaError as error:
                # The peer's answer does not hold. It is not believed, and asked for again later.
                log.warning("answer_refused", peer=self.member, reason=error.reason, detail=error.detail)
                verdicts.postponements.append(self._again(outgoing, error.reason, error.detail, 0.0))
        return verdicts

    def _judge(
        self,
        verdicts: _Verdicts,
        outgoing: Outgoing,
        result: exchange_pb2.DeliverResult,
        checkpoint: VerifiedCheckpoint,
        register_version: bytes,
    ) -> None:
        which = result.WhichOneof("result")
        if which == "answer":
            answer = receipts.verify_entry(result.answer, checkpoint)
            receipts.check_answer(answer.entry, outgoing.digest, self._context.member)
            received = answer.entry.event == log_pb2.LOG_EVENT_RECEIVED
            state = officer_pb2.DELIVERY_STATE_DELIVERED if received else officer_pb2.DELIVERY_STATE_REFUSED
            event = log_pb2.LOG_EVENT_DELIVERED if received else log_pb2.LOG_EVENT_REFUSED
            settlement = Settlement(outgoing.id, state, answer.entry.reason)
            evidence = receipts.evidence_digest(answer.raw, checkpoint.note)
            verdicts.settlements.append((settlement, outgoing, event, evidence))
            verdicts.proofs.append(
                ForeignProof(
                    digest=outgoing.digest,
                    member=self.member,
                    kind=ProofKind.ANSWER,
                    entry=answer.raw,
                    index=answer.index,
                    hashes=b"".join(result.answer.inclusion_hashes),
                    checkpoint=checkpoint.note,
                    register_version=register_version,
                )
            )
        elif which == "rejection":
            reason, detail = _bounded(result.rejection.reason), _printable(result.rejection.detail)
            settlement = Settlement(outgoing.id, officer_pb2.DELIVERY_STATE_REJECTED, reason, detail)
            verdicts.settlements.append((settlement, outgoing, log_pb2.LOG_EVENT_REFUSED, b""))
        elif which == "retry":
            reason = _bounded(result.retry.reason)
            if reason == "cannot_open":
                verdicts.rewrapped.append((outgoing.digest, self._rewrapped(outgoing)))
            detail, seconds = _printable(result.retry.detail), float(result.retry.retry_after.seconds)
            verdicts.postponements.append(self._again(outgoing, reason, detail, seconds))
        else:
            raise Rejected("malformed", "the answer holds no result")

    def _rewrapped(self, outgoing: Outgoing) -> bytes:
        context = self._context
        return rewrap(
            outgoing.signed,
            self.member,
            member=context.member,
            private_keys=context.private_keys,
            register=context.registers.current,
            now=context.clock(),
        )

    def _again(self, outgoing: Outgoing, reason: str, detail: str, at_least_seconds: float) -> Postponement:
        pause = min(FIRST_RETRY_SECONDS * 2.0 ** min(outgoing.attempts, 12), LONGEST_RETRY_SECONDS)
        if outgoing.attempts == 0 and reason == "cannot_open":
            pause = 0.0  # it was wrapped anew: at once
        pause = max(pause * random.uniform(0.5, 1.0), min(at_least_seconds, LONGEST_RETRY_SECONDS))  # noqa: S311 - jitter
        return Postponement(outgoing.id, self._context.clock() + timedelta(seconds=pause), reason, detail)


class Deliver:
    """All couriers of a node: one for every other active member of the register in force."""

    def __init__(self, context: Context, connect: Callable[[str], Peer]) -> None:
        """Take what couriers share, and how to make a channel to a member."""
        self._context = context
        self._connect = connect
        self.couriers: dict[str, Courier] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def ask(self, member: str) -> None:
        """Have a member asked what it holds of our log."""
        if member in self.couriers:
            self.couriers[member].ask()

    def wake(self, recipients: Iterable[str]) -> None:
        """Say that something may be waiting for these members."""
        for recipient in recipients:
            courier = self.couriers.get(recipient)
            if courier is not None:
                courier.wake()

    async def run(self) -> None:
        """Keep couriers for the members of the register and give up what expired, for as long as the node runs."""
        try:
            while True:
                self._follow_register()
                try:
                    await self._give_up_expired()
                except Unavailable as error:
                    log.warning("expired_not_given_up", reason=error.reason, detail=error.detail)
                # A courier ends only by a failure that must stop the node: at once, not at the next round.
                waiting = [asyncio.ensure_future(asyncio.sleep(EXPIRY_SECONDS)), *self._tasks.values()]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                waiting[0].cancel()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await asyncio.gather(*(courier.close() for courier in self.couriers.values()), return_exceptions=True)

    def _follow_register(self) -> None:
        try:
            members = {member.id for member in self._context.registers.current.active_members()}
        except Unavailable as error:
            log.warning("register_expired", detail=error.detail)
            return
        for member in members - {self._context.member} - set(self.couriers):
            courier = Courier(self._context, self._connect(member))
            self.couriers[member] = courier
            self._tasks[member] = asyncio.create_task(courier.run(), name=f"courier {member}")
        for member, task in list(self._tasks.items()):
            if task.done():
                task.result()
            if member not in members:
                del self._tasks[member]
                self._ending.add(asyncio.create_task(_end(task, self.couriers.pop(member))))
        self._ending = {task for task in self._ending if not task.done()}

    async def _give_up_expired(self) -> None:
        """Give up what was not delivered in its life time, batch by batch."""
        while expired := await asyncio.to_thread(self._expired):
            await self._give_up(expired)

    async def _give_up(self, expired: Sequence[DeliveryRow]) -> None:
        context = self._context

        def work(pen: Pen) -> None:
            settlements = [
                Settlement(delivery.id, officer_pb2.DELIVERY_STATE_EXPIRED, "delivery_expired", delivery.detail)
                for delivery in expired
            ]
            ended = set(pen.tx.settle(settlements, pen.now))
            for delivery in expired:
                if delivery.id in ended:
                    pen.append(
                        log_pb2.LogEntry(
                            event=log_pb2.LOG_EVENT_EXPIRED,
                            actor=context.node_id,
                            counterpart=delivery.recipient,
                            message_digest=delivery.digest,
                            reason="delivery_expired",
                        )
                    )

        await context.ledger.commit(work)
        context.news.publish({delivery.digest for delivery in expired})
        for delivery in expired:
            log.warning("delivery_expired", digest=delivery.digest.hex(), recipient=delivery.recipient)

    def _expired(self) -> list[DeliveryRow]:
        with self._context.store.reads() as reads:
            return reads.expired(self._context.clock(), EXPIRY_BATCH)


def _record(pen: Pen, actor: str, peer: str, verdicts: _Verdicts, known: KnownLog) -> None:
    """Write what became of a batch, with the proofs: runs in the ledger's transaction."""
    pen.tx.put_known_log(known)
    ended = set(pen.tx.settle([settlement for settlement, _, _, _ in verdicts.settlements], pen.now))
    for settlement, outgoing, event, evidence in verdicts.settlements:
        if settlement.id in ended:
            pen.append(
                log_pb2.LogEntry(
                    event=event,
                    actor=actor,
                    counterpart=peer,
                    message_digest=outgoing.digest,
                    reason=settlement.reason,
                    evidence_sha256=evidence,
                )
            )
    pen.tx.add_proofs(verdicts.proofs)
    pen.tx.postpone(verdicts.postponements)
    for digest, signed in verdicts.rewrapped:
        pen.tx.replace_signed(digest, signed)


async def _end(task: asyncio.Task[None], courier: Courier) -> None:
    """Let a courier finish what is being settled, and close its channel: its member has left."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await courier.close()


def _pause_seconds(failures: int, longest: float) -> float:
    """Give how long to wait after so many failures in a row: doubling, and scattered."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10), longest) * random.uniform(0.5, 1.0)  # noqa: S311


async def _done(task: asyncio.Task[None] | None) -> None:
    """Wait for a task, if there is one, and raise what it raised."""
    if task is not None:
        await task


async def _ended(*tasks: asyncio.Task[Any] | None) -> None:
    """Wait for tasks that are under way; that they fail as well changes nothing: their batches are sent again."""
    await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)


def _own_checkpoint(ledger: Ledger, vkey: str, note: bytes) -> VerifiedCheckpoint:
    """Check that what a peer shows as our checkpoint was signed by us."""
    try:
        return checkpoints.verify(note, [VerifierKey.from_vkey(vkey)], ledger.origin)
    except Rejected as error:
        raise Unavailable("bad_checkpoint", f"what the peer shows as our checkpoint is not: {error.detail}") from error


def _bounded(reason: str) -> str:
    """Take a reason code from the other side: one we know, or none."""
    return reason if reason in REASONS else "unexpected_answer"


def _printable(detail: str) -> str:
    """Take a detail from the other side: bounded, and without what steers a terminal or no database stores."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in detail[:MAX_DETAIL])
