"""Two node processes on one PostgreSQL database: one serves, the other takes over when it dies."""

import asyncio
import json
import shutil
import time
from pathlib import Path

from tests.federation import Federation, NodeProcess
from tests.integration.node.conftest import Command, delivered, send
from tests.officer import Officer
from tests.postgresql import PostgreSQL

SECONDS = 30.0


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


def test_standby_takes_over(postgresql: PostgreSQL, tmp_path: Path, command: Command) -> None:
    """A standby opens no port; after the writer is killed it serves, knows all that was accepted, and goes on."""
    databases = {"kaz": postgresql.create_database("takeover")}
    with Federation.create(tmp_path / "f", ["kaz", "tjk"], databases=databases) as federation:
        first = federation.node("kaz")
        second = NodeProcess("kaz", tmp_path / "f" / "nodes" / "kaz2")
        shutil.copytree(first.folder, second.folder)
        federation.start()
        officer = Officer(federation.folder, "kaz-liaison")
        digests = asyncio.run(send(officer, ["tjk"], 3))
        try:
            second.start(wait=False)
            wait_for(second, "standby")
            assert "serving" not in events(second)
            first.kill()
            second.wait_until_serving()
            assert "took_over" in events(second)
            asyncio.run(delivered(officer, [*digests, *asyncio.run(send(officer, ["tjk"], 2))]))
            code, told = command("verify", "--config", str(second.config))
            assert code == 0, told
            assert told["parts"][1]["counts"]["deliveries"] == 5
        finally:
            second.kill()
