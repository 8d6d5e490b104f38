"""The keys of log and witness of a running node are replaced under load, while one member sleeps through all of it."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import witness_pb2, witness_pb2_grpc
from paiza_node.__main__ import run as run_node
from paiza_node.ops.config import load
from paiza_node.ops.keys import load_log_signers
from paiza_node.ops.passphrase import node_sealer
from paiza_register.ceremony import Proposal
from paiza_register.ceremony.change import LOG_KEY, WITNESS, change
from paiza_trust.__main__ import main as trust_main
from paiza_wire.tlog import checkpoint
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey, parse_note
from tests.federation import Federation, NodeProcess
from tests.officer import Officer
from tests.registers import base_of, read_register, signed_by_all
from tests.system import ledgers
from tests.system.load import Submitter, run_all
from tests.system.minting import Mint

SECONDS: Final = 180.0  # a limit, not a measure
FAR: Final = datetime(2099, 1, 1, tzinfo=UTC)

Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run three nodes."""
    with Federation.create(tmp_path_factory.mktemp("keys") / "federation", ["kaz", "tjk", "uzb"]) as made:
        made.start()
        yield made


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command of the operator that must succeed; gives the object it printed."""

    def called(*arguments: object) -> dict[str, Any]:
        capsys.readouterr()
        code = run_node([*map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        assert code == 0, out + err
        found: dict[str, Any] = json.loads(out)
        return found

    return called


@asynccontextmanager
async def load_on(federation: Federation, *pairs: tuple[str, str]) -> AsyncIterator[None]:
    """Let officers submit to one another while the block runs; then every message has its receipt, none a refusal."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    hurry.set()
    officers = [
        Submitter(Officer(federation.folder, f"{own}-liaison"), [other], random.Random(own), seconds=SECONDS)
        for own, other in pairs
    ]
    running = asyncio.create_task(run_all(officers, stop, hurry))
    try:
        yield
        await asyncio.sleep(0.5)
    finally:
        stop.set()
        await running
    for (own, other), officer in zip(pairs, officers, strict=True):
        await officer.finish()
        assert officer.failures == 0, "an officer had to submit again"
        node = federation.node(own)
        await waited(partial(_delivered, node, other), officer.written.issubset)
        assert not ledgers.read(node).events(log_pb2.LOG_EVENT_DELIVERY_REFUSED, other)


def _delivered(node: NodeProcess, other: str) -> set[bytes]:
    return ledgers.read(node).delivered_to(other)


async def waited(read: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """Return what is read once it holds."""
    deadline = time.monotonic() + SECONDS
    while not holds(found := await asyncio.to_thread(read)):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.2)
    return found


def admit(federation: Federation, call: Call, what: str, vkey: str, **about: Any) -> None:
    """Let the custodians admit a key of kaz, and hand what they signed to its running node."""
    now = datetime.now(UTC)
    act = change(what, base_of(federation.folder), now, member="kaz", vkey=vkey, **about)
    file = federation.folder / f"{what}.proposal"
    file.write_bytes(signed_by_all(federation.folder, Proposal(act)).to_bytes())
    call("rotate", "announce", file, "--config", federation.node("kaz").config)


def signers(federation: Federation) -> set[bytes]:
    """Return the ids of the keys that signed the last checkpoint of kaz."""
    note = ledgers.read(federation.node("kaz")).signed_note
    assert note is not None
    return {each.key_id for each in parse_note(note).signatures}


async def test_a_log_changes_its_key_under_load(federation: Federation, call: Call) -> None:
    """The log goes on under its name: with one key, with both, with the new one; who slept follows at once."""
    kaz, uzb, folder = federation.node("kaz"), federation.node("uzb"), federation.folder
    (before,) = signers(federation)
    config = load(kaz.config, {})
    own = read_register(folder).member("kaz")
    (old,) = load_log_signers(config, own, own.origin, node_sealer(config))
    async with load_on(federation, ("kaz", "uzb"), ("uzb", "kaz")):
        await asyncio.sleep(0.5)
    await asyncio.to_thread(uzb.stop)
    async with load_on(federation, ("kaz", "tjk"), ("tjk", "kaz")):
        made = await asyncio.to_thread(call, "rotate", "log", "--config", kaz.config)
        await asyncio.to_thread(admit, federation, call, LOG_KEY, made["vkey"])
        both = await waited(lambda: signers(federation), lambda found: len(found) > 1)
        assert before in both
        await asyncio.sleep(0.5)
        file = folder / "stolen.announcement"
        ended = await asyncio.to_thread(call, "rotate", "log", "--stolen", "--config", kaz.config, "-o", file)
        assert ended["ended"] == [old.verifier_key.to_vkey()]
        with pytest.raises(SystemExit) as signed:
            await asyncio.to_thread(trust_main, ["sign", str(file), "--keys", str(folder / "trust/kaz"), "--yes"])
        assert not signed.value.code
        await asyncio.to_thread(call, "rotate", "announce", file, "--config", kaz.config)
        assert await waited(lambda: signers(federation), lambda found: len(found) == 1) == both - {before}
    status = call("rotate", "log", "--status", "--config", kaz.config)
    assert [(key["counts"], key["held"]) for key in status["keys"]] == [(False, True), (True, True)]
    added = [each for each in ledgers.read(kaz).parsed if each.event == log_pb2.LOG_EVENT_KEY_ADDED]
    assert len(added) == 2
    await refuses_a_thief(federation, old)
    # The node starts without the abandoned key, and who slept takes the log from where it knew it.
    (kaz.folder / "keys/log.key").unlink()
    kaz.stop()
    await asyncio.to_thread(federation.start, "kaz", "uzb")
    async with load_on(federation, ("kaz", "uzb"), ("uzb", "kaz"), ("tjk", "kaz")):
        await asyncio.sleep(0.5)
    for member in ("tjk", "uzb"):
        peers = {each.member: each for each in federation.node(member).status().peers}
        assert not peers["kaz"].misbehaviour


async def refuses_a_thief(federation: Federation, old: SignerKey) -> None:
    """Show tjk, over the node's own connection, a log that only the abandoned key signed."""
    register = read_register(federation.folder)
    size = len(ledgers.read(federation.node("kaz")).entries) + 5
    note = checkpoint.sign(Checkpoint(old.verifier_key.name, size, bytes(32)), old)
    request = witness_pb2.ExchangeCheckpointsRequest()
    request.consistency_claim.checkpoint = note
    request.register_state.register_version = register.version
    thief = Mint(federation.folder, register).node("kaz")
    async with thief.channel(federation.node("tjk").address, "tjk", register) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await witness_pb2_grpc.WitnessServiceStub(channel).ExchangeCheckpoints(request, timeout=SECONDS)
    assert ("paiza-reason", "bad_checkpoint") in list(refused.value.trailing_metadata() or ())


async def test_a_witness_changes_its_key(federation: Federation, call: Call) -> None:
    """The other logs are cosigned by the next witness within seconds, and a quorum is there as before."""
    kaz, tjk = federation.node("kaz"), federation.node("tjk")
    made = await asyncio.to_thread(call, "rotate", "witness", "--config", kaz.config)
    async with load_on(federation, ("tjk", "uzb")):
        await asyncio.to_thread(admit, federation, call, WITNESS, made["vkey"], until=FAR)
        await waited(lambda: Path(kaz.log).read_text(), lambda said: '"witness": "kaz.paiza.example/witness/2"' in said)
    size = len(ledgers.read(tjk).entries)
    await waited(lambda: tjk.status().witnessed_size, lambda witnessed: witnessed >= size)
    status = call("rotate", "witness", "--status", "--config", kaz.config)
    assert [(key["counts"], key["held"]) for key in status["keys"]] == [(True, False), (True, True)]
