"""The world of one seed: members, their nodes and custodians, what goes wrong, and what must hold in the end."""

import asyncio
import copy
import random
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from unittest import mock

from tuf.api.metadata import Root, Snapshot, Timestamp

from paiza_node.core.register import refresh as refreshing
from paiza_node.core.register import sync as syncing
from paiza_register import RegisterReader, files_fetch, load_set
from paiza_register.ceremony import Base, Change, Proposal
from paiza_register.ceremony.application import Known
from paiza_register.ceremony.change import ADMIT, LOG_ORIGIN, POLICY, REMOVE, RESIGN, SUSPEND, Policy, change
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.founding import found
from paiza_register.ceremony.publication import publication
from paiza_register.open_set import OpenSet, Versions
from paiza_register.publishing import composed, described_roles, published
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import TIMESTAMP_PATH, root_path
from paiza_wire.errors import Rejected, Unavailable
from tests.simulation.register.hostile import Hostile, Lie
from tests.simulation.register.keys import DRAWS, publisher_key
from tests.simulation.register.nodes import Clock, Network, Node, Nodes, Watcher, drop_old, exchange
from tests.simulation.world import Here
from tests.unit.paiza_register.ceremony.world import BY_HAND, NOW, Applicant, new_log

MEMBERS: Final = ("kaz", "kgz", "tjk", "uzb", "centre")
NEWCOMER: Final = "arm"
THRESHOLDS: Final = {3: 2, 4: 3, 5: 3, 6: 4}
LONGEST_LIFE: Final = timedelta(hours=24)
STEPS: Final = 50  # of storm
CALM: Final = timedelta(minutes=30)  # in which all must agree after it
CALM_STEP: Final = timedelta(seconds=5)
BEGIN: Final = NOW + timedelta(hours=1)
CLOCK_SLACK: Final = timedelta(minutes=11)
QUIET: Final = timedelta(days=2)
QUIET_STEP: Final = timedelta(minutes=5)
AWAY: Final = timedelta(hours=3)  # until others are away


@lru_cache(None)
def applicant(member: str) -> Applicant:
    """Make a member's keys once."""
    with DRAWS.below(member):
        return Applicant(member, publisher=publisher_key())


@lru_cache(None)
def founding(*members: str) -> OpenSet:
    """Found a federation once."""
    count = len(members)
    with DRAWS.below(f"founding {count}"):
        parties = [applicant(member) for member in members]
        applications = [each.apply() for each in parties]
        documents = {"reference-substances.json": b"{}\n"}
        proposal = Proposal(found({"ru": "Ф", "en": "F"}, THRESHOLDS[count], applications, documents, {}, NOW))
        for each in parties:
            proposal = each.sign(proposal)
        files = proposal.files()
        meta = {f"{role}.json": described for role, described in described_roles(files).items()}
        return composed(files, meta, files[root_path(1)], parties[0].publisher, BEGIN, Versions(0, 0))


@lru_cache(None)
def removal(count: int) -> tuple[OpenSet, Known]:
    """Found a federation of the first members with the newcomer and remove that one; return what was known of it."""
    members = MEMBERS[:count]
    held = founding(*members, NEWCOMER)
    base = Base.verify(RegisterFile(held.files), None)
    with DRAWS.below(f"removal {count}"):
        proposal = Proposal(change(REMOVE, base, BEGIN, member=NEWCOMER, threshold=THRESHOLDS[count]))
        for member in members:
            proposal = applicant(member).sign(proposal)
        signer = applicant(members[0]).publisher
        return published(held, proposal.files(), signer, BEGIN, held.versions), Known.of(NEWCOMER, base)


_BASES: Final[dict[tuple[bytes, int], Base]] = {}


def base_of(held: OpenSet) -> Base:
    """Return a set as a base of acts."""
    key = held.files[TIMESTAMP_PATH], held.root.version
    if key not in _BASES:
        _BASES[key] = Base.verify(RegisterFile(held.files), None)
    return _BASES[key]


@dataclass
class Wanted:
    """What an honest member submitted."""

    name: str = ""
    change: Mapping[str, bytes] = field(default_factory=dict)
    revoked: set[bytes] = field(default_factory=set)


@dataclass
class Outcome:
    """The result of a seed."""

    lie: Lie
    seconds: float = 0.0
    """After the storm, until all agreed."""
    versions: int = 0
    disqualified: bool = False
    register: bytes = b""


class World:
    """A federation of one seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.seed, self.folder = seed, folder
        self.lie = list(Lie)[seed % len(Lie)]
        count = self.rng.choice((3, 4, 4, 5))
        self.known: Known | None = None
        if seed // len(Lie) % 2:
            self.founding, self.known = removal(count)
        else:
            self.founding = founding(*MEMBERS[:count])
        self.clock = Clock(BEGIN)
        self.network = Network(self.rng, self.clock)
        self.members = list(MEMBERS[:count])
        self.liar = "" if self.lie is Lie.NONE else self.rng.choice(self.members)
        self.parties = {member: copy.copy(applicant(member)) for member in self.members}
        self.nodes: Nodes = {}
        for member in self.members:
            self._join(member, self.founding)
        self.hostile = Hostile(self.lie, self.nodes[self.liar], self.rng) if self.liar else None
        self.watchers = [
            Watcher(f"watcher {at}", self.network, folder / f"watcher {at}", self.founding) for at in range(2)
        ]
        self.sleeper = RegisterReader(folder / "sleeper", self.founding.bootstrap_root)
        self.sleeper.accept(self.founding.files, BEGIN)
        self.wanted: dict[str, Wanted] = {member: Wanted() for member in self.honest}
        self.signed: dict[str, dict[tuple[str, int], bytes]] = {member: {} for member in MEMBERS}
        self.refused: dict[str, set[bytes]] = {member: set() for member in MEMBERS}
        self.complete: dict[tuple[str, int], Proposal] = {}
        self.cut_since: dict[str, datetime] = {}
        self.published: dict[tuple[str, str, int], bytes] = {}
        """SHA-256 of what an honest key signed, by key id, kind and version."""
        self.tasks: list[asyncio.Task[None]] = []
        self.count = 0
        self.step_seconds = self.rng.choice((2.0, 2.0, 10.0, 900.0))
        self.seen: set[bytes] = set()
        self.outcome = Outcome(self.lie)

    @property
    def honest(self) -> list[str]:
        """Return the members that follow the rules."""
        return [member for member in self.members if member != self.liar]

    def _join(self, member: str, held: OpenSet) -> None:
        self.nodes[member] = Node(self.network, self.folder / member, self.parties[member], held, self.nodes)

    async def run(self) -> Outcome:
        """Live through it and check."""
        self.network.most_delay = self.rng.choice((0.0, 5.0, 60.0))
        self.network.loss = self.rng.choice((0.0, 0.05, 0.3))
        for _ in range(STEPS):
            if self.rng.random() < 0.4:
                self.disturb()
            await self.step(timedelta(seconds=self.step_seconds))
        self.calm()
        await self.agree()
        self.check()
        return self.outcome

    async def run_quietly(self) -> Outcome:
        """Live through two days in which nothing happens but that nodes are away, the first publisher most of all.

        No register in use gets older than two renewals, and hardly more is published than needed.
        """
        for at in range(QUIET // QUIET_STEP):
            since = at * QUIET_STEP % AWAY
            if not since:
                first, another = self.members[0], self.rng.choice(self.members)
                self.network.away = {first, another} if self.rng.random() < 0.7 else set()
            await self.step(QUIET_STEP)
            for name in self.nodes.keys() - self.network.away:
                age = self.clock.now - self.nodes[name].register.issued_time
                assert since < LONGEST_LIFE / 24 or age < LONGEST_LIFE / 12, f"the register of {name} is {age} old"
        timestamps = [version for _key, kind, version in self.published if kind == Timestamp.type]
        assert len(timestamps) < 2 * (QUIET / (LONGEST_LIFE / 24))
        return self.outcome

    @contextmanager
    def simulated(self) -> Iterator[None]:
        """Replace the time of the nodes, and what they log."""
        with (
            mock.patch.object(refreshing, "monotonic", self.clock.monotonic),
            mock.patch.object(refreshing, "backoff", self._backoff),
            mock.patch.object(refreshing, "log", mock.NonCallableMock()),
            mock.patch.object(syncing, "log", mock.NonCallableMock()),
            mock.patch.object(syncing, "Policy", return_value=None),
        ):
            yield

    def _backoff(self, failures: int, first: float, longest: float) -> float:
        """Return a pause, as `paiza_node.core.executors.periodic.backoff` does, scattered by the seed."""
        return min(first * 2.0 ** min(failures - 1, 10), longest) * self.rng.uniform(0.5, 1.0)

    # What happens

    async def step(self, by: timedelta) -> None:
        """Let time pass: all speak with somebody, do a round, and their custodians look at what waits."""
        self.clock.now += by
        self.network.deliver()
        names = self.rng.sample(sorted(self.nodes), len(self.nodes))
        for name in names:
            node = self.nodes[name]
            if name in self.network.away:
                continue
            if self.rng.random() < 0.5:
                exchange(node, self.nodes[self.rng.choice(names)])
            await node.round()
            drop_old(node)
            self._decide(name)
            self._submit_again(name)
        for watcher in self.watchers:
            if self.rng.random() < 0.3:
                watcher.read(self._some())
        self._check_always()

    def disturb(self) -> None:
        """Let something happen."""
        events: list[tuple[int, Callable[[], None]]] = [
            (5, self._content),
            (2, self._revoke),
            (3, self._propose),
            (1, self._away),
            (2, self._back),
            (1, self._split),
            (2, self._whole),
            (1, self._restart),
            (1, self._sleep),
        ]
        if self.hostile is not None:
            events.append((5, self._lie))
        happen = self.rng.choices([each for _, each in events], [weight for weight, _ in events])[0]
        happen()

    def _lie(self) -> None:
        assert self.hostile is not None
        if self.liar not in self.network.away:
            self.hostile.act(self.clock.now, sorted(self.nodes))

    def _some(self) -> Node:
        return self.nodes[self.rng.choice(self.honest)]

    def _content(self) -> None:
        """Let a member publish another name, at its own node or by all nodes that hear of it."""
        node = self._some()
        member, held = node.member, node.publisher.held
        if member not in held.register.described or member not in held.register.active_ids:
            return
        if self._is_open(node):
            return
        self.count += 1
        wanted = self.wanted[member]
        document = base_of(held).document(member)
        name = f"{member} {self.count}"
        document["names"]["en"] = name
        version = max(self._version_signed(member), held.register.role_versions[member]) + 1
        files = {f"members/{member}/member.json": to_json(document)}
        act = publication(member, files, base_of(held), self.clock.now, version=version)
        proposal = self.parties[member].sign(Proposal(act), "member")
        self.signed[member][member, version] = b""
        wanted.name, wanted.change = name, proposal.files()
        if self.rng.random() < 0.6:
            node.refresh.submit(wanted.change)
        else:
            node.proposals[proposal.fingerprint] = proposal

    def _is_open(self, node: Node) -> bool:
        """Return whether another content of the member's role waits: it signs one at a time."""
        member, found = node.member, node.register.described.get(node.member)
        waits = any(member in each.draft.roles for each in node.proposals.values() if isinstance(each.act, Change))
        wanted = self.wanted[member]
        return waits or (bool(wanted.name) and (found is None or found.names["en"] != wanted.name))

    def _version_signed(self, role: str) -> int:
        return max((version for name, version in self.signed[role.partition(".")[0]] if name == role), default=0)

    def _revoke(self) -> None:
        """Let a node revoke a certificate."""
        node = self._some()
        if node.member in self.network.away or node.member not in node.register.described:
            return
        self.count += 1
        prints = (sha256(b"certificate %d" % self.count).digest(), sha256(b"key %d" % self.count).digest())

        async def revoke() -> None:
            try:
                await node.refresh.revoke(prints)
            except Rejected:
                return
            except Unavailable:
                pass
            self.wanted[node.member].revoked |= set(prints)

        self.tasks.append(asyncio.create_task(revoke()))

    def _propose(self) -> None:
        """Let a custodian propose a change."""
        node = self._some()
        member, held = node.member, node.publisher.held
        what = self.rng.choice((RESIGN, POLICY, LOG_ORIGIN, SUSPEND, ADMIT))
        self.count += 1
        try:
            act = self._change(what, base_of(held), node)
        except (Rejected, Unavailable):
            return
        if act is None:
            return
        self._sign(member, node, Proposal(act))

    def _change(self, what: str, base: Base, node: Node) -> Change | None:
        now = self.clock.now
        if what == POLICY:
            policy = Policy(self.rng.randrange(12, 25), 48, {f"agreement-{self.count}.cedar": "// none\n"}, {})
            return change(POLICY, base, now, policy=policy)
        if what == LOG_ORIGIN:
            number = 1 + sum(
                name.startswith(f"{node.member}.") and "/log/" in name for name, _ in base.register.key_pins
            )
            with DRAWS.below(f"{self.seed} {self.count}"):
                return change(LOG_ORIGIN, base, now, member=node.member, vkey=new_log(node.member, number)[1])
        if what == SUSPEND:
            return change(SUSPEND, base, now, member=self.liar) if self.liar else None
        if what == ADMIT:
            return self._admission(base, base.threshold)
        return change(RESIGN, base, now)

    def _admission(self, base: Base, threshold: int) -> Change:
        with DRAWS.below(NEWCOMER):
            applied = applicant(NEWCOMER).apply(NOW, self.known)
        return change(ADMIT, base, self.clock.now, applications=[applied], threshold=threshold)

    def _sign(self, member: str, node: Node, proposal: Proposal) -> None:
        """Sign a proposal as a custodian does who follows the rules."""
        proposal = node.proposals.get(proposal.fingerprint, proposal)
        memory, draft = self.signed[member], proposal.draft
        own = self.parties[member]
        pairs = [pair for name, pair in own.pairs.items() if proposal.roles_of(pair.public_key.keyid)]
        roles = sorted({role for pair in pairs for role in proposal.roles_of(pair.public_key.keyid)})
        named = {(role, draft.roles[role].version): proposal.digest(role) for role in roles}
        if proposal.digest(draft.main_role) in self.refused[member]:
            return
        if any(memory.get(name, digest) != digest for name, digest in named.items()):
            return
        if any(
            name in proposal.signatures.get(role, {}) for role in roles for name in [own.custodian.public_key.keyid]
        ):
            return
        memory.update(named)
        for pair in pairs:
            proposal = proposal.signed_with(pair, BY_HAND)
        self._keep(node, proposal)

    def _keep(self, node: Node, proposal: Proposal) -> None:
        node.proposals[proposal.fingerprint] = proposal

    def _decide(self, member: str) -> None:
        """Let a custodian sign what waits at their node, or refuse it."""
        if self.rng.random() > 0.3:
            return
        node = self.nodes[member]
        if member == self.liar:
            self._sign_everything(node)
            return
        for _fingerprint, proposal in sorted(node.proposals.items()):
            act = proposal.act
            if not isinstance(act, Change) or proposal.is_complete:
                continue
            keyid = self.parties[member].custodian.public_key.keyid
            if keyid not in proposal.draft.deciders and keyid not in proposal.draft.signers[proposal.draft.main_role]:
                continue
            if node.register.root_version != act.base.register.root_version:
                continue
            self._judge(member, node, proposal, keyid)

    def _sign_everything(self, node: Node) -> None:
        """Let a hostile custodian sign whatever waits, where any two quorums have an honest one in common."""
        if self.lie not in {Lie.TWICE, Lie.EVERYTHING}:
            return
        for fingerprint, proposal in sorted(node.proposals.items()):
            draft = proposal.draft
            honest = 2 * draft.needed - len(draft.deciders) > 1
            if honest and self.parties[node.member].custodian.public_key.keyid in draft.deciders:
                node.proposals[fingerprint] = self.parties[node.member].sign(proposal, "custodian")

    def _judge(self, member: str, node: Node, proposal: Proposal, keyid: str) -> None:
        main = proposal.draft.main_role
        name, digest = (main, proposal.draft.roles[main].version), proposal.digest(main)
        before = self.signed[member].get(name, digest)
        if keyid in proposal.signatures.get(main, {}):
            others = [each for each in node.proposals.values() if each.digest(each.draft.main_role) != digest]
            if proposal.is_dead and others:
                memory = self.signed[member]
                for role, payload in proposal.draft.roles.items():
                    if memory.get((role, payload.version)) == proposal.digest(role):  # another may be signed since
                        del memory[role, payload.version]
                self._sign(member, node, min(others, key=lambda each: each.fingerprint))
        elif proposal.is_dead or keyid in proposal.refusals:
            return
        elif before == digest and self.rng.random() < 0.9:
            self._sign(member, node, proposal)
        elif keyid in proposal.draft.deciders and self.rng.random() < 0.5:
            self.refused[member].add(digest)
            self._keep(node, proposal.refused_with(self.parties[member].custodian, BY_HAND))

    def _submit_again(self, member: str) -> None:
        """Submit what a crash lost, as those do who asked for it."""
        if member not in self.wanted or self.rng.random() > 0.05:
            return
        node, wanted = self.nodes[member], self.wanted[member]
        found = node.register.described.get(member)
        if wanted.change and found is not None and found.names["en"] != wanted.name:
            node.refresh.submit(wanted.change)

    def _away(self) -> None:
        if len(self.network.away) < len(self.nodes) - 2:
            self.network.away.add(self.rng.choice(sorted(self.nodes)))

    def _back(self) -> None:
        if self.network.away:
            self.network.away.discard(self.rng.choice(sorted(self.network.away)))

    def _split(self) -> None:
        self.network.part = {name: self.rng.randrange(2) for name in sorted(self.nodes)}

    def _whole(self) -> None:
        self.network.part = {}

    def _restart(self) -> None:
        """Stop a node, which forgets what was not published, and start it again."""
        node = self._some()
        node.start()
        self.wanted[node.member].revoked &= node.register.revocations[node.member]

    def _sleep(self) -> None:
        """Let all machines sleep for hours or days."""
        if self.rng.random() < 0.3:
            self.clock.now += timedelta(hours=self.rng.choice((2, 30, 240)))

    def calm(self) -> None:
        """Mend the network; a hostile node goes on serving what it serves, and does nothing new."""
        self.network.loss = self.network.most_delay = 0.0
        self.network.away = {self.liar} if self.lie is Lie.AWAY else set()
        self.network.part = {}

    # What must hold

    def _check_always(self) -> None:
        """Demand what holds at every step.

        No honest key signs two sets of one version or is disbelieved, no version is decided twice, and a node that is
        cut off keeps nothing fresh.
        """
        now = self.clock.now
        keys = {self.parties[member].publisher.public_key.keyid: member for member in self.honest}
        for name in self.honest:
            node = self.nodes[name]
            found = sorted(keys[key] for key in node.reader.disqualified & keys.keys())
            assert not found, f"{name} believes {found} no more"
            for kind, signed in (
                (Timestamp.type, node.register.state.timestamp),
                (Snapshot.type, node.register.state.snapshot),
            ):
                for key in signed.signers & keys.keys():
                    known = self.published.setdefault((key, kind, signed.version), signed.sha256)
                    assert known == signed.sha256, f"{keys[key]} signed two of {kind} {signed.version}"
            alone = not any(self.network.reaches(name, other) for other in self.nodes if other != name)
            if not alone:
                self.cut_since.pop(name, None)
                continue
            since = self.cut_since.setdefault(name, now)
            latest = since + LONGEST_LIFE / 24 + LONGEST_LIFE + CLOCK_SLACK
            assert node.register.role_expiries["timestamp"] <= latest, f"{name} kept its register fresh alone"
        for name in self.honest:
            self.seen.add(self.nodes[name].register.version)
            for proposal in self.nodes[name].proposals.values():
                if isinstance(proposal.act, Change) and proposal.is_complete:
                    main = proposal.draft.main_role
                    named = main, proposal.draft.roles[main].version
                    first = self.complete.setdefault(named, proposal)
                    assert first.digest(main) == proposal.digest(main), f"there are two of {named}"

    async def agree(self) -> None:
        """Let time pass until all agree, and some more; they must."""
        begin, since, difference = self.clock.now, None, ""
        while self.clock.now - begin < CALM:
            await self.step(CALM_STEP)
            difference = self.difference()
            if difference:
                since = None
            elif since is None:
                since = self.clock.now
            elif self.clock.now - since > timedelta(minutes=2):
                self.outcome.seconds = (since - begin).total_seconds()
                return
        raise AssertionError(f"after {CALM}: {difference}")

    def difference(self) -> str:
        """Return what the honest nodes do not agree about, or lack; empty if all is well."""
        versions = {name: self.nodes[name].register.version.hex()[:8] for name in self.honest}
        if len(set(versions.values())) > 1:
            return f"they hold other versions: {versions}"
        return next(filter(None, (self._lacking(self.nodes[name]) for name in self.honest)), "")

    def _lacking(self, node: Node) -> str:
        """Return what the register of a node lacks; empty if it lacks nothing."""
        try:
            current = node.cache.current
        except Unavailable as error:
            return f"{node.member}: {error}"
        for member, wanted in self.wanted.items():
            found = current.members.get(member)
            if found is None:
                return f"{member} at {node.member}: {current.unusable.get(member, 'lost')}"
            if wanted.name and found.names["en"] != wanted.name:
                return f"{node.member} has {found.names['en']!r} in place of {wanted.name!r}"
            if not wanted.revoked <= current.revocations[member]:
                return f"{node.member} lacks revocations of {member}"
        for (role, version), proposal in self.complete.items():
            held = current.role_versions[role]
            if held < version or (
                role == Root.type and held == version and current.root_sha256 != proposal.digest(role)
            ):
                return f"{node.member} lacks a complete proposal"
        return ""

    def check(self) -> None:
        """Demand that readers with and without history agree, and that nobody is shut out."""
        now = self.clock.now
        for name in self.honest:
            node = self.nodes[name]
            current = node.cache.current
            files = node.reader.archived_files(current.version)
            fresh = RegisterReader(self.folder / "fresh" / name, self.founding.bootstrap_root)
            found = [load_set(files, self.founding.bootstrap_root, now)]
            for reader in (fresh, self.sleeper, *(watcher.reader for watcher in self.watchers)):
                reader.refresh(now, files_fetch(files))
                register = reader.current(now)
                assert register is not None
                found.append(register)
            for at, register in enumerate(found):
                assert register.version == current.version, f"reader {at} holds another version than {name}"
                assert dict(register.members) == dict(current.members), f"reader {at}, {name}"
                assert dict(register.unusable) == dict(current.unusable), f"reader {at}, {name}"
                assert register.active_ids == current.active_ids, f"reader {at}, {name}"
            if NEWCOMER not in current.active_ids:  # whatever happened, it can be admitted
                base = base_of(node.publisher.held)
                self._admission(base, (len(base.custodians) + 1) // 2 + 1)
            self.outcome.register = current.version
            self.outcome.disqualified |= bool(node.reader.disqualified)
        self.outcome.versions = len(self.seen)


def live(seed: int, folder: Path, what: Callable[[World], Awaitable[Outcome]] = World.run) -> Outcome:
    """Live through one seed in a folder of its own."""
    place = folder / str(seed)

    async def run() -> Outcome:
        asyncio.get_running_loop().set_default_executor(Here())
        world = World(seed, place)
        try:
            with world.simulated():
                return await what(world)
        finally:
            for task in world.tasks:
                task.cancel()

    try:
        with DRAWS.below(f"seed {seed}"):
            return asyncio.run(run())
    finally:
        _BASES.clear()
        shutil.rmtree(place, ignore_errors=True)
