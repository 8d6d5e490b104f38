"""The agreement with one peer on what it knows of our log, and the consistency claims based on it.

Each consistency claim names the size of our log that the peer is assumed to know, and advances it; claims are therefore
sent in the order in which they build on each other. If they arrive in another order, or one was lost, the peer returns
the size it knows, and the claim is made again from there. Before the first claim, and after any doubt, the peer is
asked: if it holds more of our log than exists here, our log was rolled back, and the node stops.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2, witness_pb2
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.executors.executors import Executor
from paiza_node.core.executors.periodic import backoff
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.peers.claims import consistency_claim
from paiza_node.core.peers.clocks import compare
from paiza_node.core.peers.health import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PeerHealth
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.rpcs import DELIVER, EXCHANGE_CHECKPOINTS, HANDSHAKE, PROTOCOL_VERSION, PeerChannel
from paiza_node.core.register.sync import RegisterCache
from paiza_register.model import Member
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_CLAIM_ATTEMPTS: Final = 3  # attempts at one claim, each from the size that the peer named
MAX_OVERTAKEN: Final = 3  # times in a row that a submitted checkpoint yields to batches it has overtaken

log = structlog.get_logger("paiza.peers")

Build = Callable[[VerifiedCheckpoint], exchange_pb2.DeliverRequest]
"""Builds a request that proves its entries to this checkpoint of ours; runs in a thread."""


class LogAgreement:
    """The size of our log that one peer is assumed to know. Belongs to one event loop."""

    def __init__(
        self,
        channel: PeerChannel,
        health: PeerHealth,
        *,
        own_member: str,
        register_cache: RegisterCache,
        ledger: Ledger,
        logs: PeerLogViews,
        executor: Executor,
        clock: Callable[[], datetime],
    ) -> None:
        """Begin without an agreed size; ``executor`` builds the requests of batches."""
        self._channel = channel
        self._health = health
        self._own_member = own_member
        self._register_cache = register_cache
        self._ledger = ledger
        self._logs = logs
        self._executor = executor
        self._clock = clock
        self._handshake = asyncio.Lock()
        self._asked = asyncio.Event()
        self._claiming = 0  # batches in flight whose consistency claims the peer may not have read yet
        self._overtaken = 0
        self._assumed: int | None = None  # size of our log that the peer knows; None before the first handshake
        self.compared = asyncio.Event()
        """Set once the peer was asked, since the start, and our log is consistent with all that it holds of it."""

    def ask(self) -> None:
        """Request a handshake with the peer before anything else is sent to it."""
        self._assumed = None
        self._asked.set()

    def forget(self) -> None:
        """Forget the agreed size: the next claim begins with the size the peer reports."""
        self._assumed = None

    async def keep(self) -> None:
        """Compare logs with the peer at the start and after any doubt: a rolled-back node must find out."""
        failures = 0
        while True:
            self._asked.clear()
            try:
                await self.agree()
                failures = 0
                await self._asked.wait()
            except PaizaError as error:
                failures += 1
                self._health.failed(error, failures)
                await asyncio.sleep(backoff(1, FIRST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS))
                if self._assumed is None:
                    with suppress(TimeoutError):  # a caller that comes meanwhile may reach the peer
                        pause = backoff(failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
                        await asyncio.wait_for(self._asked.wait(), pause)

    async def agree(self) -> None:
        """Ask the peer for the size it knows of our log, unless known; NodeStopped if that exceeds our log."""
        if self._assumed is None:
            async with self._handshake:
                await self._compare()

    async def _compare(self) -> None:
        if self._assumed is not None:  # another call asked meanwhile
            return
        self._check_active()
        sent, began = self._clock(), monotonic()
        state = self._register_cache.state
        request = exchange_pb2.HandshakeRequest(protocol_version=PROTOCOL_VERSION, register_state=state)
        response = await self._channel.call(HANDSHAKE, request)
        self._note_answer(sent, began, response)
        own = self._register_cache.current.active_member(self._own_member)
        known = await asyncio.to_thread(self._shown, own, response.known_checkpoint)
        if known is not None:
            await asyncio.to_thread(self._check_not_rolled_back, known)
        self._assumed = known.size if known is not None else 0
        self.compared.set()
        self._health.answered(self._clock())
        self._register_cache.note_state(self._channel.member, response.register_state)

    async def deliver(self, size: int, build: Build, *, on_loop: bool = False) -> exchange_pb2.DeliverResponse:
        """Deliver a batch of so many items; if the peer knows another size of our log, once more from that size.

        ``on_loop``: building the request is so little work that the event loop does it.
        """
        for _ in range(MAX_CLAIM_ATTEMPTS):
            own = self._ledger.checkpoint
            request = await self._executor.run(size, partial(build, own), on_loop=on_loop)
            self._check_active()
            # No await from the claim to the call: claims are sent in the order in which they build on each other.
            assumed, claim = await self._claim(own)
            request.consistency_claim.CopyFrom(claim)
            self._assumed = max(assumed, own.size)
            self._claiming += 1
            try:
                response = await self._channel.call(DELIVER, request)
            finally:
                self._claiming -= 1
            if not response.consistency_mismatch:
                return response
            if response.consistency_claim.known_size > self._ledger.checkpoint.size:
                raise Unavailable("consistency_mismatch", "the peer claims to know more of our log than there is")
            self._assumed = response.consistency_claim.known_size
        raise Unavailable("consistency_mismatch", "the peer and we did not agree on what it knows of our log")

    async def submit_checkpoint(
        self, candidate: VerifiedCheckpoint, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> witness_pb2.ExchangeCheckpointsResponse:
        """Submit a checkpoint of ours; if the peer knows another size of our log, once more from that size.

        A checkpoint is small and overtakes batches in flight. It then yields to them and is submitted in the next
        round, since otherwise a batch would have to be sent again.
        """
        await self.agree()
        for _ in range(MAX_CLAIM_ATTEMPTS):
            self._check_active()
            assumed, claim = await self._claim(candidate)
            request.consistency_claim.CopyFrom(claim)
            self._assumed = max(assumed, candidate.size)
            sent, began = self._clock(), monotonic()
            try:
                response = await self._channel.call(EXCHANGE_CHECKPOINTS, request)
            except PaizaError:
                self._restore_assumed(candidate, assumed)  # most likely it did not arrive
                raise
            self._note_answer(sent, began, response)
            known_size = response.consistency_claim.known_size
            if known_size > self._ledger.checkpoint.size:
                self.ask()  # it is wrong, or we were rolled back
                raise Unavailable("consistency_mismatch", "the peer claims to know more of our log than there is")
            if not response.consistency_mismatch:
                self._overtaken = 0
                return response
            if known_size < assumed and self._claiming and self._overtaken < MAX_OVERTAKEN:
                self._overtaken += 1
                self._restore_assumed(candidate, assumed)
                raise Unavailable("busy", "batches that were sent before have not arrived yet")
            self._assumed = known_size
        raise Unavailable("consistency_mismatch", "the peer and we did not agree on what it knows of our log")

    async def _claim(self, own: VerifiedCheckpoint) -> tuple[int, log_pb2.ConsistencyClaim]:
        """Return a claim of a checkpoint of ours, and the size from which it is made: the one assumed at the return.

        The proof is made on the event loop unless it would wait there for the ledger or the database: the peer chose
        the size. Meanwhile another claim may advance what is assumed: then it is made again, from there.
        """
        while True:
            assumed = self._assumed or 0
            known = self._logs.size(self._channel.member)
            make = partial(consistency_claim, self._ledger, own, assumed, known)
            claim = await self._executor.run(1, make, on_loop=True)
            if (self._assumed or 0) == assumed:
                return assumed, claim

    def _restore_assumed(self, submitted: VerifiedCheckpoint, assumed: int) -> None:
        """Restore the size assumed before a checkpoint was submitted, so that no batch is sent twice because of it."""
        if self._assumed == submitted.size:
            self._assumed = assumed

    def _note_answer(
        self,
        sent: datetime,
        began: float,
        answer: exchange_pb2.HandshakeResponse | witness_pb2.ExchangeCheckpointsResponse,
    ) -> None:
        """Keep what an answer shows of the peer's clock and register; a time after a long wait changes nothing."""
        self._health.clock = compare(sent, began, monotonic(), answer.answer_time) or self._health.clock
        self._health.timestamp_version = answer.register_state.timestamp_version

    def _check_active(self) -> None:
        """Raise unless the register in force names the peer as active."""
        self._register_cache.current.active_member(self._channel.member)

    def _shown(self, own: Member, note: bytes) -> VerifiedCheckpoint | None:
        """Return the checkpoint of our log that the peer shows; None if it shows none, or one that is not ours.

        A key that we have abandoned may be in other hands. What it alone signed beyond the size that our log had when
        it was abandoned is not ours: that must not stop this node.
        """
        if not note:
            return None
        known = _own_checkpoint(own, note)
        end = own.abandoned_since(note, own.origin, self._clock())
        if end is None or (largest := self._ledger.size_before(end)) is None or known.size <= largest:
            return known
        log.critical("abandoned_key_used", peer=self._channel.member, size=known.size, largest=largest)
        return None

    def _check_not_rolled_back(self, known: VerifiedCheckpoint) -> None:
        """Stop if our log is not consistent with what the peer holds of it: it is old, or has another history."""
        ledger = self._ledger
        own = ledger.checkpoint
        if known.size <= own.size and ledger.root(known.size) == known.root:
            return
        peer = self._channel.member
        log.critical("log_rolled_back", peer=peer, known_size=known.size, own_size=own.size)
        raise NodeStopped(
            "log_rolled_back",
            what=N_("{peer} holds our checkpoint of size {known}, to which our log of {size} entries does not lead."),
            where="{origin}",
            remedy=N_(
                "An old copy of the database was restored. Restore a newer copy if there is one. "
                "Otherwise make a backup of this one, move the data folder away and run `paiza-node "
                "restore` with the backup."
            ),
            peer=peer,
            known=known.size,
            size=own.size,
            origin=ledger.origin,
        )


def _own_checkpoint(own: Member, note: bytes) -> VerifiedCheckpoint:
    """Check that we signed the checkpoint that a peer presents as ours, with any key: it may hold an old one."""
    try:
        return own.checkpoint(note, own.origin)
    except Rejected as error:
        raise Unavailable("bad_checkpoint", f"what the peer shows as our checkpoint is not: {error.detail}") from error
