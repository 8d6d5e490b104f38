"""`make bench-growth`: does a node with a million messages answer as quickly as one with ten thousand? Takes long.

The same calls are made at both sizes, to one node that is otherwise idle; its peer is away, so nothing is delivered.
Then the large store is started and verified.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from paiza.v1 import audit_pb2, audit_pb2_grpc, officer_pb2, officer_pb2_grpc
from tests.bench import machine, store_rows, traffic
from tests.bench.__main__ import RESULTS, conclude
from tests.bench.corpus import text
from tests.bench.figures import Figure, Missing, at_most
from tests.bench.run import RECEIVER, SENDER, Run, Sizes
from tests.bench.stored import Filled, fill
from tests.officer import Officer

SMALL: Final = 10_000
LARGE: Final = 1_000_000
CALLS: Final = 200  # of each kind, at each size
ROUNDS: Final = 5  # the calls are made in so many rounds, each with its own median
PAGE: Final = 100
SECONDS: Final = 10.0
MOST_RATIO: Final = 1.3
MILLISECONDS: Final = 1000.0


def main() -> int:
    """Fill, ask, fill, ask; print the ratios and the start and verification of the large store."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--large", type=int, default=LARGE)
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    begun = time.monotonic()
    facts = dict(machine.describe())
    with tempfile.TemporaryDirectory(prefix="work-", dir=RESULTS) as folder:
        sizes = Sizes(stored=options.large)
        run = Run(Path(folder), RESULTS, sizes, lambda said: print(f"    {said}", file=sys.stderr, flush=True))
        try:
            run.figures += _measure(run, options.small, options.large)
        finally:
            run.close()
    conclude(run, facts, time.monotonic() - begun)
    return 0


def _measure(run: Run, small: int, large: int) -> Iterator[Figure | Missing]:
    node = run.federation.node(SENDER)
    officers = [Officer(run.federation.folder, f"{member}-liaison") for member in (SENDER, RECEIVER)]
    empty = store_rows.starts(node)
    first = fill(node, officers[0], officers[1], small, run.say)
    at_small = _ask(run, first)
    second = fill(node, officers[0], officers[1], large - small, run.say)
    second.threads += first.threads
    at_large = _ask(run, second)
    for name, samples in at_large.items():
        before = statistics.median(at_small[name])
        ratio = statistics.median(samples) / before
        yield Figure(
            name=f"growth: {name}",
            samples=tuple(sample / before for sample in samples),
            unit="×",
            beside=f"{before:.2f} ms at {first.messages:,}, {statistics.median(samples):.2f} ms at {second.messages:,}",
            aims=(at_most(ratio, MOST_RATIO, f"≤ {MOST_RATIO:g}"),),
        )
    times = store_rows.starts(node)
    yield Figure(
        name=f"start, {second.messages:,} messages stored",
        samples=times,
        unit="s",
        beside=f"{statistics.median(empty):.2f} s with an empty store",
        aims=(at_most(statistics.median(times), store_rows.MOST_START_SECONDS, "≤ 2"),),
    )
    yield from store_rows.verify(run, node, second.entries)


def _ask(run: Run, filled: Filled) -> Mapping[str, list[float]]:
    """Start the node and make all calls; gives the median milliseconds of each round."""
    node = run.federation.node(SENDER)
    node.start()
    try:
        return asyncio.run(_calls(run, filled))
    finally:
        node.stop()


async def _calls(run: Run, filled: Filled) -> Mapping[str, list[float]]:
    liaison = Officer(run.federation.folder, f"{SENDER}-liaison")
    auditor = Officer(run.federation.folder, f"{SENDER}-auditor")
    messages = [
        liaison.compose([RECEIVER], text(run.sizes.content_bytes)) for _ in range(CALLS // ROUNDS * ROUNDS + ROUNDS)
    ]
    chosen = random.Random(1)  # the same choice at both sizes
    digests = filled.received + filled.released
    async with liaison.channel() as channel, auditor.channel() as audit_channel:
        officer = officer_pb2_grpc.OfficerServiceStub(channel)
        audit = audit_pb2_grpc.AuditServiceStub(audit_channel)
        unsent = itertools.cycle(messages)

        async def page() -> None:
            request = officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_INBOX, page_size=PAGE)
            answer = await officer.ListMessages(request, timeout=SECONDS)
            assert len(answer.messages) == PAGE

        async def thread() -> None:
            request = officer_pb2.ListMessagesRequest(thread_id=chosen.choice(filled.threads))
            answer = await officer.ListMessages(request, timeout=SECONDS)
            assert len(answer.messages) == 1

        async def proof() -> None:
            request = audit_pb2.GetTrailRequest(message_digest=chosen.choice(digests))
            answer = await audit.GetTrail(request, timeout=SECONDS)
            assert answer.entries[0].inclusion_hashes

        async def submit() -> None:
            request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=next(unsent))])
            answer = await officer.Submit(request, timeout=SECONDS)
            traffic.released([answer.SerializeToString()])

        return {
            "inbox page of 100": await _rounds(page),
            "one thread": await _rounds(thread),
            "trail with inclusion proofs": await _rounds(proof),
            "submit one message": await _rounds(submit),
        }


async def _rounds(call: Callable[[], Awaitable[Any]]) -> list[float]:
    medians = []
    await call()
    for _ in range(ROUNDS):
        times = []
        for _ in range(CALLS // ROUNDS):
            begun = time.perf_counter()
            await call()
            times.append((time.perf_counter() - begun) * MILLISECONDS)
        medians.append(statistics.median(times))
    return medians


if __name__ == "__main__":
    sys.exit(main())
