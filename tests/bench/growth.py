"""`make bench-growth`: how much slower a node with many messages answers than one with ten thousand.

Two nodes, one with the small store and one with the large, run side by side, and every call is made to both in turn:
what else the machine does disturbs both alike. What they submit goes to a third member that is away, so nothing is
delivered; a quarter of all messages waits for it, and half of all are threads of this member that nobody has answered.
Its replies are delivered by this process with its keys. Then the large store is started and verified.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.officer.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    officer_pb2,
    officer_pb2_grpc,
    search_pb2,
    search_pb2_grpc,
)
from paiza.peer.v1 import exchange_pb2, exchange_pb2_grpc
from paiza_node.core.register.state import state_of
from tests.bench import machine, store_rows, traffic
from tests.bench.__main__ import RESULTS, conclude
from tests.bench.admitted import admit
from tests.bench.corpus import text
from tests.bench.figures import Figure, Missing, at_most
from tests.bench.run import Run, Sizes
from tests.bench.stored import COUNTRY, Filled, fill
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import SUBJECT, Officer

SMALL: Final = 10_000
LARGE: Final = 200_000
AT_SMALL, AT_LARGE, AWAY = "kaz", "tjk", "uzb"
ROUNDS: Final = 7  # each gives one ratio of two medians
CALLS: Final = 40  # of each kind to each node, in one round
PREPARED: Final = ROUNDS * CALLS + 1  # messages of each kind for each node
PAGE: Final = 100
AUDITORS: Final = 2
SECONDS: Final = 30.0
MOST_RATIO: Final = 1.2
MILLISECONDS: Final = 1000.0


@dataclass
class Asked:
    """One node with the stubs of its officers and of the member that is away, and what to ask it for."""

    officer: "officer_pb2_grpc.OfficerServiceAsyncStub"
    audits: "Iterator[audit_pb2_grpc.AuditServiceAsyncStub]"  # of several auditors: one is answered so often a minute
    search: "search_pb2_grpc.SearchServiceAsyncStub"
    peer: "exchange_pb2_grpc.ExchangeServiceAsyncStub"
    filled: Filled
    messages: list[bytes]
    replies: list[bytes]
    deliveries: list[exchange_pb2.DeliverRequest]
    chosen: random.Random

    async def page(self) -> None:
        """Ask for the newest messages of the inbox."""
        request = officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_INBOX, page_size=PAGE)
        assert len((await self.officer.ListMessages(request, timeout=SECONDS)).messages) == PAGE

    async def thread(self) -> None:
        """Ask for the messages of one thread."""
        thread_id, _digest = self.chosen.choice(self.filled.received + self.filled.released)
        request = officer_pb2.ListMessagesRequest(thread_id=thread_id)
        assert len((await self.officer.ListMessages(request, timeout=SECONDS)).messages) == 1

    async def trail(self) -> None:
        """Ask for the log entries of one message, each with its inclusion proof."""
        _thread_id, digest = self.chosen.choice(self.filled.received + self.filled.released)
        request = audit_pb2.GetTrailRequest(message_digest=digest)
        answer = await next(self.audits).GetTrail(request, timeout=SECONDS)
        assert answer.entries[0].inclusion_hashes

    async def find_one(self) -> None:
        """Search for a term that one message has."""
        assert await self._found("container", self.chosen.choice(self.filled.containers)) == 1

    async def find_many(self) -> None:
        """Search for a term that one message in eight has: the newest of them."""
        assert await self._found("country", COUNTRY) == PAGE

    async def find_common(self) -> None:
        """Search for a message by two terms, of which one message has one, and one in eight the other."""
        assert await self._found("country", COUNTRY, "container", self.chosen.choice(self.filled.common)) == 1

    async def _found(self, *criteria: str) -> int:
        request = search_pb2.SearchRequest(
            criteria=[
                search_pb2.Criterion(field=field, text=text)
                for field, text in zip(criteria[::2], criteria[1::2], strict=True)
            ],
            page_size=PAGE,
            reason_text="exercise",
        )
        return len((await self.search.Search(request, timeout=SECONDS)).messages)

    async def submit(self) -> None:
        """Submit one message."""
        await self._submit(self.messages.pop())

    async def reply(self) -> None:
        """Submit a reply in a thread that nobody has answered."""
        await self._submit(self.replies.pop())

    async def _submit(self, message: bytes) -> None:
        request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=message)])
        traffic.released([(await self.officer.Submit(request, timeout=SECONDS)).SerializeToString()])

    async def receive(self) -> None:
        """Deliver a reply of the member that is away, which wrote half of all messages."""
        answer = await self.peer.Deliver(self.deliveries.pop(), timeout=SECONDS)
        assert not answer.consistency_mismatch
        assert [each.WhichOneof("result") for each in answer.results] == ["answer"], answer.results


CALLS_MADE: Final[Sequence[tuple[str, Callable[[Asked], Awaitable[None]]]]] = (
    (f"inbox page of {PAGE}", Asked.page),
    ("one thread", Asked.thread),
    ("trail with inclusion proofs", Asked.trail),
    ("search, one message found", Asked.find_one),
    (f"search, the newest {PAGE} of many", Asked.find_many),
    ("search, one message by a common term and its own", Asked.find_common),
    ("submit one message", Asked.submit),
    ("submit one reply", Asked.reply),
    ("receive one reply", Asked.receive),
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
    fixed = store_rows.verify_times(federation.node(AT_LARGE))
    federation.start(AT_SMALL)
    federation.stop()
    filled = {
        member: fill(federation.node(member), officers[member], officers[AWAY], count, run.say, waiting=True)
        for member, count in counts.items()
    }
    federation.start(*filled)
    yield from asyncio.run(_compare(run, federation, filled))
    federation.stop()
    node, large = federation.node(AT_LARGE), filled[AT_LARGE]
    yield store_rows.start_figure(f"{large.messages:,} messages stored", store_rows.starts(node), empty)
    yield from store_rows.verify(node, large.entries, fixed)


async def _compare(run: Run, federation: Federation, filled: dict[str, Filled]) -> list[Figure]:
    async with AsyncExitStack() as channels:
        asked = {}
        deliveries = _deliveries(run, federation, filled)
        for member, store in filled.items():
            liaison = Officer(federation.folder, f"{member}-liaison")
            audits: list[audit_pb2_grpc.AuditServiceAsyncStub] = []
            for auditor in admit(federation, member, [""] * AUDITORS, "auditor"):
                channel = auditor.channel(federation.node(member).address, member, federation.register())
                audits.append(audit_pb2_grpc.AuditServiceStub(await channels.enter_async_context(channel)))
            content = text(run.sizes.content_bytes)
            chosen = random.Random(1)
            officer_channel = await channels.enter_async_context(liaison.channel())
            peer, requests = deliveries[member]
            asked[member] = Asked(
                officer_pb2_grpc.OfficerServiceStub(officer_channel),
                itertools.cycle(audits),
                search_pb2_grpc.SearchServiceStub(officer_channel),
                exchange_pb2_grpc.ExchangeServiceStub(await channels.enter_async_context(peer.channel)),
                store,
                [liaison.compose([AWAY], content) for _ in range(PREPARED)],
                [_reply(liaison, AWAY, chosen.choice(store.received), content) for _ in range(PREPARED)],
                requests,
                chosen,
            )
        return [await _ratio(name, call, asked[AT_SMALL], asked[AT_LARGE]) for name, call in CALLS_MADE]


def _reply(author: Officer, recipient: str, to: tuple[bytes, bytes], content: str) -> bytes:
    """Seal and sign a message that follows from the one that opened a thread."""
    header = author.header([recipient])
    header.thread_id, digest = to
    header.parent_digests.append(digest)
    return author.seal(header, FreeMessage(subject=SUBJECT, text=content).SerializeToString())


def _deliveries(
    run: Run, federation: Federation, filled: dict[str, Filled]
) -> dict[str, tuple[HostilePeer, list[exchange_pb2.DeliverRequest]]]:
    """Write the replies of the member that is away, each in a call of its own, the first call last.

    All are in one log, which the first call proves to each node: two logs of one member would be a fork.
    """
    away = Officer(federation.folder, f"{AWAY}-liaison")
    state = state_of(away.register, datetime.now(UTC))
    peers = {member: HostilePeer(federation.folder, AWAY, federation.node(member), away.register) for member in filled}
    log, certified = peers[AT_SMALL].log, peers[AT_SMALL].certified
    released: dict[str, list[tuple[bytes, int]]] = {}
    for member, peer in peers.items():
        peer.log, peer.certified = log, certified
        openers = random.Random(1).choices(filled[member].received, k=PREPARED)
        replies = [_reply(away, member, to, text(run.sizes.content_bytes)) for to in openers]
        released[member] = [(reply, peer.release(reply)) for reply in replies]
    prepared = {}
    for member, peer in peers.items():
        first = peer.consistency_claim()
        peer.known = len(log.entries)
        later = peer.consistency_claim()
        requests = [
            exchange_pb2.DeliverRequest(
                consistency_claim=later if at else first,
                register_state=state,
                dispatches=[peer.dispatch(reply, index)],
            )
            for at, (reply, index) in enumerate(released[member])
        ]
        prepared[member] = peer, requests[::-1]
    return prepared


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
