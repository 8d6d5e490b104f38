"""Findings are committed once and outlive restarts; decisions are logged; on both databases."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

import pytest

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.claims import learn_fork, note_told_entry, record_fork
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.model import Finding, FindingKind, FindingState, PeerLogView
from paiza_node.core.storage import Store, open_store
from paiza_node.features.witness.consistency_monitor import MAX_FAILURES, ConsistencyMonitor
from paiza_node.features.witness.misbehaviour import MisbehaviourRecorder
from paiza_register import Register
from paiza_wire import receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey
from tests.peers import directory_of
from tests.unit.paiza_node.other_log import ORIGIN, OtherLog, member_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OWN = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
THEIRS = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())


class NoFile:
    """A checkpoint file that remembers nothing."""

    def load(self) -> bytes | None:
        """Return nothing."""

    def save(self, note: bytes) -> None:
        """Forget it."""


@dataclass
class RegisterCache:
    """The register in force: tjk alone is another member."""

    current: Register


@dataclass
class Room:
    """The node of kaz, as far as misbehaviour go. ``answer`` is what tjk answers when it is asked."""

    store: Store
    ledger: Ledger
    now: datetime = NOW
    answer: exchange_pb2.ProveConsistencyResponse | None = None
    asked: list[list[int]] = field(default_factory=list)
    distrusted: set[str] = field(default_factory=set)
    restored: list[dict[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log, self.other = OtherLog(THEIRS), OtherLog(THEIRS, b"other")
        self.member = member_of(THEIRS)
        nobody = cast("Any", None)
        self.register = Register(
            bytes(32), "paiza.example", {}, {"tjk": self.member}, NOW, {}, (), {}, late=False, role_versions={},
            key_pins=frozenset(),
            _verifier=nobody,
        )  # fmt: skip
        self.restart()

    def restart(self) -> None:
        """Begin with what is in the database."""
        with self.store.reads() as reads:
            known, findings = peers_store.known_logs(reads), peers_store.findings(reads)
        nobody = cast("Any", None)
        self.logs = PeerLogViews(known, lambda: self.now, findings, lambda _member: ORIGIN)
        core = Core(
            member="kaz",
            node_id="spiffe://kaz.paiza.example/node",
            register_cache=cast("Any", RegisterCache(self.register)),
            ledger=self.ledger,
            store=self.store,
            logs=self.logs,
            notifier=nobody,
            executors=nobody,
            decryption_keys=nobody,
            clock=lambda: self.now,
        )
        self.monitor = ConsistencyMonitor("kaz", self.logs, findings)
        self.misbehaviour = MisbehaviourRecorder(
            core,
            self.monitor,
            directory_of({"tjk": self}),
            distrust=self.distrusted.add,
            restore_trust=self.restore_trust,
        )

    def restore_trust(self, member: str, sizes: Mapping[str, int]) -> None:
        """Cosign a log again."""
        self.distrusted.discard(member)
        if sizes:
            self.restored.append(dict(sizes))

    async def prove_consistency(self, sizes: Sequence[int]) -> exchange_pb2.ProveConsistencyResponse:
        """Be asked, as the session with tjk."""
        self.asked.append(list(sizes))
        if self.answer is None:
            raise Unavailable("consistency_mismatch", "no")
        return self.answer

    def know(self, size: int) -> None:
        """Accept growth of tjk's log and store it, as an exchange does."""
        checkpoint = self.logs.accept(self.member, self.log.consistency_claim(self.logs.size("tjk"), size))
        known = self.logs.to_store("tjk", checkpoint)
        self.ledger.commit_now(lambda tx: peers_store.put_known_log(tx.conn, known))

    async def steps(self, count: int) -> None:
        """Advance the clock, ten seconds a step."""
        for _ in range(count):
            self.now += timedelta(seconds=10)
            await self.misbehaviour.step()

    def findings(self) -> list[Finding]:
        """Return what stands in the database."""
        with self.store.reads() as reads:
            return peers_store.findings(reads)

    def logged(self, index: int) -> log_pb2.LogEntry:
        """Return an entry of the own log."""
        with self.store.reads() as reads:
            (entry,) = log_store.entries_at(reads, [index])
        return log_pb2.LogEntry.FromString(entry.entry)


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A room on an empty database of each kind."""
    store = open_store(database_url)
    ledger = Ledger(store, LogSigner([OWN]), NoFile(), lambda: bytes(32), lambda: NOW)
    yield Room(store, ledger)
    ledger.close()
    store.close()


async def test_fork_is_kept_once_and_outlives_a_restart(room: Room) -> None:
    """Simultaneous findings write one entry and one finding; the proof is complete."""
    room.know(9)
    room.misbehaviour.queue_report("uzb", [room.other.note(9)], [])
    await room.misbehaviour.step()
    with pytest.raises(Rejected, match="log_forked"):
        room.logs.accept(room.member, room.log.consistency_claim(9, 12))
    fork = fork_proofs.verify(room.logs.fork_proofs()[ORIGIN], THEIRS.verifier_key)
    room.logs.forks.unrecorded.append(("tjk", fork))
    await asyncio.gather(record_fork(room.ledger, room.logs), record_fork(room.ledger, room.logs))
    (finding,) = room.findings()
    assert (finding.member, finding.kind, finding.state) == ("tjk", FindingKind.FORK, FindingState.OPEN)
    entry = room.logged(finding.index)
    assert (entry.event, entry.counterpart, entry.fork_found.notes_sha256) == (
        log_pb2.LOG_EVENT_FORK_FOUND, "tjk", fork.digest,
    )  # fmt: skip
    assert room.distrusted == {"tjk"}
    room.restart()
    with pytest.raises(Rejected, match="log_forked"):
        room.logs.accept(room.member, room.log.consistency_claim(9, 12))


async def test_decision_is_logged_and_the_log_begins_anew(room: Room) -> None:
    """Actor and reason are logged; the known history is forgotten, what was signed before is accepted for good."""
    room.know(9)
    room.misbehaviour.queue_report("uzb", [room.other.note(9), room.other.note(14)], [])
    await room.misbehaviour.step()
    (finding,) = room.findings()
    for number, reason in ((finding.index, "  "), (finding.index + 1, "why"), (finding.index, "x" * 1001)):
        with pytest.raises(Rejected):
            await room.misbehaviour.restore_trust(number, reason, "os-user:aigerim")
    assert room.logs.forked("tjk")
    decided = await room.misbehaviour.restore_trust(finding.index, " An old machine. ", "os-user:aigerim")
    assert (decided.state, decided.reason_text) == (FindingState.ENDED, "An old machine.")
    assert decided.ended_index is not None
    entry = room.logged(decided.ended_index)
    assert (entry.event, entry.actor) == (log_pb2.LOG_EVENT_TRUST_RESTORED, "os-user:aigerim")
    assert entry.trust_restored.notes_sha256 == room.logged(finding.index).fork_found.notes_sha256
    with pytest.raises(Rejected, match="unknown_id"):
        await room.misbehaviour.restore_trust(finding.index, "Again.", "os-user:aigerim")
    assert room.restored == [{ORIGIN: decided.accepted_up_to}]
    assert not room.distrusted
    for _ in range(2):
        with room.store.reads() as reads:
            assert "tjk" not in peers_store.known_logs(reads)
        assert room.logs.size("tjk") == 0
        assert not learn_fork(room.logs, room.member, finding.proof)
        room.restart()
    assert room.logs.accept(room.member, room.other.consistency_claim(0, 20)).size == 20


async def test_a_log_that_signed_any_size_is_not_trusted_again(room: Room) -> None:
    """Accepted up to the largest number there is, it could show everybody another history from then on."""
    room.know(9)
    largest = checkpoints.sign(Checkpoint(ORIGIN, 2**63 - 1, bytes(32)), THEIRS)
    room.misbehaviour.queue_report("uzb", [room.other.note(9), largest], [])
    room.logs.add_reported(room.member, largest, told_by="uzb")
    await room.misbehaviour.step()
    (finding,) = room.findings()
    with pytest.raises(Rejected, match="too_large"):
        await room.misbehaviour.restore_trust(finding.index, "An old machine.", "os-user:aigerim")
    assert room.logs.forked("tjk")
    assert [each.state for each in room.findings()] == [FindingState.OPEN]


async def test_default_is_logged_when_it_begins_and_when_it_ends(room: Room) -> None:
    """The entry says which of both; nothing is written twice, and traffic with that log goes on meanwhile."""
    room.know(9)
    room.misbehaviour.queue_report("uzb", [room.log.note(14)], [])
    await room.steps(MAX_FAILURES + 2)
    (finding,) = room.findings()
    assert (finding.kind, finding.state) == (FindingKind.DEFAULT, FindingState.OPEN)
    assert room.logged(finding.index).event == log_pb2.LOG_EVENT_DEFAULT_FOUND
    assert "tjk" in room.distrusted
    room.know(12)
    room.restart()
    await room.steps(7)
    assert [each.index for each in room.findings()] == [finding.index]
    room.answer = room.log.proof(30, 12, 14)
    await room.steps(12)
    (ended,) = room.findings()
    assert ended.state is FindingState.ENDED
    assert ended.ended_index is not None
    logged = room.logged(ended.ended_index)
    assert (logged.event, logged.default_ended.forked) == (log_pb2.LOG_EVENT_DEFAULT_ENDED, False)
    assert not room.distrusted
    with pytest.raises(Rejected, match="unknown_id"):
        await room.misbehaviour.restore_trust(finding.index, "It is fine.", "os-user:aigerim")


async def test_two_entries_at_one_index_prove_a_fork_of_a_log_that_answers_nothing(room: Room) -> None:
    """A receipt kept here and an entry told by another, at one index of two signed histories, need no answer."""
    room.know(9)
    kept = ForeignProof(
        digest=sha256(b"message").digest(),
        member="tjk",
        kind=ProofKind.ANSWER,
        entry=b"4",
        index=4,
        hashes=b"".join(room.log.tree.inclusion_proof(4, 9)),
        checkpoint=room.log.note(9),
        register_version=bytes(32),
    )
    room.ledger.commit_now(lambda tx: exchange_store.add_proofs(tx.conn, [kept]))
    note = room.other.note(14)
    checkpoint = checkpoints.verify(note, [THEIRS.verifier_key], ORIGIN)
    told = receipts.VerifiedEntry(log_pb2.LogEntry(), b"other4", 4, checkpoint)
    note_told_entry(room.logs, room.member, told, room.other.tree.inclusion_proof(4, 14), told_by="uzb")
    await room.steps(3)
    assert room.asked
    (finding,) = room.findings()
    fork = fork_proofs.verify(finding.proof, THEIRS.verifier_key)
    assert fork.size == 5
    assert (fork.first.note, fork.second.note) == (room.log.note(9), note)


async def test_entry_of_the_same_history_proves_no_fork(room: Room) -> None:
    """Reports of a newer checkpoint of an honest log are settled by its answer, and then forgotten."""
    room.know(9)
    note = room.log.note(14)
    checkpoint = checkpoints.verify(note, [THEIRS.verifier_key], ORIGIN)
    told = receipts.VerifiedEntry(log_pb2.LogEntry(), b"4", 4, checkpoint)
    note_told_entry(room.logs, room.member, told, room.log.tree.inclusion_proof(4, 14), told_by="uzb")
    room.answer = room.log.proof(30, 9, 14)
    await room.steps(4)
    assert room.findings() == []
    assert not room.logs.unverified_checkpoints.entries


def test_known_log_of_a_new_origin_replaces_a_larger_one_of_the_old(room: Room) -> None:
    """A log that follows another begins small: the store compares sizes of one log only."""
    room.know(30)
    new = SignerKey.from_ed25519("tjk.paiza.example/log/2", keys.generate_ed25519())
    note = checkpoints.sign(Checkpoint("tjk.paiza.example/log/2", 3, room.log.tree.root(3)), new)
    known = PeerLogView("tjk", 3, room.log.tree.root(3), note, NOW)
    room.ledger.commit_now(lambda tx: peers_store.put_known_log(tx.conn, known))
    with room.store.reads() as reads:
        assert peers_store.known_logs(reads)["tjk"].note == note
