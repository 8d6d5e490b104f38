"""Row "members": one notice to nine members, sustained, beside the pipeline with its one recipient.

Ten nodes share the cores, so the rate counts deliveries: each is received, checked, indexed and witnessed by itself.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from paiza.officer.v1 import officer_pb2
from tests.bench import machine, traffic
from tests.bench.corpus import compose
from tests.bench.figures import Aim, Figure, Missing, at_least
from tests.bench.pipeline import MICROSECONDS, SQLITE
from tests.bench.run import Run
from tests.bench.settled import settled
from tests.federation import Federation
from tests.officer import Officer

MEMBERS: Final = ("arm", "aze", "centre", "geo", "kaz", "kgz", "rus", "tjk", "tkm", "uzb")
AUTHOR: Final = "kaz"
RECIPIENTS: Final = tuple(member for member in MEMBERS if member != AUTHOR)
BATCH: Final = 32  # notices of one Submit
WARM: Final = 64  # notices before: connections are open and caches warm
LEAST_OF_PIPELINE: Final = 0.8  # per delivery


@dataclass(frozen=True)
class Sent:
    """One pass: seconds until the last receipt, seconds until nothing was left to do, processor seconds by member."""

    delivered: float
    seconds: float
    used: dict[str, float]


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Submit notices to all other members, and wait until no node has anything left to do."""
    with Federation.create(run.folder / "members", MEMBERS) as federation:
        for member in MEMBERS:  # ten at the same time would take longer than one may
            federation.start(member)
        officer = Officer(federation.folder, f"{AUTHOR}-liaison")
        messages = [compose(officer, RECIPIENTS, run.sizes.content_bytes) for _ in range(WARM + run.sizes.notices)]
        asyncio.run(_pass(federation, officer, messages[:WARM]))
        sent = asyncio.run(_pass(federation, officer, messages[WARM:]))
        asyncio.run(traffic.check_delivered(officer, len(messages)))
    deliveries = run.sizes.notices * len(RECIPIENTS)
    rate = deliveries / sent.seconds
    sender = sent.used[AUTHOR] / deliveries * MICROSECONDS
    receiver = statistics.median(sent.used[member] for member in RECIPIENTS) / run.sizes.notices * MICROSECONDS
    beside = f"receipts alone {deliveries / sent.delivered:,.0f}/s; µs of processor time a delivery: "
    beside += f"sender {sender:,.0f}, receiver {receiver:,.0f}"
    aims: tuple[Aim, ...] = ()
    if pipeline := run.found(SQLITE):
        ratio = rate / pipeline.median
        beside += f"; {ratio:.2f} of the pipeline"
        aims = (at_least(ratio, LEAST_OF_PIPELINE, f"≥ {LEAST_OF_PIPELINE:g} of the pipeline"),)
    yield Figure(f"one notice to {len(RECIPIENTS)} members", (rate,), "deliveries/s", beside, aims=aims)


async def _pass(federation: Federation, officer: Officer, messages: Sequence[bytes]) -> Sent:
    """Submit these notices, and wait until no node has anything left to do."""
    requests = [
        officer_pb2.SubmitRequest(
            items=[officer_pb2.SubmitItem(message=each) for each in messages[first : first + BATCH]]
        ).SerializeToString()
        for first in range(0, len(messages), BATCH)
    ]
    before = {member: machine.cpu_seconds(node.pid) for member, node in federation.nodes.items()}
    begun = time.perf_counter()
    answers = await traffic.submit(officer, iter(requests))
    await traffic.drained(federation.node(AUTHOR))
    delivered = time.perf_counter()
    everywhere = await asyncio.gather(*(settled(node) for node in federation.nodes.values()))
    used = {member: machine.cpu_seconds(node.pid) - before[member] for member, node in federation.nodes.items()}
    traffic.released(answers)
    return Sent(delivered - begun, max(each.witnessed for each in everywhere) - begun, used)
