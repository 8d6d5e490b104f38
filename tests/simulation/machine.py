"""A member's node as the simulation runs it: all verification is the product's, disk, clock and network are simulated.

Real: Merkle tree and proofs, checkpoints, signatures and cosignatures, `PeerLogViews`, `ConsistencyMonitor`,
`MisbehaviourRecorder`, `Cosigner`, `Rounds`, gossip, both sides of the exchange of checkpoints, and the handshake by
which a node that was set back finds out. Simulated: the store (what a crash leaves is `Disk`), the ledger's thread, the
register, time, and `Peer`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import exchange_pb2, witness_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import NodeStopped
from paiza_node.core.log.ledger import Committed
from paiza_node.core.log.model import Head
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.log_answers import LogAnswers
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.model import Finding, FindingState, PeerLogView
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.register.state import state_of
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.features.witness.answer_exchange import AnswerExchange
from paiza_node.features.witness.consistency_monitor import ConsistencyMonitor
from paiza_node.features.witness.cosigning import Cosigner
from paiza_node.features.witness.exchange import CheckpointExchange
from paiza_node.features.witness.gossip import LargestKnown
from paiza_node.features.witness.misbehaviour import MisbehaviourRecorder
from paiza_node.features.witness.rounds import Rounds
from paiza_node.features.witness.submit_checkpoints import SubmitCheckpoints
from paiza_node.ops.tables import METADATA
from paiza_register import LogKey, Member, Register
from paiza_register.model import WitnessKey
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError
from paiza_wire.identity import MemberAuthority, keys
from paiza_wire.tlog import merkle, tiles
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey
from tests.peers import MethodChannel
from tests.simulation.network import Network

BEGIN: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
FEDERATION: Final = "paiza.example"
VERSION: Final = bytes(32)
FOLLOWED: Final = BEGIN + timedelta(seconds=40)  # from then on each log is signed with its second key too
ABANDONED: Final = BEGIN + timedelta(seconds=80)  # and from then on with that one alone

T = TypeVar("T")


class Clock:
    """The time of the simulation."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def tick(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Identity:
    """A member's keys, and the member as the register describes it."""

    member: Member
    log: SignerKey
    following: SignerKey
    witness: WitnessSigner

    @classmethod
    def make(cls, name: str) -> "Identity":
        """Make a member with fresh keys."""
        log, following = (
            SignerKey.from_ed25519(f"{name}.{FEDERATION}/log/1", keys.generate_ed25519()) for _ in range(2)
        )
        witness = WitnessSigner.from_seed(f"{name}.{FEDERATION}/witness/1", name.encode().ljust(32, b"."))
        authority = MemberAuthority(name, FEDERATION, (), ())
        log_keys = tuple(
            LogKey(each.name, each.to_vkey(), until, each)
            for each, until in ((log.verifier_key, ABANDONED), (following.verifier_key, None))
        )
        witness_key = WitnessKey(witness.witness_key.name, witness.witness_key.to_vkey(), None, witness.witness_key)
        return cls(Member(name, {}, "active", authority, (), log_keys, (witness_key,), (), 1), log, following, witness)

    def log_signer(self, now: datetime) -> LogSigner:
        """Return what signs the log at a time."""
        held = [self.log] if now < FOLLOWED else [self.log, self.following]
        return LogSigner(held, self.member.log_keys)


def make_register(identities: list[Identity]) -> Register:
    """Make the register that names them."""
    members = {each.member.id: each.member for each in identities}
    later = BEGIN + timedelta(days=1000)
    nobody = cast("Any", None)
    return Register(
        VERSION, FEDERATION, {}, members, later, {}, (), {}, late=False, role_versions={}, key_pins=frozenset(),
        _verifier=nobody,
    )  # fmt: skip


class RegisterCache:
    """The register in force, which never changes."""

    def __init__(self, register: Register) -> None:
        self.current = self.last = register
        self.version = register.version
        self.state = state_of(register, BEGIN)

    def note_state(self, _member: str, state: register_pb2.RegisterState) -> None:
        """Nobody has another one."""
        assert state == self.state

    def newest_origin(self, member: str) -> str:
        """Return the origin of a member's log."""
        return self.current.members[member].log_keys[-1].origin


def _in_memory() -> Connection:
    return create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}).connect()


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@cache
def _empty() -> bytes:
    """Return a database with the node's tables, which take longer to make than to copy."""
    with _in_memory() as connection:
        METADATA.create_all(connection)
        connection.commit()
        return cast("bytes", _driver(connection).serialize())


class Disk:
    """The state that survives a crash: the tree, and a database in memory with peer logs and findings."""

    def __init__(self) -> None:
        self._connection = _in_memory().execution_options(isolation_level="AUTOCOMMIT")
        _driver(self._connection).deserialize(_empty())
        self.conn = WriteConnection(self._connection)
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0
        self.times: list[datetime] = []
        """The time of each entry."""

    def copy(self) -> "Disk":
        """Return a snapshot."""
        other = Disk()
        _driver(self._connection).backup(_driver(other._connection))
        other.tiles, other.size, other.times = dict(self.tiles), self.size, list(self.times)
        return other

    @contextmanager
    def reads(self) -> Iterator[ReadConnection]:
        """Be the store that is read from."""
        yield self.conn

    def known_logs(self) -> dict[str, PeerLogView]:
        """Return what is known of others' logs."""
        return peers_store.known_logs(self.conn)

    def findings(self, member: str = "") -> list[Finding]:
        """Return what was found."""
        return peers_store.findings(self.conn, member)


class Ledger:
    """The log of a node, committing at once."""

    def __init__(self, disk: Disk, identity: Identity, clock: Clock) -> None:
        self._disk = disk
        self._identity = identity
        self._clock = clock
        self.tree = tiles.TileTree(disk.size, lambda level, index: disk.tiles[level, index])
        self.origin = identity.log.verifier_key.name
        self._signed = clock()
        self._checkpoint = self.sign(disk.size)

    @property
    def checkpoint(self) -> VerifiedCheckpoint:
        """Return the newest checkpoint; it is signed once more when the log gets its second key, as by KEY_ADDED."""
        if self._signed < FOLLOWED <= self._clock():
            self._checkpoint = self.sign(self._checkpoint.size)
        return self._checkpoint

    @checkpoint.setter
    def checkpoint(self, checkpoint: VerifiedCheckpoint) -> None:
        self._checkpoint = checkpoint

    def sign(self, size: int) -> VerifiedCheckpoint:
        """Sign a checkpoint of the log."""
        self._signed = self._clock()
        root = self.tree.root(size)
        note = self._identity.log_signer(self._signed).sign(Checkpoint(self.origin, size, root), self._signed)
        return VerifiedCheckpoint(self.origin, size, root, note)

    async def commit(self, work: Callable[[LogTransaction], T], **_how: bool) -> Committed[T]:
        """Do the work, append its entries, sign."""
        head = Head(self._disk.size, self.tree.root(), 0, 0, BEGIN, b"")
        tx = LogTransaction(self._disk.conn, head, self._clock(), VERSION)
        result = work(tx)
        if tx.entries:
            batch = self.tree.append([merkle.leaf_hash(entry) for _, entry, _ in tx.entries])
            self._disk.tiles.update({(level, index): hashes for level, index, hashes in batch.tiles})
            self._disk.size += len(tx.entries)
            self._disk.times += [tx.now] * len(tx.entries)
            self.tree.commit(batch)
            self.checkpoint = self.sign(self._disk.size)
        return Committed(result, self.checkpoint)

    def size_before(self, time: datetime) -> int | None:
        """Return how many entries are earlier; None if none is later."""
        earlier = sum(each < time for each in self._disk.times)
        return earlier if earlier < self._disk.size else None

    def prove_consistency(self, size1: int, size2: int) -> list[bytes]:
        """Return a consistency proof."""
        return self.tree.consistency_proof(size1, size2)

    def root(self, size: int) -> bytes:
        """Return the root at a size."""
        return self.tree.root(size)


class Channel(MethodChannel):
    """The way from one node to another member's, over the simulated network."""

    def __init__(self, network: Network, caller: str, member: str) -> None:
        super().__init__(member)
        self._network = network
        self._caller = caller

    async def handshake(self, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        """Compare what each side knows."""
        return cast(
            "exchange_pb2.HandshakeResponse",
            await self._network.call(self._caller, self.member, "handshake", request),
        )

    async def prove_consistency(
        self, request: exchange_pb2.ProveConsistencyRequest
    ) -> exchange_pb2.ProveConsistencyResponse:
        """Request a consistency proof."""
        return cast(
            "exchange_pb2.ProveConsistencyResponse",
            await self._network.call(self._caller, self.member, "prove_growth", request),
        )

    async def exchange_checkpoints(
        self, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> witness_pb2.ExchangeCheckpointsResponse:
        """Exchange checkpoints."""
        return cast(
            "witness_pb2.ExchangeCheckpointsResponse",
            await self._network.call(self._caller, self.member, "exchange", request),
        )


class Node:
    """One node. What is made in `start` is what a crash loses."""

    def __init__(self, identity: Identity, register: Register, network: Network, clock: Clock) -> None:
        self.identity = identity
        self.name = identity.member.id
        self.disk = Disk()
        self.register_cache = RegisterCache(register)
        self.network = network
        self.clock = clock
        self.found_out = False  # it was set back, and a peer's handshake showed it
        self.lives = 0
        self.start()

    def start(self) -> None:
        """Begin with what is on the disk; nothing is shown to anybody before every other member was asked."""
        self.lives += 1
        disk = self.disk
        self.ledger = Ledger(disk, self.identity, self.clock)
        self.logs = PeerLogViews(disk.known_logs(), self.clock, disk.findings(), self.register_cache.newest_origin)
        self.core = Core(
            member=self.name,
            node_id=f"spiffe://{self.name}.{FEDERATION}/node",
            register_cache=cast("Any", self.register_cache),
            ledger=cast("Any", self.ledger),
            store=cast("Any", disk),
            logs=self.logs,
            notifier=cast("Any", None),
            executors=cast("Any", _NoLanes()),
            decryption_keys=cast("Any", None),
            clock=self.clock,
        )
        others = [each for each in self.register_cache.current.members if each != self.name]
        self.peers = PeerDirectory(self.name, cast("Any", self.register_cache), self._open_session)
        self.unasked = set(others)
        self.monitor = ConsistencyMonitor(self.name, self.logs, disk.findings())
        known = {member: each.size for member, each in disk.known_logs().items()}
        decided = {each.origin: each.accepted_up_to for each in disk.findings()}
        distrusted = [each.member for each in disk.findings() if each.state is FindingState.OPEN]
        cosigner = Cosigner(known, distrusted, decided, hold=frozenset)
        self.misbehaviour = MisbehaviourRecorder(
            self.core, self.monitor, self.peers, distrust=cosigner.distrust, restore_trust=cosigner.restore_trust
        )
        gossip = LargestKnown(
            self.name, self.logs, lambda: self.register_cache.current, self.clock, self.misbehaviour.queue_report
        )
        self.checkpoint_exchange = CheckpointExchange(
            self.core, self.identity.witness, cosigner=cosigner, rounds=Rounds(None), gossip=gossip
        )
        self._answer = AnswerExchange(self.core, self.checkpoint_exchange, suspect=self._suspect)
        self._show = SubmitCheckpoints(self.core, self.checkpoint_exchange, self.peers)
        self._log_answers = LogAnswers(
            self.core.ledger,
            self.core.logs,
            executor=cast("Any", _AtOnce()),
            register_state=lambda: self.register_cache.state,
            note_state=self.register_cache.note_state,
            suspect=self._suspect,
            compared=self.peers.compared,
            heard=self.peers.heard,
            clock=self.core.clock,
        )

    def _open_session(self, member: str) -> PeerSession:
        channel, core = Channel(self.network, self.name, member), self.core
        return PeerSession(
            channel,
            channel,
            own_member=self.name,
            register_cache=core.register_cache,
            ledger=core.ledger,
            logs=core.logs,
            executor=cast("Any", _AtOnce()),
            clock=self.clock,
        )

    @property
    def serves(self) -> bool:
        """Whether every other member was asked what it holds of this log since the start, and none held more."""
        return not self.unasked and not self.found_out

    async def answer(self, caller: str, method: str, request: Any) -> Any:
        """Answer another member's node."""
        member = self.register_cache.current.members[caller]
        if method == "handshake":  # also while this node asks itself: it signs nothing
            return await self._log_answers.handshake(member, request)
        if not self.serves:
            return None
        if method == "prove_growth":
            return await self._log_answers.prove_consistency(member, request)
        return await self._answer(member, request)

    async def ask(self) -> None:
        """Ask the members that were not asked since the start; stop where one holds more of this log than there is."""
        await asyncio.gather(*(self._ask(each) for each in sorted(self.unasked)))

    async def _ask(self, member: str) -> None:
        life = self.lives
        try:
            await self.peers.session(member).agreement.agree()
        except PaizaError:
            return
        except NodeStopped as stopped:
            self.found_out = self.found_out or (stopped.reason == "log_rolled_back" and life == self.lives)
            return
        if life == self.lives:  # else it crashed meanwhile, and the caller is gone
            self.unasked.discard(member)

    async def show(self, to: str) -> None:
        """Exchange checkpoints with another member, as the caller."""
        life = self.lives
        try:
            await self._show._exchange(self.peers.session(to), self.checkpoint_exchange.candidate())
        except PaizaError:
            return
        except NodeStopped:
            self.found_out = self.found_out or life == self.lives

    async def step(self) -> None:
        """Verify the reports, and ask what is due."""
        await self.misbehaviour.step()

    async def append(self, count: int) -> None:
        """Append an entry."""

        def work(tx: LogTransaction) -> None:
            for _ in range(count):
                tx.append(log_entries.searched(actor=""))

        await self.ledger.commit(work)

    def _suspect(self, member: str) -> None:
        self.peers.ask(member)
        self.unasked.add(member)


class _AtOnce:
    """Does everything on the event loop, so that a seed says everything."""

    async def run(self, _items: int, work: Callable[[], T], *, on_loop: bool) -> T:
        """Do it."""
        assert on_loop, "only claims are made here"
        return work()


class _NoLanes:
    receive = deliver = None
