"""kill -9 of either node and of the database's processes, at random moments, under load, over and over.

`make kill` runs the long campaign; PAIZA_KILL_ROUNDS and PAIZA_KILL_SEED say how long and from which seed (else drawn).
Without them each run draws the same kills.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.federation import Federation
from tests.postgresql import PostgreSQL, PostgreSQLMissingError
from tests.system.campaign import Campaign

ROUNDS: Final = int(os.environ.get("PAIZA_KILL_ROUNDS", "10"))
DRAWN: Final = random.randrange(10**6) if "PAIZA_KILL_ROUNDS" in os.environ else 1
SEED: Final = int(os.environ.get("PAIZA_KILL_SEED", str(DRAWN)))
SECONDS_PER_ROUND: Final = 20  # a limit, not a measure: three to four is usual
MEMBERS: Final = ("kaz", "tjk")


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """Return a PostgreSQL server of the test's own, since it will be killed."""
    try:
        started = PostgreSQL.start()
    except PostgreSQLMissingError as missing:
        pytest.skip(f"no PostgreSQL here: {missing}")
    with started:
        yield started


@pytest.mark.timeout(600 + SECONDS_PER_ROUND * ROUNDS)
async def test_nothing_is_lost_or_delivered_twice_on_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nodes on SQLite that are killed under load deliver every accepted message exactly once."""
    await _campaign(Federation.create(tmp_path / "federation", MEMBERS), None, capsys)


@pytest.mark.timeout(600 + SECONDS_PER_ROUND * ROUNDS)
async def test_nothing_is_lost_or_delivered_twice_on_postgresql(
    tmp_path: Path, server: PostgreSQL, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nodes on PostgreSQL do so too, also when the database's own processes are killed."""
    databases = {member: server.create_database(member) for member in MEMBERS}
    await _campaign(Federation.create(tmp_path / "federation", MEMBERS, databases=databases), server, capsys)


async def _campaign(federation: Federation, server: PostgreSQL | None, capsys: pytest.CaptureFixture[str]) -> None:
    database = f"PostgreSQL {server.version}" if server else "SQLite"
    with federation:
        with capsys.disabled():
            print(f"\n{database}: seed {SEED} (PAIZA_KILL_SEED={SEED} draws the same kills again)")
        figures = await Campaign(federation, SEED, server).run(ROUNDS)
    with capsys.disabled():
        print(f"{database}: {figures}")
