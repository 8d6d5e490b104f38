"""The courier's order: what goes ahead is never overtaken by a batch that was taken before it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from typing_extensions import override

from paiza.v1 import exchange_pb2
from paiza_node.courier import Courier
from paiza_node.model import Outgoing, Slot
from paiza_node.settle import Sent
from paiza_wire.checkpoint import VerifiedCheckpoint
from paiza_wire.errors import Unavailable

SECONDS: Final = 30.0  # for what takes none; a limit, not a measure
CHECKPOINT: Final = VerifiedCheckpoint("tjk.paiza.example/log/1", 1, bytes(32), b"note")
NOW: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Scripted(Courier):
    """A courier whose store and peer are scripted; what decides on the order is the courier's own."""

    def __init__(self) -> None:
        """Have two bulk batches, the second of which is only read from the store when it is told."""
        context = SimpleNamespace(clock=lambda: NOW)
        peer = SimpleNamespace(member="tjk")
        super().__init__(cast("Any", context), cast("Any", peer))
        self.waiting: dict[Slot, list[str]] = {Slot.BULK: ["bulk 1", "bulk 2"], Slot.URGENT: [], Slot.FIRST: []}
        self.second_read = asyncio.Event()
        self.there = asyncio.Event()  # the peer is
        self.stop_taken = asyncio.Event()
        self.answered = asyncio.Event()  # the stop is, by the peer
        self.all_sent = asyncio.Event()
        self.failing_first = 0  # attempts of the stop that fail
        self.sent: list[str] = []
        self.failed: list[str] = []

    @override
    async def _take(self, slot: Slot, *, after_id: int) -> list[Outgoing]:
        if slot is Slot.BULK and after_id:
            await self.second_read.wait()
        named = self.waiting[slot][:1]
        if slot is not Slot.FIRST:
            del self.waiting[slot][:1]
        elif named:
            self.stop_taken.set()
        return [cast("Outgoing", SimpleNamespace(id=1, name=name)) for name in named]

    @override
    async def _agree(self) -> None:
        await self.there.wait()
        self._assumed = 0

    @override
    async def _deliver(self, _size: int, build: Callable[[Any], Any]) -> exchange_pb2.DeliverResponse:
        (batch,) = cast("Any", build).args
        (outgoing,) = batch
        if outgoing.name == "stop":
            if self.failing_first:
                self.failing_first -= 1
                raise Unavailable("peer_unreachable", "not yet")
            await self.answered.wait()
            self.waiting[Slot.FIRST].clear()
        self.sent.append(outgoing.name)
        if len(self.sent) == 3:
            self.all_sent.set()
        return exchange_pb2.DeliverResponse()

    @override
    async def accept(self, _growth: object) -> VerifiedCheckpoint:
        return CHECKPOINT

    @override
    async def _settled(self, sent: Sent) -> None:
        assert sent.checkpoint is CHECKPOINT

    @override
    def _failed(self, error: Exception, failures: int) -> None:
        self.failed.append(str(error))
        super()._failed(error, failures)

    @override
    def _next_attempt(self, _slot: Slot) -> datetime | None:
        return None


async def turns(count: int = 50) -> None:
    """Let everything that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)


async def finish(courier: Scripted, running: "asyncio.Task[None]") -> Sequence[str]:
    """Wait until all was sent; gives in which order."""
    async with asyncio.timeout(SECONDS):
        await courier.all_sent.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return courier.sent


@pytest.mark.parametrize("second_read_late", [False, True])
async def test_no_batch_taken_before_overtakes_a_stop(*, second_read_late: bool) -> None:
    """Both bulk batches were taken while the peer was away; the stop released meanwhile still arrives before both."""
    courier = Scripted()
    running = asyncio.create_task(courier.run())
    await turns()
    if not second_read_late:
        courier.second_read.set()
        await turns()
    courier.waiting[Slot.FIRST].append("stop")
    courier.wake()
    await courier.stop_taken.wait()
    courier.there.set()
    await turns()
    courier.second_read.set()
    await turns()
    assert courier.sent == []
    courier.answered.set()
    assert await finish(courier, running) == ["stop", "bulk 1", "bulk 2"]
    assert courier.failed == []


async def test_stop_that_failed_is_tried_again_before_the_others() -> None:
    """A stop that was tried in vain is tried again at once when the peer is there for others, and before them."""
    courier = Scripted()
    courier.second_read.set()
    courier.answered.set()
    courier.failing_first = 1
    courier.waiting[Slot.FIRST].append("stop")
    courier.there.set()
    running = asyncio.create_task(courier.run())
    assert await finish(courier, running) == ["stop", "bulk 1", "bulk 2"]
    assert courier.failed == ["peer_unreachable: not yet"]
