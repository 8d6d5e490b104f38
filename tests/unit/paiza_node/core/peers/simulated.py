"""A peer without a network: its own log, and what it knows of kaz's; it answers as a node does, or as a test bends."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.peers.claims import consistency_claim
from paiza_node.core.peers.log_views import ConsistencyMismatch
from paiza_node.core.peers.session import PeerSession
from paiza_wire.errors import Unavailable
from tests.unit.paiza_node.features.witness.fleet import Fleet, Line, Node


class Peer(Line):
    """The node of tjk, to which kaz has a session. ``bent`` changes what it answers to a Deliver or a fetch."""

    def __init__(self, caller: str, callee: Node) -> None:
        super().__init__(caller, callee)
        self.node = callee
        self.batches: list[exchange_pb2.DeliverRequest] = []
        self.handshakes = 0
        self.asked_for_proofs: list[list[int]] = []
        self.there = asyncio.Event()  # batches are answered once it is set
        self.there.set()
        self.bent: Callable[[Any], None] = lambda _answer: None

    @override
    async def handshake(self, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        self.handshakes += 1
        response = await super().handshake(request)
        self.bent(response)
        return response

    @override
    async def prove_consistency(
        self, request: exchange_pb2.ProveConsistencyRequest
    ) -> exchange_pb2.ProveConsistencyResponse:
        self.asked_for_proofs.append(list(request.sizes))
        return await super().prove_consistency(request)

    async def deliver(self, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        """Accept the claim, log one entry, and claim the own growth."""
        caller = self._check()
        self.batches.append(_copy(request))
        await self.there.wait()
        logs, ledger = self.node.core.logs, self.node.ledger
        try:
            logs.accept(caller, request.consistency_claim)
        except ConsistencyMismatch as mismatch:
            claim = consistency_claim(
                ledger, ledger.checkpoint, request.consistency_claim.known_size, mismatch.known_size
            )
            response = exchange_pb2.DeliverResponse(consistency_claim=claim, consistency_mismatch=True)
        else:
            self.node.grow()
            claim = consistency_claim(
                ledger, ledger.checkpoint, request.consistency_claim.known_size, logs.size(caller.id)
            )
            response = exchange_pb2.DeliverResponse(consistency_claim=claim)
        self.bent(response)
        return response

    async def fetch_messages(self, request: exchange_pb2.FetchMessagesRequest) -> exchange_pb2.FetchMessagesResponse:
        """Return nothing, proven to the newest checkpoint."""
        caller, ledger = self._check(), self.node.ledger
        claim = consistency_claim(ledger, ledger.checkpoint, request.known_size, self.node.core.logs.size(caller.id))
        response = exchange_pb2.FetchMessagesResponse(
            consistency_claim=claim, forwarded_digests=request.message_digests
        )
        self.bent(response)
        return response

    async def fetch_attachment(self, request: exchange_pb2.FetchAttachmentRequest) -> Any:
        """Yield two pieces, then break off."""
        self._check()
        yield exchange_pb2.FetchAttachmentResponse(data=b"%d" % request.offset)
        yield exchange_pb2.FetchAttachmentResponse(data=b"piece")
        raise Unavailable("peer_unreachable", "broken off")


class Scene:
    """Kaz, its session with tjk, and tjk's node."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.kaz, self.tjk = fleet["kaz"], fleet["tjk"]
        self.peer = Peer("kaz", self.tjk)
        self.attachments = Peer("kaz", self.tjk)
        self.session = self.open()

    def open(self) -> PeerSession:
        """Open a session, as after a start."""
        core = self.kaz.core
        return PeerSession(
            self.peer,
            self.attachments,
            own_member="kaz",
            register_cache=core.register_cache,
            ledger=core.ledger,
            logs=core.logs,
            executor=core.executors.deliver,
            clock=core.clock,
        )

    async def deliver(self) -> None:
        """Deliver a batch of nothing, after the logs were compared."""
        await self.session.agreement.agree()
        await self.session.deliver(1, lambda _own: exchange_pb2.DeliverRequest())

    def claims(self) -> list[tuple[int, int]]:
        """From which size of kaz's log to which each batch claimed growth."""
        return [(batch.consistency_claim.from_size, _size(batch.consistency_claim)) for batch in self.peer.batches]


@contextmanager
def scene_in(folder: Path) -> Iterator[Scene]:
    """Open the logs of both, and of a third member."""
    with Fleet(folder, ["kaz", "tjk", "uzb"]) as fleet:
        yield Scene(fleet)


def _size(consistency_claim: log_pb2.ConsistencyClaim) -> int:
    return int(consistency_claim.checkpoint.split(b"\n")[1])


def _copy(message: Any) -> Any:
    assert isinstance(message, Message)
    return type(message).FromString(message.SerializeToString())
