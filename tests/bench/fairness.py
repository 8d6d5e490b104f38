"""Row "fairness": an officer's Submit while somebody else floods the node, beside the same flood at another node.

Both floods take the same share of the machine's processors, so what the officer waits for beyond the second is the
node's doing. Flooders are processes of their own (`flood`).
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import grpc
from typing_extensions import override

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from tests.bench import traffic
from tests.bench.corpus import text
from tests.bench.figures import Figure, Missing, at_most, percentile
from tests.bench.run import Run
from tests.federation import Federation
from tests.officer import Officer

FLOODED, DECOY, RECEIVER = "kaz", "uzb", "tjk"  # nodes that run
PEERS: Final[Mapping[str, str]] = {FLOODED: "kgz", DECOY: "tkm"}  # hostile members: keys without a node
KINDS: Final[Mapping[str, str]] = {
    "officer": "an officer floods with new messages",
    "peer": "a peer floods with new messages",
    "garbage": "an officer floods with garbage",
}
SECONDS: Final = 5.0  # of one measurement
WARM_SECONDS: Final = 1.0  # of the flood before it
PAUSE_SECONDS: Final = 0.01  # between two messages: whoever writes them is no flooder
MESSAGES: Final = 400  # prepared for one measurement, more than an idle node answers in its time
CALL_SECONDS: Final = 30.0
DRAIN_SECONDS: Final = 15.0  # for what a flood left behind; more of it is left waiting
MOST: Final = 5.0  # × the same flood at the decoy; × idle on a machine with cores to spare for flooders
MILLISECONDS: Final = 1000.0


@dataclass(frozen=True)
class Waited:
    """What the officer waited for their receipts, in seconds, and how the flooder was answered."""

    seconds: list[float]
    flood: Mapping[str, int]

    def of(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        return percentile(self.seconds, share) * MILLISECONDS

    @override
    def __str__(self) -> str:
        """Return both percentiles."""
        return f"p50 {self.of(0.5):.0f}, p99 {self.of(0.99):.0f} ms"


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Measure idle, then during each flood: first at the decoy, then at the officer's own node."""
    with Federation.create(run.folder / "fairness", [FLOODED, DECOY, RECEIVER, *PEERS.values()]) as federation:
        federation.start(FLOODED, DECOY, RECEIVER)
        flooders = {
            (kind, member): _Flooder(federation, kind, member, PEERS[member] if kind == "peer" else RECEIVER)
            for kind in KINDS
            for member in (DECOY, FLOODED)
        }
        try:
            for flooder in flooders.values():
                flooder.wait_until_ready()
            _waited(run, federation, None)  # caches are warm
            idle = _waited(run, federation, None)
            yield Figure("fairness, nobody floods: p99", (idle.of(0.99),), "ms", beside=str(idle))
            for kind, words in KINDS.items():
                decoy = _waited(run, federation, flooders[kind, DECOY])
                flooded = _waited(run, federation, flooders[kind, FLOODED])
                run.say(f"{words}: {flooded}; at the decoy: {decoy}")
                yield _figure(words, idle, decoy, flooded)
        finally:
            for flooder in flooders.values():
                flooder.end()


def _figure(words: str, idle: Waited, decoy: Waited, flooded: Waited) -> Figure:
    ratio, of_idle = flooded.of(0.99) / decoy.of(0.99), flooded.of(0.99) / idle.of(0.99)
    told = {"at the node": flooded.flood, "at the decoy": decoy.flood}
    return Figure(
        name=f"fairness, {words}: p99",
        samples=(ratio,),
        unit="× decoy",
        beside=f"{flooded}; decoy {decoy}; idle {idle}; p50 {flooded.of(0.5) / decoy.of(0.5):.1f} × decoy; "
        f"p99 {of_idle:.1f} × idle",
        aims=(at_most(ratio, MOST, f"≤ {MOST:g} × decoy"), at_most(of_idle, MOST, f"≤ {MOST:g} × idle")),
        notes=tuple(
            f"the flooder {where}: {', '.join(f'{count:,} {what}' for what, count in said.items()) or 'no answer'}"
            for where, said in told.items()
        ),
        details={
            "flooded_ms": [round(each * MILLISECONDS, 2) for each in flooded.seconds],
            "decoy_ms": [round(each * MILLISECONDS, 2) for each in decoy.seconds],
        },
    )


class _Flooder:
    """The process of one flooder, which prepares its requests beside the others."""

    def __init__(self, federation: Federation, kind: str, member: str, caller: str) -> None:
        command = [sys.executable, "-m", "tests.bench.flood", str(federation.folder), kind, member, caller]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_ready(self) -> None:
        """Return when its requests are prepared."""
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise traffic.TrafficError("a flooder did not start")

    def begin(self) -> None:
        """Let it flood."""
        self._line()

    def stop(self) -> Mapping[str, int]:
        """End the flood, and return how it was answered."""
        self._line()
        assert self._process.stdout is not None
        said: Mapping[str, int] = json.loads(self._process.stdout.readline())
        return said

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _line(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()


def _waited(run: Run, federation: Federation, flooder: _Flooder | None) -> Waited:
    officer = Officer(federation.folder, f"{FLOODED}-duty")
    content = text(run.sizes.content_bytes)
    messages = [officer.compose([RECEIVER], content, role="duty") for _ in range(MESSAGES)]
    asyncio.run(_drained(federation))
    if flooder is None:
        return Waited(asyncio.run(_submit(officer, messages)), {})
    flooder.begin()
    time.sleep(WARM_SECONDS)
    seconds = asyncio.run(_submit(officer, messages))
    return Waited(seconds, flooder.stop())


async def _submit(officer: Officer, messages: list[bytes]) -> list[float]:
    """Submit one message after another for some seconds; return what each waited, told to wait or not."""
    waited = []
    async with officer.channel(("grpc.use_local_subchannel_pool", 1)) as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        await channel.channel_ready()
        ends = time.perf_counter() + SECONDS
        for message in messages:
            request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=message)])
            begun = time.perf_counter()
            while not await _released(stub, request):
                pass
            waited.append(time.perf_counter() - begun)
            if time.perf_counter() > ends:
                break
            await asyncio.sleep(PAUSE_SECONDS)
    return waited


async def _released(stub: "officer_pb2_grpc.OfficerServiceAsyncStub", request: officer_pb2.SubmitRequest) -> bool:
    """Submit once; False, after the time the node asks for, if it told the officer to wait."""
    try:
        answer = await stub.Submit(request, timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        told = dict(error.trailing_metadata() or ()).get("paiza-retry-after-ms", 0)
        await asyncio.sleep(int(told) / MILLISECONDS)
        return False
    (result,) = answer.results
    if result.HasField("retry"):
        await asyncio.sleep(result.retry.retry_after.ToTimedelta().total_seconds())
        return False
    traffic.released([answer.SerializeToString()])
    return True


async def _drained(federation: Federation) -> None:
    """Wait until the nodes have delivered what an earlier flood left."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            for member in (FLOODED, DECOY):
                await traffic.drained(federation.node(member))
    except TimeoutError:
        pass
