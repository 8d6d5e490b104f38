"""Suppression of small cells, so that they can neither be read nor derived from totals.

A table with its totals is a circulation: every cell is a flow from its row to its column, a row's total flows into the
row, a column's out of it, the grand total closes the ring. Who knows the published cells knows the hidden ones up to
rings of hidden cells: each can be whatever it could be raised or lowered to along such rings, without any hidden cell
falling below the least it can be. Cells are hidden, the smallest first, until every hidden cell has a range:

1. What is small (fewer than `THRESHOLD` notices, and not none) is hidden.
2. A small hidden count must be possible as large as `THRESHOLD`; a larger one must have another possible value.
3. A hidden sum (kilograms) must not be known better than to `PRECISION` of it.

Totals are cells like others. Not prevented: putting several tables of the same records together.
"""

import heapq
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from math import ceil
from typing import Final

THRESHOLD: Final = 3  # notices: fewer than this in a cell may show a person (domain: handling)
PRECISION: Final = Fraction(1, 10)

Node = Hashable


@dataclass(frozen=True, slots=True)
class Cell:
    """One flow from row to column. ``count`` and ``total`` (the sum) add up; ``notices`` says whether it is small."""

    tail: Node
    head: Node
    count: int
    notices: int
    total: int = 0


@dataclass(frozen=True, slots=True)
class _Layer:
    """One figure of all cells: its values, the least a hidden one can be, and the range that each must have hidden.

    ``upward``: the range must lie above the value, as for a count that must not be known to be small.
    """

    values: Sequence[int]
    least: int
    wanted: Sequence[int]
    upward: Sequence[bool]


def hidden(cells: Sequence[Cell]) -> frozenset[int]:
    """Return the places of the cells to hide. Cells of nothing are never hidden: nothing is no small number."""
    chosen = {place for place, cell in enumerate(cells) if 0 < cell.notices < THRESHOLD}
    small = [cell.count < THRESHOLD for cell in cells]
    counts = _Layer([each.count for each in cells], 1, [max(THRESHOLD - each.count, 1) for each in cells], small)
    sums = _Layer(
        [each.total for each in cells], 0, [ceil(each.total * PRECISION) for each in cells], [False] * len(cells)
    )
    waiting = sorted(chosen, key=lambda place: (cells[place].count, place))
    while waiting:
        place = waiting.pop(0)
        for layer in (counts, sums):
            while not _protected(cells, layer, chosen, place):
                added = _cheapest_ring(cells, layer, chosen, place)
                chosen |= added
                waiting += sorted(added - set(waiting))
    # What was added later only widens what was judged before: a further hidden cell adds cycles and removes none.
    return frozenset(chosen)


def _protected(cells: Sequence[Cell], layer: _Layer, chosen: Iterable[int], place: int) -> bool:
    """Return whether what a hidden cell can be is range enough."""
    wanted = layer.wanted[place]
    if wanted == 0:
        return True
    values = {each: layer.values[each] for each in chosen}
    found = _shift(cells, values, layer.least, place, wanted, up=True)
    if found < wanted and not layer.upward[place]:
        values = {each: layer.values[each] for each in chosen}
        found += _shift(cells, values, layer.least, place, wanted - found, up=False)
    return found >= wanted


def _shift(cells: Sequence[Cell], values: dict[int, int], least: int, place: int, enough: int, *, up: bool) -> int:
    """Raise (or lower) a hidden cell by up to ``enough`` in ``values``, the published ones fixed; give by how much."""
    shifted = 0
    while shifted < enough:
        ring = _ring(cells, values, least, place, {}, up=up)
        if ring is None:
            break
        step = min([enough - shifted, *(values[each] - least for each, raised in ring if not raised)])
        if step <= 0:
            break
        for each, raised in ring:
            values[each] += step if raised else -step
        shifted += step
    return shifted


def _cheapest_ring(cells: Sequence[Cell], layer: _Layer, chosen: set[int], place: int) -> set[int]:
    """Find the cells to hide besides, so that the cell can rise further: those of the ring with the least in them."""
    # The rings that hidden cells have already are used up first: what is looked for is a further one.
    values = {each: layer.values[each] for each in chosen}
    _shift(cells, values, layer.least, place, layer.wanted[place], up=True)
    values |= {each: layer.values[each] for each, cell in enumerate(cells) if cell.count and each not in chosen}
    costs = {each: 0 if each in chosen else cells[each].count for each in values}
    ring = _ring(cells, values, layer.least, place, costs, up=True)
    added = {each for each, _raised in ring or ()} - chosen
    # A ring always exists: the column's total, the grand total and the row's total close one round every cell.
    return added or {each for each in values if each not in chosen}


def _ring(
    cells: Sequence[Cell], values: Mapping[int, int], least: int, place: int, costs: Mapping[int, int], *, up: bool
) -> list[tuple[int, bool]] | None:
    """Find the cheapest ring that raises (or lowers) the cell, as (cell, raised?); None where there is none."""
    if not up and values[place] <= least:
        return None
    arcs: dict[Node, list[tuple[Node, int, bool]]] = {}
    for each, value in values.items():
        if each == place:
            continue
        arcs.setdefault(cells[each].tail, []).append((cells[each].head, each, True))
        if value > least:
            arcs.setdefault(cells[each].head, []).append((cells[each].tail, each, False))
    start, end = (cells[place].head, cells[place].tail) if up else (cells[place].tail, cells[place].head)
    best: dict[Node, int] = {start: 0}
    came: dict[Node, tuple[Node, int, bool]] = {}
    order = count()
    queue: list[tuple[int, int, Node]] = [(0, next(order), start)]
    while queue:
        cost, _order, node = heapq.heappop(queue)
        if node == end:
            break
        if cost > best[node]:
            continue
        for following, each, raised in arcs.get(node, ()):
            reached = cost + costs.get(each, 0)
            if following not in best or reached < best[following]:
                best[following], came[following] = reached, (node, each, raised)
                heapq.heappush(queue, (reached, next(order), following))
    if end not in best:
        return None
    ring: list[tuple[int, bool]] = []
    node = end
    while node != start:
        node, each, raised = came[node]
        ring.append((each, raised))
    return [(place, up), *reversed(ring)]
