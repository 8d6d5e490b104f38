"""Submitting checkpoints: the newest one of this log goes to every other active member, which answers with its own.

There is at most one round a second, in a large federation fewer while the log grows (`round_seconds`): one candidate,
submitted at the same moment to every member that has not cosigned it and has answered the previous call. A quorum can
therefore cosign one checkpoint even while the log grows all the time; what a log ends with when it stops growing is
submitted at once, and again from time to time. No delivery waits for it, and no member for another: a slow member gets
the candidate of the round in which it is free, and a failing one is tried again after growing pauses.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog

from paiza.peer.v1 import witness_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import NodeStopped
from paiza_node.core.executors.periodic import PeriodicTask, backoff
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.session import PeerSession
from paiza_node.features.witness.exchange import CheckpointExchange
from paiza_node.features.witness.gossip import MAX_FORK_PROOFS, MAX_REPORTED
from paiza_wire.errors import PaizaError
from paiza_wire.reasons import REASONS
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

ROUND_SECONDS: Final = 1.0  # between two candidates; more would cost more signatures than it gives
LOOK_SECONDS: Final = 0.5  # between two looks at whether the log has grown
CALM_SECONDS: Final = 1.0  # without growth, after which a round is not put off
# Begun by a node while its log grows. As many begin with it: with each of nine others two exchanges in 4.5 s.
EXCHANGES_A_SECOND: Final = 2
IDLE_SECONDS: Final = 30.0  # an unchanged log is submitted again: this shows that its witnesses are online
FIRST_PAUSE_SECONDS: Final = 1.0  # after a member did not cosign, or could not be reached
LONGEST_PAUSE_SECONDS: Final = 30.0  # a round finds within this time that a witness is back
FETCH_SECONDS: Final = 2.0  # the longest wait of a cosignature for the other side to fetch it

log = structlog.get_logger("paiza.witness")


@dataclass(slots=True)
class Turn:
    """When a checkpoint is submitted to a member next, in seconds of the monotonic clock."""

    last: float = float("-inf")
    pause_until: float = float("-inf")
    failures: int = 0
    task: asyncio.Task[None] | None = None


class SubmitCheckpoints:
    """Submits checkpoints. Belongs to one event loop."""

    def __init__(
        self,
        core: Core,
        checkpoint_exchange: CheckpointExchange,
        peers: PeerDirectory,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        """Submit to these peers; ``seconds`` is a monotonic clock."""
        self._core = core
        self._checkpoint_exchange = checkpoint_exchange
        self._peers = peers
        self._seconds = seconds
        self._turns: dict[str, Turn] = {}
        self._size, self._since = -1, float("-inf")  # of the log at the last look, and how long it has had it
        self._begun = float("-inf")  # when the last round began

    async def run(self) -> None:
        """Run round after round as long as the node runs."""
        try:
            await PeriodicTask(self._round, period=LOOK_SECONDS, failed="no_round").run()
        finally:
            tasks = self.under_way()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _round(self) -> None:
        if self.is_time(self._core.ledger.checkpoint.size):
            self.begin_round()

    def is_time(self, size: int) -> bool:
        """Return whether a round begins now that the log has this size, and note that it does."""
        now = self._seconds()
        if size != self._size:
            self._size, self._since = size, now
        calm = now - self._since >= CALM_SECONDS
        if now - self._begun < (ROUND_SECONDS if calm else round_seconds(len(self._peers.sessions))):
            return False
        self._begun = now
        return True

    def begin_round(self) -> None:
        """Submit the newest checkpoint to members that are due; returns at once. NodeStopped on a proven rollback."""
        sessions = self._peers.sessions
        for member, turn in list(self._turns.items()):
            if turn.task is not None and turn.task.done():
                ended, turn.task = turn.task, None
                ended.result()
            if member not in sessions and turn.task is None:
                del self._turns[member]
        candidate: VerifiedCheckpoint | None = None
        for member, session in sessions.items():
            turn = self._turns.setdefault(member, Turn())
            if turn.task is None and self._is_due(member, turn):
                candidate = candidate or self._checkpoint_exchange.candidate()
                turn.task = asyncio.create_task(self._show(session, turn, candidate), name=f"witness {member}")

    def under_way(self) -> list[asyncio.Task[None]]:
        """Return the exchanges in progress or not yet evaluated."""
        return [turn.task for turn in self._turns.values() if turn.task is not None]

    def _is_due(self, member: str, turn: Turn) -> bool:
        now = self._seconds()
        if now < turn.pause_until:
            return False
        seen = self._checkpoint_exchange.rounds.seen.get(member)
        if seen is None or seen.size < self._core.ledger.checkpoint.size:
            return True
        waits = FETCH_SECONDS if self._checkpoint_exchange.has_unsent_news(member) else IDLE_SECONDS
        return now - turn.last >= waits

    async def _show(self, session: PeerSession, turn: Turn, candidate: VerifiedCheckpoint) -> None:
        member = session.member
        try:
            await self._exchange(session, candidate)
        except NodeStopped:
            raise
        except PaizaError as error:
            self._checkpoint_exchange.reasons[member] = error.reason
            log.debug("checkpoint_not_shown", peer=member, reason=error.reason, detail=error.detail)
        except Exception:  # no answer of one peer may end the node
            self._checkpoint_exchange.reasons[member] = "internal_error"
            log.exception("checkpoint_not_submitted", peer=member)
        turn.last = self._seconds()
        seen = self._checkpoint_exchange.rounds.seen.get(member)
        if seen is not None and seen.size >= candidate.size:
            turn.failures = 0
            return
        turn.failures += 1
        turn.pause_until = turn.last + backoff(turn.failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)

    async def _exchange(self, session: PeerSession, candidate: VerifiedCheckpoint) -> None:
        core, checkpoint_exchange, member = self._core, self._checkpoint_exchange, session.member
        bring = checkpoint_exchange.unsent_cosignature(member)
        request = witness_pb2.ExchangeCheckpointsRequest(
            register_state=core.register_cache.state,
            cosigned=bring,
            reported=checkpoint_exchange.gossip.notes(member),
            fork_proofs=checkpoint_exchange.gossip.forks(member),
        )
        response, checkpoint = await session.submit_checkpoint(candidate, request)
        core.register_cache.note_state(member, response.register_state)
        checkpoint_exchange.gossip.note_shown(member, checkpoint)
        checkpoint_exchange.mark_sent(member, bring)
        checkpoint_exchange.gossip.receive(
            member, response.reported[:MAX_REPORTED], response.fork_proofs[:MAX_FORK_PROOFS]
        )
        if response.cosigned:
            checkpoint_exchange.take(member, response.cosigned)
        else:
            checkpoint_exchange.reasons[member] = _known_reason(response.not_cosigned_reason)
        await checkpoint_exchange.cosign_when_shown(core.register_cache.current.active_member(member), checkpoint)


def round_seconds(peers: int) -> float:
    """Return the seconds between two rounds of exchanges with so many members while the log grows."""
    return max(ROUND_SECONDS, peers / EXCHANGES_A_SECOND)


def _known_reason(reason: str) -> str:
    """Return a reason code from the other side if it is known, else none."""
    return reason if reason in REASONS else "unexpected_answer"
