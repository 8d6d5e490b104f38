"""Reports to other members about third logs."""

from datetime import UTC, datetime
from typing import Any, cast

from paiza.core.v1 import fork_proof_pb2
from paiza_node.core.peers.claims import learn_fork
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.features.witness.gossip import MAX_FORK_PROOFS, MAX_REPORTED, SHOWN_TIME, LargestKnown
from paiza_register import Register
from paiza_wire.identity import keys
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_node.other_log import ORIGIN, OtherLog, member_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Scene:
    """The log of tjk at kaz: nine known entries, and twenty reported."""

    def __init__(self) -> None:
        signer = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
        self.key = signer.verifier_key
        self.member = member_of(signer)
        self.log, self.other = OtherLog(signer), OtherLog(signer, b"other")
        self.logs = PeerLogViews({}, lambda: NOW, newest_origin=lambda _member: ORIGIN)
        self.logs.accept(self.member, self.log.consistency_claim(0, 9))
        register = Register(
            bytes(32), "paiza.example", {}, {"tjk": self.member}, NOW, {}, (), {}, late=False, role_versions={},
            key_pins=frozenset(),
            _verifier=cast("Any", None),
        )  # fmt: skip
        self.told: list[tuple[str, int, int]] = []
        self.now = NOW
        self.gossip = LargestKnown("kaz", self.logs, lambda: register, lambda: self.now, self.on_report)

    def on_report(self, teller: str, notes: object, forks: object) -> None:
        """Count what is handed on."""
        self.told.append((teller, len(cast("Any", notes)), len(cast("Any", forks))))


def test_accepted_and_heard_notes_are_told_to_all_but_their_owner() -> None:
    """The notes of a log are the largest accepted one, where histories meet, and a larger reported one."""
    scene = Scene()
    assert scene.gossip.notes("uzb") == [scene.log.note(9)]
    scene.logs.add_reported(scene.member, scene.log.note(20), told_by="kgz")
    assert scene.gossip.notes("uzb") == [scene.log.note(9), scene.log.note(20)]
    assert scene.gossip.notes("tjk") == []


def test_the_candidate_of_a_growing_log_is_told_as_long_as_it_shows_candidates() -> None:
    """It is what all members were shown; of a log that only delivers the largest accepted note is told."""
    scene = Scene()
    candidate = scene.logs.link("tjk")
    scene.gossip.note_shown("tjk", candidate)
    scene.logs.accept(scene.member, scene.log.consistency_claim(9, 12))
    assert scene.gossip.notes("uzb") == [scene.log.note(9)]
    scene.logs.add_reported(scene.member, scene.log.note(20), told_by="kgz")
    assert scene.gossip.notes("uzb") == [scene.log.note(9), scene.log.note(20)]
    scene.now += SHOWN_TIME
    assert scene.gossip.notes("uzb") == [scene.log.note(12), scene.log.note(20)]


def test_a_candidate_from_before_a_decision_on_a_fork_is_told_no_more() -> None:
    """The history begins anew."""
    scene = Scene()
    scene.gossip.note_shown("tjk", scene.logs.link("tjk"))
    scene.logs.restore_trust("tjk", {ORIGIN: 30})
    assert scene.gossip.notes("uzb") == []


def test_forks_are_told_to_all_but_whose_they_are_until_somebody_decides() -> None:
    """The receiver can verify a report by the log's key alone."""
    scene = Scene()
    shown = fork_proof_pb2.ForkProof(first_note=scene.log.note(5), second_note=scene.other.note(5))
    assert scene.gossip.forks("uzb") == []
    learn_fork(scene.logs, scene.member, shown.SerializeToString())
    (told,) = scene.gossip.forks("uzb")
    fork_proofs.verify(told.SerializeToString(), scene.key)
    assert scene.gossip.forks("tjk") == []
    scene.logs.restore_trust("tjk", {ORIGIN: 30})
    assert scene.gossip.forks("uzb") == []


def test_no_more_is_handed_to_the_judge_than_may_be_told() -> None:
    """Too much is cut; nothing is not worth a judgement."""
    scene = Scene()
    scene.gossip.receive("uzb", [], [])
    scene.gossip.receive("uzb", [b"note"] * 500, [fork_proof_pb2.ForkProof()] * 50)
    assert scene.told == [("uzb", MAX_REPORTED, MAX_FORK_PROOFS)]
