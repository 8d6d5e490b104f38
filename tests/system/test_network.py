"""The network between two nodes, cut and restored, and a node that is there but does not move."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.federation import Federation, free_ports
from tests.system.campaign import Campaign
from tests.system.load import run_all
from tests.system.proxy import Proxy

CUTS: Final = 4
BETWEEN_SECONDS: Final = (0.2, 0.8)
FROZEN_SECONDS: Final = 3.0
SEED: Final = 1  # every run draws the same pauses


@pytest_asyncio.fixture
async def wire(tmp_path: Path) -> AsyncIterator[tuple[Federation, Proxy]]:
    """Run two nodes; what others send to tjk goes over a stretch of network that the test owns."""
    federation = Federation.create(tmp_path / "federation", ["kaz", "tjk"])
    node = federation.node("tjk")
    published = int(node.address.rpartition(":")[2])
    node.configure(listen=f"127.0.0.1:{free_ports(1)}")
    with federation:
        async with Proxy(published, node.address) as proxy:
            yield federation, proxy


@pytest.mark.parametrize("weather", ["cut", "half_close", "stall"])
async def test_network_that_fails_and_comes_back_loses_nothing(wire: tuple[Federation, Proxy], weather: str) -> None:
    """Connections reset, half closed or silent in mid-delivery leave each message delivered once, receipts and all."""
    federation, proxy = wire
    campaign, drawn = Campaign(federation, SEED), random.Random(SEED)
    stop, hurry = asyncio.Event(), asyncio.Event()
    hurry.set()
    await asyncio.to_thread(federation.start)
    working = asyncio.create_task(run_all(campaign.submitters, stop, hurry))
    for _ in range(CUTS):
        await asyncio.sleep(drawn.uniform(*BETWEEN_SECONDS))
        getattr(proxy, weather)()
        await asyncio.sleep(drawn.uniform(*BETWEEN_SECONDS))
        proxy.mend()
    stop.set()
    await working
    figures = await campaign.finish()
    assert figures.messages
    assert proxy.connections


async def test_node_that_does_not_move_for_a_while_loses_nothing(wire: tuple[Federation, Proxy]) -> None:
    """A node frozen for seconds under load (SIGSTOP) goes on where it was; what waited is delivered once."""
    federation, _ = wire
    campaign, drawn = Campaign(federation, SEED), random.Random(SEED)
    stop, hurry = asyncio.Event(), asyncio.Event()
    hurry.set()
    await asyncio.to_thread(federation.start)
    working = asyncio.create_task(run_all(campaign.submitters, stop, hurry))
    for node in federation.nodes.values():
        await asyncio.sleep(drawn.uniform(*BETWEEN_SECONDS))
        os.kill(node.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_SECONDS)
        finally:
            os.kill(node.pid, signal.SIGCONT)
    stop.set()
    await working
    assert (await campaign.finish()).messages
