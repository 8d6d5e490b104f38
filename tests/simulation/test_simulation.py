"""Many nodes, a network that loses, repeats and reorders, crashes, machines that come back old, and one that lies."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.simulation.lies import ANSWERED, Lie
from tests.simulation.world import CONVICTING_ROUNDS, Outcome, World

SEEDS = int(os.environ.get("PAIZA_SIMULATE_SEEDS", "24"))
FIRST = int(os.environ.get("PAIZA_SIMULATE_SEED", "1"))
ENOUGH = 200  # seeds of which it is asked that every lie and every end was among them
PARTS = 2  # the machines that run this have two processors


def live(seeds: Iterable[int]) -> list[Outcome]:
    """Live through seeds; the first that does not end as it must names itself."""
    outcomes = []
    for seed in seeds:
        try:
            outcomes.append(asyncio.run(World(seed).run()))
        except BaseException as error:
            error.add_note(f"make simulate SEED={seed} SEEDS=1")
            raise
    return outcomes


@pytest.mark.timeout(60 + 20 * SEEDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_liars_are_convicted_and_nobody_else(part: int) -> None:
    """Every seed ends as the protocol says; and over all of them, every kind of end was seen, so that none is empty."""
    outcomes = live(range(FIRST + part, FIRST + SEEDS, PARTS))
    if len(outcomes) < ENOUGH:
        return
    lived = Counter(outcome.lie for outcome in outcomes)
    assert set(lived) == set(Lie)
    contradicted = [outcome for outcome in outcomes if outcome.lie in ANSWERED and outcome.contradicted]
    assert len(contradicted) >= sum(lived[lie] for lie in ANSWERED) // 3, "a lie that nobody was told shows nothing"
    assert all(outcome.rounds <= CONVICTING_ROUNDS + outcome.refused for outcome in contradicted)
    assert any(outcome.rollbacks for outcome in outcomes)
    codes = {code for outcome in outcomes for found in outcome.convictions.values() for code in found}
    assert codes == {"log_forked", "log_in_default", "log_stale"}
