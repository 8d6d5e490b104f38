"""The session with one other member's node: its channels, the agreement on logs, its health, and typed calls."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Final

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2, peer_audit_pb2, proposal_pb2, recovery_pb2, witness_pb2
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

ASK_SECONDS: Final = 5.0  # longest time that a caller waits for the comparison, then tries again


class PeerSession:
    """The connection between this node and one other member's. Belongs to one event loop.

    Each call raises Unavailable if the peer cannot be reached or its answer is invalid. A returned checkpoint was
    accepted: it is signed by that member's newest log and consistent with what was known of it.
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
        """Begin without state; ``attachments`` is a separate channel: no message waits behind an attachment."""
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
        """Set once the peer was asked, since the start, and our log is consistent with all that it holds of it."""
        return self.agreement.compared

    @property
    def endpoint(self) -> str:
        """The peer's endpoint that was dialled last; empty before the first call."""
        return self._channel.endpoint

    def ask(self) -> None:
        """Request a handshake with the peer before anything else is sent to it."""
        self.agreement.ask()

    def require_compared(self) -> None:
        """Raise Unavailable("not_compared") if the peer was not yet asked what it holds of our log."""
        if not self.compared.is_set():
            raise Unavailable("not_compared", f"{self.member} was not asked yet what it holds of our log", ASK_SECONDS)

    async def run(self) -> None:
        """Run the agreement on logs as long as the session lasts; NodeStopped if our log was rolled back."""
        await self.agreement.keep()

    def check_trusted(self) -> None:
        """Cut the calls under way if the certificate of the node is refused under the register now in force."""
        for channel in (self._channel, self._attachments):
            channel.check_trusted()

    async def close(self) -> None:
        """Close the channels; calls in flight fail."""
        await asyncio.gather(self._channel.close(), self._attachments.close())

    # Claims of our log

    async def deliver(
        self, size: int, build: Build, *, on_loop: bool = False
    ) -> tuple[exchange_pb2.DeliverResponse, VerifiedCheckpoint]:
        """Deliver a batch of so many items; return the answer and the peer's checkpoint that it is proven to.

        ``on_loop``: building the request is so little work that the event loop does it. Call `agreement.agree` first.
        """
        response = await self.agreement.deliver(size, build, on_loop=on_loop)
        return response, await self.accept(response.consistency_claim)

    async def submit_checkpoint(
        self, candidate: VerifiedCheckpoint, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> tuple[witness_pb2.ExchangeCheckpointsResponse, VerifiedCheckpoint]:
        """Submit a checkpoint of our log for cosigning; return the answer and the peer's own checkpoint."""
        response = await self.agreement.submit_checkpoint(candidate, request)
        return response, await self.accept(response.consistency_claim)

    async def send_attachment_answers(self, entries: Sequence[StoredEntry]) -> None:
        """Send our log's entries about attachments the peer transferred to us; return when it has recorded them."""
        await self._send_answers(entries, "attachment_answers")

    async def send_erasure_answers(self, entries: Sequence[StoredEntry]) -> None:
        """Send our log's entries about the peer's requests to erase; return when it has recorded them."""
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
        request = exchange_pb2.DeliverRequest(register_state=self._register_cache.state)
        getattr(request, field).extend(
            log_pb2.ProvenEntry(entry=entry.entry, index=entry.index, inclusion_hashes=proof)
            for entry, proof in zip(entries, proofs, strict=True)
        )
        return request

    # Questions about the peer's log

    async def accept(self, claim: log_pb2.ConsistencyClaim) -> VerifiedCheckpoint:
        """Check that the peer's log is consistent up to the checkpoint it answers with."""
        logs = self._logs
        peer = self._register_cache.current.active_member(self.member)
        try:
            return await accept_claim(self._ledger, logs, peer, claim)
        except ConsistencyMismatch:
            # Another call's answer overtook this one, so this proof begins before the size known now.
            checkpoint = await asyncio.to_thread(logs.verify, peer, claim.checkpoint)
            proof = await self.prove_consistency([logs.size(peer.id), checkpoint.size])
            try:
                return await asyncio.to_thread(logs.accept_between, peer, checkpoint, proof)
            except Rejected:
                await record_fork(self._ledger, logs)
                raise

    async def prove_consistency(self, sizes: Sequence[int]) -> exchange_pb2.ProveConsistencyResponse:
        """Return proofs that the peer's log is consistent from each of these sizes; not verified here."""
        return await self._call(rpcs.PROVE_CONSISTENCY, exchange_pb2.ProveConsistencyRequest(sizes=sizes))

    async def prove_history(self, shown: VerifiedCheckpoint) -> None:
        """Verify with the peer that a checkpoint of its log and the accepted one are consistent with its newest.

        Rejected("log_forked"), and recorded, if they are not; Unavailable if it is merely not proven.
        """
        peer, known = self._register_cache.current.member(self.member), self._logs.link(self.member)
        proof = await self.prove_consistency(sorted({known.size, shown.size}))
        try:
            await asyncio.to_thread(self._logs.reconcile, peer, known, [shown], proof)
        except Rejected:
            await record_fork(self._ledger, self._logs)
            raise

    async def prove_entries(self, indices: Sequence[int], held_size: int) -> witness_pb2.ProveEntriesResponse:
        """Return proofs of entries to checkpoints that a quorum cosigned; the answer is not verified here.

        ``held_size``: of such a checkpoint that is stored here, at which the answer may begin; 0 for none.
        """
        request = witness_pb2.ProveEntriesRequest(indices=indices, held_size=held_size)
        return await self._call(rpcs.PROVE_ENTRIES, request)

    async def list_granted_entries(
        self, request: peer_audit_pb2.ListGrantedEntriesRequest
    ) -> peer_audit_pb2.ListGrantedEntriesResponse:
        """Return entries that we may see; Rejected if the peer refuses. The answer is not verified here."""
        return await self._call(rpcs.LIST_GRANTED_ENTRIES, request)

    async def count_granted_messages(
        self, request: peer_audit_pb2.CountGrantedMessagesRequest
    ) -> peer_audit_pb2.CountGrantedMessagesResponse:
        """Return how many messages the peer exchanged; Rejected if it refuses. The answer is not verified here."""
        return await self._call(rpcs.COUNT_GRANTED_MESSAGES, request)

    async def agree_period(self, request: peer_audit_pb2.AgreePeriodRequest) -> peer_audit_pb2.AgreePeriodResponse:
        """Propose that a period be closed; Rejected if the peer knows something different of it."""
        return await self._call(rpcs.AGREE_PERIOD, request)

    # Messages and attachments

    async def fetch_messages(
        self, digests: Sequence[bytes]
    ) -> tuple[exchange_pb2.FetchMessagesResponse, VerifiedCheckpoint]:
        """Fetch messages; return the answer and the peer's checkpoint that it is proven to."""
        request = exchange_pb2.FetchMessagesRequest(
            known_size=self._logs.size(self.member),
            register_state=self._register_cache.state,
            message_digests=digests,
        )
        response = await self._call(rpcs.FETCH_MESSAGES, request)
        return response, await self.accept(response.consistency_claim)

    async def fetch_attachment(self, request: exchange_pb2.FetchAttachmentRequest) -> AsyncGenerator[bytes]:
        """Yield the ciphertext of an attachment from an offset on; Unavailable if it breaks off or stalls."""
        self._register_cache.current.active_member(self.member)
        async with aclosing(self._attachments.stream(rpcs.FETCH_ATTACHMENT, request)) as responses:
            async for response in responses:
                yield bytes(response.data)

    # Proposals

    async def list_proposals(self, request: proposal_pb2.ListProposalsRequest) -> proposal_pb2.ListProposalsResponse:
        """Return a page of the proposals that the peer passes on; the answer is not verified here."""
        return await self._call(rpcs.LIST_PROPOSALS, request)

    async def get_proposal(self, request: proposal_pb2.GetProposalRequest) -> proposal_pb2.GetProposalResponse:
        """Return a proposal that the peer passes on; the answer is not verified here."""
        return await self._call(rpcs.GET_PROPOSAL, request)

    # Recovery

    async def list_held_checkpoints(self, *, tell_again: bool = False) -> recovery_pb2.ListHeldCheckpointsResponse:
        """Return the largest checkpoints that the peer holds; the answer is not verified here."""
        request = recovery_pb2.ListHeldCheckpointsRequest(
            register_state=self._register_cache.state, tell_again=tell_again
        )
        return await self._call(rpcs.LIST_HELD_CHECKPOINTS, request)

    async def list_lost_entries(
        self, request: recovery_pb2.ListLostEntriesRequest
    ) -> tuple[recovery_pb2.ListLostEntriesResponse, VerifiedCheckpoint]:
        """Fetch a page of what our lost log was about; return it and the peer's checkpoint it is proven to."""
        request.known_size = self._logs.size(self.member)
        request.register_state.CopyFrom(self._register_cache.state)
        response = await self._call(rpcs.LIST_LOST_ENTRIES, request)
        return response, await self.accept(response.consistency_claim)

    async def _call(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        self._register_cache.current.active_member(self.member)  # no call is made while no register is in force
        return await self._channel.call(rpc, request)
