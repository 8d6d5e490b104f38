"""Answers to other members' nodes about logs: the handshake, and proofs that our own log is consistent."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.executors.executors import Executor
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.rpcs import PROTOCOL_VERSION
from paiza_register import Member
from paiza_wire.errors import Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_SIZES: Final = 32  # of one consistency proof: the known size and every unverified one


class LogAnswers:
    """Answers about the own log, and about the known state of the caller's."""

    def __init__(
        self,
        ledger: Ledger,
        logs: PeerLogViews,
        *,
        executor: Executor,
        register_state: Callable[[], register_pb2.RegisterState],
        note_state: Callable[[str, register_pb2.RegisterState], None],
        suspect: Callable[[str], None],
        compared: Callable[[str], bool],
        heard: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> None:
        """Store the collaborators; ``executor`` proves what would wait on the event loop.

        ``note_state`` is called with what a caller holds of the register. ``suspect`` requests a comparison of our log
        with a member; ``compared`` returns whether one succeeded since the start. ``heard`` is called with the member
        that called.
        """
        self._ledger = ledger
        self._logs = logs
        self._executor = executor
        self._register_state = register_state
        self._note_state = note_state
        self._suspect = suspect
        self._compared = compared
        self._heard = heard
        self._clock = clock

    async def handshake(self, member: Member, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        """Return which protocol version to use and the known size of the caller's log."""
        if request.protocol_version < 1:
            raise Rejected("unsupported_version", "protocol_version is not set")
        self._note_state(member.id, request.register_state)
        self._heard(member.id)
        response = exchange_pb2.HandshakeResponse(
            protocol_version=min(request.protocol_version, PROTOCOL_VERSION),
            register_state=self._register_state(),
            known_checkpoint=self._logs.largest_note(member.id),
            # Nothing is signed for a member before the comparison with it.
            own_checkpoint=self._ledger.checkpoint.note if self._compared(member.id) else b"",
        )
        response.answer_time.FromDatetime(self._clock())
        return response

    async def prove_consistency(
        self, member: Member, request: exchange_pb2.ProveConsistencyRequest
    ) -> exchange_pb2.ProveConsistencyResponse:
        """Prove that our log at each of these sizes is consistent with its current checkpoint.

        The caller chose the sizes: those from whose tiles hashes have to be read and computed are proven in a thread.
        """
        if len(request.sizes) > MAX_SIZES:
            raise Rejected("too_large", f"at most {MAX_SIZES} sizes are proven at once")
        checkpoint = self._ledger.checkpoint
        if any(size > checkpoint.size for size in request.sizes):
            self._suspect(member.id)  # it may hold more of our log than exists here, which its handshake must show
            raise Rejected("consistency_mismatch", "a size is larger than our log")
        return await self._executor.run(
            len(request.sizes), lambda: self._proven(request.sizes, checkpoint), on_loop=True
        )

    def _proven(self, sizes: Sequence[int], checkpoint: VerifiedCheckpoint) -> exchange_pb2.ProveConsistencyResponse:
        return exchange_pb2.ProveConsistencyResponse(
            checkpoint=checkpoint.note,
            proofs=[
                exchange_pb2.ConsistencyProof(
                    from_size=size,
                    hashes=self._ledger.prove_consistency(size, checkpoint.size),
                    from_root=self._ledger.root(size),
                )
                for size in sizes
            ],
        )
