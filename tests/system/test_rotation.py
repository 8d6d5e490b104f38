"""Keys of running nodes are replaced while officers submit: nothing is lost, refused or left without a receipt."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from paiza.core.v1 import log_pb2
from paiza_node.__main__ import run as run_node
from paiza_node.ops import tls_rotation
from paiza_node.ops.config import load
from paiza_trust.__main__ import main as trust_main
from tests.federation import Federation
from tests.officer import Officer
from tests.registers import read_register
from tests.system import ledgers
from tests.system.load import Submitter, run_all

SECONDS: Final = 60.0

Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run two nodes."""
    with Federation.create(tmp_path_factory.mktemp("rotation") / "federation", ["kaz", "tjk"]) as made:
        made.start()
        yield made


def run_trust(arguments: list[str]) -> int:
    """Run a trust officer's command; gives its exit code."""
    with pytest.raises(SystemExit) as ended:
        trust_main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command that must succeed; gives the object it printed."""

    def called(run: Callable[[list[str]], int], *arguments: object) -> dict[str, Any]:
        capsys.readouterr()
        code = run([*map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        assert code == 0, out + err
        found: dict[str, Any] = json.loads(out)
        return found

    return called


@asynccontextmanager
async def load_on(federation: Federation) -> AsyncIterator[list[Submitter]]:
    """Let officers of both members submit while the block runs; then every draft has its release and its receipt."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    hurry.set()
    pairs = (("kaz", "tjk"), ("tjk", "kaz"))
    officers = [
        Submitter(Officer(federation.folder, f"{own}-liaison"), [other], random.Random(own)) for own, other in pairs
    ]
    running = asyncio.create_task(run_all(officers, stop, hurry))
    try:
        await asyncio.sleep(0.5)
        yield officers
        await asyncio.sleep(0.5)
    finally:
        stop.set()
        await running
    for (own, other), officer in zip(pairs, officers, strict=True):
        await officer.finish()
        assert officer.failures == 0, "an officer had to submit again"
        await settled(federation, own, other, officer.written)


async def settled(federation: Federation, own: str, other: str, written: set[bytes]) -> None:
    """Return when the node has the other's receipt for every message; refused ones have none."""
    deadline = time.monotonic() + SECONDS
    held = await asyncio.to_thread(ledgers.read, federation.node(own))
    while not written <= held.delivered_to(other):
        assert time.monotonic() < deadline, "some have no receipt"
        await asyncio.sleep(0.2)
        held = await asyncio.to_thread(ledgers.read, federation.node(own))
    refused = held.events(log_pb2.LOG_EVENT_DELIVERY_REFUSED, other)
    assert not refused


def events(federation: Federation, member: str) -> list[tuple[str, bytes]]:
    """Return the kinds and keys that a member's log announced, in order."""
    parsed = ledgers.read(federation.node(member)).parsed
    found = [each.key_announced for each in parsed if each.event == log_pb2.LOG_EVENT_KEY_ANNOUNCED]
    return [(each.kind, each.key_sha256) for each in found]


def replace_tls(federation: Federation, member: str, call: Call, *options: str) -> dict[str, Any]:
    """Replace a node's TLS key in three commands."""
    node, trust = federation.node(member), federation.folder / "trust" / member
    made = call(run_node, "rotate", "tls", "--config", node.config)
    certificate = node.folder / "tls-next.crt"
    certificate.unlink(missing_ok=True)
    call(run_trust, "ca", "certify", made["request"], "--keys", trust, "--yes", "-o", certificate)
    done = call(run_node, "rotate", "tls", "--config", node.config, "--certificate", certificate, *options)
    assert done["runs"]
    return {**made, **done}


async def test_tls_keys_are_replaced_under_load(federation: Federation, call: Call) -> None:
    """Each node shows its new certificate, the former key is gone, and the log names the new one."""
    before = {each: (federation.node(each).folder / "keys/tls.key").read_bytes() for each in ("kaz", "tjk")}
    async with load_on(federation):
        for member in ("kaz", "tjk"):
            made = await asyncio.to_thread(replace_tls, federation, member, call)
            keys = federation.node(member).folder / "keys"
            assert (keys / "tls.key").read_bytes() != before[member]
            assert not (keys / "tls-next.key").exists()
            assert events(federation, member)[-1] == ("tls", bytes.fromhex(made["key_sha256"]))


async def test_encryption_keys_are_replaced_under_load(federation: Federation, call: Call) -> None:
    """Members encrypt for the new key; officers who still know the former one are understood, before and after."""
    folder = federation.folder
    async with load_on(federation):
        for member in ("kaz", "tjk"):
            node, file = federation.node(member), folder / f"{member}.announcement"
            made = await asyncio.to_thread(
                call, run_node, "rotate", "encryption", "--config", node.config, "-o", file, "--until", "2099-01-01"
            )
            await asyncio.to_thread(call, run_trust, "sign", file, "--keys", folder / "trust" / member, "--yes")
            done = await asyncio.to_thread(call, run_node, "rotate", "announce", file, "--config", node.config)
            assert done["register_version"]
            assert events(federation, member)[-1] == ("encryption", bytes.fromhex(made["key_id"]))
            status = call(run_node, "rotate", "encryption", "--status", "--config", node.config)
            assert [(key["current"], key["held"]) for key in status["keys"]] == [(False, True), (True, True)]
            assert not status["waits_for_announcement"]
    async with load_on(federation):  # of officers who know the new register
        pass


async def test_a_stolen_encryption_key_is_used_by_nobody(federation: Federation, call: Call) -> None:
    """The register names the new key alone; what is on the way for the former one still opens."""
    folder, node = federation.folder, federation.node("tjk")
    async with load_on(federation):
        file = folder / "stolen.announcement"
        made = call(run_node, "rotate", "encryption", "--stolen", "--config", node.config, "-o", file)
        call(run_trust, "sign", file, "--keys", folder / "trust/tjk", "--yes")
        call(run_node, "rotate", "announce", file, "--config", node.config)
    (key,) = read_register(folder).member("tjk").encryption_keys
    assert key.key_id.hex() == made["key_id"]


async def test_a_stolen_tls_key_is_revoked(federation: Federation, call: Call) -> None:
    """The former certificate is refused by every member; the node goes on with its new one."""
    node = federation.node("kaz")
    async with load_on(federation):
        done = await asyncio.to_thread(replace_tls, federation, "kaz", call, "--stolen")
        assert done["register_version"]
    former = tls_rotation.former_certificate(load(node.config, {}))
    assert sha256(former).digest() in read_register(federation.folder).revocations["kaz"]


@pytest.mark.parametrize("crash", ["key made", "certificate kept", "certificate in place", "reloaded"])
def test_a_crash_between_two_steps_is_made_good_by_the_same_command(
    federation: Federation, call: Call, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    """After each step the node starts, and the same commands go on."""
    node, trust = federation.node("tjk"), federation.folder / "trust/tjk"
    certificate = node.folder / "crash.crt"
    certificate.unlink(missing_ok=True)
    made = call(run_node, "rotate", "tls", "--config", node.config)
    if crash == "key made":
        assert call(run_node, "rotate", "tls", "--config", node.config) == made
    call(run_trust, "ca", "certify", made["request"], "--keys", trust, "--yes", "-o", certificate)
    replaced, files = Path.replace, {"certificate kept": "tls.crt", "reloaded": "tls.key"}

    def cut(self: Path, target: Path) -> Path:
        if Path(target).name == files.get(crash):
            raise KeyboardInterrupt
        return replaced(self, target)

    install = ("rotate", "tls", "--certificate", str(certificate), "--config", str(node.config))
    if crash in files:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", cut)
            assert run_node([*install, "--json"]) == 130
    elif crash == "certificate in place":
        with monkeypatch.context() as patched:
            patched.setattr("paiza_node.ops.cli.rotate.tls.reload_node", lambda _config: 1 / 0)
            assert run_node([*install, "--json"]) == 1
    node.kill()
    node.start()
    done = call(run_node, *install)
    assert done["runs"]
    assert not (node.folder / "keys/tls-next.key").exists()
    assert not (node.folder / tls_rotation.REQUEST).exists()
