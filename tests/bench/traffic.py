"""Sends prepared messages through a federation as fast as it takes them, and says when all that they cause was done.

The driver shares the machine with the nodes. It hands over requests serialized long before, keeps the answers for
later, and asks the sending node how it stands a few times a second: it costs little, and what it costs is measured.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import grpc

from paiza.admin.v1 import admin_pb2, admin_pb2_grpc
from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from tests.bench import machine
from tests.bench.settled import settled
from tests.federation import NodeProcess
from tests.officer import Officer

SUBMIT: Final = "/paiza.officer.v1.OfficerService/Submit"
IN_FLIGHT: Final = 4  # Submit calls at a time
SUBMIT_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 60.0  # a limit, not a measure: machines are shared
# The node counts its queue to answer, so a long queue is not looked at often: half the time it needs at best.
FASTEST_RATE: Final = 5_000  # messages/s
LEAST_PACE_SECONDS: Final = 0.02  # near the end: the error of the time measured
MOST_PACE_SECONDS: Final = 2.0
PAGE: Final = 500  # messages of one listing: the most the protocol allows

_Submit: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"


class TrafficError(Exception):
    """A message was not released, or not delivered: the figure would be worthless."""


@dataclass(frozen=True)
class ForwardedMessage:
    """One pass: its times from the first Submit on, and the processor seconds of each process meanwhile."""

    messages: int
    submit_seconds: float
    delivered_seconds: float  # until the last verified receipt was on the sender's disk
    indexed_seconds: float  # until the search index and the log index of both nodes had caught up as well
    seconds: float  # until witnessing was done on both sides as well
    cpu_seconds: dict[str, float]
    foreign_cores: float  # of the machine's cores, used by others meanwhile

    @property
    def rate(self) -> float:
        """Messages per second, from the first Submit until nothing that they cause is left to do."""
        return self.messages / self.seconds


async def submit(officer: Officer, requests: Iterator[bytes]) -> list[bytes]:
    """Submit all requests, some at a time; gives the serialized answers."""
    answers: list[bytes] = []
    async with officer.channel() as channel:
        call: _Submit = channel.unary_unary(SUBMIT)
        await channel.channel_ready()

        async def submit_some() -> None:
            # The iterator is shared: a free worker gets the next.
            for request in requests:
                answer = await call(request, timeout=SUBMIT_SECONDS)
                answers.append(answer)

        await asyncio.gather(*(submit_some() for _ in range(IN_FLIGHT)))
    return answers


async def pass_through(
    officer: Officer, sender: NodeProcess, receiver: NodeProcess, requests: list[bytes], database: int | None = None
) -> ForwardedMessage:
    """Submit all, and wait until the sender holds every receipt and both nodes have nothing left to do.

    ``database`` is the process of a server that both nodes use. The caller then owes `check_delivered`.
    """
    pids = {sender.member: sender.pid, receiver.member: receiver.pid, **({"database": database} if database else {})}

    def used_so_far() -> dict[str, float]:
        return {**{name: machine.cpu_seconds(pid) for name, pid in pids.items()}, "driver": time.process_time()}

    before = used_so_far()
    busy = machine.busy_seconds()
    begun = time.perf_counter()
    answers = await submit(officer, iter(requests))
    submitted = time.perf_counter()
    await drained(sender)
    delivered = time.perf_counter()
    both = await asyncio.gather(settled(sender), settled(receiver))
    ended = max(each.witnessed for each in both)
    used = {name: seconds - before[name] for name, seconds in used_so_far().items()}
    foreign = machine.busy_seconds() - busy - sum(used.values())
    count = released(answers)
    return ForwardedMessage(
        messages=count,
        submit_seconds=submitted - begun,
        delivered_seconds=delivered - begun,
        indexed_seconds=max(each.indexed for each in both) - begun,
        seconds=ended - begun,
        cpu_seconds=used,
        foreign_cores=max(0.0, foreign / (ended - begun)),
    )


async def drained(node: NodeProcess) -> None:
    """Return when no delivery waits at this node."""
    async with grpc.aio.insecure_channel(f"unix:{node.admin_socket}") as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        while True:
            status = await stub.GetStatus(admin_pb2.GetStatusRequest(), timeout=ANSWER_SECONDS)
            if not status.waiting:
                return
            pace = status.waiting / FASTEST_RATE / 2
            await asyncio.sleep(min(max(pace, LEAST_PACE_SECONDS), MOST_PACE_SECONDS))


def released(answers: list[bytes]) -> int:
    """Count what was released; TrafficError names the first that was not."""
    count = 0
    for result in itertools.chain.from_iterable(
        officer_pb2.SubmitResponse.FromString(each).results for each in answers
    ):
        if result.WhichOneof("result") != "released" or result.released.repeated_submission:
            raise TrafficError(f"a message was not released: {result}")
        count += 1
    return count


async def check_delivered(officer: Officer, count: int) -> None:
    """List what the officer's node sent: exactly this many, each with the receipt of every recipient."""
    found, token = 0, ""
    async with officer.channel() as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        while True:
            request = officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_SENT, page_size=PAGE, page_token=token)
            page = await stub.ListMessages(request, timeout=ANSWER_SECONDS)
            for each in page.messages:
                if {delivery.state for delivery in each.deliveries} != {delivery_pb2.DELIVERY_STATE_DELIVERED}:
                    raise TrafficError(f"not delivered: {each.deliveries}")
            found += len(page.messages)
            token = page.next_page_token
            if not token:
                break
    if found != count:
        raise TrafficError(f"{count} messages were released, but {found} are listed as sent")
