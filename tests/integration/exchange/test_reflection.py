"""A node that shows its services to callers: to those that it admits, and to nobody else."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from paiza_register import Register
from paiza_wire.identity import SpiffeId
from tests.federation import Federation
from tests.registers import read_register
from tests.system.minting import Mint

METHOD: Final = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.fixture(scope="module")
def showing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run a node with reflection."""
    with Federation.create(tmp_path_factory.mktemp("reflection") / "federation", ["kaz", "tjk"]) as made:
        text = made.node("kaz").config.read_text()
        made.node("kaz").config.write_text(f"reflection = true\n{text}")
        made.start("kaz")
        yield made


@pytest.fixture(scope="module")
def register(showing: Federation) -> Register:
    """Return the federation's register."""
    return read_register(showing.folder)


async def test_services_are_shown_to_officers(showing: Federation, register: Register) -> None:
    """An officer sees the services; bytes that are no request are malformed."""
    officer = Mint(showing.folder, register).officer("kaz-liaison")
    async with officer.channel(showing.node("kaz").address, "kaz", register) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=60)
        shown = {each.name for response in [await call.read()] for each in response.list_services_response.service}
        assert {"paiza.officer.v1.OfficerService", "grpc.reflection.v1alpha.ServerReflection"} <= shown
        garbage: Any = channel.stream_stream(METHOD)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await garbage(iter([b"\xff"]), timeout=60).read()
        assert ("paiza-reason", "malformed") in list(refused.value.trailing_metadata() or ())


async def test_nothing_is_shown_to_a_stranger(showing: Federation, register: Register) -> None:
    """A certificate of a known CA that is nobody's is refused, and one officer's calls are bounded."""
    mint = Mint(showing.folder, register)
    nobody = mint.issue("kaz", "officer", SpiffeId("kaz", register.federation, "officer", "nobody"))
    async with nobody.channel(showing.node("kaz").address, "kaz", register) as channel:
        asked: Any = channel.stream_stream(METHOD)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await asked(iter([b""]), timeout=60).read()
        assert ("paiza-reason", "officer_not_enrolled") in list(refused.value.trailing_metadata() or ())
    async with mint.officer("kaz-duty").channel(showing.node("kaz").address, "kaz", register) as channel:
        opened: Any = channel.stream_stream(METHOD)
        held = [opened(timeout=60) for _ in range(60)]
        ended = [asyncio.ensure_future(call.code()) for call in held]
        refused_calls = 0
        for each in asyncio.as_completed(ended):
            refused_calls += await each == grpc.StatusCode.RESOURCE_EXHAUSTED
            if refused_calls > 30:
                break
        assert refused_calls > 30
        for call in held:
            call.cancel()
        await asyncio.gather(*ended)
