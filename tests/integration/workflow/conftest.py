"""A federation of three real nodes and a desk at each."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.federation import Federation
from tests.integration.workflow.desk import Desk
from tests.officer import Officer
from tests.registers import read_register

MEMBERS = ("kaz", "tjk", "uzb")


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Three members whose nodes run."""
    with Federation.create(tmp_path / "f", MEMBERS) as made:
        made.start()
        yield made


@pytest_asyncio.fixture
async def unit_directory(federation: Federation) -> AsyncIterator[Mapping[str, Desk]]:
    """Return a desk at each node."""
    register = read_register(federation.folder)
    async with AsyncExitStack() as stack:
        made = {}
        for member in MEMBERS:
            liaison = Officer(federation.folder, f"{member}-liaison", register)
            auditor = Officer(federation.folder, f"{member}-auditor", register)
            channel = await stack.enter_async_context(liaison.channel())
            audit = await stack.enter_async_context(auditor.channel())
            made[member] = Desk(federation.folder, member, register, channel, audit)
        yield made
