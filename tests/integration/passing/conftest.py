"""Four real nodes: kaz writes, tjk passes on, uzb and kgz did not get it from kaz."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza_register import Register
from tests.federation import Federation
from tests.integration.passing.desk import Desk
from tests.registers import read_register

MEMBERS = ("kaz", "tjk", "uzb", "kgz")


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run the four nodes."""
    with Federation.create(tmp_path_factory.mktemp("passing") / "f", MEMBERS) as federation:
        federation.start()
        yield federation
        federation.stop()


@pytest.fixture(scope="module")
def register(federation: Federation) -> Register:
    """Return the register of the federation."""
    return read_register(federation.folder)


@pytest.fixture
def unit_directory(federation: Federation, register: Register) -> dict[str, Desk]:
    """Return a desk in every member, with its officers by role."""
    return {member: Desk(federation.folder, member, register) for member in MEMBERS}


@pytest.fixture(scope="module")
def folder(federation: Federation) -> Path:
    """Return the federation's folder."""
    return federation.folder
