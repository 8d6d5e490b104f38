"""The world of one seed: members, a scheduler that draws what happens next, and what must hold in the end."""

import asyncio
import random
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from typing_extensions import override

from paiza_node.core.peers.model import FindingKind
from paiza_node.features.witness.consistency_monitor import FORKED, IN_DEFAULT, STALE
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import Checkpoint
from tests.simulation.lies import ANSWERED, NOT_PROVEN, Liar, Lie
from tests.simulation.machine import ABANDONED, Clock, Disk, Identity, Node, make_register
from tests.simulation.network import Network

STEPS: Final = 100  # of chaos
LOSS: Final = 0.15  # of every packet
TWICE: Final = 0.1  # of every request
CALM_SECONDS: Final = 61.0  # between two rounds of calm: every question that is open falls due
DETECTION_ROUNDS: Final = 2  # one in which notes meet and are asked about, one in which the proof is told to all
DEFAULT_ROUNDS: Final = 40  # enough for the questions after which a log is in default, and for the stale alarm
IDENTITIES: Final = [Identity.make(name) for name in ("kaz", "kgz", "rus", "tjk", "tkm", "uzb")]  # made once: keys cost


class Here(ThreadPoolExecutor):
    """Runs what is meant for a thread at once: so that a seed says everything."""

    @override
    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> "Future[Any]":
        """Do it."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting caller
            done.set_exception(error)
        return done


@dataclass
class Outcome:
    """The result of a seed: how many honest members found the liar, and after how many rounds all of them had."""

    lie: Lie
    contradicted: bool = False
    rounds: int = 0
    refused: int = 0
    misbehaviour: dict[str, list[str]] = field(default_factory=dict)
    rollbacks: int = 0
    crashes: int = 0
    forged: int = 0


class World:
    """A federation of one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        count = self.rng.randint(4, len(IDENTITIES))
        identities = self.rng.sample(IDENTITIES, count)
        register = make_register(identities)
        self.clock = Clock()
        self.network = Network()
        self.lie = list(Lie)[seed % len(Lie)]
        self.liar = Liar(self.lie, identities[0], register, self.network, self.clock, self.rng)
        self.network.handlers[self.liar.name] = self.liar.answer
        self.nodes = {each.member.id: Node(each, register, self.network, self.clock) for each in identities[1:]}
        for name, node in self.nodes.items():
            self.network.handlers[name] = node.answer
        self.tasks: set[asyncio.Task[None]] = set()
        self.newest: dict[str, Disk] = {}  # of nodes that were set back: what the operator puts back
        self.snapshots: dict[str, Disk] = {}
        self.outcome = Outcome(self.lie)

    async def run(self) -> Outcome:
        """Live through it and check."""
        asyncio.get_running_loop().set_default_executor(Here())
        for node in (*self.nodes.values(), *self.liar.personas):
            await node.append(self.rng.randint(1, 8))
        for node in self.nodes.values():
            await self.carry(node.ask())
        for step in range(STEPS):
            if step == STEPS // 6:
                self.liar.remember()
            if step == STEPS // 3:
                await self.expose()
                await self.liar.begin()
            await self.happen()
            await self.settle()
            self.check_nobody_honest_is_accused()
        await self.calm_down()
        await self.detect()
        self.check_nobody_honest_is_accused()
        for task in self.tasks:
            assert task.done()
            task.result()
        return self.outcome

    async def expose(self) -> None:
        """Show some members a history that the liar may deny later."""
        await self.liar.personas[0].append(2)
        self.liar.personas[0].checkpoint_exchange.candidate()
        for node in self.nodes.values():
            if node.serves and self.rng.random() < 0.7:
                await self.carry(node.show(self.liar.name))

    async def settle(self) -> None:
        """Run until every task waits for the network."""
        ready: Any = asyncio.get_running_loop()
        await asyncio.sleep(0)
        while ready._ready:  # noqa: ASYNC110 - ready tasks go on; nothing here is a clock
            await asyncio.sleep(0)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something that waits for the network."""
        self.tasks.add(asyncio.create_task(work))

    async def happen(self) -> None:
        """Draw what happens next."""
        chance = self.rng.random()
        name = self.rng.choice(sorted(self.nodes))
        node = self.nodes[name]
        self.clock.tick(self.rng.uniform(0.0, 3.0))
        if self.network.waiting and chance < 0.55:
            self.network.disturb(self.rng, loss=LOSS, twice=TWICE)
        elif chance < 0.75:
            await self.begin_exchange(node)
        elif chance < 0.85:
            await node.append(self.rng.randint(1, 3)) if node.serves else None
            await self.liar.append(2)
        elif chance < 0.92:
            self.begin(node.step())
        elif chance < 0.94:
            self.forge(node)
        elif chance < 0.96:
            if name not in self.newest:
                self.snapshots[name] = node.disk.copy()
        else:
            old = [each for each in sorted(self.snapshots) if each not in self.newest]
            await self.fall(self.nodes[self.rng.choice(old)] if old else node)

    def forge(self, node: Node) -> None:
        """Show an honest node what the liar signed with the key of another honest log that it stole, too late."""
        if self.clock() < ABANDONED:
            return
        victim = self.nodes[self.rng.choice(sorted(set(self.nodes) - {node.name}))]
        size = max(1, victim.disk.size + self.rng.randint(-3, 5))
        forged = Checkpoint(victim.ledger.origin, size, self.rng.randbytes(32))
        node.misbehaviour.queue_report(self.liar.name, [checkpoints.sign(forged, victim.identity.log)], [])
        self.outcome.forged += 1

    async def begin_exchange(self, node: Node) -> None:
        """Submit a node's checkpoint, or compare its log with others if it has just started."""
        if node.found_out:
            await self.put_back(node)
        elif not node.serves:
            self.begin(node.ask())
        else:
            others = sorted(set(self.nodes) - {node.name})
            to = self.rng.choice([*others, *[self.liar.name] * len(others)])
            self.begin(node.show(to) if self.rng.random() < 0.7 or to != self.liar.name else self.liar.show(node.name))

    async def fall(self, node: Node) -> None:
        """Crash a node; sometimes its machine returns to an earlier state."""
        self.network.reset(node.name)
        await self.settle()
        self.outcome.crashes += 1
        snapshot = self.snapshots.pop(node.name, None)
        if snapshot is not None and not self.newest and self.somebody_remembers(node, snapshot):
            self.outcome.rollbacks += 1
            self.newest[node.name] = node.disk
            node.disk = snapshot
        node.start()

    def somebody_remembers(self, node: Node, snapshot: Disk) -> bool:
        """Return whether an honest member saw more of a log than a snapshot of it holds.

        Whom a node showed something, and nobody else, cannot be made to tell it of it by any protocol: a liar keeps it.
        """
        return any(
            each.disk.known_logs()[node.name].size > snapshot.size
            for each in self.nodes.values()
            if node.name in each.disk.known_logs()
        )

    async def put_back(self, node: Node) -> None:
        """Be the operator of a node that found out that it was set back."""
        self.network.reset(node.name)
        await self.settle()
        node.disk = self.newest.pop(node.name)
        node.found_out = False
        node.start()

    async def calm_down(self) -> None:
        """Deliver everything, so that nodes that were set back find out."""
        while self.network.waiting:
            self.network.deliver(0)
            await self.settle()
        for _ in range(3):
            for node in self.nodes.values():
                if not node.serves:
                    await self.carry(node.ask())
                if node.found_out:
                    await self.put_back(node)
                    await self.carry(node.ask())
        assert not self.newest, "a node that was set back found out before it signed for anybody"
        assert all(node.serves for node in self.nodes.values())

    async def carry(self, *works: Coroutine[Any, Any, None]) -> None:
        """Do things one after the other over a network that loses nothing."""
        for work in works:
            task = asyncio.create_task(work)
            await self.settle()
            while not task.done():
                assert self.network.waiting, "somebody waits for nothing"
                self.network.deliver(0)
                await self.settle()
            task.result()

    async def round(self) -> None:
        """Exchange once between every pair, and ask what is due."""
        members = [*sorted(self.nodes), self.liar.name]
        pairs = [(one, other) for at, one in enumerate(members) for other in members[at + 1 :]]
        self.rng.shuffle(pairs)
        for each in (*self.nodes.values(), *self.liar.personas):
            each.checkpoint_exchange.candidate()  # as its timer does once a second; answers show what was shown last
        for one, other in pairs:
            await self.carry(self.nodes[one].show(other))
        self.clock.tick(2.0)
        for node in self.nodes.values():
            await self.carry(node.step())  # verifies the reports
        self.clock.tick(CALM_SECONDS)
        for node in self.nodes.values():
            await self.carry(node.step())  # asks
        await self.liar.append(1)

    async def detect(self) -> None:
        """Hold rounds until the liar is where its lie leads, and see that this took no longer than is claimed."""
        outcome = self.outcome
        known = max(node.logs.size(self.liar.name) for node in self.nodes.values())
        while self.lie is Lie.REWRITE and self.liar.personas[0].disk.size < known:
            await self.liar.append(1)  # a shorter log refuses every exchange: no note of it contradicts anything yet
        for persona in self.liar.personas:
            persona.checkpoint_exchange.candidate()
        for node in self.nodes.values():
            await self.carry(node.show(self.liar.name))
        outcome.contradicted = self.contradicts()
        assert outcome.contradicted or self.lie is not Lie.SPLIT, "every history was shown to somebody"
        if self.lie in ANSWERED and outcome.contradicted:
            await self.grow_to_what_is_known()
            before = self.liar.refused
            while not all(FORKED in codes for codes in self.codes().values()):
                assert outcome.rounds <= DETECTION_ROUNDS + self.liar.refused - before, self.codes()
                await self.round()
                outcome.rounds += 1
            outcome.refused = self.liar.refused - before
            self.check_evidence()
        elif self.lie in NOT_PROVEN:
            await self.rounds_until(lambda codes: FORKED in codes or IN_DEFAULT in codes)
        elif self.lie is Lie.STALE:
            for _ in range(20):
                await self.round()
            for name, codes in self.codes().items():
                frozen = self.liar.personas[0].frozen
                assert frozen is not None
                assert FORKED not in codes
                assert self.nodes[name].logs.size(self.liar.name) <= frozen.size or {STALE, IN_DEFAULT} & set(codes)
        else:
            for _ in range(3):
                await self.round()
            if self.lie in (Lie.NONE, Lie.OMIT):
                assert not any(self.codes().values())
        outcome.misbehaviour = self.codes()

    async def grow_to_what_is_known(self) -> None:
        """Hold rounds until the liar shows as much as others know: a log that was set back shows nothing before."""
        known = max(node.logs.link(self.liar.name).size for node in self.nodes.values())
        for _ in range(DEFAULT_ROUNDS):
            if any(persona.ledger.checkpoint.size >= known for persona in self.liar.personas):
                return
            await self.round()
        raise AssertionError(f"the liar never came to {known} entries")

    async def rounds_until(self, reached: Any) -> None:
        """Hold rounds until all honest members are there."""
        while not all(reached(codes) for codes in self.codes().values()):
            assert self.outcome.rounds < DEFAULT_ROUNDS, self.codes()
            await self.round()
            self.outcome.rounds += 1

    def codes(self) -> dict[str, list[str]]:
        """Return what each honest member has against the liar's log."""
        return {name: node.monitor.misbehaviour(self.liar.name) for name, node in self.nodes.items()}

    def contradicts(self) -> bool:
        """Return whether honest members know notes of the liar that cannot both be true, or one does already."""
        links = [node.logs.link(self.liar.name) for node in self.nodes.values()]
        histories = [persona.ledger.tree for persona in self.liar.personas]
        on = [
            {at for at, tree in enumerate(histories) if link.size <= tree.size and tree.root(link.size) == link.root}
            for link in links
        ]
        return not set.intersection(*on) or any(FORKED in codes for codes in self.codes().values())

    def check_evidence(self) -> None:
        """See that every honest member keeps two signatures that contradict each other, on disk and verifiably."""
        keys = [key.key for key in self.liar.personas[0].identity.member.log_keys]
        for node in self.nodes.values():
            forks = [each for each in node.disk.findings(self.liar.name) if each.kind is FindingKind.FORK]
            assert len(forks) == 1
            fork = fork_proofs.verify(forks[0].proof, *keys)
            again, _ = fork_proofs.verify_file(fork_proofs.format_file(fork, *keys))
            assert again == fork

    def check_nobody_honest_is_accused(self) -> None:
        """See that no honest node has anything against another honest one, nor ever had."""
        for node in self.nodes.values():
            for other in self.nodes:
                assert not node.monitor.misbehaviour(other), (node.name, other)
            assert not self.nodes.keys() & {each.member for each in node.disk.findings()}, node.name
