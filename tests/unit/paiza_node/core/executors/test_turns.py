"""Turns between callers: nobody starves, and what one caller sends stays in order."""

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_node.core.caller import CallerKey
from paiza_node.core.executors.turns import Turns
from paiza_wire.errors import Unavailable

CALLERS = [CallerKey("officer", name) for name in "abcde"]
MOST_COST = 256

acts = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(CALLERS), st.integers(1, MOST_COST)),
        st.tuples(st.just("take"), st.just(CALLERS[0]), st.just(0)),
    ),
    max_size=200,
)


@given(acts)
def test_each_callers_work_keeps_its_order_and_none_is_lost(acts: Sequence[tuple[str, CallerKey, int]]) -> None:
    """Whatever comes and goes, each caller's pieces are taken in the order in which they were put."""
    turns: Turns[int] = Turns(most=1000, most_of_one=1000)
    put: dict[CallerKey, list[int]] = defaultdict(list)
    taken: dict[CallerKey, list[int]] = defaultdict(list)
    for number, (act, caller, cost) in enumerate(acts):
        if act == "put":
            turns.put(caller, number)
            put[caller].append(number)
        elif (turn := turns.take()) is not None:
            taken[turn[0]].append(turn[1])
            turns.charge(turn[0], cost)
    while (turn := turns.take()) is not None:
        taken[turn[0]].append(turn[1])
    assert taken == put
    assert len(turns) == 0


@given(acts, st.integers(1, MOST_COST))
def test_who_comes_waits_for_one_piece_of_each_other_caller(
    acts: Sequence[tuple[str, CallerKey, int]], cost: int
) -> None:
    """A caller of whom nothing waited, and who owes nothing, is served after at most one piece of each other."""
    turns: Turns[int] = Turns(most=1000, most_of_one=1000)
    costs: dict[int, int] = {}
    for number, (act, caller, each) in enumerate(acts):
        if act == "put":
            turns.put(caller, number)
            costs[number] = each
        elif (turn := turns.take()) is not None:
            turns.charge(turn[0], costs[turn[1]])
    newcomer = CallerKey("peer", "tjk")
    turns.put(newcomer, -1)
    before: list[CallerKey] = []
    while (turn := turns.take()) is not None and turn[0] != newcomer:
        before.append(turn[0])
        turns.charge(turn[0], costs[turn[1]])
        for caller in CALLERS:  # all others go on as fast as they can
            turns.put(caller, 1000)
            costs[1000] = cost
    assert turn is not None
    assert len(before) == len(set(before))


@given(st.lists(st.integers(1, MOST_COST), min_size=2, max_size=5))
def test_callers_who_always_want_more_get_equal_amounts(costs: list[int]) -> None:
    """Who sends large pieces gets as much as who sends small ones, but for one piece."""
    turns: Turns[int] = Turns(most=100_000, most_of_one=100_000)
    served: dict[CallerKey, int] = dict.fromkeys(CALLERS[: len(costs)], 0)
    for caller in served:
        turns.put(caller, 0)
    for _ in range(500):
        turn = turns.take()
        assert turn is not None
        caller = turn[0]
        cost = costs[CALLERS.index(caller)]
        turns.charge(caller, cost)
        served[caller] += cost
        turns.put(caller, 0)
    assert max(served.values()) - min(served.values()) <= 2 * max(costs)


def test_waiting_work_is_bounded_for_one_caller_and_in_all() -> None:
    """More of one caller is refused while another's is accepted, until there is too much in all."""
    turns: Turns[int] = Turns(most=3, most_of_one=2)
    turns.put(CALLERS[0], 1)
    turns.put(CALLERS[0], 2)
    with pytest.raises(Unavailable, match="busy"):
        turns.put(CALLERS[0], 3)
    turns.put(CALLERS[1], 1)
    with pytest.raises(Unavailable, match="busy"):
        turns.put(CALLERS[2], 1)


def test_callers_that_are_passed_over_keep_their_turn() -> None:
    """Nothing is taken of a caller that is passed over; it is the next once it is not."""
    turns: Turns[int] = Turns(most=10, most_of_one=10)
    for caller in CALLERS[:2]:
        turns.put(caller, 1)
    assert turns.take([CALLERS[0]]) == (CALLERS[1], 1)
    turns.charge(CALLERS[1], 1)
    turns.put(CALLERS[1], 2)
    assert turns.take(CALLERS) is None
    assert turns.take() == (CALLERS[0], 1)
