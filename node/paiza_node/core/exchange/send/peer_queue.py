"""The outbound queue of one member: delivers the stored messages that wait for it, as long as the node runs.

The queue has three slots: one for bulk, one for URGENT and FLASH, so that a moving consignment never waits behind
statistics, and one for a stop, which waits behind nothing: the other slots pause while it is tried. A slot reads the
waiting deliveries from the store, oldest first, builds a batch with the proof of each release and sends it. Two bulk
batches are in flight, so that the peer checks one while it commits the other. Memory holds nothing that the store does
not: after a crash between sending and recording, the batch is sent again and the peer answers with the same entries.

An unreachable peer is tried again with growing, jittered pauses, and at once when it calls: a node that starts calls
every other one.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any, Final

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import NodeStopped
from paiza_node.core.exchange.model import DeliveryKind, Outgoing, Slot
from paiza_node.core.exchange.precedence import MAX_FIRST
from paiza_node.core.exchange.rewrap import for_recipient
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.certificates import ShownCertificates, own_certificates
from paiza_node.core.exchange.send.forwarded import pack
from paiza_node.core.exchange.send.results import Sent, record_receipts
from paiza_node.core.exchange.send.witnessed import UNWITNESSED, Cosigned, witnessed_release
from paiza_node.core.executors.executors import fits_loop
from paiza_node.core.executors.periodic import backoff
from paiza_node.core.peers.health import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from paiza_node.core.peers.session import PeerSession
from paiza_wire import message as wire
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

BULK_BATCH: Final = 256  # messages; the receiver's commit and signature are shared by all of them
BULK_FLIGHTS: Final = 2  # concurrent batches to one peer: it checks the second while it commits the first
URGENT_BATCH: Final = 32  # messages; small, so that the answer is quick
BATCHES: Final = {Slot.BULK: BULK_BATCH, Slot.URGENT: URGENT_BATCH, Slot.FIRST: MAX_FIRST}  # messages, by slot
MAX_BATCH_BYTES: Final = 6 * 1024 * 1024  # bytes of messages in one call; the receiver takes 8 MiB
MAX_FORWARDED: Final = 16  # forwarded messages of a batch: each may carry another grant and proof
URGENT_PAUSE_SECONDS: Final = 5.0  # an urgent delivery finds within this time that a peer is back
LEAST_PAUSE_SECONDS: Final = 0.05  # if a due delivery cannot be proven yet
PATIENCE_SECONDS: Final = 5.0  # longest pause of the other slots: an undeliverable stop holds up nothing
IDLE_SECONDS: Final = 30.0  # query the store at least this often
LINGER_SECONDS: Final = 0.25  # before the store is queried for what is due next: a new delivery wakes the queue


@dataclass(frozen=True, slots=True)
class Due:
    """Deliveries of one slot that are due, after those in flight.

    ``more``: others may be due behind them. ``next_time``: if none is due, when one will be; None if none waits.
    """

    batch: list[Outgoing]
    more: bool
    next_time: datetime | None = None


NOT_READ: Final = Due([], more=True)


class PeerQueue:
    """The outbound queue of one member. Belongs to one event loop."""

    def __init__(self, core: Core, session: PeerSession, cosigned: Cosigned) -> None:
        """Deliver over this session; `run` starts it."""
        self._core = core
        self._cosigned = cosigned
        self.session = session
        self._wakers = {slot: asyncio.Event() for slot in Slot}
        self._way = asyncio.Event()  # clear while overtaking deliveries are looked for or sent
        self._held = False  # an overtaking delivery failed
        self._poked = asyncio.Event()  # it is to be tried again before the other slots continue
        self._certificates = ShownCertificates()

    def wake(self, slots: Iterable[Slot] = Slot) -> None:
        """Note that deliveries may wait in these slots."""
        for slot in slots:
            self._wakers[slot].set()

    async def run(self) -> None:
        """Deliver as long as the node runs. Cancelling it between or within batches loses nothing."""
        slots = [asyncio.create_task(self._serve(slot)) for slot in Slot]
        try:
            await asyncio.gather(*slots)
        finally:
            for slot in slots:
                slot.cancel()
            await asyncio.gather(*slots, return_exceptions=True)

    async def _serve(self, slot: Slot) -> None:
        """Send batch after batch: the next is sent while one is in flight and the one before is being recorded."""
        CALLER.set(CallerKey("node", self.session.member))  # every member's queue takes turns with the others
        flights: deque[asyncio.Task[Sent]] = deque()
        settling: asyncio.Task[None] | None = None
        last_id = 0  # deliveries up to here are in flight or being recorded: not to be selected again before
        failures, due, waker = 0, NOT_READ, self._wakers[slot]
        try:
            while True:
                try:
                    while len(flights) < (BULK_FLIGHTS if slot is Slot.BULK else 1) and (due.more or waker.is_set()):
                        waker.clear()
                        due = await self._take(slot, after_id=last_id)
                        if not due.batch:
                            break
                        if slot is Slot.FIRST:
                            self._way.clear()
                        # Urgent deliveries are not in the order of ids.
                        last_id = due.batch[-1].id if slot is Slot.BULK else 0
                        flights.append(asyncio.create_task(self._send(slot, due.batch)))
                    if answered := bool(flights):
                        sent = await flights.popleft()
                        await _done(settling)
                        settling, failures = asyncio.create_task(self._settled(sent)), 0
                    if slot is Slot.FIRST:
                        self._held = False
                    if slot is not Slot.BULK or not flights:
                        await _done(settling)
                        settling = None
                    if not flights:  # query from the beginning before pausing
                        last_id, due = 0, await self._lingered(slot, due) if answered else due
                    if answered:
                        continue
                except NodeStopped:
                    raise
                except Exception as error:  # noqa: BLE001 - no answer of one peer may end the node
                    failures += 1
                    self.session.health.failed(error, failures)
                    await _ended(settling, *flights)
                    flights.clear()
                    settling, last_id, due = None, 0, NOT_READ
                    self.session.agreement.forget()  # start again from the size the peer reports
                    self._held = self._held or slot is Slot.FIRST
                if slot is Slot.FIRST:
                    self._way.set()
                await self._pause(slot, failures, due.next_time)
                due = NOT_READ
        finally:
            for flight in flights:
                flight.cancel()
            await _ended(settling, *flights)  # the node stops: the peer's answer is still committed

    async def _lingered(self, slot: Slot, last: Due) -> Due:
        """Wait for a wake-up, for a moment at most, if nothing else was due; what is due now was not read then.

        A stop's slot does not wait: the other slots pause until nothing is left in it.
        """
        if not last.more and slot is not Slot.FIRST:
            await self._woken(slot, LINGER_SECONDS)
        return NOT_READ

    async def _wait_for_urgent(self) -> None:
        """Pause until overtaking deliveries were tried. If they failed before, they are tried once more now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._way.wait()
                if self._held:
                    self._way.clear()
                    self._poked.set()
                    await self._way.wait()

    async def _pause(self, slot: Slot, failures: int, due: datetime | None) -> None:
        """Wait for a wake-up, the next attempt, which falls ``due`` then, or the end of the peer's pause."""
        if failures:
            longest = LONGEST_PAUSE_SECONDS if slot is Slot.BULK else URGENT_PAUSE_SECONDS
            if slot is not Slot.FIRST:
                with suppress(TimeoutError):
                    pause = backoff(failures, FIRST_PAUSE_SECONDS, longest)
                    await asyncio.wait_for(self.session.health.returned.wait(), pause)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), backoff(failures, FIRST_PAUSE_SECONDS, longest))
            self._poked.clear()
            return
        core = self._core
        seconds = (
            IDLE_SECONDS
            if due is None
            else min(IDLE_SECONDS, max(LEAST_PAUSE_SECONDS, (due - core.clock()).total_seconds()))
        )
        await self._woken(slot, seconds)

    async def _woken(self, slot: Slot, seconds: float) -> None:
        """Wait for a wake-up, at most so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wakers[slot].wait(), seconds)

    async def _take(self, slot: Slot, *, after_id: int) -> Due:
        """Return the next batch of due deliveries; if there is none, when to look again."""
        self._core.register_cache.current.active_member(self.session.member)
        return await self._core.executors.deliver.run(
            BATCHES[slot], lambda: self._due(slot, after_id=after_id), first=slot is Slot.FIRST
        )

    async def _send(self, slot: Slot, batch: list[Outgoing]) -> Sent:
        """Send a batch and check that the peer's log is consistent."""
        await self.session.agreement.agree()
        if slot is not Slot.FIRST:
            # Checked only now: a stop may be queued while the peer is unreachable or the last batch is in flight.
            await self._wait_for_urgent()
        attached: dict[bytes, int] = {}
        response, checkpoint = await self.session.deliver(
            len(batch),
            partial(self._request, batch, attached),
            on_loop=fits_loop(len(outgoing.signed) for outgoing in batch),
        )
        self._certificates.answered(batch, attached, response.results)
        first = slot is not Slot.BULK and len(batch) <= MAX_FIRST
        return Sent(batch, response.results, checkpoint, first)

    async def _settled(self, sent: Sent) -> None:
        await record_receipts(self._core, self.session.member, sent)
        self.session.health.answered(self._core.clock())

    def _due(self, slot: Slot, *, after_id: int) -> Due:
        provable, member = self._core.ledger.checkpoint.size, self.session.member
        with self._core.store.reads() as reads:
            found = deliveries_store.due(
                reads,
                member,
                self._core.clock(),
                slot=slot,
                limit=BATCHES[slot],
                max_bytes=MAX_BATCH_BYTES,
                after_id=after_id,
            )
            # An entry committed a moment ago may still wait for the checkpoint that proves it; it is in the next batch.
            batch = list(takewhile(lambda outgoing: outgoing.released_index < provable, found))
            if not batch:
                return Due([], more=False, next_time=deliveries_store.next_attempt(reads, member, slot=slot))
        passed = [at for at, outgoing in enumerate(batch) if outgoing.delivery_kind != DeliveryKind.OWN]
        if len(passed) > MAX_FORWARDED:
            del batch[passed[MAX_FORWARDED] :]
        left_out = MAX_BATCH_BYTES - sum(len(outgoing.signed) for outgoing in batch) < wire.MAX_MESSAGE_BYTES
        return Due(batch, more=left_out or len(batch) < len(found) or len(found) == BATCHES[slot])

    def _request(
        self, batch: Sequence[Outgoing], attached: dict[bytes, int], own: VerifiedCheckpoint
    ) -> exchange_pb2.DeliverRequest:
        """Return the request without its consistency claim; ``attached`` is filled with the certificates it proves."""
        core = self._core
        attached.clear()
        attached.update(self._certificates.unshown(batch))
        proofs = core.ledger.prove([outgoing.released_index for outgoing in batch], own.size)
        request = exchange_pb2.DeliverRequest(register_state=core.register_cache.state)
        for outgoing, proof in zip(batch, proofs, strict=True):
            self._fill(request.dispatches.add(), outgoing, proof)
        if attached:
            with core.store.reads() as reads:
                proven = own_certificates(reads, core.ledger, attached, own)
            for digest, entry in proven.items():
                request.dispatches[attached[digest]].release.certificates.append(entry)
        return request

    def _fill(self, dispatch: exchange_pb2.Dispatch, outgoing: Outgoing, proof: Sequence[bytes]) -> None:
        """Fill an empty dispatch in its place: constructors serialize and parse the messages that they are given."""
        asked = outgoing.reason == UNWITNESSED
        if outgoing.delivery_kind != DeliveryKind.OWN:
            forwarded = log_pb2.ProvenEntry(
                entry=outgoing.released_entry, index=outgoing.released_index, inclusion_hashes=proof
            )
            cosigned = self._cosigned if asked else None
            dispatch.CopyFrom(pack(self._core, outgoing, forwarded, self.session.member, cosigned))
            return
        release = dispatch.release
        release.message = for_recipient(outgoing.signed, self._core.member, self.session.member)
        release.released.entry = outgoing.released_entry
        release.released.index = outgoing.released_index
        release.released.inclusion_hashes.extend(proof)
        if asked:
            with self._core.store.reads() as reads:
                found = witnessed_release(reads, self._cosigned, release.released, self._core.ledger.checkpoint)
            if found is not None:
                release.witnessed.CopyFrom(found)


async def _done(task: asyncio.Task[None] | None) -> None:
    """Wait for a task, if there is one, and raise its exception."""
    if task is not None:
        await task


async def _ended(*tasks: asyncio.Task[Any] | None) -> None:
    """Wait for running tasks. Their failures change nothing: their batches are sent again."""
    await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
