"""An acquaintance: what a peer and we know of each other's logs, and every question that rests on it.

Each claim of growth names the size of our log that the peer is assumed to know, and moves that on: so claims go out in
the order in which they build on each other, whoever makes them. Where they arrive in another order, or one was lost,
the peer says what it knows, and the claim is made again from there. Before the first claim, and whenever there is
doubt, the peer is asked: if it holds more of our log than there is, we were rolled back, and the node stops.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from paiza.v1 import exchange_pb2, log_pb2, recovery_pb2, witness_pb2
from paiza_node.context import Context
from paiza_node.errors import N_, NodeStopped
from paiza_node.growth import GrowthMismatch, claim, record_fork
from paiza_node.ledger import Ledger
from paiza_node.model import StoredEntry
from paiza_node.ports import Peer
from paiza_wire import checkpoint as checkpoints
from paiza_wire.checkpoint import VerifiedCheckpoint
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.notes import VerifierKey

CLAIMS: Final = 3  # times that one claim is made, each from the size that the peer named
OVERTAKEN: Final = 3  # times in a row that a shown checkpoint makes way for batches it has overtaken

log = structlog.get_logger("paiza.deliver")


@dataclass(slots=True)
class PeerHealth:
    """What is known of reaching one peer, for status and metrics."""

    reachable: bool = False
    last_error: str = ""
    last_seen: datetime | None = None


class Acquaintance:
    """The peer as far as logs go. Belongs to one event loop."""

    def __init__(self, context: Context, peer: Peer) -> None:
        """Take the peer, of which nothing is known yet."""
        self._context = context
        self._peer = peer
        self._handshake = asyncio.Lock()
        self._asked = asyncio.Event()
        self._claiming = 0  # batches under way whose claims of growth the peer may not have read yet
        self._overtaken = 0
        self._assumed: int | None = None  # size of our log that the peer knows; None before the first handshake
        self.health = PeerHealth()

    @property
    def member(self) -> str:
        """Give the peer's member id."""
        return self._peer.member

    def ask(self) -> None:
        """Have the peer asked what it holds of our log, before anything else is sent to it."""
        self._assumed = None
        self._asked.set()

    async def close(self) -> None:
        """Close the channel."""
        await self._peer.close()

    async def _agree(self) -> None:
        """Ask the peer what it knows of our log; more than there is means that we were rolled back."""
        async with self._handshake:
            if self._assumed is not None:
                return
            context = self._context
            response = await self._peer.handshake(
                exchange_pb2.HandshakeRequest(protocol_version=1, register_version=context.registers.version)
            )
            own = context.registers.current.active_member(context.member)
            if response.known_checkpoint:
                known = _own_checkpoint(context.ledger, own.log_keys[-1].vkey, response.known_checkpoint)
                await asyncio.to_thread(self._check_not_rolled_back, known)
                self._assumed = known.size
            else:
                self._assumed = 0
            context.asked.note(self.member)
            self.health = PeerHealth(reachable=True, last_seen=context.clock())
            context.registers.heard_of(response.register_version)

    def _check_not_rolled_back(self, known: VerifiedCheckpoint) -> None:
        """Stop where our log does not lead to what the peer holds of it: it is old, or already another history."""
        ledger = self._context.ledger
        own = ledger.checkpoint
        if known.size <= own.size and ledger.root(known.size) == known.root:
            return
        log.critical("log_rolled_back", peer=self.member, known_size=known.size, own_size=own.size)
        raise NodeStopped(
            "log_rolled_back",
            what=N_("{peer} holds our checkpoint of size {known}, to which our log of {size} entries does not lead."),
            where="{origin}",
            remedy=N_(
                "An old copy of the database was put back. If there is a newer one, put that back; else make a backup "
                "of this one, move the data folder away and run `paiza-node restore` with the backup."
            ),
            peer=self.member,
            known=known.size,
            size=own.size,
            origin=ledger.origin,
        )

    async def show(
        self, candidate: VerifiedCheckpoint, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> tuple[witness_pb2.ExchangeCheckpointsResponse, VerifiedCheckpoint]:
        """Show the peer a checkpoint of ours; gives its answer, and its own checkpoint that was accepted.

        Where the peer knows another size of our log it is shown once more from that size. But a checkpoint is small and
        overtakes batches on their way: then it makes way, and is shown in the next round; else the batch would have
        to be sent again.
        """
        if self._assumed is None:
            await self._agree()
        for _ in range(CLAIMS):
            assumed = self._assumed or 0
            request.growth.CopyFrom(
                claim(self._context.ledger, candidate, assumed, self._context.logs.size(self.member))
            )
            self._assumed = max(assumed, candidate.size)
            try:
                response = await self._peer.exchange_checkpoints(request)
            except PaizaError:
                self._take_back(candidate, assumed)  # most likely it did not arrive
                raise
            known_size = response.growth.known_size
            if known_size > self._context.ledger.checkpoint.size:
                self.ask()  # it is wrong, or we were rolled back
                raise Unavailable("growth_mismatch", "the peer claims to know more of our log than there is")
            if not response.growth_mismatch:
                self._overtaken = 0
                return response, await self.accept(response.growth)
            if known_size < assumed and self._claiming and self._overtaken < OVERTAKEN:
                self._overtaken += 1
                self._take_back(candidate, assumed)
                raise Unavailable("busy", "batches that were sent before have not arrived yet")
            self._assumed = known_size
        raise Unavailable("growth_mismatch", "the peer and we did not agree on what it knows of our log")

    def _take_back(self, shown: VerifiedCheckpoint, assumed: int) -> None:
        """Assume what was assumed before a checkpoint was shown: no batch is to be sent twice for it."""
        if self._assumed == shown.size:
            self._assumed = assumed

    async def _deliver(
        self, size: int, build: Callable[[VerifiedCheckpoint], exchange_pb2.DeliverRequest]
    ) -> exchange_pb2.DeliverResponse:
        """Send a batch; where the peer knows another size of our log, once more from that size."""
        context = self._context
        for _ in range(CLAIMS):
            own = context.ledger.checkpoint
            request = await context.lanes.deliver.run(size, partial(build, own))
            # From here to the call nothing waits: claims go out in the order in which they build on each other.
            assumed = self._assumed or 0
            request.growth.CopyFrom(claim(context.ledger, own, assumed, context.logs.size(self.member)))
            self._assumed = max(assumed, own.size)
            self._claiming += 1
            try:
                response = await self._peer.deliver(request)
            finally:
                self._claiming -= 1
            if not response.growth_mismatch:
                return response
            if response.growth.known_size > context.ledger.checkpoint.size:
                raise Unavailable("growth_mismatch", "the peer claims to know more of our log than there is")
            self._assumed = response.growth.known_size
        raise Unavailable("growth_mismatch", "the peer and we did not agree on what it knows of our log")

    async def accept(self, growth: log_pb2.Growth) -> VerifiedCheckpoint:
        """Check that the peer's log grew honestly to the checkpoint it answers with."""
        logs = self._context.logs
        peer = self._context.registers.current.active_member(self.member)
        try:
            try:
                return logs.accept(peer, growth)
            except GrowthMismatch:
                # The other slot's answer overtook this one, so this proof begins behind what is known now.
                checkpoint = logs.verify(peer, growth.checkpoint)
                sizes = [logs.size(peer.id), checkpoint.size]
                proof = await self._peer.prove_growth(exchange_pb2.ProveGrowthRequest(sizes=sizes))
                return logs.accept_between(peer, checkpoint, proof)
        except Rejected:
            await record_fork(self._context.ledger, logs)
            raise

    async def fetch(self, digests: Sequence[bytes]) -> tuple[exchange_pb2.FetchMessagesResponse, VerifiedCheckpoint]:
        """Ask the peer for messages; gives its answer, and its checkpoint that the answer is proven to."""
        context = self._context
        request = exchange_pb2.FetchMessagesRequest(
            known_size=context.logs.size(self.member),
            register_version=context.registers.version,
            message_digests=digests,
        )
        response = await self._peer.fetch_messages(request)
        return response, await self.accept(response.growth)

    async def prove_growth(self, request: exchange_pb2.ProveGrowthRequest) -> exchange_pb2.ProveGrowthResponse:
        """Ask the peer to prove that its log grew; nothing of the answer is verified here."""
        return await self._peer.prove_growth(request)

    async def prove_entries(self, indices: Sequence[int]) -> witness_pb2.ProveEntriesResponse:
        """Ask the peer to prove entries of its log to checkpoints that a quorum cosigned; nothing is verified here."""
        return await self._peer.prove_entries(witness_pb2.ProveEntriesRequest(indices=indices))

    async def tell(self, entries: Sequence[StoredEntry], *, erasures: bool = False) -> None:
        """Tell the peer what our log says of attachments it handed over, or of its requests to erase.

        Returns when it has taken note.
        """
        if self._assumed is None:
            await self._agree()
        response = await self._deliver(len(entries), partial(self._answers, entries, erasures))
        known = self._context.logs.to_store(self.member, await self.accept(response.growth))
        await self._context.ledger.commit(lambda pen: pen.tx.put_known_log(known))

    def _answers(
        self,
        entries: Sequence[StoredEntry],
        erasures: bool,  # noqa: FBT001 - bound by position
        own: VerifiedCheckpoint,
    ) -> exchange_pb2.DeliverRequest:
        proofs = self._context.ledger.prove([entry.index for entry in entries], own.size)
        proven = [
            log_pb2.ProvenEntry(entry=entry.entry, index=entry.index, inclusion_hashes=proof)
            for entry, proof in zip(entries, proofs, strict=True)
        ]
        request = exchange_pb2.DeliverRequest(register_version=self._context.registers.version)
        (request.erasure_answers if erasures else request.attachment_answers).extend(proven)
        return request

    async def standing(self, *, tell_again: bool = False) -> recovery_pb2.GetStandingResponse:
        """Ask the peer for the largest checkpoints it holds; nothing is verified here."""
        version = self._context.registers.version
        request = recovery_pb2.GetStandingRequest(register_version=version, tell_again=tell_again)
        return await self._peer.get_standing(request)

    async def give_back(
        self, request: recovery_pb2.GiveBackRequest
    ) -> tuple[recovery_pb2.GiveBackResponse, VerifiedCheckpoint]:
        """Ask for a page of what our lost log was about; gives it, and the peer's checkpoint it is proven to."""
        request.known_size = self._context.logs.size(self.member)
        request.register_version = self._context.registers.version
        response = await self._peer.give_back(request)
        return response, await self.accept(response.growth)


def _own_checkpoint(ledger: Ledger, vkey: str, note: bytes) -> VerifiedCheckpoint:
    """Check that what a peer shows as our checkpoint was signed by us."""
    try:
        return checkpoints.verify(note, [VerifierKey.from_vkey(vkey)], ledger.origin)
    except Rejected as error:
        raise Unavailable("bad_checkpoint", f"what the peer shows as our checkpoint is not: {error.detail}") from error
