"""Asking another member's log through the own node: what is logged first, and that no second history is shown."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from paiza.core.v1 import log_pb2, log_query_pb2
from paiza.officer.v1 import audit_query_pb2
from paiza.peer.v1 import exchange_pb2
from paiza.peer.v1 import peer_audit_pb2 as pb
from paiza_node.core.log import store as log_store
from paiza_node.features.peer_audit.consult import Asker
from paiza_node.features.peer_audit.relay import Relay
from paiza_node.features.peer_audit.visibility import Visibility
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.tlog.log_queries import NONCE_SIZE
from tests.peers import MethodChannel, directory_of
from tests.unit.paiza_node.features.peer_audit.log_room import LogRoom, member_of, officer

COORDINATOR = SimpleNamespace(id=officer("kaz"))


class Node(MethodChannel):
    """The node of tjk without a network. It may show auditors another log (``shown``) than the one it grows."""

    def __init__(self, real: LogRoom, shown: LogRoom) -> None:
        super().__init__("tjk")
        self.real = real
        self.shown = shown
        self.proves = True

    async def list_granted_entries(self, request: pb.ListGrantedEntriesRequest) -> pb.ListGrantedEntriesResponse:
        """Answer from the log that is shown."""
        asker = Asker(request.officer_id, "kaz", Visibility("kaz"))
        return pb.ListGrantedEntriesResponse(page=await self.shown.consult.entries(asker, request.query))

    async def prove_consistency(
        self, request: exchange_pb2.ProveConsistencyRequest
    ) -> exchange_pb2.ProveConsistencyResponse:
        """Prove growth of the real log, as it does to peers."""
        checkpoint = self.real.ledger.checkpoint
        if not self.proves or any(size > checkpoint.size for size in request.sizes):
            raise Unavailable("consistency_not_proven", "no")
        return exchange_pb2.ProveConsistencyResponse(
            checkpoint=checkpoint.note,
            proofs=[
                exchange_pb2.ConsistencyProof(
                    from_size=size, hashes=self.real.ledger.prove_consistency(size, checkpoint.size)
                )
                for size in request.sizes
            ],
        )


class Scene:
    """Kaz, whose coordinator asks, and tjk with a real log and another one under the same key."""

    def __init__(self, folder: Path) -> None:
        self.kaz = LogRoom("kaz", folder)
        self.real = LogRoom("tjk", folder)
        (folder / "other").mkdir()
        self.other = LogRoom("tjk", folder / "other")
        self.node = Node(self.real, self.real)
        self.relay = Relay(self.kaz.core, self.kaz.consult, directory_of({"tjk": self.kaz.session(self.node)}))

    def ask(self) -> log_query_pb2.EntriesPage:
        """Ask for tjk's entries."""
        query = log_query_pb2.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE)).SerializeToString(deterministic=True)
        request = audit_query_pb2.ListLogEntriesRequest(member="tjk", query=query)
        return asyncio.run(self.relay.entries(COORDINATOR, request)).page  # type: ignore[arg-type]  # its id is asked

    def events(self) -> list[str]:
        """The entries of kaz's log, by event."""
        with self.kaz.store.reads() as reads:
            entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries(reads, 0, 100)]
        return [log_pb2.LogEvent.Name(entry.event).removeprefix("LOG_EVENT_") for entry in entries]

    def know(self) -> None:
        """Make tjk's real log known to kaz, as exchanges do."""
        consistency_claim = log_pb2.ConsistencyClaim(
            checkpoint=self.real.ledger.checkpoint.note,
            consistency_hashes=[],
            from_size=0,
        )
        self.kaz.core.logs.accept(member_of("tjk"), consistency_claim)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Two histories of tjk of different content and about one size."""
    scene = Scene(tmp_path)
    with scene.kaz, scene.real, scene.other:
        for number in range(5):
            scene.real.log("RELEASED", "kaz", bytes([number]) * 32)
            scene.other.log("RELEASED", "kaz", bytes([number + 100]) * 32)
        scene.know()
        yield scene


def test_an_honest_log_is_shown_and_the_asking_logged(scene: Scene) -> None:
    """The entries come, and our log says that our officer asked for them."""
    assert len(scene.ask().entries) == 5
    assert scene.events() == ["CONSULTED"]


@pytest.mark.parametrize("more", [0, 3], ids=["one size", "another size"])
def test_a_log_that_shows_auditors_another_history_is_forked(scene: Scene, more: int) -> None:
    """A forked checkpoint in an answer is refused, kept and logged; nothing is shown."""
    scene.node.shown = scene.other
    for number in range(more):
        scene.real.log("RELEASED", "kaz", bytes([number + 50]) * 32)
    for _ in range(2):
        scene.real.log("SEARCHED", "", b"")
    with pytest.raises(Rejected, match="log_forked"):
        scene.ask()
    assert scene.events() == ["CONSULTED", "FORK_FOUND"]
    assert scene.kaz.core.logs.forked("tjk")
    with pytest.raises(Rejected, match="log_forked"):
        scene.ask()


def test_what_is_not_proven_is_not_shown(scene: Scene) -> None:
    """A node that proves no growth keeps its answer to itself; that is no fork."""
    scene.node.proves = False
    with pytest.raises(Unavailable, match="consistency_not_proven"):
        scene.ask()
    assert scene.events() == ["CONSULTED"]


def test_nothing_is_asked_of_strangers(scene: Scene) -> None:
    """A member that is not in the register is not asked, and nothing is logged."""
    query = log_query_pb2.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE)).SerializeToString()
    for member, data, reason in (("xyz", query, "unknown_member"), ("tjk", b"", "malformed")):
        request = audit_query_pb2.ListLogEntriesRequest(member=member, query=data)
        with pytest.raises(Rejected, match=reason):
            asyncio.run(scene.relay.entries(COORDINATOR, request))  # type: ignore[arg-type]  # its id is asked
    assert scene.events() == []
