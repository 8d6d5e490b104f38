"""A courier: delivers to one peer, for as long as the node runs.

It has three slots: one for bulk, one for what is URGENT or FLASH, so that a moving consignment never waits behind
statistics, and one for a stop, which waits behind nothing: while it is tried the other slots wait. A slot takes what
waits in the store, oldest first, builds a batch with the proof of each release and sends it. Of bulk two batches are
under way, so that the peer checks one while it commits the other. Nothing is kept in memory that the store does not
hold: after a crash between sending and settling, the batch is sent again and the peer answers with the same entries.

A peer that cannot be reached is tried again with growing, jittered pauses.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Any, Final

import structlog

from paiza.v1 import exchange_pb2, log_pb2, recovery_pb2, witness_pb2
from paiza_node.context import Context
from paiza_node.errors import N_, NodeStopped
from paiza_node.growth import GrowthMismatch, claim, record_fork
from paiza_node.ledger import Ledger
from paiza_node.model import Outgoing, Passing, Slot, StoredEntry
from paiza_node.passing.forward import pack
from paiza_node.ports import Peer
from paiza_node.settle import FIRST_RETRY_SECONDS, Sent, Settle
from paiza_node.workflows.precedence import MAX_FIRST
from paiza_wire import checkpoint as checkpoints
from paiza_wire.checkpoint import VerifiedCheckpoint
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.notes import VerifierKey

BULK_BATCH: Final = 256  # messages; the receiver's commit and signature are shared by all of them
BULK_FLIGHTS: Final = 2  # batches under way to one peer: it checks the second while it commits the first
URGENT_BATCH: Final = 32  # messages; small, so that the answer is quick
BATCHES: Final = {Slot.BULK: BULK_BATCH, Slot.URGENT: URGENT_BATCH, Slot.FIRST: MAX_FIRST}  # messages, by slot
MAX_BATCH_BYTES: Final = 6 * 1024 * 1024  # bytes of messages in one call; the receiver takes 8 MiB
MAX_PASSED_ON: Final = 16  # messages of a batch that are passed on: each may carry a grant and a proof more
FIRST_PAUSE_SECONDS: Final = 0.5  # after the first failure of a peer
LONGEST_PAUSE_SECONDS: Final = 60.0  # a peer that is back is found within this time
URGENT_PAUSE_SECONDS: Final = 5.0  # the same for what is urgent
LEAST_PAUSE_SECONDS: Final = 0.05  # where something is due that cannot be proven yet
PATIENCE_SECONDS: Final = 5.0  # that the other slots wait for what goes ahead: one that cannot be sent holds up nothing
OVERTAKEN: Final = 3  # times in a row that a shown checkpoint makes way for batches it has overtaken
IDLE_SECONDS: Final = 30.0  # look into the store at least this often

log = structlog.get_logger("paiza.deliver")


@dataclass(slots=True)
class PeerHealth:
    """What is known of reaching one peer, for status and metrics."""

    reachable: bool = False
    last_error: str = ""
    last_seen: datetime | None = None


class Courier:
    """Delivers to one peer. Belongs to one event loop."""

    def __init__(self, context: Context, peer: Peer) -> None:
        """Take the peer; `run` begins."""
        self._context = context
        self._peer = peer
        self._wakers = {slot: asyncio.Event() for slot in Slot}
        self._way = asyncio.Event()  # clear while what goes ahead is looked for or sent
        self._held = False  # what goes ahead was tried in vain
        self._poked = asyncio.Event()  # it is to be tried again, before the others are
        self._handshake = asyncio.Lock()
        self._asked = asyncio.Event()
        self._claiming = 0  # batches under way whose claims of growth the peer may not have read yet
        self._overtaken = 0
        self._assumed: int | None = None  # size of our log that the peer knows; None before the first handshake
        self._settle = Settle(context, peer.member)
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
                await asyncio.sleep(_pause_seconds(1, FIRST_PAUSE_SECONDS))
                if self._assumed is None:
                    with suppress(TimeoutError):  # whoever calls in the meantime can be reached perhaps
                        pause = _pause_seconds(failures, LONGEST_PAUSE_SECONDS)
                        await asyncio.wait_for(self._asked.wait(), pause)

    async def run(self) -> None:
        """Deliver for as long as the node runs; cancelled between batches or within one, nothing is lost."""
        duties = (*map(self._serve, Slot), self._keep_asking())
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

    async def _serve(self, slot: Slot) -> None:
        """Send batch after batch: while one is under way the next is sent as well, and the one before is settled."""
        flights: deque[asyncio.Task[Sent]] = deque()
        settling: asyncio.Task[None] | None = None
        last_id = 0  # deliveries up to here are under way or being settled: not to be taken again before they are
        failures = 0
        try:
            while True:
                self._wakers[slot].clear()
                try:
                    while len(flights) < (BULK_FLIGHTS if slot is Slot.BULK else 1):
                        batch = await self._take(slot, after_id=last_id)
                        if not batch:
                            break
                        if slot is Slot.FIRST:
                            self._way.clear()
                        # What is urgent is not taken in the order of ids.
                        last_id = batch[-1].id if slot is Slot.BULK else 0
                        flights.append(asyncio.create_task(self._send(slot, batch)))
                    if flights:
                        sent = await flights.popleft()
                        await _done(settling)
                        settling = asyncio.create_task(self._settled(sent))
                        failures = 0
                    if slot is Slot.FIRST:
                        self._held = False
                    if slot is not Slot.BULK or not flights:
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
                    self._held = self._held or slot is Slot.FIRST
                if slot is Slot.FIRST:
                    self._way.set()
                await self._pause(slot, failures)
        finally:
            for flight in flights:
                flight.cancel()
            await _ended(settling, *flights)  # the node stops: what the peer answered is still committed

    async def _give_way(self) -> None:
        """Let what goes ahead be tried first. Where it was tried in vain, it is tried once more now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._way.wait()
                if self._held:
                    self._way.clear()
                    self._poked.set()
                    await self._way.wait()

    async def _pause(self, slot: Slot, failures: int) -> None:
        """Wait for something to do: being woken, the next attempt falling due, or the peer's pause being over."""
        if failures:
            longest = LONGEST_PAUSE_SECONDS if slot is Slot.BULK else URGENT_PAUSE_SECONDS
            if slot is not Slot.FIRST:
                await asyncio.sleep(_pause_seconds(failures, longest))
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), _pause_seconds(failures, longest))
            self._poked.clear()
            return
        context = self._context
        due = await asyncio.to_thread(self._next_attempt, slot)
        seconds = (
            IDLE_SECONDS
            if due is None
            else min(IDLE_SECONDS, max(LEAST_PAUSE_SECONDS, (due - context.clock()).total_seconds()))
        )
        try:
            await asyncio.wait_for(self._wakers[slot].wait(), seconds)
        except TimeoutError:
            return

    def _next_attempt(self, slot: Slot) -> datetime | None:
        try:
            with self._context.store.reads() as reads:
                return reads.next_attempt(self.member, slot=slot)
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

    async def _take(self, slot: Slot, *, after_id: int) -> list[Outgoing]:
        """Give the next batch of what is due."""
        self._context.registers.current.active_member(self.member)
        return await self._context.lanes.deliver.run(
            BATCHES[slot], lambda: self._due(slot, after_id=after_id), first=slot is Slot.FIRST
        )

    async def _send(self, slot: Slot, batch: list[Outgoing]) -> Sent:
        """Send a batch and check that the peer's log grew honestly."""
        if self._assumed is None:
            await self._agree()
        if slot is not Slot.FIRST:
            # Not before it was taken: until the peer is there, and the batch before it under way, a stop may come.
            await self._give_way()
        response = await self._deliver(len(batch), partial(self._request, batch))
        return Sent(batch, response.results, await self.accept(response.growth))

    async def fetch(self, digests: Sequence[bytes]) -> tuple[exchange_pb2.FetchMessagesResponse, VerifiedCheckpoint]:
        """Ask the peer for messages; gives its answer, and its checkpoint that the answer is proven to."""
        context = self._context
        request = exchange_pb2.FetchMessagesRequest(
            known_size=context.logs.size(self.member),
            register_version=context.registers.version,
            message_digests=digests,
        )
        response = await self._peer.fetch_messages(request)
        return response, await self.accept(response.growth)

    async def prove_growth(self, request: exchange_pb2.ProveGrowthRequest) -> exchange_pb2.ProveGrowthResponse:
        """Ask the peer to prove that its log grew; nothing of the answer is verified here."""
        return await self._peer.prove_growth(request)

    async def _settled(self, sent: Sent) -> None:
        await self._settle(sent)
        self.health = PeerHealth(reachable=True, last_seen=self._context.clock())

    def _due(self, slot: Slot, *, after_id: int) -> list[Outgoing]:
        provable = self._context.ledger.checkpoint.size
        with self._context.store.reads() as reads:
            batch = reads.due(
                self.member,
                self._context.clock(),
                slot=slot,
                limit=BATCHES[slot],
                max_bytes=MAX_BATCH_BYTES,
                after_id=after_id,
            )
        # What was committed a moment ago may still wait for the checkpoint that proves it; it goes with the next.
        batch = list(takewhile(lambda outgoing: outgoing.released_index < provable, batch))
        passed = [at for at, outgoing in enumerate(batch) if outgoing.passing != Passing.OWN]
        return batch if len(passed) <= MAX_PASSED_ON else batch[: passed[MAX_PASSED_ON]]

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
                await asyncio.to_thread(self._check_not_rolled_back, known)
                self._assumed = known.size
            else:
                self._assumed = 0
            context.asked.note(self.member)
            self.health = PeerHealth(reachable=True, last_seen=context.clock())
            context.registers.heard_of(response.register_version)

    def _check_not_rolled_back(self, known: VerifiedCheckpoint) -> None:
        """Stop where our log does not lead to what the peer holds of it: it is old, or already another history."""
        ledger = self._context.ledger
        own = ledger.checkpoint
        if known.size <= own.size and ledger.root(known.size) == known.root:
            return
        log.critical("log_rolled_back", peer=self.member, known_size=known.size, own_size=own.size)
        raise NodeStopped(
            "log_rolled_back",
            what=N_("{peer} holds our checkpoint of size {known}, to which our log of {size} entries does not lead."),
            where="{origin}",
            remedy=N_(
                "An old copy of the database was put back. If there is a newer one, put that back; else make a backup "
                "of this one, move the data folder away and run `paiza-node restore` with the backup."
            ),
            peer=self.member,
            known=known.size,
            size=own.size,
            origin=ledger.origin,
        )

    async def tell(self, entries: Sequence[StoredEntry], *, erasures: bool = False) -> None:
        """Tell the peer what our log says of attachments it handed over, or of its requests to erase.

        Returns when it has taken note.
        """
        if self._assumed is None:
            await self._agree()
        response = await self._deliver(len(entries), partial(self._answers, entries, erasures))
        known = self._context.logs.to_store(self.member, await self.accept(response.growth))
        await self._context.ledger.commit(lambda pen: pen.tx.put_known_log(known))

    def _answers(
        self,
        entries: Sequence[StoredEntry],
        erasures: bool,  # noqa: FBT001 - bound by position
        own: VerifiedCheckpoint,
    ) -> exchange_pb2.DeliverRequest:
        proofs = self._context.ledger.prove([entry.index for entry in entries], own.size)
        proven = [
            log_pb2.ProvenEntry(entry=entry.entry, index=entry.index, inclusion_hashes=proof)
            for entry, proof in zip(entries, proofs, strict=True)
        ]
        request = exchange_pb2.DeliverRequest(register_version=self._context.registers.version)
        (request.erasure_answers if erasures else request.attachment_answers).extend(proven)
        return request

    async def _deliver(
        self, size: int, build: Callable[[VerifiedCheckpoint], exchange_pb2.DeliverRequest]
    ) -> exchange_pb2.DeliverResponse:
        """Send a batch; where the peer knows another size of our log, once more from that size."""
        context = self._context
        for _ in range(3):
            own = context.ledger.checkpoint
            request = await context.lanes.deliver.run(size, partial(build, own))
            # From here to the call nothing waits: claims go out in the order in which they build on each other.
            assumed = self._assumed or 0
            request.growth.CopyFrom(claim(context.ledger, own, assumed, context.logs.size(self.member)))
            self._assumed = max(assumed, own.size)
            self._claiming += 1
            try:
                response = await self._peer.deliver(request)
            finally:
                self._claiming -= 1
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
                self._dispatch(
                    outgoing,
                    log_pb2.ProvenEntry(
                        entry=outgoing.released_entry, index=outgoing.released_index, inclusion_hashes=proof
                    ),
                )
                for outgoing, proof in zip(batch, proofs, strict=True)
            ],
        )

    def _dispatch(self, outgoing: Outgoing, released: log_pb2.ProvenEntry) -> exchange_pb2.Dispatch:
        if outgoing.passing != Passing.OWN:
            return pack(self._context, outgoing, released, self.member)
        return exchange_pb2.Dispatch(message=outgoing.signed, released=released)

    async def standing(self, *, tell_again: bool = False) -> recovery_pb2.GetStandingResponse:
        """Ask the peer for the largest checkpoints it holds; nothing is verified here."""
        version = self._context.registers.version
        request = recovery_pb2.GetStandingRequest(register_version=version, tell_again=tell_again)
        return await self._peer.get_standing(request)

    async def give_back(
        self, request: recovery_pb2.GiveBackRequest
    ) -> tuple[recovery_pb2.GiveBackResponse, VerifiedCheckpoint]:
        """Ask for a page of what our lost log was about; gives it, and the peer's checkpoint it is proven to."""
        request.known_size = self._context.logs.size(self.member)
        request.register_version = self._context.registers.version
        response = await self._peer.give_back(request)
        return response, await self.accept(response.growth)

    async def grown(self, sizes: Sequence[int]) -> exchange_pb2.ProveGrowthResponse:
        """Have the peer prove that its log grew from each of these sizes; nothing is verified here."""
        return await self._peer.prove_growth(exchange_pb2.ProveGrowthRequest(sizes=sizes))

    async def show(
        self, candidate: VerifiedCheckpoint, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> tuple[witness_pb2.ExchangeCheckpointsResponse, VerifiedCheckpoint]:
        """Show the peer a checkpoint of ours; gives its answer, and its own checkpoint that was accepted.

        Where the peer knows another size of our log it is shown once more from that size. But a checkpoint is small and
        overtakes batches on their way: then it makes way, and is shown in the next round; else the batch would have
        to be sent again.
        """
        if self._assumed is None:
            await self._agree()
        for _ in range(3):
            assumed = self._assumed or 0
            request.growth.CopyFrom(
                claim(self._context.ledger, candidate, assumed, self._context.logs.size(self.member))
            )
            self._assumed = max(assumed, candidate.size)
            try:
                response = await self._peer.exchange_checkpoints(request)
            except PaizaError:
                self._take_back(candidate, assumed)  # most likely it did not arrive
                raise
            known_size = response.growth.known_size
            if known_size > self._context.ledger.checkpoint.size:
                self.ask()  # it is wrong, or we were rolled back
                raise Unavailable("growth_mismatch", "the peer claims to know more of our log than there is")
            if not response.growth_mismatch:
                self._overtaken = 0
                return response, await self.accept(response.growth)
            if known_size < assumed and self._claiming and self._overtaken < OVERTAKEN:
                self._overtaken += 1
                self._take_back(candidate, assumed)
                raise Unavailable("busy", "batches that were sent before have not arrived yet")
            self._assumed = known_size
        raise Unavailable("growth_mismatch", "the peer and we did not agree on what it knows of our log")

    def _take_back(self, shown: VerifiedCheckpoint, assumed: int) -> None:
        """Assume what was assumed before a checkpoint was shown: no batch is to be sent twice for it."""
        if self._assumed == shown.size:
            self._assumed = assumed

    async def prove_entries(self, indices: Sequence[int]) -> witness_pb2.ProveEntriesResponse:
        """Ask the peer to prove entries of its log to checkpoints that a quorum cosigned; nothing is verified here."""
        return await self._peer.prove_entries(witness_pb2.ProveEntriesRequest(indices=indices))

    async def accept(self, growth: log_pb2.Growth) -> VerifiedCheckpoint:
        """Check that the peer's log grew honestly to the checkpoint it answers with."""
        logs = self._context.logs
        peer = self._context.registers.current.active_member(self.member)
        try:
            try:
                return logs.accept(peer, growth)
            except GrowthMismatch:
                # The other slot's answer overtook this one, so this proof begins behind what is known now.
                checkpoint = logs.verify(peer, growth.checkpoint)
                sizes = [logs.size(peer.id), checkpoint.size]
                proof = await self._peer.prove_growth(exchange_pb2.ProveGrowthRequest(sizes=sizes))
                return logs.accept_between(peer, checkpoint, proof)
        except Rejected:
            await record_fork(self._context.ledger, logs)
            raise


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
