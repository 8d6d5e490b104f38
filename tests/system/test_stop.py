"""A graceful stop under load: drained in time, ended with 0, nothing lost."""

import asyncio
from pathlib import Path
from typing import Any, Final

import grpc

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from tests import attaching
from tests.federation import Federation
from tests.officer import Officer
from tests.system.campaign import STOPS, Campaign

ROUNDS: Final = 4
SEED: Final = 1  # every run draws the same stops


async def test_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    """SIGTERM while officers submit and nodes deliver ends each node with 0 in time; all that was accepted arrives."""
    federation = Federation.create(tmp_path / "federation", ["kaz", "tjk"])
    with federation:
        figures = await Campaign(federation, SEED, ways=STOPS).run(ROUNDS)
    assert figures.messages


async def test_stop_ends_watching(tmp_path: Path) -> None:
    """Officers who watch are told that the node stops, and do not hold it up."""
    with Federation.create(tmp_path / "federation", ["kaz", "tjk"]) as federation:
        node = federation.node("kaz")
        federation.start("kaz")
        officer = Officer(federation.folder, "kaz-liaison")
        async with officer.channel() as channel:
            stub: Any = officer_pb2_grpc.OfficerServiceStub(channel)
            assert (await attaching.submit(channel, officer.compose(["tjk"]))).HasField("released")
            watches = [stub.Watch(officer_pb2.WatchRequest(after_sequence=0)) for _ in range(5)]
            # Each has begun: a call that the server has not taken yet when it stops is only cancelled.
            async with asyncio.timeout(60):
                for watch in watches:
                    assert (await watch.read()).messages
            readers = [asyncio.ensure_future(watch.read()) for watch in watches]
            assert await asyncio.to_thread(node.stop) == 0
            ended = await asyncio.gather(*readers, return_exceptions=True)
    # A stop that waited for them would cut them off after the 10 s that calls under way are given, and say nothing.
    assert {error.code() for error in ended if isinstance(error, grpc.aio.AioRpcError)} == {
        grpc.StatusCode.RESOURCE_EXHAUSTED
    }
