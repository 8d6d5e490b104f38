"""Row "log": a log of a million entries is verified and started with, and proves as quickly as a small one.

Two nodes run side by side, one with ten thousand entries, one with a million, and each is asked in turn over mTLS, as
an auditor asks, for the trail of one message: its entry with an inclusion proof. The entries asked for are spread over
the whole log, so that most proofs of the large one read tiles that nobody has in memory.
"""

import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Final

from paiza.officer.v1 import audit_pb2, audit_pb2_grpc
from tests.bench import store_rows
from tests.bench.admitted import admit
from tests.bench.figures import Figure, Missing, at_most
from tests.bench.run import RECEIVER, SENDER, Run
from tests.bench.stored import fill_log
from tests.federation import Federation
from tests.officer import Officer

SMALL: Final = 10_000  # entries
ROUNDS: Final = 7  # each gives one ratio of two medians
CALLS: Final = 100  # to each node, in one round
AUDITORS: Final = 4  # one is answered so often a minute
SECONDS: Final = 30.0
MOST_RATIO: Final = 1.2
MILLISECONDS: Final = 1000.0


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Write both logs, start and verify the large one, and ask both nodes for proofs."""
    federation = run.federation
    federation.stop()
    federation.forget()
    large = federation.node(RECEIVER)
    empty = store_rows.starts(large)
    fixed = store_rows.verify_times(large)
    federation.start(SENDER)
    federation.stop()
    sizes = {SENDER: SMALL, RECEIVER: run.sizes.logged}
    begun = time.perf_counter()
    digests = {
        member: fill_log(federation.node(member), Officer(federation.folder, f"{member}-liaison"), other, sizes[member])
        for member, other in ((SENDER, RECEIVER), (RECEIVER, SENDER))
    }
    run.say(f"logs of {SMALL:,} and {run.sizes.logged:,} entries in {time.perf_counter() - begun:.0f} s")
    yield store_rows.start_figure(f"log of {run.sizes.logged:,} entries", store_rows.starts(large), empty)
    yield from store_rows.verify(large, run.sizes.logged, fixed)
    federation.start()
    yield asyncio.run(_proofs(federation, digests, run.sizes.logged))
    federation.stop()


async def _proofs(federation: Federation, digests: dict[str, Sequence[bytes]], size: int) -> Figure:
    times: dict[str, list[float]] = {member: [] for member in digests}
    lengths: dict[str, int] = {}
    ratios = []
    chosen = random.Random(1)
    async with AsyncExitStack() as channels:
        stubs: dict[str, Iterator[audit_pb2_grpc.AuditServiceAsyncStub]] = {}
        for member in digests:
            opened = [
                await channels.enter_async_context(
                    auditor.channel(federation.node(member).address, member, federation.register())
                )
                for auditor in admit(federation, member, [""] * AUDITORS, "auditor")
            ]
            stubs[member] = itertools.cycle(audit_pb2_grpc.AuditServiceStub(channel) for channel in opened)

        async def ask(member: str) -> float:
            request = audit_pb2.GetTrailRequest(message_digest=chosen.choice(digests[member]))
            begun = time.perf_counter()
            answer = await next(stubs[member]).GetTrail(request, timeout=SECONDS)
            seconds = time.perf_counter() - begun
            lengths[member] = len(answer.entries[0].inclusion_hashes)
            return seconds * MILLISECONDS

        for member in digests:
            await ask(member)
        for _ in range(ROUNDS):
            for _ in range(CALLS):
                for member, found in times.items():
                    found.append(await ask(member))
            ratios.append(statistics.median(times[RECEIVER][-CALLS:]) / statistics.median(times[SENDER][-CALLS:]))
    return Figure(
        name=f"inclusion proof at {size:,} entries",
        samples=tuple(ratios),
        unit="×",
        beside=f"that at {SMALL:,}; {statistics.median(times[SENDER]):.2f} ms and {lengths[SENDER]} hashes there, "
        f"{statistics.median(times[RECEIVER]):.2f} ms and {lengths[RECEIVER]} hashes here",
        aims=(at_most(statistics.median(ratios), MOST_RATIO, f"≤ {MOST_RATIO:g}"),),
    )
