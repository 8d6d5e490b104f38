"""Many nodes, a network that loses, repeats and reorders, crashes, machines that come back old, and one that lies.

Every log changes its key on the way, and the liar holds the abandoned ones.
"""

import asyncio
import os
from collections.abc import Iterable

import pytest

from tests.simulation.lies import ANSWERED, Lie
from tests.simulation.world import DETECTION_ROUNDS, Outcome, World

SEEDS = int(os.environ.get("PAIZA_SIMULATE_SEEDS", "28"))
FIRST = int(os.environ.get("PAIZA_SIMULATE_SEED", "1"))
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


@pytest.mark.timeout(600 + 20 * SEEDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_liars_are_found_and_nobody_else(part: int) -> None:
    """Every seed ends as the protocol says; and every lie was lived through, so that no end went untried."""
    outcomes = live(range(FIRST + part, FIRST + SEEDS, PARTS))
    for outcome in outcomes:
        codes = {code for found in outcome.misbehaviour.values() for code in found}
        if outcome.lie in ANSWERED and outcome.contradicted:
            assert outcome.rounds <= DETECTION_ROUNDS + outcome.refused
            assert codes == {"log_forked"}
    if len(outcomes) >= len(Lie):
        assert sum(outcome.forged for outcome in outcomes)
        assert {outcome.lie for outcome in outcomes} == set(Lie)
