"""A federation of three whose node of kaz is lost and restored, on both databases."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_client.__main__ import run as paiza
from paiza_node.__main__ import run
from paiza_register.ceremony.change import LOG_ORIGIN
from tests.federation import Federation
from tests.integration.node.conftest import SECONDS, delivered, send
from tests.officer import Officer
from tests.postgresql import PostgreSQL, postgresql

__all__ = ["postgresql"]

MEMBERS = ("kaz", "tjk", "uzb")
RECOVERED_SECONDS = 180.0  # the members fetch the register with the new log first; the machines of tests are shared


@dataclass
class Drill:
    """The federation, and how its operators and custodians act."""

    federation: Federation
    capsys: pytest.CaptureFixture[str]
    postgresql: PostgreSQL | None
    sent: dict[str, list[bytes]] = field(default_factory=lambda: {member: [] for member in MEMBERS})

    @property
    def config(self) -> str:
        """The configuration of the node that is lost."""
        return str(self.federation.node("kaz").config)

    def command(self, *arguments: object) -> tuple[int, dict[str, Any]]:
        """Run an operator's command with --json; gives its exit code and what it printed."""
        self.capsys.readouterr()
        code = run([*map(str, arguments), "--json"])
        out, err = self.capsys.readouterr()
        assert "Traceback" not in out + err
        return code, json.loads((out or err).splitlines()[-1])

    def kaz(self, *arguments: object) -> tuple[int, dict[str, Any]]:
        """Run an operator's command of the node that is lost."""
        return self.command(*arguments, "--config", self.config)

    def exchange(self, author: str, recipients: list[str], count: int) -> list[bytes]:
        """Send and deliver messages."""
        officer = Officer(self.federation.folder, f"{author}-liaison")
        digests = asyncio.run(send(officer, recipients, count))
        asyncio.run(delivered(officer, digests))
        self.sent[author] += digests
        return digests

    def listed(self, member: str, box: officer_pb2.Box.ValueType) -> dict[bytes, officer_pb2.MessageInfo]:
        """Return what an officer of a member sees in a box, by digest."""

        async def ask() -> dict[bytes, officer_pb2.MessageInfo]:
            officer = Officer(self.federation.folder, f"{member}-duty")
            async with officer.channel() as channel:
                request = officer_pb2.ListMessagesRequest(box=box, page_size=100)
                answer = await officer_pb2_grpc.OfficerServiceStub(channel).ListMessages(request, timeout=SECONDS)
            return {each.message_digest: each for each in answer.messages}

        return asyncio.run(ask())

    def evidence(self, profile: str, digest: bytes) -> bytes:
        """Make the evidence file of a message with an officer's client."""
        file = self.federation.folder / f"{profile}-{digest.hex()[:8]}.zip"
        self.capsys.readouterr()
        code = paiza(["audit", "evidence", digest.hex(), "-o", str(file), "--profile", profile])
        assert code == 0, self.capsys.readouterr().err
        return file.read_bytes()

    def trail(self, profile: str, digest: bytes) -> str:
        """Return what an officer's client prints of everything that ever happened to a message."""
        self.capsys.readouterr()
        code = paiza(["audit", "trail", digest.hex(), "--json", "--profile", profile])
        out, err = self.capsys.readouterr()
        assert code == 0, err
        return out

    def lose(self) -> Path:
        """Lose the node: it is killed, and its data and database are gone (kept aside, as an operator should)."""
        node = self.federation.node("kaz")
        node.kill()
        aside = node.data.with_name("lost")
        node.data.rename(aside)
        if self.postgresql is not None:
            node.configure(database=self.postgresql.create_database("restored"))
        return aside

    def admit(self, vkey: str) -> None:
        """Admit a new log of kaz as the custodians, and bring it to the node that is lost."""
        self.federation.join(self.federation.change(LOG_ORIGIN, member="kaz", vkey=vkey), "kaz")

    def recovered(self) -> None:
        """Return when the node awaits nothing from anybody."""
        deadline = time.monotonic() + RECOVERED_SECONDS
        while awaited := self.federation.node("kaz").status().recovering_from:
            assert time.monotonic() < deadline, f"still recovering from {awaited}"
            time.sleep(0.05)  # what is asked for is seen from outside only by asking

    def verify_all(self) -> None:
        """Run `verify` at every node."""
        for node in self.federation.nodes.values():
            code, told = self.command("verify", "--config", node.config)
            assert code == 0, [part for part in told["parts"] if not part["passed"]]


@pytest.fixture(params=["sqlite", "postgresql"])
def drill(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Drill]:
    """Start three nodes, that of kaz on the database asked for."""
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    databases = {} if server is None else {"kaz": server.create_database("drill")}
    with Federation.create(tmp_path / "f", list(MEMBERS), databases=databases) as federation:
        monkeypatch.setenv("PAIZA_HOME", str(federation.home))
        monkeypatch.setenv("LANGUAGE", "en")
        federation.start()
        yield Drill(federation, capsys, server)
