"""The log's tree as tiles of 256 hashes (geometry of C2SP tlog-tiles): appending entries and producing proofs.

Tile ``(level, index)`` holds up to 256 hashes of 32 bytes; hash ``i`` of it is the root of the complete
subtree over the entries ``[(index * 256 + i) * 256**level, (index * 256 + i + 1) * 256**level)``. A tile only
grows at its end, so any stored width of at least the requested one is enough. The seven levels of hashes
between two tile levels are computed when a tile is loaded and kept with it; the roots along the right edge
are computed once per tree size, not once per proof.

Nothing is written here: `TileTree.append` returns the tiles to store, and the tree changes only in `TileTree.commit`.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Final, TypeAlias

from paiza_wire.errors import Unavailable
from paiza_wire.tlog.merkle import EMPTY_ROOT, HASH_BYTES, MAX_TREE_SIZE, node_hash

TILE_HEIGHT: Final = 8
"""Levels of the tree in one tile (C2SP tlog-tiles)."""

TILE_WIDTH: Final = 1 << TILE_HEIGHT
"""Hashes in a full tile."""

CACHED_TILES: Final = 128
"""Full tiles kept in memory, about 40 kB each: the last 32,000 entries, or 128 far apart, cost no reading."""

CACHED_SIZES: Final = 64
"""Tree sizes whose right edge is remembered, about 4 kB each: a batch needs one, a peer's growth two."""

ReadTile: TypeAlias = Callable[[int, int], bytes]
"""Returns the stored bytes of the tile at a level and index: the store's reader."""

_Levels: TypeAlias = list[list[bytes]]  # [height inside the tile][position], heights 0 to 8
_Edge: TypeAlias = list[bytes | None]  # [height]: root right of the last complete subtree


@dataclass(frozen=True, slots=True)
class TileBatch:
    """The result of one append: tiles to store, as (level, index, bytes), and the size and root after it.

    It applies to the tree of ``base_size`` only. A longer tile replaces the stored one.
    The last three fields are for `TileTree.commit` only.
    """

    base_size: int
    size: int
    root: bytes
    tiles: tuple[tuple[int, int, bytes], ...]
    last_tiles: list[_Levels] = field(repr=False)
    full_tiles: list[tuple[int, int, _Levels]] = field(repr=False)
    edge: _Edge = field(repr=False)


class TileTree:
    """The Merkle tree of one log, over tiles in a store; for one thread at a time.

    ``size`` is the number of entries whose tiles are stored. Memory is bounded by `CACHED_TILES` and
    `CACHED_SIZES`. A lost or truncated tile is ``Unavailable("log_damaged")``. A size beyond the tree is a
    programming error: the caller must check sizes from outside first.
    """

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        assert 0 <= size <= MAX_TREE_SIZE
        self._size = size
        self._read_tile = read_tile
        self._cache: OrderedDict[tuple[int, int], _Levels] = OrderedDict()
        self._edges: OrderedDict[int, _Edge] = OrderedDict()
        self._last_tiles: list[_Levels] = []
        while size:
            level, width = len(self._last_tiles), size % TILE_WIDTH
            size //= TILE_WIDTH
            self._last_tiles.append(self._load(level, size, width) if width else _new_levels())

    @property
    def size(self) -> int:
        """Number of entries in the tree."""
        return self._size

    def append(self, leaf_hashes: Sequence[bytes]) -> TileBatch:
        """Compute the changes of these entries without applying them, so that a transaction may fail."""
        assert all(len(leaf) == HASH_BYTES for leaf in leaf_hashes)
        size = self._size + len(leaf_hashes)
        assert size <= MAX_TREE_SIZE
        last_tiles = list(self._last_tiles)
        tiles: list[tuple[int, int, bytes]] = []
        full_tiles: list[tuple[int, int, _Levels]] = []
        arriving: Sequence[bytes] = leaf_hashes
        level = 0
        while arriving:
            index = self._size >> TILE_HEIGHT * (level + 1)
            current = [list(hashes) for hashes in last_tiles[level]] if level < len(last_tiles) else _new_levels()
            parents: list[bytes] = []
            taken = 0
            while taken < len(arriving):
                room = TILE_WIDTH - len(current[0])
                current[0].extend(arriving[taken : taken + room])
                taken += room
                _complete(current)
                tiles.append((level, index, b"".join(current[0])))
                if len(current[0]) == TILE_WIDTH:
                    parents.append(current[TILE_HEIGHT][0])
                    full_tiles.append((level, index, current))
                    current = _new_levels()
                    index += 1
            last_tiles[level : level + 1] = [current]
            arriving = parents
            level += 1
        edge = _right_edge(size, lambda tile_level, _: last_tiles[tile_level])
        return TileBatch(self._size, size, edge[-1] or EMPTY_ROOT, tuple(tiles), last_tiles, full_tiles, edge)

    def commit(self, batch: TileBatch) -> None:
        """Apply a batch whose tiles are stored; it must have been computed for the current tree."""
        assert batch.base_size == self._size
        self._size = batch.size
        self._last_tiles = batch.last_tiles
        for level, index, levels in batch.full_tiles[-CACHED_TILES:]:
            self._remember(level, index, levels)
        self._remember_edge(batch.size, batch.edge)

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the tree of this size, by default of all entries."""
        return self._edge(self._size if size is None else size)[-1] or EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Return PATH(index, D_size) of RFC 9162 §2.1.3.1, leaf's sibling first."""
        assert 0 <= index < size
        return self._siblings(index, size, (size - 1).bit_length())

    def inclusion_proofs(self, indices: Sequence[int], size: int) -> list[list[bytes]]:
        """Return the inclusion proof of each of these entries; neighbours are proven quicker together."""
        proofs: list[list[bytes]] = []
        last = 0
        for index in indices:
            height = (index ^ last).bit_length()  # of the smallest subtree that holds this entry and the last one
            if proofs and (index >> height) + 1 << height <= size:  # it is complete: above it both proofs are one
                proofs.append(self._siblings(index, size, height) + proofs[-1][height:])
            else:
                proofs.append(self.inclusion_proof(index, size))
            last = index
        return proofs

    def _siblings(self, index: int, size: int, heights: int) -> list[bytes]:
        """Return the first hashes of an inclusion proof: those of the lowest levels of the tree, of so many."""
        edge = self._edge(size)
        proof: list[bytes] = []
        levels: _Levels = []
        for height in range(heights):
            level, inner = divmod(height, TILE_HEIGHT)
            sibling = (index >> height) ^ 1
            last = size >> height  # position of the incomplete subtree, if there is one
            if sibling < last:
                if not levels:
                    levels = self._tile(level, sibling >> TILE_HEIGHT - inner)
                proof.append(levels[inner][sibling & (TILE_WIDTH >> inner) - 1])
            elif sibling == last and (tail := edge[height]) is not None:
                proof.append(tail)
            if inner == TILE_HEIGHT - 1:
                levels = []
        return proof

    def consistency_proof(self, size1: int, size2: int) -> list[bytes]:
        """Return PROOF(size1, D_size2) of RFC 9162 §2.1.4.1; empty where size1 is 0 or equals size2."""
        assert 0 <= size1 <= size2
        edge = self._edge(size2)
        if size1 in {0, size2}:
            return []
        proof: list[bytes] = []
        start, end = 0, size2
        while size1 != end:
            middle = start + (1 << (end - start - 1).bit_length() - 1)
            if size1 <= middle:
                proof.append(self._subtree(middle, end, edge))
                end = middle
            else:
                proof.append(self._subtree(start, middle, edge))
                start = middle
        if start:  # else the verifier has this subtree already: it is the old tree (b is true in the RFC)
            proof.append(self._subtree(start, end, edge))
        proof.reverse()
        return proof

    def _subtree(self, start: int, end: int, edge: _Edge) -> bytes:
        """Return the root over [start, end): a complete subtree, or all to the right of `start` in the edge's tree."""
        height = (end - start - 1).bit_length()
        if end - start == 1 << height:
            level, inner = divmod(height, TILE_HEIGHT)
            position = start >> height
            tile = self._tile(level, position >> TILE_HEIGHT - inner)
            return tile[inner][position & (TILE_WIDTH >> inner) - 1]
        tail = edge[height]
        assert tail is not None
        return tail

    def _edge(self, size: int) -> _Edge:
        assert 0 <= size <= self._size
        edge = self._edges.get(size)
        if edge is None:
            edge = _right_edge(size, self._tile)
            self._remember_edge(size, edge)
        return edge

    def _remember_edge(self, size: int, edge: _Edge) -> None:
        self._edges[size] = edge
        if len(self._edges) > CACHED_SIZES:
            self._edges.popitem(last=False)

    def _tile(self, level: int, index: int) -> _Levels:
        if index == self._size >> TILE_HEIGHT * (level + 1):
            return self._last_tiles[level]
        levels = self._cache.get((level, index))
        if levels is None:
            levels = self._load(level, index, TILE_WIDTH)
            self._remember(level, index, levels)
        else:
            self._cache.move_to_end((level, index))
        return levels

    def _remember(self, level: int, index: int, levels: _Levels) -> None:
        self._cache[level, index] = levels
        if len(self._cache) > CACHED_TILES:
            self._cache.popitem(last=False)

    def _load(self, level: int, index: int, width: int) -> _Levels:
        stored = self._read_tile(level, index)
        if len(stored) < width * HASH_BYTES or len(stored) % HASH_BYTES:
            raise Unavailable("log_damaged", f"tile {level}/{index} has {len(stored)} bytes for {width} hashes")
        levels = _new_levels()
        levels[0].extend(stored[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES))
        _complete(levels)
        return levels


def _new_levels() -> _Levels:
    return [[] for _ in range(TILE_HEIGHT + 1)]


def _complete(levels: _Levels) -> None:
    """Compute the hashes above the tile's own that are not there yet."""
    sha = sha256
    for lower, upper in pairwise(levels):
        upper.extend(
            [sha(b"\x01" + lower[at] + lower[at + 1]).digest() for at in range(2 * len(upper), len(lower) - 1, 2)]
        )


def _right_edge(size: int, tile: Callable[[int, int], _Levels]) -> _Edge:
    """Return for every height the root right of the last complete subtree; the last is the tree's root."""
    edge: _Edge = [None]
    tail: bytes | None = None
    for height in range(size.bit_length()):
        if size >> height & 1:
            level, inner = divmod(height, TILE_HEIGHT)
            position = (size >> height) - 1
            hashes = tile(level, position >> TILE_HEIGHT - inner)[inner]
            complete = hashes[position & (TILE_WIDTH >> inner) - 1]
            tail = complete if tail is None else node_hash(complete, tail)
        edge.append(tail)
    return edge
