"""Rows "latency": one message at an idle federation, and FLASH messages behind bulk; from Submit to the receipt.

Idle, the officer watches for the receipt. Behind bulk they ask every few milliseconds for this one message
instead: a watcher would be told of every bulk message too.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from paiza.core.v1 import delivery_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from tests.bench import machine, traffic
from tests.bench.corpus import text
from tests.bench.figures import Figure, Missing, at_least, at_most, percentile
from tests.bench.pipeline import SQLITE
from tests.bench.run import RECEIVER, SENDER, Run
from tests.officer import Officer

IDLE_MESSAGES: Final = 300
IDLE_PAUSE_SECONDS: Final = 0.01  # between two messages: an idle node has gone back to waiting
FLASH_MESSAGES: Final = 40
FLASH_PAUSE_SECONDS: Final = 0.1  # between a receipt and the next FLASH message
ASK_SECONDS: Final = 0.005  # between two questions about a FLASH message: the error of its time
LOOK_SECONDS: Final = 0.25  # between two looks at whether the drain has begun
ANSWER_SECONDS: Final = 30.0
UNDER_WAY: Final = 256  # bulk messages delivered before the first FLASH: the drain has begun
MOST_P50_MS: Final = 12.0
MOST_P99_MS: Final = 25.0
MOST_FLASH_P50_MS: Final = 40.0
MOST_FLASH_P99_MS: Final = 120.0
LEAST_CATCH_UP: Final = 0.9  # of the pipeline
MILLISECONDS: Final = 1000.0

FLASH_REASON: Final = "consignment-moving"
FSYNCS: Final = 6  # released, received, delivered: each a commit and a checkpoint

_T = TypeVar("_T")


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Measure idle, then with the receiver away until the bulk waits, then back."""
    federation = run.federation
    federation.stop()
    federation.forget()
    federation.start()
    fsync, _longest = machine.fsync_seconds(run.folder)
    nodes = {"sender": federation.node(SENDER), "receiver": federation.node(RECEIVER)}
    before = {name: machine.cpu_seconds(node.pid) for name, node in nodes.items()}
    idle = asyncio.run(_idle(run))
    used = {name: (machine.cpu_seconds(node.pid) - before[name]) / len(idle) for name, node in nodes.items()}
    beside = f"{FSYNCS} fsyncs on the way take {FSYNCS * fsync * MILLISECONDS:.1f} ms"
    released = percentile([each.released for each in idle], 0.50) * MILLISECONDS
    seconds = [each.receipt for each in idle]
    beside += f"; released (Submit answered) after {released:.1f} ms; processor time a message: "
    beside += ", ".join(f"{name} {seconds * MILLISECONDS:.1f} ms" for name, seconds in used.items())
    yield _percentile("latency, idle: p50", seconds, 0.50, MOST_P50_MS, beside)
    yield _percentile("latency, idle: p99", seconds, 0.99, MOST_P99_MS, "")
    flash, rate = asyncio.run(_behind_bulk(run))
    released = percentile([each.released for each in flash], 0.50) * MILLISECONDS
    beside = f"of {len(flash)}, {run.sizes.bulk:,} bulk messages waiting; released after {released:.0f} ms (p50)"
    seconds = [each.receipt for each in flash]
    yield _percentile("latency, FLASH behind bulk: p50", seconds, 0.50, MOST_FLASH_P50_MS, beside)
    yield _percentile("latency, FLASH behind bulk: p99", seconds, 0.99, MOST_FLASH_P99_MS, "")
    pipeline = run.found(SQLITE)
    yield Figure(
        name="catch-up after the peer was away",
        samples=(rate,),
        unit="messages/s",
        beside=f"{rate / pipeline.median:.2f} of the pipeline" if pipeline else "",
        aims=(at_least(rate / pipeline.median, LEAST_CATCH_UP, f"≥ {LEAST_CATCH_UP} of the pipeline"),)
        if pipeline
        else (),
        notes=("measured while FLASH messages were sent and asked after",),
    )
    federation.stop()


def _percentile(name: str, seconds: list[float], share: float, most: float, beside: str) -> Figure:
    value = percentile(seconds, share) * MILLISECONDS
    return Figure(
        name=name,
        samples=(value,),
        unit="ms",
        beside=beside or f"of {len(seconds)} messages; the longest {max(seconds) * MILLISECONDS:.0f} ms",
        aims=(at_most(value, most, f"≤ {most:g}"),),
        details={"samples_ms": [round(each * MILLISECONDS, 2) for each in seconds]},
    )


@dataclass(frozen=True)
class Took:
    """Seconds from handing one message over until Submit was answered, and until its receipt was known."""

    released: float
    receipt: float


async def _idle(run: Run) -> list[Took]:
    officer = Officer(run.federation.folder, f"{SENDER}-liaison")
    delivered: asyncio.Queue[bytes] = asyncio.Queue()
    async with officer.channel() as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        watch = asyncio.create_task(_watch(stub, delivered))
        # The watch is known to be on when it tells of a message.
        await _until(lambda: _one(run, officer, stub, delivered, wait=1.0))
        took = []
        for _ in range(IDLE_MESSAGES):
            took.append(await _one(run, officer, stub, delivered, wait=ANSWER_SECONDS))
            await asyncio.sleep(IDLE_PAUSE_SECONDS)
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
    return took


async def _watch(stub: "officer_pb2_grpc.OfficerServiceAsyncStub", delivered: asyncio.Queue[bytes]) -> None:
    async for news in stub.Watch(officer_pb2.WatchRequest()):
        for message in news.messages:
            if any(each.state == delivery_pb2.DELIVERY_STATE_DELIVERED for each in message.deliveries):
                delivered.put_nowait(message.message_digest)


async def _one(
    run: Run,
    officer: Officer,
    stub: "officer_pb2_grpc.OfficerServiceAsyncStub",
    delivered: asyncio.Queue[bytes],
    *,
    wait: float,
) -> Took:
    """Send one message and wait until its receipt was heard of."""
    data = officer.compose([RECEIVER], text(run.sizes.content_bytes))
    begun = time.perf_counter()
    digest = await _submit(stub, data)
    released = time.perf_counter()
    async with asyncio.timeout(wait):
        while await delivered.get() != digest:
            pass
    return Took(released - begun, time.perf_counter() - begun)


async def _submit(stub: "officer_pb2_grpc.OfficerServiceAsyncStub", data: bytes) -> bytes:
    request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=data)])
    answer = await stub.Submit(request, timeout=ANSWER_SECONDS)
    traffic.released([answer.SerializeToString()])
    return answer.results[0].released.message_digest


async def _until(attempt: Callable[[], Awaitable[_T]]) -> _T:
    for _ in range(int(ANSWER_SECONDS)):
        with contextlib.suppress(TimeoutError):
            return await attempt()
    raise traffic.TrafficError("no news of a message sent")


async def _behind_bulk(run: Run) -> tuple[list[Took], float]:
    """Queue bulk messages while the receiver is away, bring it back, and send FLASH messages while the queue drains."""
    sender, receiver = run.federation.node(SENDER), run.federation.node(RECEIVER)
    officer = Officer(run.federation.folder, f"{SENDER}-liaison")
    receiver.stop()
    traffic.released(await traffic.submit(officer, run.corpus.requests(run.sizes.bulk)))
    waiting = sender.status().waiting
    # A sender that was restarted begins at once; one that has failed for a while would first finish its pause.
    sender.stop()
    receiver.start()
    sender.start()
    took: list[Took] = []
    async with officer.channel() as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        begun, left = await _drain_begun(run, waiting)
        drain = asyncio.create_task(_ended(run))
        while not drain.done() and len(took) < FLASH_MESSAGES:
            took.append(await _flash(run, officer, stub))
            await asyncio.sleep(FLASH_PAUSE_SECONDS)
        if len(took) < FLASH_MESSAGES:
            run.say(f"the bulk was delivered after {len(took)} FLASH messages")
        rate = left / (await drain - begun)
    return took, rate


async def _drain_begun(run: Run, waiting: int) -> tuple[float, int]:
    """Return when the sender has found that the receiver is back; gives the moment and what is left."""
    deadline = time.perf_counter() + ANSWER_SECONDS * 4
    while (left := run.federation.node(SENDER).status().waiting) > waiting - UNDER_WAY:
        if time.perf_counter() > deadline:
            raise traffic.TrafficError("the sender does not find that the receiver is back")
        await asyncio.sleep(LOOK_SECONDS)
    return time.perf_counter(), left


async def _ended(run: Run) -> float:
    await traffic.drained(run.federation.node(SENDER))
    return time.perf_counter()


async def _flash(run: Run, officer: Officer, stub: "officer_pb2_grpc.OfficerServiceAsyncStub") -> Took:
    data = officer.compose(
        [RECEIVER],
        text(run.sizes.content_bytes),
        urgency=pb.URGENCY_FLASH,
        urgency_reason=FLASH_REASON,
    )
    begun = time.perf_counter()
    digest = await _submit(stub, data)
    released = time.perf_counter()
    request = officer_pb2.ListMessagesRequest(id_prefix=digest.hex())
    while True:
        page = await stub.ListMessages(request, timeout=ANSWER_SECONDS)
        if page.messages[0].deliveries[0].state == delivery_pb2.DELIVERY_STATE_DELIVERED:
            return Took(released - begun, time.perf_counter() - begun)
        if time.perf_counter() - begun > ANSWER_SECONDS:
            raise traffic.TrafficError("a FLASH message was not delivered")
        await asyncio.sleep(ASK_SECONDS)
