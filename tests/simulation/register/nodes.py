"""A member's node as the simulation runs it, and the network between nodes.

Real: `RegisterRefresh`, `RegisterCache`, `RegisterReader` with its archive on disk, `Publisher`. Simulated: time, the
network, the log, and how proposals travel.
"""

import asyncio
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from typing_extensions import override

from paiza.core.v1 import register_pb2
from paiza_node.core.register.fetch import RegisterSource
from paiza_node.core.register.refresh import RegisterRefresh
from paiza_node.core.register.state import state_of
from paiza_node.core.register.sync import RegisterCache
from paiza_register import Fetch, FetchMissing, Register, RegisterReader, load_set
from paiza_register.ceremony import Proposal
from paiza_register.open_set import OpenSet
from paiza_register.publisher import Publisher
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from tests.unit.paiza_register.ceremony.world import Applicant


class Clock:
    """The time of the simulation; ``monotonic`` in seconds."""

    def __init__(self, now: datetime) -> None:
        self.begin = self.now = now

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def monotonic(self) -> float:
        """Return the seconds since the beginning."""
        return (self.now - self.begin).total_seconds()


class Network:
    """Who can speak with whom, and how much is lost."""

    def __init__(self, rng: random.Random, clock: Clock) -> None:
        self.rng, self.clock = rng, clock
        self.loss = 0.0
        self.most_delay = 0.0
        self.away: set[str] = set()
        self.part: dict[str, int] = {}
        self.met: dict[str, datetime] = {}
        self._letters: list[tuple[datetime, Callable[[], None]]] = []

    def reaches(self, one: str, other: str) -> bool:
        """Return whether what one sends can arrive at all."""
        return not {one, other} & self.away and self.part.get(one, 0) == self.part.get(other, 0)

    def carry(self, one: str, other: str) -> None:
        """Carry a request and its answer; ``Unavailable`` if either is lost."""
        if not self.reaches(one, other) or self.rng.random() < self.loss:
            raise Unavailable("peer_unreachable", "the network lost it")
        self.met[one] = self.met[other] = self.clock.now

    def post(self, deliver: Callable[[], None]) -> None:
        """Deliver an announcement now or later."""
        if not self.most_delay:
            deliver()
            return
        delay = timedelta(seconds=self.rng.random() * self.most_delay)
        self._letters.append((self.clock.now + delay, deliver))

    def deliver(self) -> None:
        """Deliver what is due, in any order."""
        due = [each for each in self._letters if each[0] <= self.clock.now]
        self._letters = [each for each in self._letters if each[0] > self.clock.now]
        self.rng.shuffle(due)
        for _time, deliver in due:
            deliver()


class Ledger:
    """The log, of which nothing is asked here."""

    async def commit(self, _work: Any) -> None:
        """Commit nothing."""


class Refresh(RegisterRefresh):
    """The refresh of a node, whose fetches are answered at once: no thread waits for another."""

    @override
    def _fetcher(self, source: RegisterSource, version: bytes = b"") -> Fetch:
        assert isinstance(source, Peer)
        return source.fetcher(version)


class Node:
    """A member's node. A hostile one shows some members other sets than it holds (`shows`)."""

    def __init__(self, network: Network, folder: Path, party: Applicant, founding: OpenSet, nodes: "Nodes") -> None:
        self.network, self.folder, self.party, self.nodes = network, folder, party, nodes
        self.member = party.member
        self.shows: dict[str, Mapping[str, bytes]] = {}
        self.garble = 0.0
        self.boast = 0
        self.proposals: dict[bytes, Proposal] = {}
        self._bootstrap = founding.bootstrap_root
        RegisterReader(folder, self._bootstrap).accept(founding.files, network.clock.now, outdated=True)
        self.start()

    def start(self) -> None:
        """Start with what is on disk; what was in memory is gone."""
        self.reader = RegisterReader(self.folder, self._bootstrap)
        self.cache = RegisterCache(self.reader, self.network.clock)
        last = self.reader.last
        assert last is not None
        held = OpenSet.verify(self.reader.archived_files(last.version), self._bootstrap, None)
        self.refresh = Refresh(
            self.cache,
            self.reader,
            Ledger(),  # type: ignore[arg-type]  # all that is asked of it
            sources=self.sources,
            publisher=Publisher(self.member, self.party.publisher, held),
            clock=self.network.clock,
            revocations_key=lambda: self.party.revocations,
            changes=self.changes,
        )

    async def round(self) -> None:
        """Do a round, as `RegisterRefresh.run` does every second."""
        await self.refresh._ended_round()
        await asyncio.gather(*self.refresh._greetings)
        await asyncio.sleep(0)

    @property
    def publisher(self) -> Publisher:
        """Return the publisher of this node."""
        assert self.refresh.publisher is not None
        return self.refresh.publisher

    @property
    def register(self) -> Register:
        """Return the register held last."""
        return self.cache.last

    def sources(self) -> Mapping[str, "Peer"]:
        """Return the other active members, as the directory of peers does."""
        names = {member.id for member in self.register.active_members()} - {self.member}
        return {name: Peer(self, self.nodes[name]) for name in sorted(names) if name in self.nodes}

    def changes(self) -> list[Mapping[str, bytes]]:
        """Return what complete proposals add to the register."""
        return [each.files() for _, each in sorted(self.proposals.items()) if each.is_complete]

    def state_for(self, member: str) -> register_pb2.RegisterState:
        """Return what this node announces to a member."""
        state = self.cache.state
        if member in self.shows:
            with suppress(PaizaError):
                state = state_of(
                    load_set(self.shows[member], self._bootstrap, None), self.network.clock(), b"", self.reader.proven
                )
        if self.boast:
            state.timestamp_version = self.boast
        return state

    def file_for(self, member: str, path: str, version: bytes) -> bytes:
        """Return a file as this node serves it to a member; `FetchMissing` if it has none."""
        if self.garble and self.network.rng.random() < self.garble:
            return self._garbled(path, version)
        shown = self.shows.get(member)
        if shown is not None:
            if path in shown:
                return shown[path]
            raise FetchMissing(path)
        return self.reader.file(path, version)

    def _garbled(self, path: str, version: bytes) -> bytes:
        data, how = self.reader.file(path, version), self.network.rng.randrange(4)
        if how == 0:
            raise FetchMissing(path)
        return (data[: len(data) // 2], data.replace(b"1", b"2", 3), b"{}")[how - 1]


Nodes = dict[str, Node]


class Peer:
    """A node as another one reaches it."""

    def __init__(self, caller: Node, callee: Node) -> None:
        self.caller, self.callee = caller, callee
        self.network = caller.network

    async def get(self, path: str, version: bytes) -> bytes:
        """Serve a file."""
        return self.fetcher(version)(path, 1 << 20)

    def fetcher(self, version: bytes) -> Fetch:
        """Return a function that fetches files; now and then the source goes on to a newer set meanwhile."""
        network, callee = self.network, self.callee
        older = iter(self._older()) if not version else iter(())

        def fetch(path: str, _most: int) -> bytes:
            network.carry(self.caller.member, callee.member)
            with suppress(FetchMissing):
                return callee.file_for(self.caller.member, path, next(older, version))
            raise FetchMissing(path)

        return fetch

    def _older(self) -> Iterator[bytes]:
        """Yield the version before for some files."""
        rng, versions = self.network.rng, self.callee.reader._archive.versions()
        if self.network.loss and len(versions) > 1 and rng.random() < 0.2:
            version = rng.choice(sorted(versions))
            for _ in range(rng.randrange(1, 5)):
                yield version

    async def proofs(self) -> list[tuple[bytes, bytes]]:
        """Serve the proofs."""
        self.network.carry(self.caller.member, self.callee.member)
        return list(self.callee.reader.proofs().values())

    async def greet(self, state: register_pb2.RegisterState) -> register_pb2.RegisterState:
        """Exchange what both hold."""
        self.network.carry(self.caller.member, self.callee.member)
        caller, callee = self.caller, self.callee
        self.network.post(lambda: callee.cache.note_state(caller.member, state))
        return callee.state_for(caller.member)


def exchange(one: Node, other: Node) -> None:
    """Let two nodes exchange checkpoints, which carry what they hold of the register, and proposals."""
    network = one.network
    try:
        network.carry(one.member, other.member)
    except Unavailable:
        return
    for caller, callee in ((one, other), (other, one)):
        if callee.member not in caller.register.active_ids:
            continue  # a member that is not active is not heard
        state = callee.state_for(caller.member)
        network.post(lambda caller=caller, callee=callee, state=state: caller.cache.note_state(callee.member, state))  # type: ignore[misc]
    for fingerprint in sorted(one.proposals.keys() | other.proposals.keys()):
        _exchange_proposal(one, other, fingerprint)


def _exchange_proposal(one: Node, other: Node, fingerprint: bytes) -> None:
    held = [node.proposals[fingerprint] for node in (one, other) if fingerprint in node.proposals]
    if len(held) == 2 and held[0] is held[1]:
        return
    merged = held[0].merged(held[-1])
    for node in (one, other):
        if merged.draft.main_role and node.register.role_versions.get(merged.draft.main_role, 0) < _version(merged):
            node.proposals[fingerprint] = merged


def _version(proposal: Proposal) -> int:
    return proposal.draft.roles[proposal.draft.main_role].version


def drop_old(node: Node) -> None:
    """Remove the proposals whose main role the register has in their version, or a later one."""
    for fingerprint, each in list(node.proposals.items()):
        main = each.draft.main_role
        done = node.register.role_versions.get(main, 0) >= _version(each)
        parts = {role: payload.version for role, payload in each.draft.roles.items()}
        whole = all(node.register.role_versions.get(role, 0) >= version for role, version in parts.items())
        if done and (whole or main == "root"):
            del node.proposals[fingerprint]


class Watcher:
    """A program that reads the register from any node; it is no member."""

    def __init__(self, name: str, network: Network, folder: Path, founding: OpenSet) -> None:
        self.name, self.network = name, network
        self.reader = RegisterReader(folder, founding.bootstrap_root)
        self.reader.accept(founding.files, network.clock.now, outdated=True)

    def read(self, node: Node) -> None:
        """Read from a node; what it serves may be refused."""

        def fetch(path: str, _most: int) -> bytes:
            self.network.carry(self.name, node.member)
            return node.file_for(self.name, path, b"")

        with suppress(Rejected, Unavailable):
            self.reader.refresh(self.network.clock.now, fetch)


def forget(folder: Path) -> None:
    """Remove a folder."""
    shutil.rmtree(folder, ignore_errors=True)
