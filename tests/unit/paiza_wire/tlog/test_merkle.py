"""RFC 9162 proofs: the published vectors, and every small tree against the definition written out."""

import base64
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.tlog import merkle

VECTOR_COUNT = 196
LARGEST = 300
"""Trees up to this size are checked exhaustively: past one full tile and its neighbour."""

LEAVES = [merkle.leaf_hash(b"entry %d" % number) for number in range(LARGEST)]


@cache
def tree_hash(start: int, end: int) -> bytes:
    """MTH(D[start:end]) as RFC 9162 §2.1.1 defines it."""
    if end - start == 0:
        return merkle.EMPTY_ROOT
    if end - start == 1:
        return LEAVES[start]
    middle = start + split(end - start)
    return merkle.node_hash(tree_hash(start, middle), tree_hash(middle, end))


def split(size: int) -> int:
    """Return the largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def path(index: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D_n) as RFC 9162 §2.1.3.1 defines it."""
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*path(index, start, middle), tree_hash(middle, end)]
    return [*path(index, middle, end), tree_hash(start, middle)]


def subproof(old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D_n, b) as RFC 9162 §2.1.4.1 defines it."""
    if old == end - start:
        return [] if whole else [tree_hash(start, end)]
    half = split(end - start)
    middle = start + half
    if old <= half:
        return [*subproof(old, start, middle, whole=whole), tree_hash(middle, end)]
    return [*subproof(old - half, middle, end, whole=False), tree_hash(start, middle)]


def decoded(vector: dict[str, Any], *names: str) -> list[bytes]:
    """Decode the named base64 fields of a vector."""
    return [base64.b64decode(vector[name]) for name in names]


def judged(verify: Callable[[], None], *, wrong: bool) -> bool:
    """Return whether exactly the proofs that the vector calls wrong are refused."""
    try:
        verify()
    except Rejected as rejected:
        return wrong and rejected.reason == "bad_proof"
    return not wrong


@pytest.mark.realdata
def test_published_vectors_agree(shared: Path) -> None:
    """Every published proof, of inclusion and of consistency, is accepted or refused as its file says."""
    read = 0
    for file in sorted((shared / "vectors" / "merkle").rglob("*.json")):
        vector = json.loads(file.read_text())
        proof = [base64.b64decode(digest) for digest in vector["proof"] or []]
        if file.relative_to(shared).parts[2] == "inclusion":
            leaf, root = decoded(vector, "leafHash", "root")
            verify = partial(merkle.verify_inclusion, leaf, vector["leafIdx"], vector["treeSize"], proof, root)
        else:
            root1, root2 = decoded(vector, "root1", "root2")
            verify = partial(merkle.verify_consistency, vector["size1"], root1, vector["size2"], root2, proof)
        assert judged(verify, wrong=vector["wantErr"]), file
        read += 1
    assert read == VECTOR_COUNT


def test_every_inclusion_proof_of_small_trees_is_accepted() -> None:
    """The reference's proof of every entry of every tree up to 300 entries leads to the reference's root."""
    for size in range(1, LARGEST + 1):
        root = tree_hash(0, size)
        for index in range(size):
            merkle.verify_inclusion(LEAVES[index], index, size, path(index, 0, size), root)


def test_every_consistency_proof_of_small_trees_is_accepted() -> None:
    """The reference's proof between any two trees up to 300 entries is accepted, from the empty one too."""
    for size2 in range(LARGEST + 1):
        merkle.verify_consistency(0, merkle.EMPTY_ROOT, size2, tree_hash(0, size2), [])
        for size1 in range(1, size2 + 1):
            proof = subproof(size1, 0, size2, whole=True)
            merkle.verify_consistency(size1, tree_hash(0, size1), size2, tree_hash(0, size2), proof)


@given(st.data())
def test_a_changed_inclusion_proof_is_refused(data: st.DataObject) -> None:
    """Another index, size, leaf, root or any changed, missing or added hash does not verify."""
    size = data.draw(st.integers(2, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    proof, root = path(index, 0, size), tree_hash(0, size)
    place = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
    wrong = data.draw(
        st.sampled_from(
            [
                (LEAVES[index], index ^ 1, size, proof, root),
                (LEAVES[index], index + size, size, proof, root),
                (LEAVES[index], -1, size, proof, root),
                (LEAVES[index], index, 2 * size, proof, root),
                (LEAVES[index - 1], index, size, proof, root),
                (LEAVES[index][:-1], index, size, proof, root),
                (LEAVES[index], index, size, proof, root[:-1]),
                (LEAVES[index], index, size, proof, tree_hash(0, size - 1)),
                (LEAVES[index], index, size, proof[:-1], root),
                (LEAVES[index], index, size, [*proof, root], root),
                (LEAVES[index], index, size, [*proof[:place], flipped, *proof[place + 1 :]], root),
                (LEAVES[index], index, size, [*proof[:place], proof[place][:-1], *proof[place + 1 :]], root),
            ]
        )
    )
    with pytest.raises(Rejected, match="bad_proof"):
        merkle.verify_inclusion(*wrong)


def test_entries_are_verified_in_any_order_by_one_verifier() -> None:
    """One verifier accepts every entry of a tree: one after the other, with gaps, backwards, and the same again."""
    for size in (1, 2, 3, 64, 100, 255, 256, 257, LARGEST):
        verifier = merkle.InclusionVerifier(size, tree_hash(0, size))
        orders = (range(size), range(0, size, 3), range(size - 1, -1, -1), [place * 89 % size for place in range(size)])
        for index in (index for order in orders for index in order):
            verifier.verify(LEAVES[index], index, path(index, 0, size))
            verifier.verify(LEAVES[index], index, path(index, 0, size))


@given(st.data())
def test_one_verifier_refuses_what_it_would_refuse_by_itself(data: st.DataObject) -> None:
    """After any entry, a proof with any hash, leaf or index changed is judged as if it were the first one."""
    size = data.draw(st.integers(1, LARGEST))
    places = st.integers(0, size - 1)
    verifier = merkle.InclusionVerifier(size, tree_hash(0, size))
    for index in data.draw(st.lists(places | places.map(lambda place: place ^ 1), min_size=1, max_size=6)):
        if index >= size:
            continue
        proof = path(index, 0, size)
        spoilt = [*proof, LEAVES[index]]
        at = data.draw(st.integers(0, len(proof)))
        spoilt[at] = data.draw(st.sampled_from([LEAVES[0], spoilt[at][:-1], bytes(32), spoilt[at - 1], spoilt[at]]))
        shown = data.draw(
            st.sampled_from(
                [
                    (spoilt[-1], index, spoilt[:-1]),
                    (LEAVES[index], index, proof[:-1]),
                    (LEAVES[index], index, [*proof, proof[-1] if proof else LEAVES[0]]),
                    (LEAVES[index], index + data.draw(st.sampled_from([-1, 1, 2, size, 2**64])), proof),
                    (LEAVES[index], -1 - index, proof),
                    (LEAVES[index], index, path(data.draw(places), 0, size)),
                ]
            )
        )
        alone = partial(merkle.verify_inclusion, shown[0], shown[1], size, shown[2], tree_hash(0, size))
        assert judged(partial(verifier.verify, *shown), wrong=not judged(alone, wrong=False)), shown
        verifier.verify(LEAVES[index], index, proof)


def test_two_hashes_of_uneven_length_do_not_pass_for_two_of_32_bytes() -> None:
    """Moving a byte from one hash to its neighbour, which leaves the hashed bytes equal, is refused."""
    proof = path(0, 0, 2)
    with pytest.raises(Rejected, match="bad_proof"):
        merkle.verify_inclusion(LEAVES[0] + proof[0][:1], 0, 2, [proof[0][1:]], tree_hash(0, 2))


@given(st.data())
def test_a_changed_consistency_proof_is_refused(data: st.DataObject) -> None:
    """Other sizes, roots or any changed, missing or added hash do not verify."""
    size2 = data.draw(st.integers(2, LARGEST))
    size1 = data.draw(st.integers(1, size2 - 1))
    proof = subproof(size1, 0, size2, whole=True)
    root1, root2 = tree_hash(0, size1), tree_hash(0, size2)
    place = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
    wrong = data.draw(
        st.sampled_from(
            [
                (0, root1, size2, root2, proof),
                (0, root1, size2, root2, []),
                (size1, root1, size1, root2, []),
                (size2, root2, size1, root1, proof),
                (size1, root2, size2, root1, proof),
                (size1, root1, size2, root1, proof),
                (size1, root1, 2 * size2, root2, proof),
                (size1, root1, size2, root2, proof[:-1]),
                (size1, root1, size2, root2, [*proof, root2]),
                (size1, root1, size2, root2, [*proof[:place], flipped, *proof[place + 1 :]]),
                (size1, root1, size2, root2, [*proof[:place], proof[place][:-1], *proof[place + 1 :]]),
            ]
        )
    )
    with pytest.raises(Rejected, match="bad_proof"):
        merkle.verify_consistency(*wrong)


numbers = st.one_of(st.integers(-2, 70), st.integers(2**63 - 2, 2**63 + 2), st.integers())
hashes = st.one_of(st.binary(min_size=32, max_size=32), st.binary(max_size=40))


@given(hashes, numbers, numbers, st.lists(hashes, max_size=70), hashes)
def test_arbitrary_inclusion_proofs_are_refused(
    leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> None:
    """No numbers and bytes that arrive can cause anything but the refusal."""
    with pytest.raises(Rejected, match="bad_proof"):
        merkle.verify_inclusion(leaf, index, size, [*proof, b"\x00" * 32], root)
    verifier = merkle.InclusionVerifier(LARGEST, tree_hash(0, LARGEST))
    verifier.verify(LEAVES[7], 7, path(7, 0, LARGEST))
    with pytest.raises(Rejected, match="bad_proof"):
        verifier.verify(leaf, index, [*proof, b"\x00" * 32])


@given(numbers, hashes, numbers, hashes, st.lists(hashes, max_size=70))
def test_arbitrary_consistency_proofs_are_refused(
    size1: int, root1: bytes, size2: int, root2: bytes, proof: list[bytes]
) -> None:
    """No numbers and bytes that arrive can cause anything but the refusal."""
    with pytest.raises(Rejected, match="bad_proof"):
        merkle.verify_consistency(size1, root1, size2, root2, [*proof, b"\x00" * 32])


def test_the_largest_tree_is_accepted() -> None:
    """Entries of a tree of 2**63 - 1 entries can be proven, those of a larger one cannot."""
    size = merkle.MAX_TREE_SIZE
    for index, length in ((0, 63), (size - 1, 62)):
        proof = [merkle.EMPTY_ROOT] * length
        root = merkle.root_from_inclusion(LEAVES[0], index, size, proof)
        merkle.verify_inclusion(LEAVES[0], index, size, proof, root)
    with pytest.raises(Rejected, match="bad_proof"):
        merkle.root_from_inclusion(LEAVES[0], size, size + 1, [merkle.EMPTY_ROOT])
