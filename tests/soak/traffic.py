"""One officer at each node, who sends a message to one other member after another and watches for the receipts.

At full rate an officer sends the next batch when the last one is answered; at a pace, when it is due, and what they
wait counts from then: a node that is slow for a moment is not spared the messages of that moment.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc

from paiza.core.v1 import delivery_pb2, message_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_wire.message import message_digest
from tests.bench.corpus import text
from tests.officer import Officer
from tests.system.load import CHANNEL_OPTIONS, PASSING

BATCH: Final = 4  # messages of one Submit
CONTENT_BYTES: Final = 1024
SUBMIT_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.2  # before a Submit that was not answered is repeated


class SoakError(Exception):
    """A node answered an honest officer what it must not."""


@dataclass
class Sender:
    """One officer, the messages they wrote and what became of them.

    ``receipts`` holds, by message, its recipient with index and bytes of the RELEASED entry.
    """

    officer: Officer
    others: Sequence[str]
    written: dict[bytes, str] = field(default_factory=dict)
    receipts: dict[bytes, tuple[str, int, bytes]] = field(default_factory=dict)
    due: dict[bytes, float] = field(default_factory=dict)  # of messages whose receipt is still waited for
    released: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)
    put_off: int = 0  # Submits that the node did not take at once
    watches: int = 0
    _recipients: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the neighbour."""
        self._recipients = itertools.cycle(self.others)

    def take(self) -> tuple[list[float], list[float]]:
        """Return what was waited since the last call, until release and until the receipt."""
        taken = self.released, self.delivered
        self.released, self.delivered = [], []
        return taken

    async def send_at_full_rate(self, stop: asyncio.Event) -> None:
        """Send until told to stop."""
        async with self.officer.channel(*CHANNEL_OPTIONS) as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            while not stop.is_set():
                await self._send(stub, time.monotonic())

    async def send_at_pace(self, stop: asyncio.Event, first: float, every: float) -> None:
        """Send a batch at ``first`` (of `time.monotonic`) and every so many seconds until told to stop."""
        async with self.officer.channel(*CHANNEL_OPTIONS) as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            for number in itertools.count():
                due = first + number * every
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), max(0.0, due - time.monotonic()))
                if stop.is_set():
                    return
                await self._send(stub, due)

    async def watch(self) -> None:
        """Note when each receipt is shown, until cancelled; a watch that ends is begun anew."""
        async with self.officer.channel(*CHANNEL_OPTIONS) as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            while True:
                self.watches += 1
                try:
                    async for news in stub.Watch(officer_pb2.WatchRequest()):
                        for message in news.messages:
                            if any(each.state == delivery_pb2.DELIVERY_STATE_DELIVERED for each in message.deliveries):
                                self._delivered(message.message_digest)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in PASSING:
                        raise SoakError(f"{self.officer.id}: {error.code().name}: {error.details()}") from error
                await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, stub: "officer_pb2_grpc.OfficerServiceAsyncStub", due: float) -> None:
        """Send a batch, again and again until all of it is answered."""
        batch: dict[bytes, bytes] = {}
        for recipient in itertools.islice(self._recipients, BATCH):
            signed = self.officer.compose([recipient], text(CONTENT_BYTES))
            digest = message_digest(message_pb2.SignedMessage.FromString(signed).header)
            batch[digest] = signed
            self.written[digest], self.due[digest] = recipient, due
        while batch:
            if not await self._submit(stub, batch, due):
                self.put_off += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def _submit(
        self, stub: "officer_pb2_grpc.OfficerServiceAsyncStub", batch: dict[bytes, bytes], due: float
    ) -> bool:
        """Submit a batch; what was released leaves it. False if some of it is to be sent again."""
        items = [officer_pb2.SubmitItem(message=signed) for signed in batch.values()]
        try:
            answer = await stub.Submit(officer_pb2.SubmitRequest(items=items), timeout=SUBMIT_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING:
                raise SoakError(f"{self.officer.id}: {error.code().name}: {error.details()}") from error
            return False
        waited = time.monotonic() - due
        for digest, result in zip(list(batch), answer.results, strict=True):
            which = result.WhichOneof("result")
            if which == "retry":
                continue
            if which != "released" or result.released.message_digest != digest:
                raise SoakError(f"{self.officer.id}: {result}")
            (entry,) = result.released.entries
            self.receipts[digest] = self.written[digest], entry.index, entry.entry
            self.released.append(waited)
            del batch[digest]
        return not batch

    def _delivered(self, digest: bytes) -> None:
        due = self.due.pop(digest, None)
        if due is not None:
            self.delivered.append(time.monotonic() - due)
