"""Three real nodes, on one database and on the other, and their coordinators and operators at work."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1 import delivery_pb2, message_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_client import language
from paiza_client.__main__ import run
from paiza_node.__main__ import run as run_node
from tests.federation import Federation
from tests.integration.client.conftest import Paiza, Ran
from tests.officer import Officer
from tests.postgresql import postgresql

__all__ = ["postgresql"]

MEMBERS = ("kaz", "tjk", "uzb")
SECONDS = 60.0
DROPPING = Path(__file__).parent / "dropping_node.py"

Command = Callable[..., tuple[int, dict[str, Any]]]


@dataclass(frozen=True)
class Scene:
    """A federation whose nodes run."""

    federation: Federation

    def officer(self, member: str) -> Officer:
        """The liaison officer of a member."""
        return Officer(self.federation.folder, f"{member}-liaison")

    def send(
        self,
        sender: str,
        recipients: Sequence[str],
        count: int = 1,
        *,
        urgency: "message_pb2.Urgency.ValueType" = message_pb2.URGENCY_ROUTINE,
        wait: bool = True,
    ) -> list[bytes]:
        """Send messages; return when they are answered, unless told otherwise. Gives their digests."""
        return asyncio.run(_send(self.officer(sender), recipients, count, urgency, wait=wait))

    def config(self, member: str) -> str:
        """A node's configuration."""
        return str(self.federation.node(member).config)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run the nodes of all members on the database asked for."""
    databases = {}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        databases = {member: server.create_database(f"oversight_{member}") for member in MEMBERS}
    folder = tmp_path_factory.mktemp("oversight") / "f"
    with Federation.create(folder, MEMBERS, databases=databases) as federation:
        federation.start()
        yield Scene(federation)


@pytest.fixture
def paiza(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Paiza]:
    """Call `paiza` in this process; the first argument is the federation, the second the profile."""
    for name in ("PAIZA_PROFILE", "PAIZA_LANG", "PAIZA_PASSPHRASE_FILE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGUAGE", "en")

    def call(federation: Federation, profile: str, *arguments: str) -> Ran:
        monkeypatch.setenv("PAIZA_HOME", str(federation.home))
        capsys.readouterr()
        code = run([*arguments, "--profile", profile])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    yield call
    language.use("en")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run an operator's command with --json; gives its exit code and the object it printed."""

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run_node([*arguments, "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, json.loads((out or err).splitlines()[-1])

    return call


async def _send(
    officer: Officer, recipients: Sequence[str], count: int, urgency: "message_pb2.Urgency.ValueType", *, wait: bool
) -> list[bytes]:
    items = [officer_pb2.SubmitItem(message=officer.compose(recipients, urgency=urgency)) for _ in range(count)]
    async with asyncio.timeout(SECONDS), officer.channel() as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        answer = await stub.Submit(officer_pb2.SubmitRequest(items=items), timeout=SECONDS)
        assert all(result.WhichOneof("result") == "released" for result in answer.results), answer.results
        digests = [result.released.message_digest for result in answer.results]
        waiting = set(digests) if wait else set()
        while waiting:
            request = officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_SENT, page_size=100)
            for message in (await stub.ListMessages(request, timeout=SECONDS)).messages:
                if {each.state for each in message.deliveries} == {delivery_pb2.DELIVERY_STATE_DELIVERED}:
                    waiting.discard(message.message_digest)
            await asyncio.sleep(0.05)  # what is asked for is seen from outside only by asking
    return digests
