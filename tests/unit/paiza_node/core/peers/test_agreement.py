"""What a peer shows as our log: a key that we have abandoned may be in its hands."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.blocking import held
from paiza_node.core.errors import NodeStopped
from paiza_node.core.executors.executors import Executor, SharedThreads
from paiza_node.core.peers.agreement import LogAgreement
from paiza_register import LogKey, Member
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_register.ceremony.world import NOW, World

SIZE, AT_ABANDONMENT = 9, 5
ROOT, OTHER_ROOT = b"\1" * 32, b"\2" * 32
ABANDONED = NOW - timedelta(days=1)


@dataclass
class OwnLog:
    """Our log of SIZE entries, of which AT_ABANDONMENT are older than the abandonment of its first key."""

    checkpoint: VerifiedCheckpoint
    origin: str = "log"
    before: int | None = AT_ABANDONMENT
    asked: list[datetime] = field(default_factory=list)

    def root(self, _size: int) -> bytes:
        """Return the root of any size."""
        return ROOT

    def size_before(self, time: datetime) -> int | None:
        """Return how many entries are older."""
        self.asked.append(time)
        return self.before


@dataclass
class Scene:
    """Our member with an abandoned key and one in use, and the agreement with tjk."""

    own: Member
    old: SignerKey
    new: SignerKey
    ledger: OwnLog
    shown: bytes = b""

    async def call(self, _rpc: Any, _request: Any) -> exchange_pb2.HandshakeResponse:
        """Answer the handshake with what is shown."""
        answer = exchange_pb2.HandshakeResponse(known_checkpoint=self.shown)
        answer.answer_time.FromDatetime(NOW)
        return answer

    def agree(self, size: int, root: bytes, *signers: SignerKey) -> LogAgreement:
        """Ask tjk, which shows a checkpoint of ours by these keys."""
        self.shown = checkpoint.sign(Checkpoint(self.own.origin, size, root), *signers)
        register_cache: Any = SimpleNamespace(
            current=SimpleNamespace(active_member=lambda _member: self.own),
            state=register_pb2.RegisterState(),
            note_state=lambda *_about: None,
        )
        channel: Any = SimpleNamespace(member="tjk", call=self.call)
        health: Any = SimpleNamespace(answered=lambda *_about: None, clock=None, timestamp_version=0)
        ledger: Any = self.ledger
        none: Any = None
        agreement = LogAgreement(
            channel,
            health,
            own_member="kaz",
            register_cache=register_cache,
            ledger=ledger,
            logs=none,
            executor=none,
            clock=lambda: NOW,
        )
        asyncio.run(agreement.agree())
        return agreement


@pytest.fixture
def scene() -> Scene:
    """Return the scene."""
    world = World("kaz", "tjk", "uzb")
    own = world.held.register.members["kaz"]
    old = SignerKey.from_ed25519(own.origin, world.members["kaz"].log)
    new = SignerKey.from_ed25519(own.origin, keys.generate_ed25519())
    later = LogKey(own.origin, new.verifier_key.to_vkey(), None, new.verifier_key)
    own = replace(own, log_keys=(replace(own.log_keys[0], until=ABANDONED), later))
    return Scene(own, old, new, OwnLog(VerifiedCheckpoint(own.origin, SIZE, ROOT, b"")))


@pytest.mark.parametrize("size", [AT_ABANDONMENT + 1, SIZE, 1_000_000])
def test_an_abandoned_key_does_not_stop_the_node(scene: Scene, size: int) -> None:
    """Our log was smaller when it abandoned the key: the note is another's, which is told, and the node goes on."""
    with structlog.testing.capture_logs() as logs:
        assert scene.agree(size, OTHER_ROOT, scene.old).compared.is_set()
    assert [each["event"] for each in logs if each["log_level"] == "critical"] == ["abandoned_key_used"]
    assert scene.ledger.asked == [ABANDONED]


def test_what_the_key_signed_in_time_counts(scene: Scene) -> None:
    """A note of that size can be ours: with our root it is, with another one our log has another history."""
    scene.agree(AT_ABANDONMENT, ROOT, scene.old)
    with pytest.raises(NodeStopped) as stopped:
        scene.agree(AT_ABANDONMENT, OTHER_ROOT, scene.old)
    assert stopped.value.reason == "log_rolled_back"


def test_a_log_that_ends_before_the_abandonment(scene: Scene) -> None:
    """An old copy does not show how large the log was: what the key signed counts."""
    scene.ledger.before = None
    with pytest.raises(NodeStopped):
        scene.agree(SIZE + 1, ROOT, scene.old)


@pytest.mark.parametrize("both", [False, True])
def test_a_key_in_use_stops_the_node(scene: Scene, *, both: bool) -> None:
    """A larger note by a key in use shows a rollback, whoever else signed it."""
    with pytest.raises(NodeStopped):
        scene.agree(SIZE + 1, ROOT, *([scene.old] if both else []), scene.new)


class _BusyLog(OwnLog):
    """Our log while its ledger writes: who asks for a proof waits."""

    lock: threading.Lock
    provers: list[threading.Thread]
    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def prove_consistency(self, _first: int, _second: int) -> list[bytes]:
        """Wait for the ledger, unless the event loop asks."""
        with held(self.lock):
            self.provers.append(threading.current_thread())
            self.meanwhile()
            return [ROOT]


async def test_a_claim_waits_for_the_ledger_in_a_thread(scene: Scene) -> None:
    """The loop goes on; and what another claim advanced meanwhile is claimed from there."""
    ledger = _BusyLog(scene.ledger.checkpoint)
    ledger.lock, ledger.provers = threading.Lock(), []
    ledger.lock.acquire()
    shared = SharedThreads()
    executor = Executor("deliver", shared)
    claims: list[int] = []
    none: Any = None

    async def call(_rpc: Any, request: exchange_pb2.DeliverRequest) -> exchange_pb2.DeliverResponse:
        claims.append(request.consistency_claim.from_size)
        return exchange_pb2.DeliverResponse()

    agreement = LogAgreement(
        SimpleNamespace(member="tjk", call=call),
        none,
        own_member="kaz",
        register_cache=SimpleNamespace(current=SimpleNamespace(active_member=lambda _: None)),  # type: ignore[arg-type]
        ledger=ledger,  # type: ignore[arg-type]
        logs=SimpleNamespace(size=lambda _member: 0),  # type: ignore[arg-type]
        executor=executor,
        clock=lambda: NOW,
    )

    def advance() -> None:
        agreement._assumed = 4

    ledger.meanwhile = advance
    try:
        delivering = asyncio.create_task(agreement.deliver(1, lambda _own: exchange_pb2.DeliverRequest(), on_loop=True))
        await asyncio.sleep(0.05)
        assert not delivering.done()
        ledger.lock.release()
        await delivering
    finally:
        executor.close()
        shared.close()
    assert claims == [4]
    assert threading.main_thread() not in ledger.provers[:1]
