"""Hidden cells stay hidden: a naive reader who tries every table that fits the published figures learns none."""

from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from paiza_client.data.statistics.suppression import THRESHOLD, Cell, hidden

Counts = list[list[int]]
CAP = 6  # the naive reader tries no larger number: enough to see that a hidden cell can be another


def laid_out(counts: Counts) -> list[Cell]:
    """Return a table with its totals as cells: inner cells by row, then totals of rows, of columns, of all."""
    columns = [sum(line[place] for line in counts) for place in range(len(counts[0]))]
    cells = [
        Cell(("r", i), ("c", j), count, count, count * 7)
        for i, line in enumerate(counts)
        for j, count in enumerate(line)
    ]
    cells += [Cell("C", ("r", i), sum(line), sum(line), sum(line) * 7) for i, line in enumerate(counts)]
    cells += [Cell(("c", j), "R", total, total, total * 7) for j, total in enumerate(columns)]
    return [*cells, Cell("R", "C", sum(columns), sum(columns), sum(columns) * 7)]


def figures(counts: Counts) -> list[int]:
    """Return all figures of a table in the same order."""
    return [cell.count for cell in laid_out(counts)]


def possible(counts: Counts, secret: frozenset[int]) -> list[set[int]]:
    """Try every table that agrees with all published figures; give what each figure can be."""
    published = {place: value for place, value in enumerate(figures(counts)) if place not in secret}
    inner = [value for line in counts for value in line]
    choices = [range(1, CAP + 1) if place in secret else [value] for place, value in enumerate(inner)]
    found: list[set[int]] = [set() for _ in figures(counts)]
    width = len(counts[0])
    for values in product(*choices):
        tried = figures([list(values[start : start + width]) for start in range(0, len(values), width)])
        if all(tried[place] == value for place, value in published.items()):
            for place, value in enumerate(tried):
                found[place].add(value)
    return found


tables = st.sampled_from([(2, 2), (2, 3), (3, 2)]).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, 4), min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0]
    )
)


@settings(max_examples=30, deadline=None)
@given(tables)
def test_no_hidden_figure_can_be_worked_out(counts: Counts) -> None:
    """Every small figure is hidden, and every hidden one could be another number, a small one also a large one."""
    secret = hidden(laid_out(counts))
    values = figures(counts)
    assert {place for place, value in enumerate(values) if 0 < value < THRESHOLD} <= secret
    assert not {place for place, value in enumerate(values) if value == 0} & secret
    can_be = possible(counts, secret)
    for place in secret:
        assert len(can_be[place]) > 1, (counts, secret)
        if values[place] < THRESHOLD:
            assert max(can_be[place]) >= THRESHOLD, (counts, secret)


def test_a_single_hidden_cell_draws_others_with_it() -> None:
    """One small cell alone would follow from the totals of its row and its column: the cheapest ring is hidden."""
    secret = hidden(laid_out([[1, 10, 20], [30, 40, 50], [60, 70, 80]]))
    assert secret == {0, 1, 3, 4}


def test_two_small_cells_of_one_row_need_more_than_each_other() -> None:
    """Two cells of which the total is two are one each: a ring through larger ones is hidden as well."""
    assert len(hidden(laid_out([[1, 1, 40], [1, 1, 50], [60, 70, 80]]))) > 4


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    """A table of large numbers and of none is published whole."""
    assert hidden(laid_out([[3, 0], [0, 4]])) == frozenset()
    assert hidden([]) == frozenset()


def test_a_table_of_one_small_number_is_hidden_whole() -> None:
    """The totals of a single case are hidden too."""
    assert hidden(laid_out([[1]])) == {0, 1, 2, 3}


def test_kilograms_that_counts_would_not_protect_are_protected() -> None:
    """More cells are hidden if a count's kilograms could be derived."""
    counts = [[1, 10, 20], [30, 40, 50], [60, 70, 80]]
    weights = [[0 if column == 1 else 1000 for column in range(3)] for _row in range(3)]
    weighed = [
        replace(cell, total=weight.count) for cell, weight in zip(laid_out(counts), laid_out(weights), strict=True)
    ]
    assert hidden([replace(cell, total=0) for cell in weighed]) == {0, 1, 3, 4}
    assert hidden(weighed) > {0, 1, 3, 4}
