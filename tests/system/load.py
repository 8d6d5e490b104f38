"""Officers who submit as fast as they are answered, keep every draft until it is, and remember every receipt.

What an officer's client does with its outbox, reduced to what a test must know: which drafts there are, which of them
the node said it released, and with which entries of its log.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Final

import grpc

from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_wire.message import message_digest
from tests.officer import Officer

SUBMIT_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.05  # before a draft is submitted again
FLASH_SHARE: Final = 0.2  # of the batches
MOST_IN_BATCH: Final = 4  # small, since every round reads and checks all that was ever sent
IDLE_SECONDS: Final = 0.3  # between two batches while something is restarted: the checks read all there is
# Channels that share nothing: a connection that was cut must not make another wait.
CHANNEL_OPTIONS: Final = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)
# What a node that is being killed or stopped may answer; anything else is a defect.
PASSING: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,  # of calls that reached a server which stops, but no longer its program
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


class LoadError(Exception):
    """A node answered an honest officer what it must not."""


@dataclass
class Submitter:
    """One officer with one channel and an outbox."""

    officer: Officer
    recipients: list[str]
    random: random.Random
    drafts: dict[bytes, bytes] = field(default_factory=dict)  # not answered yet, by digest
    receipts: dict[bytes, list[tuple[int, bytes]]] = field(default_factory=dict)  # (index, entry) of each release
    repeated: int = 0  # answered "released before": the first answer was lost with the node or on the way
    failures: int = 0
    seconds: float = SUBMIT_SECONDS  # for an answer; a test in which no node goes away waits longer

    @property
    def written(self) -> set[bytes]:
        """Every message this officer ever signed."""
        return {*self.drafts, *self.receipts}

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event) -> None:
        """Submit until told to stop; a draft without an answer stays and goes first next time."""
        async with self.officer.channel(*CHANNEL_OPTIONS) as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            while not stop.is_set():
                if not self.drafts:
                    self._compose()
                await self._submit(stub)
                if not hurry.is_set():
                    await asyncio.sleep(IDLE_SECONDS)

    async def finish(self) -> None:
        """Submit what is left until all of it is answered."""
        async with self.officer.channel(*CHANNEL_OPTIONS) as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            while self.drafts:
                await self._submit(stub)

    def _compose(self) -> None:
        urgent = self.random.random() < FLASH_SHARE
        for _ in range(self.random.randint(1, 3 if urgent else MOST_IN_BATCH)):
            urgency = pb.URGENCY_FLASH if urgent else pb.URGENCY_ROUTINE
            reason = "consignment-moving" if urgent else ""
            signed = self.officer.compose(
                self.recipients, urgency=urgency, urgency_reason=reason, role=self.officer.id.rpartition("/")[2]
            )
            self.drafts[message_digest(pb.SignedMessage.FromString(signed).header)] = signed

    async def _submit(self, stub: "officer_pb2_grpc.OfficerServiceAsyncStub") -> None:
        sent = dict(self.drafts)
        request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=signed) for signed in sent.values()])
        try:
            response = await stub.Submit(request, timeout=self.seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING:
                raise LoadError(f"{self.officer.id}: {error.code().name}: {error.details()}") from error
            self.failures += 1
            await asyncio.sleep(PAUSE_SECONDS)
            return
        for digest, result in zip(sent, response.results, strict=True):
            which = result.WhichOneof("result")
            if which == "retry":
                continue
            if which != "released":
                raise LoadError(f"{self.officer.id}: {result.rejection.reason}: {result.rejection.detail}")
            assert result.released.message_digest == digest
            self.receipts[digest] = [(entry.index, entry.entry) for entry in result.released.entries]
            self.repeated += result.released.repeated_submission
            del self.drafts[digest]


async def run_all(submitters: list[Submitter], stop: asyncio.Event, hurry: asyncio.Event) -> None:
    """Run all officers at once, at full speed while ``hurry`` is set, until they are stopped."""
    async with asyncio.TaskGroup() as group:
        for submitter in submitters:
            group.create_task(submitter.run(stop, hurry))
