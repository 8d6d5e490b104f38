"""RFC 9162 §2.1: the hashes of the log's tree, and the verification of inclusion and consistency proofs.

Only verification is here; `paiza_wire.tlog.tiles` produces proofs. Any invalid proof is ``Rejected("bad_proof")``:
numbers and hashes come from the other side, so no value may raise another error.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from paiza_wire.errors import Rejected

HASH_BYTES: Final = 32
"""Length of every hash of the tree: SHA-256."""

MAX_TREE_SIZE: Final = 2**63 - 1
"""Entries a tree may have: every store holds this in a signed integer; no proof exceeds 64 hashes."""

EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the tree without entries (RFC 9162 §2.1.1)."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash one log entry: SHA-256(0x00 ‖ entry), RFC 9162 §2.1.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent: SHA-256(0x01 ‖ left ‖ right), RFC 9162 §2.1.1."""
    return sha256(b"\x01" + left + right).digest()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the tree of this size and root holds this leaf hash at this index (RFC 9162 §2.1.3.2).

    The root must itself be verified, by the signature of the checkpoint it comes from.
    """
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise Rejected("bad_proof", "the inclusion proof leads to another root")


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root of an inclusion proof (RFC 9162 §2.1.3.2); compare it with a verified root."""
    return _inclusion_path(leaf, index, size, proof)[-1]


class InclusionVerifier:
    """Verifies inclusion proofs in one tree, as `verify_inclusion` does. For one thread at a time.

    The proofs of neighbours differ in their first hashes only. If a complete subtree holds both an entry and the one
    verified before it, the entry is proven to the root of that subtree, and the hashes above are compared.
    """

    def __init__(self, size: int, root: bytes) -> None:
        """Store the tree. Its root must itself be verified, by the signature of the checkpoint it comes from."""
        self._size = size
        self._root = root
        self._index = 0  # of the entry verified last
        self._proof: list[bytes] = []
        self._path: list[bytes] = []  # from its leaf hash to the root; empty if none was verified

    def verify(self, leaf: bytes, index: int, proof: Iterable[bytes]) -> None:
        """Check that the tree holds this leaf hash at this index; ``Rejected("bad_proof")`` otherwise."""
        hashes = list(proof)
        height = (index ^ self._index).bit_length()  # of the smallest subtree that holds this entry and the last one
        above: list[bytes] = []
        is_complete = index >= 0 and (index >> height) + 1 << height <= self._size
        if self._path and is_complete and hashes[height:] == self._proof[height:]:
            path = _inclusion_path(leaf, index & (1 << height) - 1, 1 << height, hashes[:height])
            root, above = self._path[height], self._path[height + 1 :]
        else:
            path, root = _inclusion_path(leaf, index, self._size, hashes), self._root
        if path[-1] != root:
            raise Rejected("bad_proof", "the inclusion proof leads to another root")
        self._index, self._proof, self._path = index, hashes, path + above


def _inclusion_path(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> list[bytes]:
    """Return the hashes from a leaf up to the root of an inclusion proof: one more than the proof has."""
    if not 0 <= index < size <= MAX_TREE_SIZE:
        raise Rejected("bad_proof", "the index is not below the size, or the size exceeds the limit")
    # Below `inner` levels the path to the leaf and the path to the last leaf run apart: there is a sibling on
    # every level, on the side the index bit says. Above, the path runs along the right edge: only the
    # one-bits have a sibling, on the left.
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise Rejected("bad_proof", "the inclusion proof has not the length the index and size require")
    if len(leaf) != HASH_BYTES:
        raise Rejected("bad_proof", "the leaf hash is not 32 bytes long")
    digest = leaf
    path = [leaf]
    bits = index & ((1 << inner) - 1) | -1 << inner
    sha = sha256
    for sibling in proof:
        if len(sibling) != 32:  # noqa: PLR2004 - HASH_BYTES; a literal is quicker in this loop
            raise Rejected("bad_proof", "a hash of the proof is not 32 bytes long")
        digest = sha(b"\x01" + sibling + digest if bits & 1 else b"\x01" + digest + sibling).digest()
        path.append(digest)
        bits >>= 1
    return path


def split_hashes(joined: bytes) -> list[bytes]:
    """Split the stored bytes of a proof into its hashes."""
    return [joined[first : first + HASH_BYTES] for first in range(0, len(joined), HASH_BYTES)]


def verify_consistency(size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of size2 and root2 begins with the tree of size1 and root1 (RFC 9162 §2.1.4.2).

    RFC 9162 leaves consistency with size 0 undefined; here, as in C2SP tlog-witness, it needs the empty tree's
    root and an empty proof. Equal sizes need equal roots and an empty proof.
    """
    if not 0 <= size1 <= size2 <= MAX_TREE_SIZE:
        raise Rejected("bad_proof", "the tree sizes run backwards or exceed the limit")
    if size1 == 0 and root1 != EMPTY_ROOT:
        raise Rejected("bad_proof", "the root of size 0 is not that of the empty tree")
    if size1 == size2 and root1 != root2:
        raise Rejected("bad_proof", "one size has two roots")
    if size1 in {0, size2}:
        if proof:
            raise Rejected("bad_proof", "the consistency proof must be empty")
        if size1 != size2 and len(root2) != HASH_BYTES:
            raise Rejected("bad_proof", "the root is not 32 bytes long")
        return
    if any(len(digest) != HASH_BYTES for digest in proof):
        raise Rejected("bad_proof", "a hash of the proof is not 32 bytes long")
    if _roots_from_consistency(size1, root1, size2, proof) != (root1, root2):
        raise Rejected("bad_proof", "the consistency proof leads to other roots")


def prefix_root(size1: int, size2: int, root2: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that the tree of size2 and root2 has at size1 by its own consistency proof (RFC 9162 §2.1.4.2).

    ``Rejected("bad_proof")`` if the proof does not lead to root2, or if size1 is a power of two: such a proof leaves
    that root out.
    """
    if not 0 < size1 < size2 <= MAX_TREE_SIZE or size1 & (size1 - 1) == 0:
        raise Rejected("bad_proof", "the sizes do not let the proof tell the smaller root")
    if any(len(digest) != HASH_BYTES for digest in proof):
        raise Rejected("bad_proof", "a hash of the proof is not 32 bytes long")
    root1, found = _roots_from_consistency(size1, b"", size2, proof)
    if found != root2:
        raise Rejected("bad_proof", "the consistency proof leads to another root")
    return root1


def _roots_from_consistency(size1: int, root1: bytes, size2: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Rebuild both roots from the proof, for 0 < size1 < size2 (RFC 9162 §2.1.4.2; old and new are fn and sn)."""
    # A power of two is itself a node of the larger tree, so the proof leaves it out.
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else proof
    if not path:
        raise Rejected("bad_proof", "the consistency proof is empty")
    old, new = size1 - 1, size2 - 1
    while old & 1:
        old >>= 1
        new >>= 1
    old_root = new_root = path[0]
    for digest in path[1:]:
        if new == 0:
            raise Rejected("bad_proof", "the consistency proof is too long")
        if old & 1 or old == new:
            old_root = node_hash(digest, old_root)
            new_root = node_hash(digest, new_root)
            while old and not old & 1:
                old >>= 1
                new >>= 1
        else:
            new_root = node_hash(new_root, digest)
        old >>= 1
        new >>= 1
    if new != 0:
        raise Rejected("bad_proof", "the consistency proof is too short")
    return old_root, new_root
