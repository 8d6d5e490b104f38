"""What is believed of another member's log: that it grew, and nothing else."""

from datetime import UTC, datetime

import pytest

from paiza.v1 import exchange_pb2, log_pb2
from paiza_node.growth import GrowthMismatch, KnownLogs
from paiza_register import LogKey, Member
from paiza_wire import checkpoint as checkpoints
from paiza_wire import keys, merkle, tiles
from paiza_wire.checkpoint import Checkpoint
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import MemberAuthority
from paiza_wire.notes import SignerKey

ORIGIN = "tjk.paiza.example/log/1"


class OtherLog:
    """Another member's log: it can say anything about itself."""

    def __init__(self, signer: SignerKey, name: bytes = b"") -> None:
        self.signer = signer
        self.leaves = [merkle.leaf_hash(name + b"%d" % number) for number in range(40)]
        stored: dict[tuple[int, int], bytes] = {}
        self.tree = tiles.TileTree(0, lambda level, index: stored[level, index])
        batch = self.tree.append(self.leaves)
        stored.update({(level, index): hashes for level, index, hashes in batch.tiles})
        self.tree.commit(batch)

    def note(self, size: int) -> bytes:
        """Sign a checkpoint of this size."""
        return checkpoints.sign(Checkpoint(ORIGIN, size, self.tree.root(size)), self.signer)

    def growth(self, known: int, size: int) -> log_pb2.Growth:
        """Claim growth from a known size."""
        first, second = sorted((known, size))
        hashes = self.tree.consistency_proof(first, second)
        return log_pb2.Growth(checkpoint=self.note(size), from_size=known, consistency_hashes=hashes)


@pytest.fixture
def signer() -> SignerKey:
    """The log's key."""
    return SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())


@pytest.fixture
def member(signer: SignerKey) -> Member:
    """The member as the register describes it."""
    authority = MemberAuthority("tjk", "paiza.example", b"", b"", frozenset())
    key = LogKey(ORIGIN, signer.verifier_key.to_vkey())
    return Member("tjk", {}, "active", authority, (), (key,), (), (), 1)


@pytest.fixture
def logs() -> KnownLogs:
    """What is known: nothing yet."""
    return KnownLogs({}, lambda: datetime(2026, 11, 23, tzinfo=UTC))


def test_honest_growth_is_chained(logs: KnownLogs, member: Member, signer: SignerKey) -> None:
    """Every claim that begins where the last one ended is accepted; an equal size changes nothing."""
    log = OtherLog(signer)
    for known, size in ((0, 5), (5, 5), (5, 16), (16, 40)):
        assert logs.accept(member, log.growth(known, size)).size == size
        assert logs.size("tjk") == size


def test_claim_from_another_size_is_answered_with_the_known_one(
    logs: KnownLogs, member: Member, signer: SignerKey
) -> None:
    """A mismatch says which size is known, and nothing else happens."""
    log = OtherLog(signer)
    logs.accept(member, log.growth(0, 9))
    with pytest.raises(GrowthMismatch) as mismatch:
        logs.accept(member, log.growth(4, 20))
    assert mismatch.value.known_size == 9
    assert logs.size("tjk") == 9


def test_two_roots_of_one_size_are_a_fork(logs: KnownLogs, member: Member, signer: SignerKey) -> None:
    """The second history is refused for good, and the first one stays what is known."""
    log, other = OtherLog(signer), OtherLog(signer, b"other")
    logs.accept(member, log.growth(0, 9))
    with pytest.raises(Rejected, match="log_forked"):
        logs.accept(member, other.growth(9, 9))
    assert logs.note("tjk") == log.note(9)


@pytest.mark.parametrize("size", [3, 20])
def test_other_history_of_another_size_is_not_proven(
    size: int, logs: KnownLogs, member: Member, signer: SignerKey
) -> None:
    """A smaller or larger tree that does not share the known one proves nothing and changes nothing."""
    logs.accept(member, OtherLog(signer).growth(0, 9))
    with pytest.raises(Unavailable, match="growth_not_proven"):
        logs.accept(member, OtherLog(signer, b"other").growth(9, size))
    assert logs.size("tjk") == 9


def test_smaller_checkpoint_needs_its_proof_and_is_not_kept(logs: KnownLogs, member: Member, signer: SignerKey) -> None:
    """An older checkpoint of the same history may carry messages; the larger one stays known."""
    log = OtherLog(signer)
    logs.accept(member, log.growth(0, 20))
    assert logs.accept(member, log.growth(20, 7)).size == 7
    assert logs.size("tjk") == 20
    bare = log.growth(20, 7)
    del bare.consistency_hashes[:]
    with pytest.raises(Unavailable, match="growth_not_proven"):
        logs.accept(member, bare)


def test_checkpoint_of_another_key_is_refused(logs: KnownLogs, member: Member) -> None:
    """Only the log key in the register counts."""
    stranger = OtherLog(SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519()))
    with pytest.raises(Unavailable, match="bad_checkpoint"):
        logs.accept(member, stranger.growth(0, 5))
    assert logs.size("tjk") == 0


def test_overlapping_answers_are_joined_by_a_newer_checkpoint(
    logs: KnownLogs, member: Member, signer: SignerKey
) -> None:
    """A checkpoint whose proof begins elsewhere counts if it and the known one lead to one newer checkpoint."""
    log = OtherLog(signer)
    logs.accept(member, log.growth(0, 9))
    checkpoint = logs.verify(member, log.note(12))

    def proof(source: OtherLog, *sizes: int) -> exchange_pb2.ProveGrowthResponse:
        proofs = [
            exchange_pb2.GrowthProof(from_size=size, hashes=source.tree.consistency_proof(size, 30)) for size in sizes
        ]
        return exchange_pb2.ProveGrowthResponse(checkpoint=source.note(30), proofs=proofs)

    with pytest.raises(Unavailable, match="growth_mismatch"):
        logs.accept_between(member, checkpoint, proof(log, 12))
    with pytest.raises(Unavailable, match="growth_not_proven"):
        logs.accept_between(member, checkpoint, proof(OtherLog(signer, b"other"), 9, 12))
    assert logs.size("tjk") == 9
    assert logs.accept_between(member, checkpoint, proof(log, 9, 12)).size == 12
    assert logs.size("tjk") == 30
    assert logs.note("tjk") == log.note(30)
