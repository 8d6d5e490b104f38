"""A federation of three members, and the node of one of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza_trust import dev
from tests.unit.paiza_node.features.ceremonies.ceremony_room import MEMBERS, CeremonyRoom, Federation


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a federation."""
    folder = tmp_path_factory.mktemp("ceremonies") / "federation"
    dev.create(folder, MEMBERS)
    return folder


@pytest.fixture
def federation(founded: Path) -> Federation:
    """Its register and keys."""
    return Federation(founded)


@pytest.fixture
def room(federation: Federation, tmp_path: Path) -> Iterator[CeremonyRoom]:
    """The node of kaz."""
    with CeremonyRoom(federation, f"sqlite:///{tmp_path / 'paiza.db'}", tmp_path) as made:
        yield made
