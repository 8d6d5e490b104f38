"""The witness tables on both databases: notes of our log, waiting entries, proofs to cosigned notes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import OWN_HASHES, ForeignProof, ProofKind
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.model import PeerLogView
from paiza_node.core.storage import Store, open_store
from paiza_node.features.recovery import store as recovery_store
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import CosignedProof, CosignedSpan, Uncosigned, WitnessedNote
from paiza_node.ops.tables import KEPT_PROOFS
from paiza_wire.tlog.merkle import leaf_hash

BEGIN = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Return an empty store."""
    made = open_store(database_url)
    yield made
    made.close()


def note(size: int, seconds: int, *, again: bool = False) -> WitnessedNote:
    """Return a witnessed note of this size and time."""
    time = BEGIN + timedelta(seconds=seconds)
    return WitnessedNote("o", size, bytes(32), b"note %d %d" % (size, again), time, ("tjk", "uzb"), again)


def proof(
    index: int,
    entry: bytes,
    digest: bytes = bytes(32),
    checkpoint: bytes = b"checkpoint\nkept",
    hashes: bytes = b"",
    member: str = "tjk",
    kind: ProofKind = ProofKind.ANSWER,
) -> ForeignProof:
    """Return a receipt, by tjk unless told otherwise, as it is kept."""
    return ForeignProof(digest, member, kind, entry, index, hashes, checkpoint, bytes(32))


def test_an_entry_lies_between_the_last_note_without_it_and_the_first_with_it(store: Store) -> None:
    """The first time of a size is the upper bound and the latest the lower one."""
    with store.transaction() as conn:
        for each in (note(5, 10), note(5, 50, again=True), note(9, 60), note(9, 90, again=True)):
            witness_store.put_witnessed(conn, each)
    with store.reads() as reads:
        assert witness_store.witnessed_before(reads, 4) is None
        assert witness_store.witnessed_after(reads, 5) == note(5, 10)
        assert witness_store.witnessed_before(reads, 5) == note(5, 50, again=True)
        assert witness_store.witnessed_after(reads, 6) == note(9, 60)
        assert witness_store.last_witnessed(reads) == note(9, 90, again=True)
        assert witness_store.witnessed_after(reads, 10) is None
        whole = witness_store.witnessed_by_time(reads, BEGIN, BEGIN + timedelta(seconds=60), 10)
        assert [each.size for each in whole] == [5, 5]


def test_a_note_cosigned_by_more_takes_the_place_of_the_one_before(store: Store) -> None:
    """One row for each size, and one more where it was cosigned again; dropping names exactly these."""
    with store.transaction() as conn:
        witness_store.put_witnessed(conn, note(5, 10))
        witness_store.put_witnessed(conn, note(5, 11))
        witness_store.put_witnessed(conn, note(5, 12, again=True))
    with store.transaction() as conn:
        assert len(witness_store.witnessed_times(conn, BEGIN, BEGIN + timedelta(days=1), 10)) == 2
        assert witness_store.witnessed_after(conn, 5) == note(5, 11)
        witness_store.drop_witnessed(conn, [(5, False)])
    with store.reads() as reads:
        assert witness_store.witnessed_after(reads, 5) == note(5, 12, again=True)


def test_an_entry_waits_until_its_cosigned_proof_is_there(store: Store) -> None:
    """An entry is found by its message, waits once, and is not found again once it has a cosigned proof."""
    digest, other = b"\x07" * 32, b"\x08" * 32
    with store.transaction() as conn:
        exchange_store.add_proofs(conn, [proof(3, b"three", digest), proof(8, b"eight", other)])
        found = witness_store.foreign_entries(conn, KEPT_PROOFS, [digest, other])
        assert found == [
            Uncosigned("tjk", "checkpoint", 3, leaf_hash(b"three"), b""),
            Uncosigned("tjk", "checkpoint", 8, leaf_hash(b"eight"), b""),
        ]
        witness_store.add_uncosigned(conn, found)
        witness_store.add_uncosigned(conn, found)
        assert witness_store.uncosigned_counts(conn) == {"tjk": 2}
        assert [each.index for each in witness_store.uncosigned(conn, "checkpoint", 10)] == [3, 8]
        assert [each.index for each in witness_store.uncosigned(conn, "checkpoint", 10, after=3)] == [8]
        span = CosignedSpan(b"", b"checkpoint\nnote", b"", bytes(32))
        witness_store.add_cosigned(conn, [CosignedProof("tjk", 3, b"h" * 64, span)])
    with store.reads() as reads:
        assert witness_store.uncosigned_counts(reads) == {"tjk": 1}
        kept = witness_store.cosigned_proof(reads, "tjk", "checkpoint", 3, digest)
        assert kept == CosignedProof("tjk", 3, b"h" * 64, span)
        assert witness_store.cosigned_proof(reads, "tjk", "checkpoint", 8, other) is None
        assert [each.index for each in witness_store.foreign_entries(reads, KEPT_PROOFS, [digest, other])] == [8]


def test_hashes_that_both_proofs_of_an_entry_have_are_stored_once(store: Store) -> None:
    """Of an entry whose block was full both proofs have the same lower hashes; any other one keeps its own."""
    full, open_ = b"\x07" * 32, b"\x08" * 32
    lower, upper, other = b"l" * OWN_HASHES, b"u" * 64, b"o" * OWN_HASHES
    span = CosignedSpan(b"", b"checkpoint\nnote", b"", bytes(32))
    made = [CosignedProof("tjk", 3, lower + upper, span), CosignedProof("tjk", 8, other + upper, span)]
    with store.transaction() as conn:
        kept = [
            proof(3, b"three", full, hashes=lower + b"v" * 64),
            proof(3, b"of another log", full, b"another\nkept", other, "uzb"),
            proof(8, b"eight", open_, hashes=lower),
        ]
        exchange_store.add_proofs(conn, kept)
        witness_store.add_uncosigned(conn, witness_store.foreign_entries(conn, KEPT_PROOFS, [full, open_]))
        witness_store.add_cosigned(conn, made)
    with store.reads() as reads:
        stored = reads.execute(select(witness_store.cosigned_proof_table.c.hashes)).scalars()
        assert set(stored) == {None, other}
        assert witness_store.cosigned_proof(reads, "tjk", "checkpoint", 3, full) == made[0]
        assert witness_store.cosigned_proof(reads, "tjk", "checkpoint", 8, open_) == made[1]
        assert witness_store.cosigned_proof(reads, "tjk", "checkpoint", 3, open_) is None


@pytest.mark.parametrize("released_first", [False, True])
def test_two_logs_of_one_member_have_a_message_at_the_same_index(store: Store, *, released_first: bool) -> None:
    """A message was forwarded with its release in the author's former log, and then delivered with one in the next.

    Each cosigned proof has the lower hashes of its own log.
    """
    digest, upper = b"\x07" * 32, b"u" * 64
    logs = [f"tjk.example/log/{number}" for number in (1, 2)]
    lower = dict(zip(logs, (b"a" * OWN_HASHES, b"b" * OWN_HASHES), strict=True))
    kinds = (ProofKind.RELEASED, ProofKind.ORIGIN) if released_first else (ProofKind.ORIGIN, ProofKind.RELEASED)
    made = [
        CosignedProof("tjk", 3, lower[origin] + upper, CosignedSpan(b"", f"{origin}\nnote".encode(), b"", bytes(32)))
        for origin in logs
    ]
    with store.transaction() as conn:
        for origin, kind, cosigned in zip(logs, kinds, made, strict=True):
            kept = proof(3, origin.encode(), digest, f"{origin}\nkept".encode(), lower[origin], kind=kind)
            exchange_store.add_proofs(conn, [kept])
            waiting = witness_store.foreign_entries(conn, KEPT_PROOFS, [digest])
            witness_store.add_uncosigned(conn, [each for each in waiting if each.origin == origin])
            witness_store.add_cosigned(conn, [cosigned])
    with store.reads() as reads:
        stored = reads.execute(select(witness_store.cosigned_proof_table.c.hashes)).scalars()
        assert list(stored) == [None, None]
        found = [witness_store.cosigned_proof(reads, "tjk", origin, 3, digest) for origin in logs]
        assert found == made


def test_a_log_that_is_left_behind_keeps_its_proofs_and_its_largest_checkpoint(store: Store) -> None:
    """Indices begin anew with the next log: proofs of one are not taken for those of the other, and none is lost."""
    first, second = (f"tjk.example/log/{number}" for number in (1, 2))
    digests = [bytes([number]) * 32 for number in (1, 2, 3)]
    spans = [CosignedSpan(b"", f"{origin}\nnote".encode(), b"", bytes(32)) for origin in (first, second)]

    def known(origin: str, size: int) -> PeerLogView:
        return PeerLogView("tjk", size, bytes(32), f"{origin}\n{size}\n".encode(), BEGIN)

    with store.transaction() as conn:
        peers_store.put_known_log(conn, known(first, 90))
        old = [proof(3, b"old", digests[0], spans[0].note), proof(4, b"waits", digests[1], spans[0].note)]
        exchange_store.add_proofs(conn, old)
        witness_store.add_uncosigned(conn, witness_store.foreign_entries(conn, KEPT_PROOFS, digests))
        witness_store.add_cosigned(conn, [CosignedProof("tjk", 3, b"a" * 32, spans[0])])
    with store.transaction() as conn:
        peers_store.put_known_log(conn, known(second, 4))
        exchange_store.add_proofs(conn, [proof(3, b"new", digests[2], spans[1].note)])
        assert witness_store.foreign_entries(conn, KEPT_PROOFS, digests) == [
            Uncosigned("tjk", second, 3, leaf_hash(b"new"), b"")
        ]
        witness_store.add_uncosigned(conn, witness_store.foreign_entries(conn, KEPT_PROOFS, digests))
        witness_store.add_cosigned(conn, [CosignedProof("tjk", 3, b"b" * 32, spans[1])])
        witness_store.drop_left_behind(conn)
        peers_store.put_known_log(conn, known(second, 3))  # less than is known of it
    with store.reads() as reads:
        assert peers_store.known_logs(reads)["tjk"] == known(second, 4)
        assert peers_store.former_known_logs(reads, "tjk") == [known(first, 90)]
        assert witness_store.uncosigned_counts(reads) == {}
        for origin, digest, hashes in ((first, digests[0], b"a" * 32), (second, digests[2], b"b" * 32)):
            found = witness_store.cosigned_proof(reads, "tjk", origin, 3, digest)
            assert found is not None
            assert found.hashes == hashes
        lost = recovery_store.lost_entries(reads, "tjk", ProofKind.ANSWER, first, 4, 10)
        assert [each.entry for each in lost] == [b"waits"]
        assert [each.entry for each in recovery_store.lost_entries(reads, "tjk", ProofKind.ANSWER, second, 0, 10)] == [
            b"new"
        ]
        assert recovery_store.lost_entries(reads, "tjk", ProofKind.RELEASED, first, 0, 10) == []
