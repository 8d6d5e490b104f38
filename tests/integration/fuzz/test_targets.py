"""A minute of fuzzing with a fixed source of randomness; `make fuzz` runs the same targets for long, by coverage."""

from collections.abc import Iterator, Mapping
from random import Random

import pytest

from tests.fuzz.names import NAMES
from tests.fuzz.target import Target
from tests.fuzz.targets import World


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Target]]:
    """All targets, whose seeds are made of one federation."""
    with World(tmp_path_factory.mktemp("fuzz")) as world:
        yield {target.name: target for target in world.targets()}


def test_every_target_is_named(targets: Mapping[str, Target]) -> None:
    """`make fuzz` runs every target there is."""
    assert sorted(targets) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_only_declared_refusals_come_out(targets: Mapping[str, Target], name: str) -> None:
    """Valid inputs are accepted; changed ones are accepted or refused as declared, in time, by all implementations."""
    target = targets[name]
    target.check_seeds()
    target.drive(Random(name), target.executions)
