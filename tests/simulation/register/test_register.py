"""Publishers, members and custodians over a bad network, some of them hostile: all readers come to one register."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.simulation.register.hostile import Lie
from tests.simulation.register.keys import stand_ins
from tests.simulation.register.world import Outcome, World, live

SEEDS = int(os.environ.get("PAIZA_SIMULATE_SEEDS", "16"))
FIRST = int(os.environ.get("PAIZA_SIMULATE_SEED", "1"))
PARTS = 2  # the machines that run this have two processors


def live_all(seeds: Iterable[int], folder: Path) -> list[Outcome]:
    """Live through seeds; the first that does not end as it must names itself."""
    outcomes = []
    with stand_ins():
        for seed in seeds:
            try:
                outcomes.append(live(seed, folder))
            except BaseException as error:
                error.add_note(f"make simulate SEED={seed} SEEDS=1")
                raise
    return outcomes


@pytest.mark.timeout(600 + 20 * SEEDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_all_readers_come_to_one_register(part: int, tmp_path: Path) -> None:
    """Every seed ends as the register's rules say; and every lie was lived through."""
    outcomes = live_all(range(FIRST + part, FIRST + SEEDS, PARTS), tmp_path)
    assert all(outcome.versions for outcome in outcomes)
    if PARTS * len(Lie) <= SEEDS:
        lived = {outcome.lie for outcome in outcomes}
        assert lived == {each for at, each in enumerate(Lie) if at % PARTS == (FIRST + part) % PARTS}


@pytest.mark.parametrize("seed", range(len(Lie), 4 * len(Lie), len(Lie)))
def test_timestamp_is_renewed_while_publishers_are_away(seed: int, tmp_path: Path) -> None:
    """For two days one node after the other is away, the first publisher most of all: no timestamp gets old."""
    with stand_ins():
        outcome = live(seed, tmp_path, World.run_quietly)
    assert outcome.lie is Lie.NONE
