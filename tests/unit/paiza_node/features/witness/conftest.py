"""Federations of members that witness each other's logs in one process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from paiza_node.core.storage import open_store
from tests.unit.paiza_node.features.witness.fleet import Fleet

FOUR = ("kaz", "kgz", "tjk", "uzb")

MakeFleet = Callable[..., Fleet]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of a database that is made but empty: to copy it is quicker than to make it again."""
    file = tmp_path_factory.mktemp("empty") / "paiza.db"
    open_store(f"sqlite:///{file}").close()
    return file.read_bytes()


@pytest.fixture
def make_fleet(tmp_path: Path, empty_database: bytes) -> Iterator[MakeFleet]:
    """Make members, each with a line to every other; all end with the test."""
    with ExitStack() as stack:

        def make(*members: str) -> Fleet:
            for member in members:
                (tmp_path / f"{member}.db").write_bytes(empty_database)
            return stack.enter_context(Fleet(tmp_path, members))

        yield make


@pytest.fixture
def fleet(make_fleet: MakeFleet) -> Fleet:
    """Return four members: each log has three witnesses, and needs all."""
    return make_fleet(*FOUR)
