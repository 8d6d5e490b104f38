"""A node over PostgreSQL with a synchronous standby that goes away, comes back, and takes over.

Real servers: a primary, and a standby that was copied from it and follows it.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import create_engine

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_node.__main__ import run
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.engine import parse_url
from paiza_node.core.storage.replication import Replication, replication
from tests.federation import Federation, NodeProcess, free_ports
from tests.officer import Officer
from tests.postgresql import PostgreSQL, PostgreSQLMissingError, find_programs

SECONDS = 120.0  # a limit, not a measure
DEADLINE = 10  # seconds, of a commit: more than a busy disk takes for one


@dataclass
class Replicated:
    """The servers, and the node of kaz over both."""

    primary: PostgreSQL
    standby: PostgreSQL
    federation: Federation
    metrics: int

    @property
    def node(self) -> NodeProcess:
        """The node."""
        return self.federation.node("kaz")

    def officer(self) -> Officer:
        """Return an officer of kaz."""
        return Officer(self.federation.folder, "kaz-liaison")

    def sample(self, name: str) -> float:
        """Return a metric of the node without labels."""
        with urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.split()[0] == name)


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Replicated]:
    """Serve a primary with a synchronous standby, and two members of which kaz stores there."""
    try:
        if not (find_programs() / "pg_basebackup").exists():
            pytest.skip("there is no pg_basebackup")
        primary = PostgreSQL.start()
    except PostgreSQLMissingError as error:
        pytest.skip(str(error))
    with primary:
        primary.create_database("kaz")
        with PostgreSQL.start(follows=primary) as standby:
            primary.pause()
            primary.settings["synchronous_standby_names"] = f'ANY 1 ("{standby.folder.name}")'
            primary.serve_again()
            url = primary.url("kaz").replace(str(primary.folder), f"{primary.folder},{standby.folder}")
            databases = {"kaz": f"{url}&target_session_attrs=read-write"}
            with Federation.create(tmp_path / "f", ["kaz", "tjk"], databases=databases) as federation:
                port = free_ports(1)
                config = federation.node("kaz").config
                federation.node("kaz").configure(metrics_listen=f"127.0.0.1:{port}")
                config.write_text(f"{config.read_text()}\n[limits]\ncommit_seconds = {DEADLINE}\n")
                federation.start()
                yield Replicated(primary, standby, federation, port)


async def submit(officer: Officer, message: bytes) -> tuple[str, bytes]:
    """Submit a message; return what became of it, and its digest or the reason of the refusal."""
    request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=message)])
    async with officer.channel() as channel:
        try:
            answer = await officer_pb2_grpc.OfficerServiceStub(channel).Submit(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return str(dict(error.trailing_metadata() or ()).get("paiza-reason", error.code().name)), b""
    return str(answer.results[0].WhichOneof("result")), answer.results[0].released.message_digest


async def health(officer: Officer) -> int:
    """Ask the node for its health."""
    async with officer.channel() as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)).status)


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run an operator's command with --json; return its exit code and the object it printed."""
    capsys.readouterr()
    code = run([*arguments, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads((out or err).splitlines()[-1])


def seen_by_another_role(server: PostgreSQL) -> Replication:
    """Return what a role sees that was granted nothing."""
    with psycopg.connect(server.url("kaz"), autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN")
    engine = create_engine(parse_url(server.url("kaz").replace("//paiza@", "//plain@")))
    with engine.connect() as connected:
        found = replication(ReadConnection(connected))
    engine.dispose()
    return found


def until(met: Callable[[], bool], what: str) -> None:
    """Return when a condition is met."""
    deadline = time.monotonic() + SECONDS
    while not met():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def checks(told: dict[str, Any], name: str) -> list[str]:
    """Return the levels of a check of the doctor."""
    return [each["level"] for each in told["checks"] if each["check"] == name]


def test_a_standby_that_goes_away_and_takes_over(replicated: Replicated, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the standby everything says why nothing is accepted; with it the node goes on, on the standby too.

    1. Both servers run: messages are released, and all is well.
    2. The standby stops: callers are answered in time, and health, status, doctor, metrics and log say what it is.
    3. The standby is back: the commit ends, and a repeat is answered with what was committed, once.
    4. The primary is lost and the standby promoted: the node goes on there with all that it acknowledged.
    """
    officer, config = replicated.officer(), str(replicated.node.config)
    # 1.
    assert asyncio.run(submit(officer, officer.compose(["tjk"])))[0] == "released"
    assert asyncio.run(health(officer)) == health_pb2.HealthCheckResponse.SERVING
    _code, told = command(capsys, "doctor", "--config", config)
    assert checks(told, "replication") == ["ok"], told
    until(lambda: replicated.sample("paiza_database_synchronous_standby_missing") == 0, "metrics")
    assert seen_by_another_role(replicated.primary).is_hidden
    # 2.
    replicated.standby.pause()
    message = officer.compose(["tjk"])
    began = time.monotonic()
    assert asyncio.run(submit(officer, message)) == ("database_slow", b"")
    assert time.monotonic() - began < DEADLINE + SECONDS / 2
    until(lambda: asyncio.run(health(officer)) == health_pb2.HealthCheckResponse.NOT_SERVING, "health")
    began = time.monotonic()
    assert asyncio.run(submit(officer, officer.compose(["tjk"]))) == ("database_slow", b"")
    assert time.monotonic() - began < DEADLINE
    _code, status = command(capsys, "status", "--config", config)
    assert status["commit_age_seconds"] >= DEADLINE
    assert status["commit_waits_for"] == "synchronous_standby"
    _code, told = command(capsys, "doctor", "--config", config)
    assert (checks(told, "node"), checks(told, "replication")) == (["fail"], ["fail"])
    assert replicated.sample("paiza_commit_running_seconds") > DEADLINE
    until(lambda: replicated.sample("paiza_database_synchronous_standby_missing") == 1, "metrics")
    lines = [json.loads(line) for line in replicated.node.log.read_text().splitlines() if line.startswith("{")]
    assert {"database_slow", "commit_waits"} <= {line.get("event") for line in lines}
    # 3.
    replicated.standby.serve_again()
    until(lambda: asyncio.run(health(officer)) == health_pb2.HealthCheckResponse.SERVING, "health")
    result, digest = asyncio.run(submit(officer, message))
    assert result == "released"
    assert asyncio.run(submit(officer, message)) == (result, digest)
    size = replicated.node.status().messages
    assert size == 2
    # 4.
    replicated.primary.stop_hard()
    replicated.standby.promote()
    until(lambda: asyncio.run(submit(officer, message)) == (result, digest), replicated.node.log_tail())
    assert asyncio.run(submit(officer, officer.compose(["tjk"])))[0] == "released"
    assert replicated.node.status().messages == size + 1
    code, told = command(capsys, "verify", "--config", config)
    assert code == 0, told
