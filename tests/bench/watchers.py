"""Row "watchers": what 320 officers who watch a node cost it, while it receives 500 messages a second.

Two officers watch in each of 160 units, and each message is addressed to one unit: it matches two watches. Traffic of
the same pace is sent first without watches and then with them; the difference of the node's processor time is theirs.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import grpc

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from tests.bench import machine, traffic
from tests.bench.admitted import admit
from tests.bench.corpus import text
from tests.bench.figures import Figure, Missing, at_least, at_most
from tests.bench.pipeline import MICROSECONDS
from tests.bench.run import RECEIVER, SENDER, Run
from tests.bench.settled import settled
from tests.officer import SUBJECT, Officer
from tests.system.minting import Identity

UNITS: Final = 160
WATCHES: Final = 2 * UNITS
DUTY_UNIT: Final = "duty"
BATCH: Final = 25  # messages of one Submit
RATE: Final = 500  # messages/s
SECONDS: Final = 5.0  # of one pass
WARM: Final = 500  # messages before
AT_ONCE: Final = 16  # watches that begin together
IN_FLIGHT: Final = 8  # Submits at most: a node that does not keep up with the pace is late, not refused
LAST_NEWS_SECONDS: Final = 10.0  # without news, after which no more is waited for
LOOK_SECONDS: Final = 0.05
ANSWER_SECONDS: Final = 60.0
MOST_SHARE: Final = 0.1  # of the node's processor time
LEAST_KEPT: Final = 0.95  # of the pace


@dataclass
class Watched:
    """How many messages the watches were shown, each counted once a watch, in how many responses.

    ``ended``: how many watches the node ended.
    """

    shown: int = 0
    responses: int = 0
    ended: int = 0


@dataclass(frozen=True)
class Pass:
    """One pass: messages/s until the last receipt, and µs of the node's processor time a message until all is done."""

    rate: float
    microseconds: float


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Send traffic without and with watches."""
    federation = run.federation
    federation.stop()
    federation.forget()
    receiver = federation.node(RECEIVER)
    receiver.configure(duty_unit=DUTY_UNIT)
    try:
        federation.start()
        watchers = admit(federation, RECEIVER, [_unit(number) for number in range(WATCHES)])
        count = int(RATE * SECONDS)
        run.say(f"signing and sealing {WARM + 2 * count:,} messages (not timed) ...")
        requests = _requests(run, WARM + 2 * count)
        yield from asyncio.run(_compare(run, watchers, requests, count))
    finally:
        federation.stop()
        receiver.configure(duty_unit=None)


def _unit(number: int) -> str:
    return f"unit{number % UNITS:03d}"


def _requests(run: Run, count: int) -> Iterator[bytes]:
    """Prepare Submits of messages to one unit after the other."""
    officer = Officer(run.federation.folder, f"{SENDER}-liaison", run.federation.register())
    content = FreeMessage(subject=SUBJECT, text=text(run.sizes.content_bytes)).SerializeToString()

    def compose(number: int) -> bytes:
        header = officer.header([RECEIVER])
        header.recipients[0].attention = _unit(number)
        return officer.seal(header, content)

    items = [officer_pb2.SubmitItem(message=compose(number)) for number in range(count)]
    return iter(
        [
            officer_pb2.SubmitRequest(items=items[first : first + BATCH]).SerializeToString()
            for first in range(0, count, BATCH)
        ]
    )


async def _compare(
    run: Run, watchers: Sequence[Identity], requests: Iterator[bytes], count: int
) -> list[Figure | Missing]:
    watched = Watched()
    await _pass(run, requests, WARM)
    without = await _pass(run, requests, count)
    each = WATCHES // UNITS  # watches that one message matches
    async with AsyncExitStack() as closing:
        # Each watch begins with the messages that are there, which shows that it has begun.
        # Some at a time: of one address only so many connections may wait for their first call.
        for begun, identity in enumerate(watchers, 1):
            channel = identity.channel(run.federation.node(RECEIVER).address, RECEIVER, run.federation.register())
            _begin(closing, await closing.enter_async_context(channel), watched)
            if begun % AT_ONCE == 0:
                await _shown(watched, begun * ((WARM + count) // UNITS))
        await _shown(watched, each * (WARM + count))
        before, responses = watched.shown, watched.responses
        with_them = await _pass(run, requests, count, lambda: _shown(watched, before + each * count))
        shown, responses, ended = watched.shown - before, watched.responses - responses, watched.ended
    share = (with_them.microseconds - without.microseconds) / with_them.microseconds
    return [
        Figure(
            name=f"{WATCHES} watches: their share of the node",
            samples=(share,),
            unit="of its time",
            beside=f"{without.microseconds:,.0f} µs of processor time a message without watches, "
            f"{with_them.microseconds:,.0f} with them; {shown:,} of {each * count:,} shown "
            f"in {responses:,} responses, {ended} watches ended",
            aims=(at_most(share, MOST_SHARE, f"≤ {MOST_SHARE:g}"), at_least(shown, each * count, "all shown")),
        ),
        Figure(
            name=f"{WATCHES} watches: pace kept",
            samples=(with_them.rate,),
            unit="messages/s",
            beside=f"{without.rate:,.0f}/s without watches; {RATE}/s are sent",
            aims=(at_least(with_them.rate, LEAST_KEPT * RATE, f"≥ {LEAST_KEPT * RATE:.0f}"),),
        ),
    ]


def _begin(closing: AsyncExitStack, channel: grpc.aio.Channel, watched: Watched) -> None:
    """Begin one watch, and count what it shows until it is closed."""
    stub: officer_pb2_grpc.OfficerServiceAsyncStub = officer_pb2_grpc.OfficerServiceStub(channel)

    async def read() -> None:
        seen: set[bytes] = set()
        try:
            async for news in stub.Watch(officer_pb2.WatchRequest(after_sequence=0)):
                watched.responses += 1
                new = {each.message_digest for each in news.messages} - seen
                seen |= new
                watched.shown += len(new)
        except grpc.aio.AioRpcError:
            watched.ended += 1

    task = asyncio.create_task(read())

    async def end() -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    closing.push_async_callback(end)


async def _pass(
    run: Run, requests: Iterator[bytes], count: int, shown: Callable[[], Awaitable[None]] | None = None
) -> Pass:
    """Send this many messages at the pace, and wait until all that they cause is done and shown."""
    sender, receiver = run.federation.node(SENDER), run.federation.node(RECEIVER)
    officer = Officer(run.federation.folder, f"{SENDER}-liaison", run.federation.register())
    used = machine.cpu_seconds(receiver.pid)
    begun = time.perf_counter()
    async with officer.channel() as channel, asyncio.TaskGroup() as group:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(traffic.SUBMIT)

        places = asyncio.Semaphore(IN_FLIGHT)

        async def submit(request: bytes) -> None:
            async with places:
                traffic.released([await call(request, timeout=ANSWER_SECONDS)])

        for number, request in enumerate(itertools.islice(requests, count // BATCH)):
            await asyncio.sleep(begun + number * BATCH / RATE - time.perf_counter())
            group.create_task(submit(request))
    await traffic.drained(sender)
    seconds = time.perf_counter() - begun
    await settled(receiver)
    if shown is not None:
        await shown()
    return Pass(count / seconds, (machine.cpu_seconds(receiver.pid) - used) / count * MICROSECONDS)


async def _shown(watched: Watched, count: int) -> None:
    """Wait until the watches have shown so much, or nothing more for a while."""
    last, since = watched.shown, time.perf_counter()
    while watched.shown < count and time.perf_counter() - since < LAST_NEWS_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        if watched.shown > last:
            last, since = watched.shown, time.perf_counter()
