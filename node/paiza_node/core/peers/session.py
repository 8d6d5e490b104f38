"""The session with one other member's node: its channels, the agreement on logs, its health, and typed calls."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2, peer_audit_pb2, recovery_pb2, witness_pb2
from paiza_node.core.executors.executors import Executor
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.peers import rpcs
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.agreement import Build, LogAgreement
from paiza_node.core.peers.claims import accept_claim, record_fork
from paiza_node.core.peers.health import PeerHealth
from paiza_node.core.peers.log_views import ConsistencyMismatch, PeerLogViews
from paiza_node.core.peers.register_files import RegisterFiles
from paiza_node.core.peers.rpcs import PeerChannel, RequestT, ResponseT, Rpc
from paiza_node.core.register.sync import RegisterCache
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

ASK_SECONDS: Final = 5.0  # a caller waits so long for the question to be answered, then tries again


class PeerSession:
    """Everything between this node and one other member's. Belongs to one event loop.

    Each call raises Unavailable where the peer cannot be reached or what it answers does not hold. A checkpoint that is
    returned was accepted: it is signed by that member's newest log, which grew honestly to it.
    """

    def __init__(
        self,
        channel: PeerChannel,
        attachments: PeerChannel,
        *,
        own_member: str,
        register_cache: RegisterCache,
        ledger: Ledger,
        logs: PeerLogViews,
        executor: Executor,
        clock: Callable[[], datetime],
    ) -> None:
        """Begin with nothing known; ``attachments`` is a channel of their own, so that no message waits behind one."""
        self._channel = channel
        self._attachments = attachments
        self._register_cache = register_cache
        self._ledger = ledger
        self._logs = logs
        self.member = channel.member
        self.health = PeerHealth(channel.member)
        self.register_files = RegisterFiles(channel)
        self.agreement = LogAgreement(
            channel,
            self.health,
            own_member=own_member,
            register_cache=register_cache,
            ledger=ledger,
            logs=logs,
            executor=executor,
            clock=clock,
        )

    @property
    def compared(self) -> asyncio.Event:
        """Set once the peer was asked, since the start, and our log leads to all that it holds of it."""
        return self.agreement.compared

    @property
    def endpoint(self) -> str:
        """The peer's endpoint that was dialled last; empty before the first call."""
        return self._channel.endpoint

    def ask(self) -> None:
        """Have the peer asked what it holds of our log, before anything else is sent to it."""
        self.agreement.ask()

    def require_compared(self) -> None:
        """Refuse ("not_compared") to send what we signed before the peer was asked what it holds of our log."""
        if not self.compared.is_set():
            raise Unavailable("not_compared", f"{self.member} was not asked yet what it holds of our log", ASK_SECONDS)

    async def run(self) -> None:
        """Keep the agreement on logs for as long as the session lasts; NodeStopped where we were rolled back."""
        await self.agreement.keep()

    async def close(self) -> None:
        """Close the channels; what is still called fails."""
        await asyncio.gather(self._channel.close(), self._attachments.close())

    # Claims of our log

    async def deliver(self, size: int, build: Build) -> tuple[exchange_pb2.DeliverResponse, VerifiedCheckpoint]:
        """Deliver a batch of so many items; return the answer and the peer's checkpoint that it is proven to.

        `agreement.agree` comes first.
        """
        response = await self.agreement.deliver(size, build)
        return response, await self.accept(response.consistency_claim)

    async def submit_checkpoint(
        self, candidate: VerifiedCheckpoint, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> tuple[witness_pb2.ExchangeCheckpointsResponse, VerifiedCheckpoint]:
        """Submit a checkpoint of our log for cosigning; return the answer and the peer's own checkpoint."""
        response = await self.agreement.submit_checkpoint(candidate, request)
        return response, await self.accept(response.consistency_claim)

    async def send_attachment_answers(self, entries: Sequence[StoredEntry]) -> None:
        """Send what our log says of attachments the peer handed over; return when it has recorded that."""
        await self._send_answers(entries, "attachment_answers")

    async def send_erasure_answers(self, entries: Sequence[StoredEntry]) -> None:
        """Send what our log says of the peer's requests to erase; return when it has recorded that."""
        await self._send_answers(entries, "erasure_answers")

    async def _send_answers(self, entries: Sequence[StoredEntry], field: str) -> None:
        await self.agreement.agree()
        _response, checkpoint = await self.deliver(len(entries), partial(self._answers, entries, field))
        known = self._logs.to_store(self.member, checkpoint)
        await self._ledger.commit(lambda tx: peers_store.put_known_log(tx.conn, known))

    def _answers(
        self, entries: Sequence[StoredEntry], field: str, own: VerifiedCheckpoint
    ) -> exchange_pb2.DeliverRequest:
        proofs = self._ledger.prove([entry.index for entry in entries], own.size)
        request = exchange_pb2.DeliverRequest(register_version=self._register_cache.version)
        getattr(request, field).extend(
            log_pb2.ProvenEntry(entry=entry.entry, index=entry.index, inclusion_hashes=proof)
            for entry, proof in zip(entries, proofs, strict=True)
        )
        return request

    # Questions about the peer's log

    async def accept(self, claim: log_pb2.ConsistencyClaim) -> VerifiedCheckpoint:
        """Check that the peer's log grew honestly to the checkpoint it answers with."""
        logs = self._logs
        peer = self._register_cache.current.active_member(self.member)
        try:
            return await accept_claim(self._ledger, logs, peer, claim)
        except ConsistencyMismatch:
            # Another call's answer overtook this one, so this proof begins behind what is known now.
            checkpoint = await asyncio.to_thread(logs.verify, peer, claim.checkpoint)
            proof = await self.prove_consistency([logs.size(peer.id), checkpoint.size])
            try:
                return await asyncio.to_thread(logs.accept_between, peer, checkpoint, proof)
            except Rejected:
                await record_fork(self._ledger, logs)
                raise

    async def prove_consistency(self, sizes: Sequence[int]) -> exchange_pb2.ProveConsistencyResponse:
        """Ask for proofs that the peer's log grew from each of these sizes; nothing of the answer is verified here."""
        return await self._call(rpcs.PROVE_CONSISTENCY, exchange_pb2.ProveConsistencyRequest(sizes=sizes))

    async def prove_history(self, shown: VerifiedCheckpoint) -> None:
        """Have the peer prove that a checkpoint of its log and the accepted one both lead to its newest one.

        Rejected("log_forked"), and recorded, where they do not; Unavailable where it is merely not proven.
        """
        peer, known = self._register_cache.current.member(self.member), self._logs.link(self.member)
        proof = await self.prove_consistency(sorted({known.size, shown.size}))
        try:
            await asyncio.to_thread(self._logs.reconcile, peer, known, [shown], proof)
        except Rejected:
            await record_fork(self._ledger, self._logs)
            raise

    async def prove_entries(self, indices: Sequence[int]) -> witness_pb2.ProveEntriesResponse:
        """Ask for proofs of entries to checkpoints that a quorum cosigned; nothing is verified here."""
        return await self._call(rpcs.PROVE_ENTRIES, witness_pb2.ProveEntriesRequest(indices=indices))

    async def list_granted_entries(
        self, request: peer_audit_pb2.ListGrantedEntriesRequest
    ) -> peer_audit_pb2.ListGrantedEntriesResponse:
        """Ask for entries that we may see; Rejected where the peer refuses. Nothing is verified here."""
        return await self._call(rpcs.LIST_GRANTED_ENTRIES, request)

    async def count_granted_messages(
        self, request: peer_audit_pb2.CountGrantedMessagesRequest
    ) -> peer_audit_pb2.CountGrantedMessagesResponse:
        """Ask how many messages the peer exchanged; Rejected where it refuses. Nothing is verified here."""
        return await self._call(rpcs.COUNT_GRANTED_MESSAGES, request)

    async def agree_period(self, request: peer_audit_pb2.AgreePeriodRequest) -> peer_audit_pb2.AgreePeriodResponse:
        """Propose that a period be closed; Rejected where the peer knows something else of it."""
        return await self._call(rpcs.AGREE_PERIOD, request)

    # Messages and attachments

    async def fetch_messages(
        self, digests: Sequence[bytes]
    ) -> tuple[exchange_pb2.FetchMessagesResponse, VerifiedCheckpoint]:
        """Ask for messages; return the answer and the peer's checkpoint that it is proven to."""
        request = exchange_pb2.FetchMessagesRequest(
            known_size=self._logs.size(self.member),
            register_version=self._register_cache.version,
            message_digests=digests,
        )
        response = await self._call(rpcs.FETCH_MESSAGES, request)
        return response, await self.accept(response.consistency_claim)

    async def fetch_attachment(self, request: exchange_pb2.FetchAttachmentRequest) -> AsyncGenerator[bytes]:
        """Yield the ciphertext of an attachment from an offset on; Unavailable where it breaks off or stands still."""
        self._register_cache.current.active_member(self.member)
        async with aclosing(self._attachments.stream(rpcs.FETCH_ATTACHMENT, request)) as responses:
            async for response in responses:
                yield bytes(response.data)

    # Recovery

    async def list_held_checkpoints(self, *, tell_again: bool = False) -> recovery_pb2.ListHeldCheckpointsResponse:
        """Ask for the largest checkpoints that the peer holds; nothing is verified here."""
        request = recovery_pb2.ListHeldCheckpointsRequest(
            register_version=self._register_cache.version, tell_again=tell_again
        )
        return await self._call(rpcs.LIST_HELD_CHECKPOINTS, request)

    async def list_lost_entries(
        self, request: recovery_pb2.ListLostEntriesRequest
    ) -> tuple[recovery_pb2.ListLostEntriesResponse, VerifiedCheckpoint]:
        """Ask for a page of what our lost log was about; return it and the peer's checkpoint it is proven to."""
        request.known_size = self._logs.size(self.member)
        request.register_version = self._register_cache.version
        response = await self._call(rpcs.LIST_LOST_ENTRIES, request)
        return response, await self.accept(response.consistency_claim)

    async def _call(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        self._register_cache.current.active_member(self.member)  # nobody is called while no register is in force
        return await self._channel.call(rpc, request)
