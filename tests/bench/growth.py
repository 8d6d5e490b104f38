"""`make bench-growth`: does a node with a million messages answer as quickly as one with ten thousand? Takes long.

Two nodes, one with the small store and one with the large, run side by side, and every call is made to both in turn:
what else the machine does disturbs both alike. What they submit goes to a third member that is away, so nothing is
delivered. Then the large store is started and verified.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paiza.officer.v1 import audit_pb2, audit_pb2_grpc, officer_pb2, officer_pb2_grpc
from tests.bench import machine, store_rows, traffic
from tests.bench.__main__ import RESULTS, conclude
from tests.bench.corpus import text
from tests.bench.figures import Figure, Missing, at_most
from tests.bench.run import Run, Sizes
from tests.bench.stored import Filled, fill
from tests.federation import Federation
from tests.officer import Officer

SMALL: Final = 10_000
LARGE: Final = 1_000_000
AT_SMALL, AT_LARGE, AWAY = "kaz", "tjk", "uzb"
ROUNDS: Final = 7  # each gives one ratio of two medians
CALLS: Final = 40  # of each kind to each node, in one round
PAGE: Final = 100
SECONDS: Final = 30.0
MOST_RATIO: Final = 1.3
MILLISECONDS: Final = 1000.0


@dataclass
class Asked:
    """One node with the stubs of its officers, and what to ask it for."""

    officer: "officer_pb2_grpc.OfficerServiceAsyncStub"
    audit: "audit_pb2_grpc.AuditServiceAsyncStub"
    filled: Filled
    unsent: list[bytes]
    chosen: random.Random

    async def page(self) -> None:
        """Ask for the newest messages of the inbox."""
        request = officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_INBOX, page_size=PAGE)
        assert len((await self.officer.ListMessages(request, timeout=SECONDS)).messages) == PAGE

    async def thread(self) -> None:
        """Ask for the messages of one thread."""
        request = officer_pb2.ListMessagesRequest(thread_id=self.chosen.choice(self.filled.threads))
        assert len((await self.officer.ListMessages(request, timeout=SECONDS)).messages) == 1

    async def trail(self) -> None:
        """Ask for the log entries of one message, each with its inclusion proof."""
        digest = self.chosen.choice(self.filled.received + self.filled.released)
        answer = await self.audit.GetTrail(audit_pb2.GetTrailRequest(message_digest=digest), timeout=SECONDS)
        assert answer.entries[0].inclusion_hashes

    async def submit(self) -> None:
        """Submit one message."""
        request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=self.unsent.pop())])
        traffic.released([(await self.officer.Submit(request, timeout=SECONDS)).SerializeToString()])


CALLS_MADE: Final[Sequence[tuple[str, Callable[[Asked], Awaitable[None]]]]] = (
    ("inbox page of 100", Asked.page),
    ("one thread", Asked.thread),
    ("trail with inclusion proofs", Asked.trail),
    ("submit one message", Asked.submit),
)


def main() -> int:
    """Fill both stores, ask both nodes, print the ratios and the start and verification of the large store."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--large", type=int, default=LARGE)
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    begun = time.monotonic()
    facts = dict(machine.describe())
    others = machine.Others()
    with tempfile.TemporaryDirectory(prefix="work-", dir=RESULTS) as folder:
        run = Run(
            Path(folder), RESULTS, Sizes(stored=options.large), lambda said: print(f"    {said}", file=sys.stderr)
        )
        with Federation.create(Path(folder) / "growth", [AT_SMALL, AT_LARGE, AWAY]) as federation:
            run.figures += _measure(run, federation, {AT_SMALL: options.small, AT_LARGE: options.large})
    run.others["growth"] = others.cores()
    conclude(run, facts, time.monotonic() - begun)
    return 0


def _measure(run: Run, federation: Federation, counts: dict[str, int]) -> Iterator[Figure | Missing]:
    officers = {member: Officer(federation.folder, f"{member}-liaison") for member in federation.nodes}
    empty = store_rows.starts(federation.node(AT_LARGE))
    fixed = store_rows.verify_seconds(federation.node(AT_LARGE))
    federation.start(AT_SMALL)
    federation.stop()
    filled = {
        member: fill(federation.node(member), officers[member], officers[AWAY], count, run.say)
        for member, count in counts.items()
    }
    federation.start(*filled)
    yield from asyncio.run(_compare(run, federation, filled))
    federation.stop()
    node, large = federation.node(AT_LARGE), filled[AT_LARGE]
    yield store_rows.start_figure(run, store_rows.starts(node), empty, large.messages)
    yield from store_rows.verify(node, large.entries, fixed)


async def _compare(run: Run, federation: Federation, filled: dict[str, Filled]) -> list[Figure]:
    async with AsyncExitStack() as channels:
        asked = {}
        for member, store in filled.items():
            liaison, auditor = (Officer(federation.folder, f"{member}-{name}") for name in ("liaison", "auditor"))
            content = text(run.sizes.content_bytes)
            asked[member] = Asked(
                officer_pb2_grpc.OfficerServiceStub(await channels.enter_async_context(liaison.channel())),
                audit_pb2_grpc.AuditServiceStub(await channels.enter_async_context(auditor.channel())),
                store,
                [liaison.compose([AWAY], content) for _ in range(ROUNDS * CALLS + 1)],
                random.Random(1),
            )
        return [await _ratio(name, call, asked[AT_SMALL], asked[AT_LARGE]) for name, call in CALLS_MADE]


async def _ratio(name: str, call: Callable[[Asked], Awaitable[None]], small: Asked, large: Asked) -> Figure:
    times: dict[int, list[float]] = {0: [], 1: []}
    ratios = []
    await call(small)
    await call(large)
    for _ in range(ROUNDS):
        for _ in range(CALLS):
            for at, node in enumerate((small, large)):
                begun = time.perf_counter()
                await call(node)
                times[at].append((time.perf_counter() - begun) * MILLISECONDS)
        ratios.append(statistics.median(times[1][-CALLS:]) / statistics.median(times[0][-CALLS:]))
    at_small, at_large = statistics.median(times[0]), statistics.median(times[1])
    return Figure(
        name=f"growth: {name}",
        samples=tuple(ratios),
        unit="×",
        beside=f"{at_small:.2f} ms at {small.filled.messages:,}, {at_large:.2f} ms at {large.filled.messages:,}",
        aims=(at_most(statistics.median(ratios), MOST_RATIO, f"≤ {MOST_RATIO:g}"),),
    )


if __name__ == "__main__":
    sys.exit(main())
