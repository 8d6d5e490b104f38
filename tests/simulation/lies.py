"""A member whose node lies: its real keys, the product's own code, and as many histories as it likes."""

import random
from enum import Enum
from functools import partial
from typing import Any, Final, cast

from typing_extensions import override

from paiza.peer.v1 import exchange_pb2
from paiza_node.core.peers.claims import consistency_claim
from paiza_register import Register
from paiza_wire.errors import Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from tests.simulation.machine import Clock, Disk, Identity, Node
from tests.simulation.network import Network


class Lie(Enum):
    """The lie of a member from some moment on."""

    NONE = "none"
    SPLIT = "split"
    """One history for some members and another for the others."""
    EQUIVOCATE = "equivocate"
    """Alternating histories for everybody."""
    REWRITE = "rewrite"
    """A return to an earlier state, and another history from there."""
    REFUSE = "refuse"
    """Two histories, and no consistency proof on demand."""
    GARBLE = "garble"
    """Two histories, and invalid proofs."""
    SILENT = "silent"
    """Two histories, and no answer to that one question."""
    STALE = "stale"
    """A smaller log than shown before."""
    OMIT = "omit"
    """An omission from a consistent log: no tree shows that, so it must raise no accusation."""


ANSWERED: Final = frozenset({Lie.SPLIT, Lie.EQUIVOCATE, Lie.REWRITE})
"""Lies of a node that answers when it is asked to prove its growth, by the history it shows to whom asks."""
NOT_PROVEN: Final = frozenset({Lie.REFUSE, Lie.GARBLE, Lie.SILENT})


class Persona(Node):
    """One history of a lying member, kept as an honest node keeps its own; nothing stops it."""

    frozen: VerifiedCheckpoint | None = None
    lie: Lie = Lie.NONE
    refused: int = 0

    @override
    def start(self) -> None:
        """Begin, asking nobody."""
        super().start()
        self.unasked = set()

    @override
    def _suspect(self, member: str) -> None:
        pass

    @override
    async def show(self, to: str) -> None:
        """Show this history."""
        agreement = self.peers.session(to).agreement
        agreement._assumed = agreement._assumed or 0  # no handshake: it would stop an honest node
        await super().show(to)
        self.found_out = False

    @override
    async def answer(self, caller: str, method: str, request: Any) -> Any:
        """Answer as this history has it, but for the lie."""
        if method == "prove_growth":
            return await self._prove_to(caller, request)
        if method == "exchange" and self.frozen is not None and request.consistency_claim.known_size > self.frozen.size:
            return await self._show_less(caller, request)
        return await super().answer(caller, method, request)

    async def _prove_to(self, caller: str, request: exchange_pb2.ProveConsistencyRequest) -> Any:
        if self.lie is Lie.REFUSE:
            raise Rejected("policy_denied", "no")
        if self.lie is Lie.SILENT:
            return None
        try:
            answer = await super().answer(caller, "prove_growth", request)
        except Rejected:
            self.refused += 1
            raise
        if self.lie is Lie.GARBLE:
            for proof in answer.proofs:
                proof.hashes[:] = [bytes(32) for _ in proof.hashes] or [bytes(32)]
        return answer

    async def _show_less(self, caller: str, request: Any) -> Any:
        """Show less than the caller knows, and prove that it leads there: an honest node would know of more itself."""
        known_size = request.consistency_claim.known_size
        request.consistency_claim.known_size = self.ledger.checkpoint.size
        answer = await super().answer(caller, "exchange", request)
        own = answer.consistency_claim.known_size
        answer.consistency_claim.CopyFrom(
            consistency_claim(cast("Any", self.ledger), self.ledger.checkpoint, known_size, own)
        )
        return answer

    def freeze(self, size: int) -> None:
        """Show nothing newer than this size from now on."""
        self.frozen = self.ledger.sign(size)
        self.ledger.checkpoint = self.frozen

    @override
    async def append(self, count: int) -> None:
        """Go on, shown or not."""
        await super().append(count)
        if self.frozen is not None:
            self.ledger.checkpoint = self.frozen

    @override
    async def step(self) -> None:
        """Judge nobody."""


class Liar:
    """A lying member: to the others it is one node."""

    def __init__(
        self, lie: Lie, identity: Identity, register: Register, network: Network, clock: Clock, rng: random.Random
    ) -> None:
        self.lie = lie
        self.name = identity.member.id
        self._make = partial(_persona, identity, register, network, clock)
        self._rng = rng
        self.personas = [self._make(Disk())]
        self._past = self.personas[0].disk.copy()
        self._shown_to: dict[str, int] = {}
        self.begun = False

    def persona(self, to: str) -> Persona:
        """Return the history that a member is shown now."""
        if self.lie is Lie.EQUIVOCATE:
            return self._rng.choice(self.personas)
        return self.personas[self._shown_to.setdefault(to, len(self._shown_to)) % len(self.personas)]

    def remember(self) -> None:
        """Save the state to return to later."""
        self._past = self.personas[0].disk.copy()

    async def begin(self) -> None:
        """Begin to lie."""
        self.begun = True
        first = self.personas[0]
        if self.lie is Lie.REWRITE:
            self.personas = [self._make(self._past)]
            await self.personas[0].append(1 + self._rng.randrange(3))
        elif self.lie is Lie.STALE:
            first.freeze(self._rng.randrange(1, first.disk.size))
        elif self.lie in ANSWERED | NOT_PROVEN:
            self.personas.append(self._make(first.disk.copy()))
            for persona in self.personas:
                persona.lie = self.lie
                await persona.append(1 + self._rng.randrange(3))

    async def append(self, count: int) -> None:
        """Extend every history separately."""
        for persona in self.personas:
            await persona.append(self._rng.randrange(count + 1))

    async def answer(self, caller: str, method: str, request: Any) -> Any:
        """Answer a member, as the history that it is shown."""
        return await self.persona(caller).answer(caller, method, request)

    async def show(self, to: str) -> None:
        """Exchange checkpoints with a member, as the caller."""
        await self.persona(to).show(to)

    @property
    def refused(self) -> int:
        """The number of unanswerable queries, about more than the shown history."""
        return sum(persona.refused for persona in self.personas)


def _persona(identity: Identity, register: Register, network: Network, clock: Clock, disk: Disk) -> Persona:
    persona = Persona(identity, register, network, clock)
    persona.disk = disk
    persona.start()
    return persona
