"""The view of another member's log accepts proven growth, and nothing else."""

import sys
import threading
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from paiza.core.v1 import fork_proof_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.peers.claims import learn_fork
from paiza_node.core.peers.log_views import ConsistencyMismatch, PeerLogViews
from paiza_register import LogKey, Member
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import add_signatures
from paiza_wire.tlog.notes import NoteSignature, SignerKey
from tests.unit.paiza_node.other_log import ORIGIN, OtherLog, member_of

NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def signer() -> SignerKey:
    """The log's key."""
    return SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())


@pytest.fixture
def member(signer: SignerKey) -> Member:
    """The member as the register describes it."""
    return member_of(signer)


@pytest.fixture
def logs() -> PeerLogViews:
    """The view before any checkpoint."""
    return PeerLogViews({}, lambda: NOW, newest_origin=lambda _member: ORIGIN)


def test_honest_growth_is_chained(logs: PeerLogViews, member: Member, signer: SignerKey) -> None:
    """Every claim that begins where the last one ended is accepted; an equal size changes nothing."""
    log = OtherLog(signer)
    for known, size in ((0, 5), (5, 5), (5, 16), (16, 40)):
        assert logs.accept(member, log.consistency_claim(known, size)).size == size
        assert logs.size("tjk") == size


def test_claim_from_another_size_is_answered_with_the_known_one(
    logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """A mismatch says which size is known, and nothing else happens."""
    log = OtherLog(signer)
    logs.accept(member, log.consistency_claim(0, 9))
    with pytest.raises(ConsistencyMismatch) as mismatch:
        logs.accept(member, log.consistency_claim(4, 20))
    assert mismatch.value.known_size == 9
    assert logs.size("tjk") == 9


def test_two_roots_of_one_size_are_a_fork(logs: PeerLogViews, member: Member, signer: SignerKey) -> None:
    """The second history is refused for good, and the first one stays what is known."""
    log, other = OtherLog(signer), OtherLog(signer, b"other")
    logs.accept(member, log.consistency_claim(0, 9))
    with pytest.raises(Rejected, match="log_forked"):
        logs.accept(member, other.consistency_claim(9, 9))
    assert logs.note("tjk") == log.note(9)


def test_other_history_of_a_smaller_size_is_a_doubt(logs: PeerLogViews, member: Member, signer: SignerKey) -> None:
    """A smaller tree whose proof does not lead to the known one proves nothing, accuses nobody and changes nothing."""
    other = OtherLog(signer, b"other")
    logs.accept(member, OtherLog(signer).consistency_claim(0, 9))
    with pytest.raises(Unavailable, match="consistency_not_proven"):
        logs.accept(member, other.consistency_claim(9, 3))
    assert logs.size("tjk") == 9
    assert [each.note for each in logs.unverified_checkpoints.of("tjk", ORIGIN)] == [other.note(3)]
    assert not logs.forked("tjk")


@pytest.mark.parametrize(("known", "reason"), [(9, "log_forked"), (8, "consistency_not_proven")])
def test_growth_of_another_history_shows_the_fork_itself(
    known: int, reason: str, logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """A proof of growth tells the smaller root it leads from; but from a power of two it leaves that root out."""
    log, other = OtherLog(signer), OtherLog(signer, b"other")
    logs.accept(member, log.consistency_claim(0, known))
    with pytest.raises((Rejected, Unavailable), match=reason):
        logs.accept(member, other.consistency_claim(known, 20))
    assert logs.size("tjk") == known
    assert logs.forked("tjk") == (reason == "log_forked")
    if logs.forked("tjk"):
        fork = fork_proofs.verify(logs.fork_proofs()[ORIGIN], signer.verifier_key)
        assert (fork.first.note, fork.second.note) == (log.note(known), other.note(20))


def test_smaller_checkpoint_needs_its_proof_and_is_not_kept(
    logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """An older checkpoint of the same history may carry messages; the larger one stays known."""
    log = OtherLog(signer)
    logs.accept(member, log.consistency_claim(0, 20))
    assert logs.accept(member, log.consistency_claim(20, 7)).size == 7
    assert logs.size("tjk") == 20
    bare = log.consistency_claim(20, 7)
    del bare.consistency_hashes[:]
    with pytest.raises(Unavailable, match="consistency_not_proven"):
        logs.accept(member, bare)


def test_checkpoint_of_another_key_is_refused(logs: PeerLogViews, member: Member) -> None:
    """Only the log key in the register counts."""
    stranger = OtherLog(SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519()))
    with pytest.raises(Unavailable, match="bad_checkpoint"):
        logs.accept(member, stranger.consistency_claim(0, 5))
    assert logs.size("tjk") == 0


def test_overlapping_answers_are_joined_by_a_newer_checkpoint(
    logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """A checkpoint whose proof begins elsewhere counts if it and the known one lead to one newer checkpoint."""
    log = OtherLog(signer)
    logs.accept(member, log.consistency_claim(0, 9))
    checkpoint = logs.verify(member, log.note(12))

    def proof(source: OtherLog, *sizes: int) -> exchange_pb2.ProveConsistencyResponse:
        proofs = [
            exchange_pb2.ConsistencyProof(from_size=size, hashes=source.tree.consistency_proof(size, 30))
            for size in sizes
        ]
        return exchange_pb2.ProveConsistencyResponse(checkpoint=source.note(30), proofs=proofs)

    with pytest.raises(Unavailable, match="consistency_mismatch"):
        logs.accept_between(member, checkpoint, proof(log, 12))
    broken = proof(log, 9, 12)
    broken.proofs[0].hashes[0] = bytes(32)
    with pytest.raises(Unavailable, match="consistency_not_proven"):
        logs.accept_between(member, checkpoint, broken)
    assert logs.size("tjk") == 9
    assert logs.accept_between(member, checkpoint, proof(log, 9, 12)).size == 12
    assert logs.size("tjk") == 30
    assert logs.note("tjk") == log.note(30)


def test_two_roots_of_one_size_prove_a_fork(logs: PeerLogViews, member: Member, signer: SignerKey) -> None:
    """Two notes that two members tell of need no answer of the log; and what was proven of it stays."""
    log, other = OtherLog(signer), OtherLog(signer, b"other")
    logs.add_reported(member, log.note(12), told_by="uzb")
    assert not logs.forked("tjk")
    with pytest.raises(Rejected, match="log_forked"):
        logs.add_reported(member, other.note(12), told_by="kgz")
    with pytest.raises(Rejected, match="log_forked"):
        logs.accept(member, log.consistency_claim(0, 20))
    fork_proofs.verify(logs.fork_proofs()[ORIGIN], signer.verifier_key)


def test_others_proof_of_a_fork_is_believed_only_if_it_holds(
    logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """A proof by the log's own key shows a fork; one by another key, or of two notes that agree, does not."""
    log, other = OtherLog(signer), OtherLog(signer, b"other")
    stranger = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
    forged = fork_proof_pb2.ForkProof(first_note=log.note(5), second_note=OtherLog(stranger).note(5))
    agreeing = fork_proof_pb2.ForkProof(first_note=log.note(5), second_note=log.note(9))
    for bad in (forged, agreeing):
        with pytest.raises(Rejected):
            learn_fork(logs, member, bad.SerializeToString())
    assert not logs.forked("tjk")
    good = fork_proof_pb2.ForkProof(first_note=log.note(5), second_note=other.note(5))
    # In the order in which `same_size` puts them, or the other: both show the same.
    assert learn_fork(logs, member, good.SerializeToString())
    assert not learn_fork(logs, member, good.SerializeToString())
    assert logs.forked("tjk")


def test_what_others_put_into_a_proof_of_a_fork_is_not_kept(
    logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """A proof is told with every exchange: padded until none fits any more, it would keep all from being witnessed."""
    log, other = OtherLog(signer), OtherLog(signer, b"other")
    padding = [NoteSignature("nobody", bytes(4), bytes(100_000))]
    first_note, second_note = (add_signatures(each.note(5), padding) for each in (log, other))
    padded = fork_proof_pb2.ForkProof(first_note=first_note, second_note=second_note)
    field = b"\xfa\x01" + b"\x80\x80\x80\x03" + bytes(6 << 20)  # number 31, which the protocol does not have
    padded.MergeFromString(field)
    assert padded.ByteSize() > 6 << 20
    assert learn_fork(logs, member, padded.SerializeToString())
    kept = logs.fork_proofs()[ORIGIN]
    fork = fork_proofs.verify(kept, signer.verifier_key)
    assert {fork.first.note, fork.second.note} == {log.note(5), other.note(5)}
    assert len(kept) < 1000
    assert fork_proofs.verify(kept + b"\xf8\x01\x00", signer.verifier_key).proof == kept  # nor in a file of evidence


def test_large_notes_are_not_remembered_whole(logs: PeerLogViews, member: Member, signer: SignerKey) -> None:
    """A log can sign one checkpoint and pad it in a thousand ways: of each no more is held than what the log signed."""
    log = OtherLog(signer)
    tracemalloc.start()
    try:
        for number in range(64):
            line = NoteSignature("nobody", number.to_bytes(4, "big"), bytes(100_000))
            logs.add_reported(member, add_signatures(log.note(5), [line]), told_by="tjk")
        assert tracemalloc.get_traced_memory()[0] < 1 << 20
    finally:
        tracemalloc.stop()


def test_restored_trust_begins_anew_and_accepts_what_was_signed_before(
    logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """After trust is restored the log is verified from the start; old notes no longer count, new contradictions do."""
    log, other = OtherLog(signer), OtherLog(signer, b"other")
    logs.accept(member, log.consistency_claim(0, 9))
    with pytest.raises(Rejected, match="log_forked"):
        logs.add_reported(member, other.note(9), told_by="uzb")
    proof = logs.fork_proofs()[ORIGIN]
    logs.restore_trust("tjk", {ORIGIN: logs.largest_shown(ORIGIN)})
    assert logs.size("tjk") == 0
    assert logs.accept(member, other.consistency_claim(0, 20)).size == 20
    logs.add_reported(member, log.note(9), told_by="uzb")
    assert not learn_fork(logs, member, proof)
    assert not logs.forked("tjk")
    with pytest.raises(Rejected, match="log_forked"):
        logs.add_reported(member, log.note(20), told_by="uzb")


def test_smaller_note_that_is_not_known_is_a_doubt_until_it_is_proven(
    logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """A reported checkpoint of any size is asked about once; a proven one is known after."""
    log = OtherLog(signer)
    logs.accept(member, log.consistency_claim(0, 20))
    logs.add_reported(member, log.note(7), told_by="uzb")
    base, unverified_checkpoints = logs.link("tjk"), logs.unverified_checkpoints.of("tjk", ORIGIN)
    assert [each.size for each in unverified_checkpoints] == [7]
    answer = log.proof(30, 20, 7)
    assert logs.reconcile(member, base, unverified_checkpoints, answer).size == 30
    assert not logs.unverified_checkpoints.members()
    logs.add_reported(member, log.note(7), told_by="uzb")
    assert not logs.unverified_checkpoints.members()


def test_answer_with_another_root_proves_a_fork_also_at_a_power_of_two(
    logs: PeerLogViews, member: Member, signer: SignerKey
) -> None:
    """An answer says the root it proves from: where the log signed another one there, that is the fork."""
    log, other = OtherLog(signer), OtherLog(signer, b"other")
    logs.accept(member, log.consistency_claim(0, 8))
    logs.add_reported(member, other.note(16), told_by="uzb")
    answer = log.proof(30, 8, 16)
    with pytest.raises(Rejected, match="log_forked"):
        logs.reconcile(member, logs.link("tjk"), logs.unverified_checkpoints.of("tjk", ORIGIN), answer)
    fork = fork_proofs.verify(logs.fork_proofs()[ORIGIN], signer.verifier_key)
    assert (fork.first.note, fork.second.note, fork.size) == (other.note(16), log.note(30), 16)


def test_doubts_are_read_in_one_thread_while_another_adds_some(logs: PeerLogViews) -> None:
    """Reports are verified in threads; readers of the unverified checkpoints never see a partial change."""
    checkpoints = [VerifiedCheckpoint(ORIGIN, size, bytes(32), b"") for size in range(1, 30)]
    failed: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                logs.unverified("tjk", ORIGIN)
            except RuntimeError as error:
                failed.append(error)
                return

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(200):
            for checkpoint in checkpoints:
                with logs._lock:
                    logs.unverified_checkpoints.add("tjk", checkpoint, f"teller {checkpoint.size}")
            with logs._lock:
                for checkpoint in checkpoints:
                    logs.unverified_checkpoints.settled("tjk", checkpoint)
    finally:
        done.set()
        reader.join()
        sys.setswitchinterval(before)
    assert not failed


class TwoKeys:
    """A log whose first key was abandoned at a time, in favour of a second one."""

    def __init__(self, signer: SignerKey) -> None:
        self.second = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
        self.log = OtherLog(signer)
        self.following = OtherLog(self.second)
        self.now = NOW
        first, second = signer.verifier_key, self.second.verifier_key
        self.member = replace(
            member_of(signer),
            log_keys=(
                LogKey(ORIGIN, first.to_vkey(), NOW + timedelta(hours=1), first),
                LogKey(ORIGIN, second.to_vkey(), None, second),
            ),
        )
        self.logs = PeerLogViews({}, lambda: self.now, newest_origin=lambda _member: ORIGIN)


@pytest.fixture
def two_keys(signer: SignerKey) -> TwoKeys:
    """A log that changes its key."""
    return TwoKeys(signer)


def test_a_log_goes_on_with_its_next_key(two_keys: TwoKeys) -> None:
    """What the former key signed is the beginning from which the new one proves that it grows."""
    logs, member = two_keys.logs, two_keys.member
    logs.accept(member, two_keys.log.consistency_claim(0, 9))
    two_keys.now += timedelta(days=1)
    logs.accept(member, two_keys.following.consistency_claim(9, 20))
    assert (logs.size("tjk"), logs.note("tjk")) == (20, two_keys.following.note(20))


def test_an_abandoned_key_alone_shows_nothing_new(two_keys: TwoKeys) -> None:
    """Neither its owner nor anybody who tells of it is believed, also where the same note was verified before."""
    logs, member, note = two_keys.logs, two_keys.member, two_keys.log.note(12)
    assert logs.verify(member, note).size == 12
    two_keys.now += timedelta(hours=1)
    with pytest.raises(Unavailable, match="abandoned"):
        logs.verify(member, note)
    with pytest.raises(Unavailable, match="bad_checkpoint"):
        logs.accept(member, two_keys.log.consistency_claim(0, 12))
    with pytest.raises(Unavailable, match="bad_checkpoint"):
        logs.add_reported(member, note, told_by="uzb")
    assert not logs.unverified("tjk", ORIGIN)
    logs.add_reported(member, note, told_by="kaz", held=True)
    assert [each.size for each in logs.unverified("tjk", ORIGIN)] == [12]


def test_two_keys_of_one_log_prove_a_fork(two_keys: TwoKeys, signer: SignerKey) -> None:
    """A log does not rid itself of its first history by another key: what was held of it counts for ever."""
    logs, member = two_keys.logs, two_keys.member
    logs.accept(member, two_keys.log.consistency_claim(0, 9))
    two_keys.now += timedelta(days=1)
    other = OtherLog(two_keys.second, b"other")
    with pytest.raises(Rejected, match="log_forked"):
        logs.accept(member, other.consistency_claim(9, 20))
    proof = logs.fork_proofs()[ORIGIN]
    known = (signer.verifier_key, two_keys.second.verifier_key)
    fork = fork_proofs.verify(proof, *known)
    assert (fork.first.note, fork.second.note) == (two_keys.log.note(9), other.note(20))
    for alone in known:
        with pytest.raises(Rejected):
            fork_proofs.verify(proof, alone)
    read, listed = fork_proofs.verify_file(fork_proofs.format_file(fork, *known))
    assert (read, listed) == (fork, known)
    elsewhere = PeerLogViews({}, lambda: two_keys.now, newest_origin=lambda _member: ORIGIN)
    assert learn_fork(elsewhere, member, proof)
    assert elsewhere.forked("tjk")


def test_a_fork_by_an_abandoned_key_is_seen(two_keys: TwoKeys) -> None:
    """Who stole the former key can still sign two notes that contradict each other: that is a proof, for all to see."""
    proof = fork_proofs.same_size(
        *(
            VerifiedCheckpoint(ORIGIN, 9, each.tree.root(9), each.note(9))
            for each in (two_keys.following, OtherLog(two_keys.log.signer, b"thief"))
        )
    ).proof
    two_keys.now += timedelta(days=400)
    assert learn_fork(two_keys.logs, two_keys.member, proof)


def forged(two_keys: TwoKeys, size: int, name: bytes = b"thief") -> bytes:
    """Prove, with the former key in a thief's hands, that the log forked at a size."""
    notes = [
        VerifiedCheckpoint(ORIGIN, size, each.tree.root(size), each.note(size))
        for each in (two_keys.following, OtherLog(two_keys.log.signer, name))
    ]
    return fork_proofs.same_size(*notes).proof


def test_a_thief_of_an_abandoned_key_convicts_nobody_of_a_later_size(two_keys: TwoKeys) -> None:
    """The log was smaller when it abandoned the key: at no larger size has it signed anything with that key alone.

    Attack 1: the thief signs ahead of the log, so that its next checkpoint contradicts the forgery.
    """
    logs, member = two_keys.logs, two_keys.member
    logs.accept(member, two_keys.log.consistency_claim(0, 9))
    two_keys.now += timedelta(days=1)
    logs.accept(member, two_keys.following.consistency_claim(9, 20))
    assert not learn_fork(logs, member, forged(two_keys, 21))
    assert not logs.forked("tjk")
    logs.accept(member, two_keys.following.consistency_claim(20, 30))


def test_a_thief_of_an_abandoned_key_convicts_a_log_once(two_keys: TwoKeys) -> None:
    """After people have decided about it, what that key alone signs counts no more, of whichever size.

    Attack 2: the thief signs a size from before the key was abandoned. That may as well be the log's own lie, told to
    one who was asleep: a log that could shake it off by changing its key could tell such lies every year. So it counts,
    until an administrator has looked. Attack 3: afterwards the thief signs sizes that the log has reached since.
    """
    logs, member = two_keys.logs, two_keys.member
    logs.accept(member, two_keys.log.consistency_claim(0, 9))
    two_keys.now += timedelta(days=1)
    logs.accept(member, two_keys.following.consistency_claim(9, 20))
    assert learn_fork(logs, member, forged(two_keys, 7))
    logs.restore_trust("tjk", {ORIGIN: logs.largest_shown(ORIGIN)})
    logs.accept(member, two_keys.following.consistency_claim(0, 25))
    for size in (7, 15, 20, 25, 30):
        assert not learn_fork(logs, member, forged(two_keys, size, b"again")), size
    other = OtherLog(two_keys.second, b"other")
    with pytest.raises(Rejected, match="log_forked"):
        logs.accept(member, other.consistency_claim(25, 30))


def test_trust_restored_before_a_key_was_abandoned_decides_nothing_about_it(two_keys: TwoKeys) -> None:
    """Attack 4: a log has trust restored, lies with its key, and abandons it then."""
    logs, member = two_keys.logs, two_keys.member
    logs.restore_trust("tjk", {ORIGIN: 5})
    two_keys.now += timedelta(days=1)
    logs.accept(member, two_keys.following.consistency_claim(0, 20))
    assert learn_fork(logs, member, forged(two_keys, 12))


def test_what_was_accepted_of_an_abandoned_key_counts_for_ever(two_keys: TwoKeys) -> None:
    """Attack 5: a log shows one member a longer history, abandons the key, and goes on with a shorter one elsewhere.

    Who accepted it knows that no thief made it, and finds the fork even if it is told of it after a decision.
    """
    logs, member = two_keys.logs, two_keys.member
    logs.accept(member, two_keys.log.consistency_claim(0, 30))
    two_keys.now += timedelta(days=1)
    with pytest.raises(Rejected, match="log_forked"):
        logs.accept(member, OtherLog(two_keys.second, b"other").consistency_claim(30, 40))
