"""Proofs from other logs as they are stored: what neighbours share is stored once, and every hash comes back."""

from collections.abc import Iterator
from hashlib import sha256

import pytest
from sqlalchemy import delete

from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.storage import Store, open_store, scanning
from paiza_wire.tlog import merkle

SIZE = 100
LEAVES = [sha256(b"%d" % index).digest() for index in range(SIZE)]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    store = open_store(database_url)
    yield store
    store.close()


def proof(index: int, checkpoint: bytes = b"checkpoint") -> ForeignProof:
    """A proof of an entry of a log of a hundred."""
    return ForeignProof(
        digest=sha256(b"message %d" % index).digest(),
        member="tjk",
        kind=ProofKind.ANSWER,
        entry=b"entry %d" % index,
        index=index,
        hashes=b"".join(_path(index, 0, SIZE)),
        checkpoint=checkpoint,
        register_version=bytes(32),
    )


def _path(index: int, first: int, end: int) -> list[bytes]:
    """Return the inclusion proof of a leaf, from below, by the definition of RFC 9162 §2.1.3.1."""
    if end - first == 1:
        return []
    half = 1 << (end - first - 1).bit_length() - 1
    if index < first + half:
        return [*_path(index, first, first + half), _root(first + half, end)]
    return [*_path(index, first + half, end), _root(first, first + half)]


def _root(first: int, end: int) -> bytes:
    if end - first == 1:
        return LEAVES[first]
    half = 1 << (end - first - 1).bit_length() - 1
    return merkle.node_hash(_root(first, first + half), _root(first + half, end))


def test_neighbours_share_a_path(store: Store) -> None:
    """All proofs of a batch come back as they were; each block of 16 entries has one path."""
    proofs = [proof(index) for index in range(SIZE)]
    with store.transaction() as conn:
        exchange_store.add_proofs(conn, proofs)
    with store.reads() as reads:
        for each in proofs:
            assert exchange_store.proofs(reads, each.digest) == [each]
        assert scanning.count(reads, exchange_store.proof_path_table) == 7
        assert {row.hashes for row in exchange_store.proof_rows(reads)} == {each.hashes for each in proofs}


def test_another_checkpoint_has_a_path_of_its_own(store: Store) -> None:
    """Proofs of one place to two checkpoints, and those of a later batch, are kept apart."""
    with store.transaction() as conn:
        exchange_store.add_proofs(conn, [proof(1), proof(2, b"another")])
        exchange_store.add_proofs(conn, [proof(3)])
    with store.reads() as reads:
        found = [exchange_store.proofs(reads, proof(index).digest) for index in (1, 2, 3)]
        assert found == [[proof(1)], [proof(2, b"another")], [proof(3)]]
        assert scanning.count(reads, exchange_store.proof_path_table) == 3


def test_a_proof_that_is_stored_stays(store: Store) -> None:
    """A second proof of the same entry changes nothing."""
    with store.transaction() as conn:
        exchange_store.add_proofs(conn, [proof(1)])
        exchange_store.add_proofs(conn, [proof(1, b"another")])
    with store.reads() as reads:
        assert exchange_store.proofs(reads, proof(1).digest) == [proof(1)]


def test_a_path_goes_with_the_last_of_its_proofs(store: Store) -> None:
    """What neighbours share stays while one of them needs it, and no longer."""
    with store.transaction() as conn:
        exchange_store.add_proofs(conn, [proof(1), proof(2), proof(40)])
    for retired, left in ((1, 2), (40, 1), (2, 0)):
        digest = proof(retired).digest
        with store.transaction() as conn:
            paths = exchange_store.paths_of(conn, [digest])
            conn.execute(delete(exchange_store.proof_table).where(exchange_store.proof_table.c.digest == digest))
            exchange_store.drop_paths(conn, paths)
        with store.reads() as reads:
            assert scanning.count(reads, exchange_store.proof_path_table) == left
    with store.reads() as reads:
        assert list(exchange_store.proof_rows(reads)) == []
