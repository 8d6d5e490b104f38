"""Submitting checkpoints: the newest one of this log goes to every other active member, which answers with its own.

Once a second at most there is a round: one candidate, shown at the same moment to everybody who has not cosigned it and
has answered the call before. So a quorum cosigns one and the same checkpoint also while the log grows all the time; a
log that does not grow is shown again from time to time. No delivery waits for any of it, and no member for another: who
is slow is shown the candidate of the round in which it is free, and who fails is tried again after growing pauses.
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
from paiza_node.features.witness.gossip import MAX_FORK_PROOFS, MAX_HEARD
from paiza_wire.errors import PaizaError
from paiza_wire.reasons import REASONS
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

ROUND_SECONDS: Final = 1.0  # between two candidates; more would cost more signatures than it gives
IDLE_SECONDS: Final = 30.0  # a log that has not grown is shown again: it is seen that its witnesses live
FIRST_PAUSE_SECONDS: Final = 1.0  # after a member did not cosign, or could not be reached
LONGEST_PAUSE_SECONDS: Final = 30.0  # a witness that is back is found within this time
BRING_SECONDS: Final = 2.0  # a cosignature waits so long for the other side to come and get it

log = structlog.get_logger("paiza.witness")


@dataclass(slots=True)
class Turn:
    """When a member is shown a checkpoint next, in seconds of the monotonic clock."""

    last: float = float("-inf")
    pause_until: float = float("-inf")
    failures: int = 0
    task: asyncio.Task[None] | None = None


class SubmitCheckpoints:
    """The duty of showing checkpoints. Belongs to one event loop."""

    def __init__(
        self,
        core: Core,
        checkpoint_exchange: CheckpointExchange,
        peers: PeerDirectory,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        """Submit to these peers; ``seconds`` is a clock that is never set."""
        self._core = core
        self._checkpoint_exchange = checkpoint_exchange
        self._peers = peers
        self._seconds = seconds
        self._turns: dict[str, Turn] = {}

    async def run(self) -> None:
        """Hold round after round for as long as the node runs."""
        try:
            await PeriodicTask(self._round, period=ROUND_SECONDS, failed="no_round").run()
        finally:
            tasks = self.under_way()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _round(self) -> None:
        self.begin_round()
        await self._checkpoint_exchange.keep_witnessed()

    def begin_round(self) -> None:
        """Show the newest checkpoint to whom it is due; returns at once. NodeStopped where a member found us out."""
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
        """Return the exchanges that were begun and whose end was not looked at yet."""
        return [turn.task for turn in self._turns.values() if turn.task is not None]

    def _is_due(self, member: str, turn: Turn) -> bool:
        now = self._seconds()
        if now < turn.pause_until:
            return False
        seen = self._checkpoint_exchange.rounds.seen.get(member)
        if seen is None or seen.size < self._core.ledger.checkpoint.size:
            return True
        waits = BRING_SECONDS if self._checkpoint_exchange.brings_news(member) else IDLE_SECONDS
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
        bring = checkpoint_exchange.to_bring(member)
        request = witness_pb2.ExchangeCheckpointsRequest(
            register_version=core.register_cache.version,
            cosigned=bring,
            heard=checkpoint_exchange.gossip.notes(member),
            fork_proofs=checkpoint_exchange.gossip.forks(member),
        )
        response, checkpoint = await session.submit_checkpoint(candidate, request)
        checkpoint_exchange.brought(member, bring)
        checkpoint_exchange.gossip.heard(member, response.heard[:MAX_HEARD], response.fork_proofs[:MAX_FORK_PROOFS])
        if response.cosigned:
            checkpoint_exchange.take(member, response.cosigned)
        else:
            checkpoint_exchange.reasons[member] = _known_reason(response.not_cosigned_reason)
        await checkpoint_exchange.cosign_when_shown(core.register_cache.current.active_member(member), checkpoint)


def _known_reason(reason: str) -> str:
    """Take a reason code from the other side: one we know, or none."""
    return reason if reason in REASONS else "unexpected_answer"
