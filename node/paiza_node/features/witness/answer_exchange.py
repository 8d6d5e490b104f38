"""Answering an exchange: another member's node submits its checkpoint, and gets ours.

1. The request is within bounds, and it does not claim to know more of our log than exists.
2. Its log is consistent up to the checkpoint (`PeerLogViews.accept`); if it assumed another known size, that size is
   returned, and nothing else happens.
3. Its reports about other logs go to the consistency monitor; its cosignature of ours goes to its round.
4. Its checkpoint is cosigned, after the new known state of its log was committed.
5. Our candidate is returned, consistent with the size it knows.

It waits only for our own commit. A crash before the answer leaves at most a new known state: the caller asks again.
"""

import asyncio
from collections.abc import Callable

from paiza.peer.v1 import witness_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.peers.claims import accept_claim, consistency_claim
from paiza_node.core.peers.log_views import ConsistencyMismatch
from paiza_node.core.register.state import check_state
from paiza_node.features.witness.exchange import CheckpointExchange
from paiza_node.features.witness.gossip import MAX_FORK_PROOFS, MAX_REPORTED
from paiza_register import Member
from paiza_wire.errors import Rejected, Unavailable


class AnswerExchange:
    """Answers submitted checkpoints."""

    def __init__(self, core: Core, checkpoint_exchange: CheckpointExchange, suspect: Callable[[str], None]) -> None:
        """Store the collaborators; ``suspect`` requests a comparison of our log with a member."""
        self._core = core
        self._checkpoint_exchange = checkpoint_exchange
        self._suspect = suspect

    async def __call__(
        self, member: Member, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> witness_pb2.ExchangeCheckpointsResponse:
        """Answer the node of ``member``, whose certificate authentication has verified."""
        core, checkpoint_exchange = self._core, self._checkpoint_exchange
        # 1.
        if len(request.reported) > MAX_REPORTED or len(request.fork_proofs) > MAX_FORK_PROOFS:
            raise Rejected("too_large", f"at most {MAX_REPORTED} notes and {MAX_FORK_PROOFS} proofs are told at once")
        check_state(request.register_state)
        core.register_cache.note_state(member.id, request.register_state)
        if request.consistency_claim.known_size > core.ledger.checkpoint.size:
            self._suspect(member.id)
            raise Unavailable("consistency_mismatch", "the caller claims to know more of our log than there is")
        # 2.
        try:
            checkpoint = await accept_claim(core.ledger, core.logs, member, request.consistency_claim)
        except ConsistencyMismatch as mismatch:
            own = core.ledger.checkpoint
            claim = await asyncio.to_thread(
                consistency_claim,
                core.ledger,
                own,
                min(request.consistency_claim.known_size, own.size),
                mismatch.known_size,
            )
            return witness_pb2.ExchangeCheckpointsResponse(consistency_claim=claim, consistency_mismatch=True)
        checkpoint_exchange.gossip.note_shown(member.id, checkpoint)
        # 3.
        checkpoint_exchange.gossip.receive(member.id, request.reported, request.fork_proofs)
        if request.cosigned:
            checkpoint_exchange.take(member.id, request.cosigned)
        # 4.
        cosigned, reason = await checkpoint_exchange.cosign_for_caller(member, checkpoint)
        # 5.
        shown = checkpoint_exchange.candidate(at_least=request.consistency_claim.known_size)
        known_size = request.consistency_claim.known_size
        claim = await asyncio.to_thread(consistency_claim, core.ledger, shown, known_size, core.logs.size(member.id))
        response = witness_pb2.ExchangeCheckpointsResponse(
            consistency_claim=claim,
            cosigned=cosigned,
            not_cosigned_reason=reason,
            reported=checkpoint_exchange.gossip.notes(member.id),
            fork_proofs=checkpoint_exchange.gossip.forks(member.id),
            register_state=core.register_cache.state,
        )
        response.answer_time.FromDatetime(core.clock())
        return response
