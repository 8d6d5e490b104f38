"""The tiled tree: every small tree against the definitions of RFC 9162, growth, failure and bounded memory."""

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza_wire.errors import Unavailable
from paiza_wire.tlog import merkle
from paiza_wire.tlog.tiles import CACHED_SIZES, CACHED_TILES, TILE_WIDTH, TileBatch, TileTree

LARGEST = 300
"""Trees up to this size are checked exhaustively: past one full tile and its neighbour."""

LEAVES = [merkle.leaf_hash(b"entry %d" % number) for number in range(70_000)]


class Store:
    """Tiles in a dictionary, as a database would hold them."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reads = 0

    def read(self, level: int, index: int) -> bytes:
        """Return a stored tile, or nothing where it was lost."""
        self.reads += 1
        return self.tiles.get((level, index), b"")

    def write(self, batch: TileBatch) -> None:
        """Store what a batch changes."""
        self.tiles.update({(level, index): tile for level, index, tile in batch.tiles})


def grow(tree: TileTree, store: Store, leaves: list[bytes]) -> None:
    """Append, store and commit."""
    batch = tree.append(leaves)
    store.write(batch)
    tree.commit(batch)


def grown(size: int, step: int = 1000) -> tuple[TileTree, Store]:
    """Make a tree of this size in batches."""
    store = Store()
    tree = TileTree(0, store.read)
    for start in range(0, size, step):
        grow(tree, store, LEAVES[start : min(start + step, size)])
    return tree, store


@cache
def tree_hash(start: int, end: int) -> bytes:
    """MTH(D[start:end]) as RFC 9162 §2.1.1 defines it."""
    if end == start:
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


def test_every_root_of_small_trees_agrees() -> None:
    """Growing by single entries gives the reference's root at every size up to 300, now and looking back."""
    store = Store()
    tree = TileTree(0, store.read)
    assert tree.root() == merkle.EMPTY_ROOT
    for size in range(1, LARGEST + 1):
        grow(tree, store, LEAVES[size - 1 : size])
        assert (tree.size, tree.root()) == (size, tree_hash(0, size))
    assert [tree.root(size) for size in range(LARGEST + 1)] == [tree_hash(0, size) for size in range(LARGEST + 1)]


def test_every_inclusion_proof_of_small_trees_agrees() -> None:
    """The proof of every entry at every size up to 300 is the reference's."""
    tree, _ = grown(LARGEST)
    for size in range(1, LARGEST + 1):
        for index in range(size):
            assert tree.inclusion_proof(index, size) == path(index, 0, size)


@given(st.integers(1, 700), st.data())
def test_proofs_of_several_entries_are_those_of_each(size: int, data: st.DataObject) -> None:
    """Together, in any order and with repetitions, entries get the proofs that each gets by itself, in any tree."""
    tree, _ = grown(700)
    first = data.draw(st.integers(0, size - 1))
    indices = [*range(first, min(size, first + 9)), *data.draw(st.lists(st.integers(0, size - 1), max_size=9))]
    assert tree.inclusion_proofs(indices, size) == [tree.inclusion_proof(index, size) for index in indices]


def test_every_consistency_proof_of_small_trees_agrees() -> None:
    """The proof between any two sizes up to 300 is the reference's, and empty from nothing."""
    tree, _ = grown(LARGEST)
    for size2 in range(LARGEST + 1):
        assert tree.consistency_proof(0, size2) == []
        for size1 in range(1, size2 + 1):
            assert tree.consistency_proof(size1, size2) == subproof(size1, 0, size2, whole=True)


def test_proofs_across_three_tile_levels_agree() -> None:
    """In a tree of 70,000 entries, whose tiles have three levels, sampled proofs and roots are the reference's."""
    tree, store = grown(70_000, 7001)
    reopened = TileTree(70_000, store.read)
    draw = random.Random(9162)
    for _ in range(300):
        size = draw.choice([70_000, 65_536, 65_537, 65_535, draw.randint(1, 70_000)])
        index = draw.randrange(size)
        old = draw.randint(1, size)
        assert tree.inclusion_proof(index, size) == reopened.inclusion_proof(index, size) == path(index, 0, size)
        assert tree.consistency_proof(old, size) == subproof(old, 0, size, whole=True)
        assert reopened.root(size) == tree_hash(0, size)


@given(st.lists(st.integers(0, 600), max_size=8))
@settings(max_examples=40, deadline=None)
def test_the_tree_does_not_depend_on_the_batches(steps: list[int]) -> None:
    """Batches of any sizes leave the same tiles and root as one batch, also when reopened after each."""
    store = Store()
    size = 0
    for step in steps:
        tree = TileTree(size, store.read)
        grow(tree, store, LEAVES[size : size + step])
        size += step
        assert tree.root() == tree_hash(0, size)
    once, tiles = grown(size, size or 1)
    assert tiles.tiles == store.tiles
    assert once.root() == tree_hash(0, size)


def test_the_tiles_are_those_of_the_specification() -> None:
    """A tree of 70,000 entries has the tiles that C2SP tlog-tiles counts in its example."""
    _, store = grown(70_000, 70_000)
    widths = {place: len(tile) // merkle.HASH_BYTES for place, tile in store.tiles.items()}
    assert [widths.pop((0, 273)), widths.pop((1, 1)), widths.pop((2, 0))] == [112, 17, 1]
    assert set(widths) == {*((0, index) for index in range(273)), (1, 0)}
    assert set(widths.values()) == {256}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 65_536])
def test_an_append_that_is_not_committed_changes_nothing(size: int) -> None:
    """A batch that is computed, or even stored, but not committed leaves root and proofs unchanged."""
    tree, store = grown(size, 65_536)
    before = tree.root(), [tree.inclusion_proof(index, size) for index in range(0, size, 97)]
    store.write(tree.append(LEAVES[size : size + 700]))
    assert (tree.size, tree.root()) == (size, before[0])
    assert [tree.inclusion_proof(index, size) for index in range(0, size, 97)] == before[1]
    reopened = TileTree(size, store.read)
    assert reopened.root() == before[0]
    grow(tree, store, LEAVES[size : size + 300])
    assert tree.root() == tree_hash(0, size + 300)


def test_a_batch_for_another_size_is_not_committed() -> None:
    """Only one of two batches computed for one tree can be committed."""
    tree, store = grown(10)
    first, second = tree.append(LEAVES[10:11]), tree.append(LEAVES[11:12])
    store.write(first)
    tree.commit(first)
    with pytest.raises(AssertionError):
        tree.commit(second)


def test_a_lost_or_shortened_tile_is_reported() -> None:
    """A tile the store no longer has whole stops opening and proving, with the reason that names the damage."""
    _, store = grown(600)
    tree = TileTree(600, store.read)
    store.tiles[0, 0] = store.tiles[0, 0][:-32]
    with pytest.raises(Unavailable, match="log_damaged"):
        tree.inclusion_proof(3, 600)
    del store.tiles[0, 2]
    with pytest.raises(Unavailable, match="log_damaged"):
        TileTree(600, store.read)
    store.tiles[0, 2] = b"\x00" * (TILE_WIDTH * 32 + 1)
    with pytest.raises(Unavailable, match="log_damaged"):
        TileTree(600, store.read)


def test_recent_entries_are_proven_without_reading() -> None:
    """Proofs of the last 256 entries after their batch read nothing from the store."""
    tree, store = grown(5000, 256)
    store.reads = 0
    for index in range(5000 - 256, 5000):
        tree.inclusion_proof(index, 5000)
    assert store.reads == 0


def test_memory_is_bounded() -> None:
    """The caches stay within their limits for any number of proofs and sizes."""
    tree, _ = grown(70_000, 7000)
    for index in range(0, 70_000, 128):
        tree.inclusion_proof(index, 70_000 - index // 1024)
    assert len(tree._cache) == CACHED_TILES
    assert len(tree._edges) == CACHED_SIZES
