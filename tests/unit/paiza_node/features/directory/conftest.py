"""A federation of three members, and the node of one of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.paiza_node.features.ceremonies.ceremony_room import MEMBERS, CeremonyRoom
from tests.unit.paiza_register.ceremony.world import World


@pytest.fixture
def room(tmp_path: Path) -> Iterator[CeremonyRoom]:
    """The node of kaz, whose member has published no directory."""
    with CeremonyRoom(World(*MEMBERS, threshold=2), f"sqlite:///{tmp_path / 'paiza.db'}", tmp_path) as made:
        yield made
