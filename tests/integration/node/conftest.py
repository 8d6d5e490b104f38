"""A federation of two running nodes between which messages were exchanged, and the operator's commands run on it."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_node.__main__ import run
from tests.federation import Federation
from tests.officer import Officer
from tests.postgresql import postgresql

__all__ = ["postgresql"]

MESSAGES = 5
SECONDS = 60.0


@dataclass
class Exchanged:
    """A federation of kaz and tjk, and what was sent from kaz to tjk: all delivered."""

    federation: Federation
    officer: Officer
    digests: list[bytes]

    @property
    def config(self) -> str:
        """The configuration of the sending node."""
        return str(self.federation.node("kaz").config)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def exchanged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchanged]:
    """Exchange some messages; both nodes run, the sender on the database asked for."""
    databases = {}
    if request.param == "postgresql":
        databases["kaz"] = request.getfixturevalue("postgresql").create_database("operator")
    folder = tmp_path_factory.mktemp("operator")
    with Federation.create(folder / "f", ["kaz", "tjk"], databases=databases) as federation:
        federation.start()
        officer = Officer(federation.folder, "kaz-liaison")
        digests = asyncio.run(send(officer, ["tjk"], MESSAGES))
        asyncio.run(delivered(officer, digests))
        yield Exchanged(federation, officer, digests)


async def send(officer: Officer, recipients: list[str], count: int) -> list[bytes]:
    """Submit messages; gives their digests."""
    items = [officer_pb2.SubmitItem(message=officer.compose(recipients)) for _ in range(count)]
    async with officer.channel() as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        answer = await stub.Submit(officer_pb2.SubmitRequest(items=items), timeout=SECONDS)
    assert all(result.WhichOneof("result") == "released" for result in answer.results), answer.results
    return [result.released.message_digest for result in answer.results]


async def delivered(officer: Officer, digests: list[bytes]) -> None:
    """Return when all of these messages are delivered."""
    waiting = set(digests)
    async with asyncio.timeout(SECONDS), officer.channel() as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        while waiting:
            request = officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_SENT, page_size=100)
            for message in (await stub.ListMessages(request, timeout=SECONDS)).messages:
                states = {each.state for each in message.deliveries}
                if states == {delivery_pb2.DELIVERY_STATE_DELIVERED}:
                    waiting.discard(message.message_digest)
            await asyncio.sleep(0.05)  # what is asked for is seen from outside only by asking


Command = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run an operator's command with --json; gives its exit code and the object it printed."""

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run([*arguments, "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        lines = (out or err).splitlines()
        return code, json.loads(lines[-1])

    return call
