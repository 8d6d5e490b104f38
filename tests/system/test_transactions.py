"""Whole nodes that do everything once: no statement in their write transactions reads through a table that grows."""

import gc
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.plans import Plans
from tests.postgresql import PostgreSQL, PostgreSQLMissingError
from tests.scenario import MEMBERS, played


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Iterator[Mapping[str, str]]:
    """The members' databases of each kind; skipped, with the reason, where there is no PostgreSQL."""
    if request.param == "sqlite":
        yield {}
        return
    try:
        server = PostgreSQL.start()
    except PostgreSQLMissingError as error:
        pytest.skip(str(error))
    with server:
        yield {member: server.create_database(member) for member in MEMBERS}


async def test_every_transaction_finds_its_rows_by_key(tmp_path: Path, databases: Mapping[str, str]) -> None:
    """Whatever the nodes do, from a submission to an erasure, its transactions read no more the more is stored."""
    plans = Plans()
    with plans.followed():
        async with played(tmp_path / "f", databases):
            pass
    gc.collect()
    assert not plans.refused, "\n\n".join(plans.refused)
    assert plans.explained > 100
