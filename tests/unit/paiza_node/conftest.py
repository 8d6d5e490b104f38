"""Databases for the node's tests: every test that asks for `database_url` runs on SQLite and on PostgreSQL."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plans import Plans
from tests.postgresql import PostgreSQL, postgresql
from tests.unit.paiza_node.office import Office

__all__ = ["postgresql"]

_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'paiza.db'}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = f"test{next(_numbers)}"
    yield server.create_database(name)
    server.drop_database(name)  # a thousand of them take 10 GB, and a minute to remove


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """The node of a minted member without officers."""
    with Office(f"sqlite:///{tmp_path / 'office.db'}") as found:
        yield found


@pytest.fixture(scope="session")
def plans_in_transactions() -> Iterator[Plans]:
    """The plans of all statements that the tests of this process run in write transactions."""
    found = Plans()
    with found.followed():
        yield found


@pytest.fixture(autouse=True)
def _rows_found_by_key(plans_in_transactions: Plans) -> Iterator[None]:
    """Fail the test that first runs a statement in a write transaction that reads through a table."""
    yield
    refused, plans_in_transactions.refused = plans_in_transactions.refused, []
    assert not refused, "\n\n".join(refused)
