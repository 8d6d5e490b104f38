"""The order of an outbound queue: what goes ahead is never overtaken by a batch that was taken before it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from typing_extensions import override

from paiza.core.v1 import message_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.exchange.model import Outgoing, Slot
from paiza_node.core.exchange.precedence import AHEAD_OF_FLASH
from paiza_node.core.exchange.send import peer_queue
from paiza_node.core.exchange.send.peer_queue import Due, PeerQueue
from paiza_node.core.exchange.send.queue import OutboundQueues
from paiza_node.core.exchange.send.results import Sent
from paiza_node.core.log.changes import DeliveriesQueued
from paiza_node.core.peers.health import LONGEST_PAUSE_SECONDS, PeerHealth
from paiza_wire.errors import Unavailable
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

SECONDS: Final = 30.0  # for what takes none; a limit, not a measure
NOW: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
CHECKPOINT: Final = VerifiedCheckpoint("tjk.paiza.example/log/1", 1, bytes(32), b"note")


class Health(PeerHealth):
    """Health that remembers every failure."""

    def __init__(self) -> None:
        super().__init__("tjk")
        self.failures: list[str] = []

    @override
    def failed(self, error: Exception, failures: int) -> None:
        self.failures.append(str(error))
        super().failed(error, failures)


class Session:
    """A session with a peer that is there once a test says so, and answers everything but the stop at once."""

    def __init__(self) -> None:
        self.member = "tjk"
        self.health = Health()
        self.agreement = self
        self.there = asyncio.Event()  # the peer is
        self.answered = asyncio.Event()  # the stop is, by the peer
        self.all_sent = asyncio.Event()
        self.failing_first = 0  # attempts of the stop that fail
        self.stop_arrived = False
        self.sent: list[str] = []

    async def agree(self) -> None:
        """Wait until the peer is there."""
        await self.there.wait()

    def forget(self) -> None:
        """Assume nothing."""

    async def deliver(
        self, _size: int, build: Callable[[Any], Any], *, on_loop: bool
    ) -> tuple[exchange_pb2.DeliverResponse, VerifiedCheckpoint]:
        """Note what is sent, in its order."""
        batch, _attached = cast("Any", build).args
        assert on_loop
        (outgoing,) = batch
        if outgoing.name == "stop":
            if self.failing_first:
                self.failing_first -= 1
                raise Unavailable("peer_unreachable", "not yet")
            await self.answered.wait()
            self.stop_arrived = True
        self.sent.append(outgoing.name)
        if len(self.sent) == 3:
            self.all_sent.set()
        return exchange_pb2.DeliverResponse(), CHECKPOINT


class Scripted(PeerQueue):
    """A queue whose store and session are scripted; what decides on the order is the queue's own."""

    def __init__(self) -> None:
        """Queue two bulk batches; the second is read from the store only when a test allows it."""
        self.peer = Session()
        super().__init__(
            cast("Any", SimpleNamespace(clock=lambda: NOW)), cast("Any", self.peer), lambda _reads, _proof: None
        )
        self.waiting: dict[Slot, list[str]] = {Slot.BULK: ["bulk 1", "bulk 2"], Slot.URGENT: [], Slot.FIRST: []}
        self.second_read = asyncio.Event()
        self.stop_taken = asyncio.Event()
        self.takes: list[Slot] = []
        self.nothing_due = asyncio.Event()

    @override
    async def _take(self, slot: Slot, *, after_id: int) -> Due:
        self.takes.append(slot)
        if slot is Slot.BULK and after_id:
            await self.second_read.wait()
        if slot is Slot.FIRST and self.peer.stop_arrived:
            return Due([], more=False)
        named = self.waiting[slot][:1]
        if not named:
            self.nothing_due.set()
        if slot is not Slot.FIRST:
            del self.waiting[slot][:1]
        elif named:
            self.stop_taken.set()
        batch = [cast("Outgoing", SimpleNamespace(id=1, name=name, signed=b"")) for name in named]
        return Due(batch, more=bool(self.waiting[slot]))

    @override
    async def _settled(self, sent: Sent) -> None:
        assert sent.checkpoint is CHECKPOINT


async def turns(count: int = 50) -> None:
    """Run every task that is ready."""
    for _ in range(count):
        await asyncio.sleep(0)


async def finish(queue: Scripted, running: "asyncio.Task[None]") -> Sequence[str]:
    """Wait until all was sent; gives in which order."""
    async with asyncio.timeout(SECONDS):
        await queue.peer.all_sent.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return queue.peer.sent


@pytest.mark.parametrize("second_read_late", [False, True])
async def test_no_batch_taken_before_overtakes_a_stop(*, second_read_late: bool) -> None:
    """Both bulk batches were taken while the peer was away; the stop released meanwhile still arrives before both."""
    queue = Scripted()
    running = asyncio.create_task(queue.run())
    await turns()
    if not second_read_late:
        queue.second_read.set()
        await turns()
    queue.waiting[Slot.FIRST].append("stop")
    queue.wake()
    await queue.stop_taken.wait()
    queue.peer.there.set()
    await turns()
    queue.second_read.set()
    await turns()
    assert queue.peer.sent == []
    queue.peer.answered.set()
    assert await finish(queue, running) == ["stop", "bulk 1", "bulk 2"]
    assert queue.peer.health.failures == []


async def test_stop_that_failed_is_tried_again_before_the_others() -> None:
    """A stop that was tried in vain is tried again at once when the peer is there for others, and before them."""
    queue = Scripted()
    queue.second_read.set()
    queue.peer.answered.set()
    queue.peer.failing_first = 1
    queue.waiting[Slot.FIRST].append("stop")
    queue.peer.there.set()
    running = asyncio.create_task(queue.run())
    assert await finish(queue, running) == ["stop", "bulk 1", "bulk 2"]
    assert queue.peer.health.failures == ["peer_unreachable: not yet"]


@pytest.mark.parametrize("reason", ["peer_unreachable", "log_forked"])
async def test_a_peer_that_calls_is_tried_at_once_unless_it_refused(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not reach it does not wait for the end of its pause; what it refused does."""
    queue = Scripted()
    queue.waiting[Slot.BULK][:] = ["bulk 1"]
    queue.second_read.set()
    fail = iter([Unavailable(reason, "not now")])
    pauses: list[float] = []

    async def agree() -> None:
        if (error := next(fail, None)) is not None:
            raise error

    def backoff(_failures: int, _first: float, longest: float) -> float:
        pauses.append(longest)
        return longest

    monkeypatch.setattr(peer_queue, "backoff", backoff)
    monkeypatch.setattr(queue.peer, "agree", agree)
    running = asyncio.create_task(queue.run())
    await turns()
    assert pauses == [LONGEST_PAUSE_SECONDS]
    assert queue.peer.sent == []
    queue.waiting[Slot.BULK][:] = ["bulk 1"]
    for _ in range(2):
        queue.peer.health.heard()
        await turns()
    assert queue.peer.sent == (["bulk 1"] if reason == "peer_unreachable" else [])
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_only_the_slots_concerned_are_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message costs one look into the store, by its slot; a moment after the last comes one for what is due next."""
    monkeypatch.setattr(peer_queue, "LINGER_SECONDS", 1.0)  # of real time; the turns take some of it
    queue = Scripted()
    queue.waiting[Slot.BULK].clear()
    queue.second_read.set()
    queue.peer.there.set()
    running = asyncio.create_task(queue.run())
    await turns()
    assert sorted(queue.takes) == sorted(Slot)
    for slot in (Slot.URGENT, Slot.BULK):
        queue.takes.clear()
        for number in (1, 2):
            queue.waiting[slot].append(f"{number} in {slot.name}")
            queue.wake([slot])
            await turns()
            assert queue.takes == [slot] * number
        queue.nothing_due.clear()
        async with asyncio.timeout(SECONDS):
            await queue.nothing_due.wait()
        assert queue.takes == [slot] * 3
    assert queue.peer.sent == ["1 in URGENT", "2 in URGENT", "1 in BULK", "2 in BULK"]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_what_comes_while_a_batch_is_in_flight_is_taken_too() -> None:
    """Two bulk batches are in flight, although the store held only one when the slot was woken."""
    queue = Scripted()
    queue.waiting[Slot.BULK][:] = ["bulk 1"]
    queue.second_read.set()
    running = asyncio.create_task(queue.run())
    await turns()
    queue.waiting[Slot.BULK].append("bulk 2")
    queue.wake([Slot.BULK])
    queue.peer.there.set()
    await turns()
    assert queue.peer.sent == ["bulk 1", "bulk 2"]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    ("urgency", "slot"),
    [
        (message_pb2.URGENCY_ROUTINE, Slot.BULK),
        (message_pb2.URGENCY_URGENT, Slot.URGENT),
        (message_pb2.URGENCY_FLASH, Slot.URGENT),
        (AHEAD_OF_FLASH, Slot.FIRST),
    ],
)
def test_released_messages_wake_their_slot(urgency: int, slot: Slot) -> None:
    """What does not say which urgencies it queued wakes every slot."""
    woken: list[object] = []
    queues = OutboundQueues(cast("Any", None), cast("Any", None), lambda _reads, _proof: None)
    queues._queues["tjk"] = cast("Any", SimpleNamespace(wake=woken.append))
    queues.notify([DeliveriesQueued(frozenset({"tjk", "uzb"}), frozenset({urgency}))])
    queues.notify([DeliveriesQueued(frozenset({"tjk"}))])
    assert woken == [{slot}, Slot]
