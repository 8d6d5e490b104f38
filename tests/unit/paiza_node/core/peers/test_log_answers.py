"""Answers to other members' nodes about logs: the handshake, and consistency proofs of our log."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.blocking import may_block
from paiza_node.core.executors.executors import Executor, SharedThreads
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.peers.log_answers import MAX_SIZES, LogAnswers
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.rpcs import PROTOCOL_VERSION
from paiza_node.core.storage import open_store
from paiza_register import Member
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.identity import MemberAuthority
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import merkle
from tests.unit.paiza_node.core.log.test_ledger import ORIGIN, SIGNER, CheckpointInMemory

VERSION = b"v" * 32
STATE = register_pb2.RegisterState(register_version=VERSION)
TJK = Member("tjk", {}, "active", MemberAuthority("tjk", "paiza.example", (), ()), (), (), (), (), 1)


class Scene:
    """The log of kaz with three entries, and what its answers asked for."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(f"sqlite:///{folder / 'paiza.db'}")
        self.ledger = Ledger(self.store, LogSigner([SIGNER]), CheckpointInMemory(), lambda: VERSION)
        for _ in range(3):
            self.ledger.commit_now(lambda tx: tx.append(log_entries.searched(actor="officer")))
        self.suspected: list[str] = []
        self.noted: list[tuple[str, register_pb2.RegisterState]] = []
        self.compared: set[str] = set()
        self.heard: list[str] = []
        self.shared = SharedThreads()
        self.executor = Executor("receive", self.shared)
        self.answers = LogAnswers(
            self.ledger,
            PeerLogViews({}, lambda: datetime.now(UTC)),
            executor=self.executor,
            register_state=lambda: STATE,
            note_state=lambda *noted: self.noted.append(noted),
            suspect=self.suspected.append,
            compared=self.compared.__contains__,
            heard=self.heard.append,
            clock=lambda: datetime.now(UTC),
        )

    def handshake(self, version: int = PROTOCOL_VERSION) -> exchange_pb2.HandshakeResponse:
        """Answer the handshake of tjk."""
        request = exchange_pb2.HandshakeRequest(protocol_version=version, register_state=STATE)
        return asyncio.run(self.answers.handshake(TJK, request))

    def prove(self, *sizes: int) -> exchange_pb2.ProveConsistencyResponse:
        """Prove to tjk that the log grew from these sizes."""
        return asyncio.run(self.answers.prove_consistency(TJK, exchange_pb2.ProveConsistencyRequest(sizes=sizes)))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A log with three entries."""
    made = Scene(tmp_path)
    yield made
    made.executor.close()
    made.shared.close()
    made.ledger.close()
    made.store.close()


def test_handshake_signs_nothing_for_a_member_that_was_not_asked(scene: Scene) -> None:
    """The own checkpoint is given once that member was compared with; the register is noted either way."""
    before = scene.handshake()
    assert (before.own_checkpoint, before.known_checkpoint, before.register_state) == (b"", b"", STATE)
    scene.compared.add("tjk")
    assert scene.handshake().own_checkpoint == scene.ledger.checkpoint.note
    assert scene.noted == [("tjk", STATE), ("tjk", STATE)]


def test_protocol_version_is_the_smaller_of_both(scene: Scene) -> None:
    """A newer caller is answered in the version of this node; one that names none is refused."""
    assert scene.handshake(PROTOCOL_VERSION + 5).protocol_version == PROTOCOL_VERSION
    with pytest.raises(Rejected, match="protocol_version is not set"):
        scene.handshake(0)


def test_who_calls_is_heard(scene: Scene) -> None:
    """A member that could not be reached is there again when it calls."""
    scene.handshake()
    assert scene.heard == ["tjk"]


def test_growth_is_proven_from_every_size(scene: Scene) -> None:
    """Each proof leads from the root of its size to the checkpoint that is given with them."""
    response = scene.prove(1, 2, 3)
    own = checkpoints.verify(response.checkpoint, [SIGNER.verifier_key], ORIGIN)
    assert [proof.from_size for proof in response.proofs] == [1, 2, 3]
    for proof in response.proofs:
        merkle.verify_consistency(proof.from_size, proof.from_root, own.size, own.root, proof.hashes)


def test_sizes_of_which_nothing_is_at_hand_are_proven_in_a_thread(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller chose them: the event loop neither reads for them nor waits for the ledger."""
    began: list[threading.Thread] = []
    prove = scene.ledger.prove_consistency

    def noted(first: int, second: int) -> list[bytes]:
        may_block()
        began.append(threading.current_thread())
        return prove(first, second)

    monkeypatch.setattr(scene.ledger, "prove_consistency", noted)
    assert [proof.from_size for proof in scene.prove(1, 2).proofs] == [1, 2]
    assert len(began) == 2
    assert threading.main_thread() not in began


def test_size_that_is_larger_than_the_log_raises_a_suspicion(scene: Scene) -> None:
    """The caller may hold more of our log than there is: it is refused, and asked."""
    with pytest.raises(Rejected) as refused:
        scene.prove(1, 4)
    assert refused.value.reason == "consistency_mismatch"
    assert scene.suspected == ["tjk"]


def test_sizes_of_one_question_are_bounded(scene: Scene) -> None:
    """A request for more proofs than a comparison can need is refused as a whole."""
    with pytest.raises(Rejected) as refused:
        scene.prove(*[1] * (MAX_SIZES + 1))
    assert refused.value.reason == "too_large"
