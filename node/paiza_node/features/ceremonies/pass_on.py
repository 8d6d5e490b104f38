"""Proposals of other members' nodes: fetched where a node announces others than we hold.

Nodes announce a digest of the proposals that wait (`RegisterState`), in every exchange of checkpoints: a second after a
log has grown, and half a minute otherwise. Signing makes an entry in the log, so that a signature made at one node is
fetched by all within seconds. Everything fetched is judged as if an officer had submitted it.

A hostile node gains little: so many proposals a minute are fetched from it, a proposal that adds nothing is not fetched
again, and after a few that are refused it is left alone for a while.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from paiza.peer.v1 import proposal_pb2
from paiza_node.core.api.paging import MAX_PAGE
from paiza_node.core.dependencies import Core
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.session import PeerSession
from paiza_node.features.ceremonies.model import HeldProposal, HeldState, Outcome
from paiza_node.features.ceremonies.proposals import Proposals
from paiza_wire import message as wire
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import SpiffeId

ROUND_SECONDS: Final = 3.0  # until a difference is noticed
AGAIN_SECONDS: Final = 300.0  # until a node is asked again that announces the same, for what could not be accepted
MINUTE: Final = 60.0
FETCHED_A_MINUTE: Final = 16  # proposals fetched from one node
MAX_REFUSED: Final = 4  # proposals of one node that are refused before it is left alone
LEFT_ALONE_SECONDS: Final = 600.0
PAUSE_SECONDS: Final = 15.0  # after a failed call; a signature is still everywhere within a minute
REMEMBERED: Final = 1024  # states of proposals of one node

FAULTS_OF_OURS: Final = frozenset({"proposals_full", "proposal_superseded", "proposal_refused", "clock_skew"})
"""Refusals that say nothing against the node: it may know another register, or have more room."""

ENDED: Final = frozenset({"proposal_superseded", "proposal_refused"})
"""Refusals of proposals that have ended: other nodes hold them for a day, and a new node fetches them at its start."""

log = structlog.get_logger("paiza.ceremonies")


@dataclass(slots=True)
class _Peer:
    """What is known of one node. Times are of a monotonic clock, in seconds."""

    asked: tuple[bytes, bytes] | None = None
    """What it announced, and what we held, when it was asked last."""
    asked_time: float = 0.0
    fetched: list[float] = field(default_factory=list)
    refused: int = 0
    left_alone_until: float = 0.0
    useless: OrderedDict[tuple[bytes, bytes], float] = field(default_factory=OrderedDict)
    """States of proposals that added nothing, and until when they are not fetched again."""


class PassOn:
    """Fetches proposals from the other members' nodes. Belongs to one event loop."""

    def __init__(
        self, core: Core, proposals: Proposals, peers: PeerDirectory, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin without knowledge of the others; `task` asks them."""
        self._core = core
        self._proposals = proposals
        self._peers = peers
        self._clock = clock
        self._known: dict[str, _Peer] = {}
        self.task = PeriodicTask(self._round, period=ROUND_SECONDS, failed="proposals_not_fetched")

    async def _round(self) -> None:
        sessions = self._peers.sessions
        self._known = {member: self._known.get(member, _Peer()) for member in sessions}
        await asyncio.gather(*(self._follow(session) for session in sessions.values()))

    async def _follow(self, session: PeerSession) -> None:
        peer, now = self._known[session.member], self._clock()
        cache = self._core.register_cache
        announced = cache.announced_proposals(session.member)
        asked = (announced, cache.proposals_sha256)
        if announced == cache.proposals_sha256:
            peer.asked = None
            return
        if not announced or now < peer.left_alone_until:
            return
        if asked == peer.asked and now - peer.asked_time < AGAIN_SECONDS:
            return
        try:
            if await self._fetch(session, peer):
                peer.asked, peer.asked_time = asked, now
        except PaizaError as error:  # it may have stopped since it announced them
            peer.left_alone_until = now + PAUSE_SECONDS
            log.info("proposals_not_fetched", peer=session.member, reason=error.reason, detail=error.detail)

    async def _fetch(self, session: PeerSession, peer: _Peer) -> bool:
        """Fetch what the node has and we lack; return whether all of it was fetched or is not wanted."""
        listed = await session.list_proposals(proposal_pb2.ListProposalsRequest(page_size=MAX_PAGE))
        held = {each.fingerprint: each for each in await self._proposals.all_held()}
        for each in listed.proposals:
            named = (each.fingerprint, each.state_sha256)
            if set(map(len, named)) != {wire.DIGEST_SIZE}:
                raise Unavailable("unexpected_answer", "a listed proposal is not named by digests")
            if self._clock() < peer.useless.get(named, 0.0) or not _is_wanted(
                held.get(each.fingerprint), each.state_sha256
            ):
                continue
            peer.fetched = [at for at in peer.fetched if self._clock() - at < MINUTE]
            if len(peer.fetched) >= FETCHED_A_MINUTE or self._clock() < peer.left_alone_until:
                return False
            peer.fetched.append(self._clock())
            await self._fetch_one(session, peer, named)
        return True

    async def _fetch_one(self, session: PeerSession, peer: _Peer, named: tuple[bytes, bytes]) -> None:
        fingerprint, _state = named
        response = await session.get_proposal(proposal_pb2.GetProposalRequest(fingerprint=fingerprint))
        actor = str(SpiffeId(session.member, self._core.register_cache.current.federation, "node"))
        try:
            outcome, held = await self._proposals.submit(response.data, actor)
        except Rejected as error:
            is_ours = error.reason in FAULTS_OF_OURS
            _remember(peer, named, self._clock() + LEFT_ALONE_SECONDS if is_ours else math.inf)
            note = log.debug if error.reason in ENDED else log.warning
            note("proposal_not_accepted", peer=session.member, reason=error.reason, detail=error.detail)
            if not is_ours:
                self._count_fault(session.member, peer)
            return
        except Unavailable:
            raise
        except Exception:  # our error: another member's file must not end this node
            log.exception("proposal_not_judged", peer=session.member)
            _remember(peer, named, math.inf)
            self._count_fault(session.member, peer)
            return
        if outcome is Outcome.UNCHANGED:
            _remember(peer, named, math.inf)
        if held.fingerprint != fingerprint:
            self._count_fault(session.member, peer)

    def _count_fault(self, member: str, peer: _Peer) -> None:
        """Count a proposal that no honest node passes on."""
        peer.refused += 1
        if peer.refused >= MAX_REFUSED:
            peer.refused = 0
            peer.left_alone_until = self._clock() + LEFT_ALONE_SECONDS
            log.warning("proposals_ignored", peer=member, seconds=LEFT_ALONE_SECONDS)


def _is_wanted(held: HeldProposal | None, state_sha256: bytes) -> bool:
    """Return whether a copy in this state may add something to what is held."""
    if held is None:
        return True
    may_grow = held.is_waiting or (held.state is HeldState.PUBLISHED and held.size > 0)
    return may_grow and held.state_sha256 != state_sha256


def _remember(peer: _Peer, named: tuple[bytes, bytes], until: float) -> None:
    """Note a state of a proposal that is not fetched from this node until then."""
    peer.useless[named] = until
    if len(peer.useless) > REMEMBERED:
        peer.useless.popitem(last=False)
