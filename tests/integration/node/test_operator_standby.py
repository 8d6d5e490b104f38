"""Two node processes on one PostgreSQL database: one serves, the other takes over when it dies."""

import asyncio
import json
import re
import shutil
import socket
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_client.sdk import connect
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.watching import Connected, follow
from paiza_officer import profiles
from paiza_officer.profiles import Profile
from tests.federation import Federation, NodeProcess, free_ports
from tests.integration.node.conftest import Command, delivered, send
from tests.officer import Officer
from tests.postgresql import PostgreSQL

SECONDS = 60.0


def events(node: NodeProcess) -> list[str]:
    """Return the events a node logged."""
    lines = node.log.read_text().splitlines() if node.log.exists() else []
    return [str(json.loads(line).get("event")) for line in lines if line.startswith("{")]


def wait_for(node: NodeProcess, event: str) -> None:
    """Return when a node has logged this."""
    deadline = time.monotonic() + SECONDS
    while event not in events(node):
        assert time.monotonic() < deadline, node.log_tail()
        time.sleep(0.05)  # another process's log is seen only by reading it


def wait_for_port(address: str) -> None:
    """Return when something listens there."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection((host, int(port)), SECONDS).close()
        except OSError:
            assert time.monotonic() < deadline, address
            time.sleep(0.05)
        else:
            return


def prepared(folder: Path, database: str) -> tuple[Federation, NodeProcess]:
    """Make two members, the first with two processes on one database; return its second process."""
    federation = Federation.create(folder, ["kaz", "tjk"], databases={"kaz": database})
    second = NodeProcess("kaz", folder / "nodes" / "kaz2")
    shutil.copytree(federation.node("kaz").folder, second.folder)
    second.configure(listen=f"127.0.0.1:{free_ports(1)}")
    return federation, second


async def asked(officer: Officer, address: str) -> tuple[int, str]:
    """Ask a process for its health, and for something else; return the status and the reason of the refusal."""
    officer.node = address
    async with officer.channel() as channel:
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(
                officer_pb2.GetSessionRequest(), timeout=SECONDS
            )
        watch = officer_pb2_grpc.OfficerServiceStub(channel).Watch(officer_pb2.WatchRequest())
        with pytest.raises(grpc.aio.AioRpcError):
            await watch.read()
    return health.status, str(dict(refused.value.trailing_metadata() or ())["paiza-reason"])


def test_standby_takes_over(postgresql: PostgreSQL, tmp_path: Path, command: Command) -> None:
    """A standby says that it is one; after the writer is killed it serves, knows all that was accepted, and goes on."""
    federation, second = prepared(tmp_path / "f", postgresql.create_database("takeover"))
    first, port = federation.node("kaz"), free_ports(1)
    second.configure(metrics_listen=f"127.0.0.1:{port}")
    with federation:
        federation.start()
        officer = Officer(federation.folder, "kaz-liaison")
        digests = asyncio.run(send(officer, ["tjk"], 3))
        try:
            second.start(wait=False)
            wait_for(second, "standby")
            wait_for_port(second.address)
            assert "serving" not in events(second)
            waits = asyncio.run(asked(Officer(federation.folder, "kaz-liaison"), second.address))
            assert waits == (health_pb2.HealthCheckResponse.NOT_SERVING, "standby")
            code, told = command("status", "--config", str(second.config))
            assert (code, told["standby"], told["member"]) == (0, True, "kaz")
            _code, told = command("doctor", "--config", str(second.config))
            assert "standby" in next(each["what"] for each in told["checks"] if each["check"] == "node")
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
                assert b"paiza_standby 1.0" in answer.read()
            first.kill()
            second.wait_until_serving()
            assert "took_over" in events(second)
            officer.node = second.address
            asyncio.run(delivered(officer, [*digests, *asyncio.run(send(officer, ["tjk"], 2))]))
            code, told = command("verify", "--config", str(second.config))
            assert code == 0, told
            rows = next(each for each in told["parts"] if each["part"] == "rows")
            assert rows["counts"]["deliveries"] == 5
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
                assert b"paiza_standby 0.0" in answer.read()
        finally:
            second.kill()


@dataclass
class Watching:
    """What a client shows that watches across a failover: the numbers of messages, and the addresses it connects to."""

    profile: Profile
    shown: list[int] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Watch without end."""
        events = follow(lambda: connect(self.profile), after=0)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Connected):
                    self.nodes.append(event.node)
                elif isinstance(event, MessageSummary):
                    self.shown.append(event.sequence)

    async def until(self, count: int) -> None:
        """Return when so many messages were shown."""
        for _ in range(int(2 * SECONDS / 0.05)):
            if len(self.shown) >= count:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(self.shown)


def test_a_failover_shows_nothing_twice(postgresql: PostgreSQL, tmp_path: Path) -> None:
    """Profile and register name both processes: officer and peer find the one that serves, and go on at the other."""
    federation, second = prepared(tmp_path / "f", postgresql.create_database("failover"))
    first = federation.node("kaz")
    register = federation.edit(
        "kaz", "member", lambda member: member["endpoints"].insert(0, {"address": second.address})
    )
    with federation:
        federation.join(register)
        shutil.copytree(first.data, second.data, dirs_exist_ok=True)
        federation.start()
        try:
            second.start(wait=False)
            wait_for_port(second.address)
            folder = federation.home / "kaz-liaison"
            settings = (folder / "profile.toml").read_text()
            both = f'node = ["{second.address}", "{first.address}"]'
            (folder / "profile.toml").write_text(re.sub(r"^node = .*$", both, settings, flags=re.MULTILINE))
            watching = Watching(profiles.load(folder))
            asyncio.run(failed_over(watching, Officer(federation.folder, "tjk-liaison"), first, second))
            assert watching.shown == [1, 2, 3, 4]
            assert watching.nodes == [first.address, second.address]
            assert profiles.load(folder).addresses[0] == second.address
        finally:
            second.kill()


async def failed_over(watching: Watching, author: Officer, first: NodeProcess, second: NodeProcess) -> None:
    """Send two messages, kill the process that serves, and send two more."""
    task = asyncio.create_task(watching.run())
    await send(author, ["kaz"], 2)
    await watching.until(2)
    first.kill()
    await asyncio.to_thread(second.wait_until_serving)
    await send(author, ["kaz"], 2)
    await watching.until(4)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
