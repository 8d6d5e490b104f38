"""One large attachment between two officers over lines that break, and nodes and programs that are killed meanwhile.

64 MiB in `make test`; `make attachments` sends 1 GiB and prints what each process took of memory.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.federation import Federation, NodeProcess, free_ports
from tests.integration.client.conftest import DRAFT
from tests.system.breaking import BreakingProxy

MIB: Final = 1024 * 1024
SIZE: Final = int(os.environ.get("PAIZA_ATTACHMENT_MIB", "64")) * MIB
KILLED_SIZE: Final = 32 * MIB
BREAKS: Final = 10
MOST_ON_TOP: Final = 32 * MIB  # bytes of memory that an attachment of any size may take of one process
POLL_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 240.0 + SIZE / MIB  # a limit, not a measure


@dataclass
class Scene:
    """Nodes of kaz and tjk, each behind a line of its own that peers and officers use."""

    federation: Federation
    lines: dict[str, BreakingProxy]
    folder: Path

    @contextmanager
    def asleep(self, member: str) -> Iterator[None]:
        """Keep a node from moving (SIGSTOP)."""
        pid = self.federation.node(member).pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def film(self, size: int) -> Path:
        """Make an invented film."""
        path = self.folder / "film.mp4"
        with path.open("wb") as file:
            file.write(b"\x00\x00\x00\x18ftypisom" + bytes(12))
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        return path

    def command(self, profile: str, *arguments: object) -> list[str]:
        """Write down one call of `paiza`."""
        return [sys.executable, "-m", "paiza_client", *map(str, arguments), "--json", "--profile", profile]

    async def start(self, profile: str, *arguments: object) -> asyncio.subprocess.Process:
        """Begin a program."""
        pipe = asyncio.subprocess.PIPE
        environment = {**os.environ, "PAIZA_HOME": str(self.federation.home), "PAIZA_LANG": "en"}
        return await asyncio.create_subprocess_exec(
            *self.command(profile, *arguments), stdout=pipe, stderr=pipe, env=environment
        )

    async def paiza(self, profile: str, *arguments: object) -> tuple[Any, int]:
        """Call `paiza` as a program; gives what it printed, and the most memory it had."""
        process = await self.start(profile, *arguments)
        watched = asyncio.create_task(_most_memory(process.pid))
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return json.loads(out), await watched

    async def arrived(self, profile: str, message: str) -> None:
        """Wait until the attachment of a message stands as received at a node."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found, _ = await self.paiza(profile, "attach", "list", message)
                if found and all(each["state"] == "received" for each in found):
                    return
                assert all(each["state"] in ("received", "pending") for each in found), found
                await asyncio.sleep(POLL_SECONDS)


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Start both nodes behind their lines."""
    federation = Federation.create(tmp_path / "federation", ["kaz", "tjk"])
    lines: dict[str, BreakingProxy] = {}
    for member, node in federation.nodes.items():
        published = int(node.address.rpartition(":")[2])
        node.configure(listen=f"127.0.0.1:{free_ports(1)}")
        lines[member] = BreakingProxy(published, node.address)
    (tmp_path / "draft.yaml").write_text(DRAFT)
    with federation:
        async with lines["kaz"], lines["tjk"]:
            await asyncio.to_thread(federation.start)
            yield Scene(federation, lines, tmp_path)


@pytest.mark.timeout(1200)
async def test_a_large_attachment_arrives_whole_over_lines_that_break(scene: Scene) -> None:
    """Brought, fetched and saved over connections cut ten times each, every byte arrives, in bounded memory."""
    film, draft = scene.film(SIZE), scene.folder / "draft.yaml"
    small, _ = await scene.paiza("kaz-liaison", "send", "free", draft, "--attach", draft)
    await scene.arrived("tjk-liaison", small["id"])
    _, reading = await scene.paiza("tjk-liaison", "attach", "get", small["id"], 1, "-o", scene.folder / "draft-2.yaml")
    _, writing = await scene.paiza("kaz-liaison", "send", "free", draft, "--attach", draft)
    before = {member: _rest(node) for member, node in scene.federation.nodes.items()}
    every = SIZE // (BREAKS + 2)
    scene.lines["kaz"].break_every(every, BREAKS)
    with scene.asleep("tjk"):  # so that it fetches nothing while the breaks of bringing are counted
        sent, wrote = await scene.paiza("kaz-liaison", "send", "free", draft, "--attach", film)
        brought = scene.lines["kaz"].breaks
        scene.lines["kaz"].break_every(every, BREAKS)
    await scene.arrived("tjk-liaison", sent["id"])
    fetched = scene.lines["kaz"].breaks
    scene.lines["tjk"].break_every(every, BREAKS)
    target = scene.folder / "arrived.mp4"
    _, read = await scene.paiza("tjk-liaison", "attach", "get", sent["id"], 1, "-o", target)
    saved = scene.lines["tjk"].breaks
    await scene.arrived("kaz-liaison", sent["id"])
    on_top = {f"node {member}": _peak(node) - before[member] for member, node in scene.federation.nodes.items()}
    on_top |= {"program that sends": wrote - writing, "program that saves": read - reading}
    print(f"\n{SIZE // MIB} MiB; connections cut: {brought} brought, {fetched} fetched, {saved} saved")
    for what, taken in on_top.items():
        print(f"  {what:20} {taken / MIB:6.1f} MiB on top")
    assert _digest(target) == _digest(film)
    assert min(brought, fetched, saved) >= BREAKS
    assert {what: taken for what, taken in on_top.items() if taken > MOST_ON_TOP} == {}
    await _verified(scene)


@pytest.mark.parametrize("killed", ["kaz", "tjk"])
async def test_a_node_killed_during_a_transfer_goes_on(scene: Scene, killed: str) -> None:
    """Kill -9 of the node that hands over, or of the one that fetches, loses nothing and repeats no receipt."""
    film, draft = scene.film(KILLED_SIZE), scene.folder / "draft.yaml"
    scene.federation.node("tjk").kill()
    sent, _ = await scene.paiza("kaz-liaison", "send", "free", draft, "--attach", film)
    scene.federation.node("tjk").start(wait=False)
    await scene.lines["kaz"].after(KILLED_SIZE // 3)
    scene.federation.node(killed).kill()
    assert not _holds_whole(scene.federation.node("tjk"))
    await asyncio.to_thread(scene.federation.node(killed).start)
    await asyncio.to_thread(scene.federation.node("tjk").wait_until_serving)
    before = scene.lines["kaz"].flowed
    await scene.arrived("tjk-liaison", sent["id"])
    assert scene.lines["kaz"].flowed - before < KILLED_SIZE, "it began again from the beginning"
    await scene.arrived("kaz-liaison", sent["id"])
    for member, event in (("tjk", "RECEIVED"), ("kaz", "DELIVERED")):
        trail, _ = await scene.paiza(f"{member}-liaison", "audit", "trail", sent["id"])
        assert [each["event"] for each in trail["own"] if each["part"] == 1] == [event]
    await _verified(scene)


async def test_a_program_killed_while_it_brings_goes_on(scene: Scene) -> None:
    """Kill -9 of the officer's program leaves all in the outbox, and the next command brings the rest."""
    film, draft = scene.film(KILLED_SIZE), scene.folder / "draft.yaml"
    process = await scene.start("kaz-liaison", "send", "free", draft, "--attach", film)
    await scene.lines["kaz"].after(KILLED_SIZE // 2)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    with scene.asleep("tjk"):  # so that only what is brought is counted
        before = scene.lines["kaz"].flowed
        outcomes, _ = await scene.paiza("kaz-liaison", "outbox", "flush")
        assert [each["state"] for each in outcomes] == ["released"]
        assert scene.lines["kaz"].flowed - before < KILLED_SIZE, "it began again from the beginning"
    listed, _ = await scene.paiza("kaz-liaison", "inbox", "--sent")
    (only,) = listed["messages"]
    await scene.arrived("tjk-liaison", only["id"])


async def _verified(scene: Scene) -> None:
    """Stop the nodes and have each verify all it holds."""
    await asyncio.to_thread(scene.federation.stop)
    for node in scene.federation.nodes.values():
        command = [sys.executable, "-m", "paiza_node", "verify", "--config", str(node.config)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()


def _holds_whole(node: NodeProcess) -> bool:
    return any(not path.suffix for path in (node.data / "attachments").iterdir())


def _rest(node: NodeProcess) -> int:
    """Return what a node has of memory now, and forget the most it had before."""
    Path(f"/proc/{node.pid}/clear_refs").write_text("5")
    return _memory(node.pid, "VmRSS")


def _peak(node: NodeProcess) -> int:
    return _memory(node.pid, "VmHWM")


def _memory(pid: int, what: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:")), 0)


async def _most_memory(pid: int) -> int:
    """Watch a program until it ends; gives the most memory it had, which the system counts itself."""
    most = 0
    while True:
        try:
            now = _memory(pid, "VmHWM")
        except OSError:
            return most
        if not now:
            return most
        most = max(most, now)
        await asyncio.sleep(POLL_SECONDS / 10)


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(MIB):
            digest.update(piece)
    return digest.hexdigest()
