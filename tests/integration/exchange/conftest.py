"""A real node, and a hostile peer and officers at its door."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from paiza_register import Register
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import Officer
from tests.registers import read_register


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run the node of kaz; the others exist only as keys."""
    folder = tmp_path_factory.mktemp("exchange") / "federation"
    with Federation.create(folder, ["kaz", "tjk", "uzb"]) as made:
        made.start("kaz")
        yield made


@pytest.fixture(scope="module")
def register(federation: Federation) -> Register:
    """Return the register of the federation."""
    return read_register(federation.folder)


@pytest.fixture(scope="module")
def folder(federation: Federation) -> Path:
    """Return the federation's folder."""
    return federation.folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer(federation: Federation, register: Register) -> AsyncIterator[HostilePeer]:
    """Return the hostile node of tjk; its log goes on from test to test, as the target remembers it."""
    hostile = HostilePeer(federation.folder, "tjk", federation.node("kaz"), register)
    async with hostile.channel:
        yield hostile


@pytest.fixture(scope="module")
def author(folder: Path, register: Register) -> Officer:
    """Return the liaison officer of tjk, who signs what the hostile node delivers."""
    return Officer(folder, "tjk-liaison", register)
