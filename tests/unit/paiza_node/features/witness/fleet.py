"""Members whose logs witness each other, without a network: real ledgers, judgements and duties.

    with Fleet(folder, ["kaz", "tjk", "uzb"]) as fleet:
        fleet["kaz"].grow()
        await fleet["kaz"].show_round()

Calls are function calls, and all share one clock.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from typing_extensions import override

from paiza.core.v1 import log_pb2, register_pb2
from paiza.peer.v1 import exchange_pb2, recovery_pb2, witness_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.executors.executors import Executors
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.storage import open_store
from paiza_node.features.recovery.serve_peer import ServePeer
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.answer_exchange import AnswerExchange
from paiza_node.features.witness.cosigning import Cosigner
from paiza_node.features.witness.exchange import CheckpointExchange
from paiza_node.features.witness.gossip import LargestKnown
from paiza_node.features.witness.prove import ProveEntries
from paiza_node.features.witness.rounds import Rounds
from paiza_node.features.witness.submit_checkpoints import SubmitCheckpoints
from paiza_node.features.witness.upgrade_proofs import UpgradeProofs
from paiza_node.ops.tables import KEPT_PROOFS
from paiza_register import LogKey, Member, Register
from paiza_register.model import WitnessKey
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable
from paiza_wire.identity import MemberAuthority, keys
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import fork_proofs, merkle, tiles
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey
from tests.peers import MethodChannel
from tests.unit.paiza_node.room import NoFile

FEDERATION: Final = "paiza.example"
BEGIN: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Clock:
    """One clock for all; it stands still until it is moved. Calling it gives the time, ``seconds`` the same."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def seconds(self) -> float:
        """Return the time as a clock that is never set."""
        return (self.now - BEGIN).total_seconds()

    def move(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += timedelta(seconds=seconds)


class TheRegister:
    """The register in force, as nodes ask for it."""

    def __init__(self, members: dict[str, Member]) -> None:
        self.version = sha256(b"register").digest()
        self.last = self.current = Register(
            version=self.version,
            federation=FEDERATION,
            names={},
            members=members,
            expiry_time=BEGIN + timedelta(days=365),
            legal_bases={},
            agreements=(),
            reference={},
            late=False,
            role_versions={},
            key_pins=frozenset(),
            _verifier=None,  # type: ignore[arg-type]  # nobody shows a certificate here
        )

    @property
    def state(self) -> register_pb2.RegisterState:
        """Return what all announce."""
        return register_pb2.RegisterState(register_version=self.version)

    def note_state(self, _member: str, state: register_pb2.RegisterState) -> None:
        """Check an announcement."""
        assert len(state.register_version) == 32

    def newest_origin(self, member: str) -> str:
        """Return the origin of a member's newest log."""
        return self.current.member(member).log_keys[-1].origin


class Keys:
    """A member's keys, and how the register describes it."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.log = SignerKey.from_ed25519(f"{member}.{FEDERATION}/log/1", keys.generate_ed25519())
        self.witness = WitnessSigner.from_seed(f"{member}.{FEDERATION}/witness/1", sha256(member.encode()).digest())

    def described(self) -> Member:
        """Return the member as the register has it."""
        log, witness = self.log.verifier_key, self.witness.witness_key
        return Member(
            id=self.member,
            names={},
            status="active",
            authority=MemberAuthority(self.member, FEDERATION, (), ()),
            endpoints=(),
            log_keys=(LogKey(log.name, log.to_vkey(), None, log),),
            witness_keys=(WitnessKey(witness.name, witness.to_vkey(), None, witness),),
            encryption_keys=(),
            classification_ceiling=1,
        )


class Line(MethodChannel):
    """The way to another member's node: calls its verbs. A test cuts it, or listens."""

    def __init__(self, caller: str, callee: "Node") -> None:
        super().__init__(callee.member)
        self._caller = caller
        self._callee = callee
        self.cut = False
        self.requests: list[witness_pb2.ExchangeCheckpointsRequest] = []

    def _check(self) -> Member:
        if self.cut:
            raise Unavailable("peer_unreachable", "the line is cut")
        return self._callee.core.register_cache.current.active_member(self._caller)

    async def handshake(self, request: exchange_pb2.HandshakeRequest) -> exchange_pb2.HandshakeResponse:
        """Return what is known of the caller's log."""
        caller = self._check()
        return exchange_pb2.HandshakeResponse(
            protocol_version=1,
            register_state=request.register_state,
            known_checkpoint=self._callee.core.logs.note(caller.id),
        )

    async def prove_consistency(
        self, request: exchange_pb2.ProveConsistencyRequest
    ) -> exchange_pb2.ProveConsistencyResponse:
        """Prove growth."""
        self._check()
        ledger = self._callee.ledger
        own = ledger.checkpoint
        proofs = [
            exchange_pb2.ConsistencyProof(from_size=size, hashes=ledger.prove_consistency(size, own.size))
            for size in request.sizes
        ]
        return exchange_pb2.ProveConsistencyResponse(checkpoint=own.note, proofs=proofs)

    async def exchange_checkpoints(
        self, request: witness_pb2.ExchangeCheckpointsRequest
    ) -> witness_pb2.ExchangeCheckpointsResponse:
        """Show a checkpoint."""
        caller = self._check()
        copy = witness_pb2.ExchangeCheckpointsRequest.FromString(request.SerializeToString())
        self.requests.append(copy)
        return await self._callee.answer(caller, copy)

    async def list_held_checkpoints(
        self, request: recovery_pb2.ListHeldCheckpointsRequest
    ) -> recovery_pb2.ListHeldCheckpointsResponse:
        """Return what is held of the caller's logs and of third ones."""
        caller = self._check()
        return await ServePeer(self._callee.core, lambda _reads, _proof: None).held_checkpoints(caller, request)

    async def prove_entries(self, request: witness_pb2.ProveEntriesRequest) -> witness_pb2.ProveEntriesResponse:
        """Prove entries."""
        self._check()
        return self._callee.prove(request)


class Node(AbstractContextManager["Node"]):
    """One member's node, as far as witnesses go."""

    def __init__(self, url: str, register_cache: TheRegister, clock: Clock, own: "Keys") -> None:
        self.member = own.member
        self.clock = clock
        self.store = open_store(url)
        self.keys = own
        self.ledger = Ledger(self.store, LogSigner([own.log]), NoFile(), lambda: register_cache.version, clock)
        self.executors = Executors()
        self._register_cache = register_cache
        self.lines: dict[str, Line] = {}
        self.suspected: list[str] = []
        self.reported: list[tuple[str, tuple[bytes, ...]]] = []

    def start(self) -> None:
        """Begin with what is stored."""
        with self.store.reads() as reads:
            stored, last = peers_store.known_logs(reads), witness_store.last_witnessed(reads)
        logs = PeerLogViews(stored, self.clock, (), self._register_cache.newest_origin)
        register_cache: Any = self._register_cache
        self.core = Core(
            member=self.member,
            node_id=f"spiffe://{self.member}.{FEDERATION}/node",
            register_cache=register_cache,
            ledger=self.ledger,
            store=self.store,
            logs=logs,
            notifier=Notifier(),
            executors=self.executors,
            decryption_keys=DecryptionKeys(self.member, {}),
            clock=self.clock,
        )
        gossip = LargestKnown(
            self.member,
            logs,
            lambda: register_cache.current,
            self.clock,
            lambda member, notes, _forks: self.reported.append((member, tuple(notes))),
        )
        self.checkpoint_exchange = CheckpointExchange(
            self.core,
            self.keys.witness,
            cosigner=Cosigner(
                {fork_proofs.read_origin(known.note): known.size for known in stored.values()}, hold=frozenset
            ),
            rounds=Rounds(last),
            gossip=gossip,
        )
        self.answer = AnswerExchange(self.core, self.checkpoint_exchange, self.suspected.append)
        self.prove = ProveEntries(self.ledger, self.store)
        self.peers = PeerDirectory(self.member, register_cache, self._open_session)
        self.show = SubmitCheckpoints(self.core, self.checkpoint_exchange, self.peers, self.clock.seconds)
        self.upgrade = UpgradeProofs(self.core, KEPT_PROOFS, self.peers)

    def _open_session(self, member: str) -> PeerSession:
        core, line = self.core, self.lines[member]
        return PeerSession(
            line,
            line,
            own_member=self.member,
            register_cache=core.register_cache,
            ledger=core.ledger,
            logs=core.logs,
            executor=core.executors.deliver,
            clock=core.clock,
        )

    def connect(self, *others: "Node") -> None:
        """Lay the lines to the others."""
        for other in others:
            self.lines[other.member] = Line(self.member, other)

    def grow(self, entries: int = 1) -> int:
        """Append entries in one commit; gives the index of the first."""

        def work(tx: LogTransaction) -> int:
            for _ in range(entries):
                tx.append(log_entries.searched(actor=""))
            return tx.size - entries

        return self.ledger.commit_now(work).result

    async def show_round(self) -> None:
        """Hold one round and wait for all of it."""
        self.show.begin_round()
        await asyncio.gather(*self.show.under_way())
        await self.checkpoint_exchange.keep_witnessed()

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.executors.close()
        self.ledger.close()
        self.store.close()


class Fleet(AbstractContextManager["Fleet"]):
    """All of them, each with a line to every other."""

    def __init__(self, folder: Path, members: Sequence[str]) -> None:
        self.clock = Clock()
        made = [Keys(member) for member in members]
        self._described = {each.member: each.described() for each in made}
        self.register_cache = TheRegister(self._described)
        self._stack = ExitStack()
        self.nodes = {
            each.member: self._stack.enter_context(
                Node(f"sqlite:///{folder / each.member}.db", self.register_cache, self.clock, each)
            )
            for each in made
        }
        for node in self.nodes.values():
            node.start()
        for node in self.nodes.values():
            node.connect(*(other for other in self.nodes.values() if other is not node))

    def __getitem__(self, member: str) -> Node:
        """Return a member's node."""
        return self.nodes[member]

    def describe(self, member: Member) -> None:
        """Let the register say something else of a member, before anybody has looked."""
        self._described[member.id] = member

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def second_history(node: Node, size: int) -> log_pb2.ConsistencyClaim:
    """Claim, with a member's own key, another history of so many entries to somebody who knows as many."""
    leaves = [merkle.leaf_hash(b"other %d" % number) for number in range(size)]
    tree = tiles.TileTree(0, lambda _level, _index: b"")
    root = tree.append(leaves).root
    return log_pb2.ConsistencyClaim(
        checkpoint=checkpoints.sign(Checkpoint(node.keys.log.verifier_key.name, size, root), node.keys.log),
        from_size=size,
    )
