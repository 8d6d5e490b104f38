"""A restored witness: it cosigns nothing of a log before it knows again what it may have cosigned of it."""

from pathlib import Path
from typing import Any

import pytest

from paiza.peer.v1 import recovery_pb2
from paiza_node.core.peers import store as peers_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.recovery.progress import SETTING, Progress, RecoveryHold
from paiza_node.features.recovery.restore_from_peers import RestoreFromPeers
from paiza_wire.errors import Rejected
from tests.unit.paiza_node.features.witness.fleet import Fleet, Node, second_history


class Restored:
    """The node of kaz after a restore, and what it holds back."""

    def __init__(self, node: Node, members: set[str]) -> None:
        node.ledger.commit_now(
            lambda tx: settings_store.put_setting(tx.conn, SETTING, Progress.begin(members).to_bytes())
        )
        self.hold = RecoveryHold()
        nobody: Any = None  # nothing is given back here: no log was lost
        self.duty = RestoreFromPeers(
            node.core, peers=node.peers, receive=nobody, recovered_messages=nobody, hold=self.hold
        )

    async def round(self) -> set[str] | None:
        """Go one round; gives whose logs are held back after it, None for all."""
        await self.duty._round()
        return self.hold()


@pytest.fixture
def fleet(tmp_path: Path) -> Any:
    """Three nodes; uzb knows tjk's log, kaz nothing of it."""
    with Fleet(tmp_path, ["kaz", "tjk", "uzb"]) as made:
        made["tjk"].grow(9)
        yield made


async def learn(fleet: Fleet, who: str, of: str) -> None:
    """Accept and store another member's log in its present state."""
    node, other = fleet[who], fleet[of]
    fleet.clock.move(1)
    await other.show_round()
    assert node.core.logs.size(of) == other.ledger.checkpoint.size


async def test_it_hears_everybody_then_has_proven_what_it_did_not_know(fleet: Fleet) -> None:
    """Nothing is cosigned before every member answered; then all is, once the larger note is proven and stored."""
    await learn(fleet, "uzb", "tjk")
    kaz = fleet["kaz"]
    kaz.core.logs.__init__({}, fleet.clock, (), fleet.register_cache.newest_origin)  # type: ignore[misc]  # as before it
    kaz.lines["tjk"].cut = True
    restored = Restored(kaz, {"tjk", "uzb"})
    assert restored.hold() is None
    assert await restored.round() is None
    assert restored.duty.progress.unanswered == {"tjk"}
    assert restored.duty.progress.unproven.keys() == {"tjk"}
    kaz.lines["tjk"].cut = False
    assert await restored.round() == set()
    assert restored.duty.progress.done
    with kaz.store.reads() as reads:
        assert peers_store.known_logs(reads)["tjk"].size == fleet["tjk"].ledger.checkpoint.size
        assert Progress.from_bytes(settings_store.setting(reads, SETTING)).done


async def test_a_log_that_does_not_lead_there_is_not_cosigned(fleet: Fleet) -> None:
    """Somebody holds another history that the log signed: that is a fork, found before anything was vouched for."""
    uzb, tjk = fleet["uzb"], fleet["tjk"]
    other = second_history(tjk, 20)
    checkpoint = uzb.core.logs.verify(uzb.core.register_cache.current.member("tjk"), other.checkpoint)
    known = uzb.core.logs.to_store("tjk", checkpoint)
    uzb.ledger.commit_now(lambda tx: peers_store.put_known_log(tx.conn, known))
    uzb.start()
    uzb.connect(fleet["kaz"], tjk)
    restored = Restored(fleet["kaz"], {"tjk", "uzb"})
    assert await restored.round() == {"tjk"}  # it has fewer entries than that, and cannot prove it
    tjk.grow(20)
    fleet["kaz"].connect(uzb, tjk)
    await restored.round()
    with pytest.raises(Rejected, match="log_forked"):
        fleet["kaz"].core.logs.check_trusted("tjk")


async def test_what_its_log_did_not_sign_holds_nothing_up(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes that are false, unreadable or of nobody's log are passed over: no member can stop a witness."""
    kaz, uzb = fleet["kaz"], fleet["uzb"]
    tjk = fleet["tjk"].ledger.checkpoint.note
    false = [tjk.replace(b"\n9\n", b"\n900\n"), b"no note", b"", tjk.replace(b"tjk.", b"rus.", 1)]

    async def standing(_request: recovery_pb2.ListHeldCheckpointsRequest) -> recovery_pb2.ListHeldCheckpointsResponse:
        return recovery_pb2.ListHeldCheckpointsResponse(other_checkpoints=false)

    monkeypatch.setattr(kaz.lines["uzb"], "list_held_checkpoints", standing)
    restored = Restored(kaz, {uzb.member})
    assert await restored.round() == set()
    assert restored.duty.progress.done
