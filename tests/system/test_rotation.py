"""Keys of running nodes are replaced while officers submit: nothing is lost, refused or left without a receipt."""

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2, exchange_pb2_grpc
from paiza_node.__main__ import run as run_node
from paiza_node.ops import tls_rotation
from paiza_officer import profiles
from paiza_officer.connection import connect
from paiza_register import Register
from paiza_trust.__main__ import main as trust_main
from paiza_wire.identity import SpiffeId, certificates, keys, load_certificate
from paiza_wire.identity.certificate_profiles import is_issued_by
from tests.federation import Federation, NodeProcess
from tests.officer import Officer
from tests.registers import newest, read_register
from tests.system import ledgers
from tests.system.load import Submitter, run_all
from tests.system.minting import Identity, Mint

SECONDS: Final = 180.0  # a limit, not a measure

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
        Submitter(Officer(federation.folder, f"{own}-liaison"), [other], random.Random(own), seconds=SECONDS)
        for own, other in pairs
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


def test_an_announcement_that_was_lost_is_made_anew(federation: Federation, call: Call) -> None:
    """Of the same key, and of another version: the trust officer may have signed the lost one."""
    node, trust = federation.node("kaz"), federation.folder / "trust/kaz"
    files = [federation.folder / f"lost-{number}.announcement" for number in (1, 2)]
    made = [call(run_node, "rotate", "encryption", "--config", node.config, "-o", file) for file in files]
    assert made[0]["key_id"] == made[1]["key_id"]
    for file in files:
        call(run_trust, "sign", file, "--keys", trust, "--yes")
    assert call(run_node, "rotate", "announce", files[1], "--config", node.config)["register_version"]
    assert run_node(["rotate", "announce", str(files[0]), "--config", str(node.config)]) == 3
    current = read_register(federation.folder).member("kaz").current_encryption_key(datetime.now(UTC))
    assert current.key_id.hex() == made[0]["key_id"]
    # The file of an announcement that was published is used again; that of one that waits is not.
    again = call(run_node, "rotate", "encryption", "--config", node.config, "-o", files[1])
    assert again["key_id"] != made[0]["key_id"]
    assert run_node(["rotate", "encryption", "--config", str(node.config), "-o", str(files[1])]) == 3


async def test_a_stolen_encryption_key_is_used_by_nobody(federation: Federation, call: Call) -> None:
    """The register names the new key alone; what is on the way for the former one still opens."""
    folder, node = federation.folder, federation.node("tjk")
    async with load_on(federation):
        file = folder / "stolen.announcement"
        rotate = ("rotate", "encryption", "--stolen", "--config", node.config, "-o", file)
        made = await asyncio.to_thread(call, run_node, *rotate)
        await asyncio.to_thread(call, run_trust, "sign", file, "--keys", folder / "trust/tjk", "--yes")
        await asyncio.to_thread(call, run_node, "rotate", "announce", file, "--config", node.config)
    (key,) = read_register(folder).member("tjk").encryption_keys
    assert key.key_id.hex() == made["key_id"]


async def test_a_stolen_tls_key_is_revoked(federation: Federation, call: Call) -> None:
    """Every former certificate is refused by every member; the node goes on with its new one."""
    node = federation.node("kaz")
    stolen = ssl.PEM_cert_to_DER_cert((node.folder / "keys/tls.crt").read_text())
    replaced = await asyncio.to_thread(replace_tls, federation, "kaz", call)
    assert replaced["former_expiry_times"]
    between = ssl.PEM_cert_to_DER_cert((node.folder / "keys/tls.crt").read_text())
    async with load_on(federation):
        done = await asyncio.to_thread(replace_tls, federation, "kaz", call, "--stolen")
        assert done["register_version"]
    revoked = {sha256(each).digest() for each in (stolen, between)}
    assert revoked <= read_register(federation.folder).revocations["kaz"]
    assert not call(run_node, "rotate", "tls", "--status", "--config", node.config)["former_expiry_times"]


async def test_a_forgotten_revocation_is_made_up_for(federation: Federation, call: Call) -> None:
    """No other key is made for it, and a repeat changes nothing."""
    node = federation.node("tjk")
    stolen = ssl.PEM_cert_to_DER_cert((node.folder / "keys/tls.crt").read_text())
    await asyncio.to_thread(replace_tls, federation, "tjk", call)
    present = (node.folder / "keys/tls.crt").read_bytes()
    revoke = ("rotate", "tls", "--revoke-former", "--config", node.config)
    assert call(run_node, *revoke)["register_version"]
    assert call(run_node, *revoke)["register_version"] is None
    assert (node.folder / "keys/tls.crt").read_bytes() == present
    assert sha256(stolen).digest() in read_register(federation.folder).revocations["tjk"]


def test_the_present_key_is_not_revoked_with_its_former_certificate(federation: Federation, call: Call) -> None:
    """The present key is certified once more; a revocation of the certificate before would end that key too."""
    node, trust = federation.node("tjk"), federation.folder / "trust/tjk"
    certificate = node.folder / "again.crt"
    call(run_trust, "ca", "certify", node.folder / "node.csr", "--keys", trust, "--yes", "-o", certificate)
    revoked = read_register(federation.folder).revocations["tjk"]
    done = call(run_node, "rotate", "tls", "--config", node.config, "--certificate", certificate, "--stolen")
    assert done["register_version"] is None
    assert read_register(federation.folder).revocations["tjk"] == revoked


def replace_ca(federation: Federation, member: str, role: str, call: Call, *options: str) -> None:
    """Make a member's next CA and announce it: the trust officer and the operator, a command each."""
    folder = federation.folder
    register, file = folder / f"{member}-{role}.register", folder / f"{member}-{role}.announcement"
    file.unlink(missing_ok=True)
    register.write_bytes(newest(folder).to_bytes())
    own = ("--keys", folder / "trust" / member, "--register", register, "--yes", "-o", file)
    call(run_trust, "propose", f"{role}-ca", member, *own, *options)
    done = call(run_node, "rotate", "announce", file, "--config", federation.node(member).config)
    assert done["register_version"]


async def test_node_cas_are_replaced_under_load(federation: Federation, call: Call) -> None:
    """Both CAs count; each node goes over to a certificate of the new one when it likes."""
    async with load_on(federation):
        for member in ("kaz", "tjk"):
            await asyncio.to_thread(replace_ca, federation, member, "node", call)
            status = call(run_node, "rotate", "node-ca", "--status", "--config", federation.node(member).config)
            assert [each["counts"] for each in status["cas"]] == [True, True]
        for member in ("kaz", "tjk"):
            await asyncio.to_thread(replace_tls, federation, member, call)
    for member in ("kaz", "tjk"):
        authority = read_register(federation.folder).member(member).authority
        pem = (federation.node(member).folder / "keys/tls.crt").read_text()
        certificate = load_certificate(ssl.PEM_cert_to_DER_cert(pem))
        assert is_issued_by(certificate, load_certificate(authority.node_cas[-1].certificate))


async def test_officer_cas_are_replaced_under_load(federation: Federation, call: Call) -> None:
    """Officers of the former CA go on; a certificate of the new one is valid for every member."""
    async with load_on(federation):
        await asyncio.to_thread(replace_ca, federation, "kaz", "officer", call)
    key, spiffe_id = keys.generate_p256(), SpiffeId("kaz", "paiza.example", "officer", "newcomer")
    requests = [federation.folder / f"{use}.csr" for use in ("authentication", "signing")]
    for file, own in zip(requests, (key, keys.generate_p256()), strict=True):
        file.write_bytes(certificates.csr_to_pem(certificates.create_csr(spiffe_id, own)))
    made = federation.folder / "newcomer.crt"
    trust = federation.folder / "trust/kaz"
    call(run_trust, "ca", "certify", *requests, "--role", "liaison", "--keys", trust, "--yes", "-o", made)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Federation]:
    """Run two other nodes: what is stolen from them is of no use to further tests."""
    with Federation.create(tmp_path / "federation", ["kaz", "tjk"]) as made:
        made.start()
        yield made


async def test_a_stolen_node_ca_shuts_its_certificates_out_at_once(other: Federation, call: Call) -> None:
    """The holder of the former key is refused; messages wait until the node has its new certificate."""
    register, thief = read_register(other.folder), Mint(other.folder, read_register(other.folder)).node("kaz")
    async with load_on(other):
        await asyncio.to_thread(replace_ca, other, "kaz", "node", call, "--stolen")
        await asyncio.to_thread(refused, other.node("tjk"), thief, register)
        await asyncio.to_thread(replace_tls, other, "kaz", call)


def refused(node: NodeProcess, thief: Identity, register: Register) -> None:
    """Return once a node refuses a caller's certificate, which it must do soon."""
    asyncio.run(_refused(node, thief, register))


async def _refused(node: NodeProcess, thief: Identity, register: Register) -> None:
    deadline, reasons = time.monotonic() + SECONDS, {}
    while True:
        async with thief.channel(node.address, node.member, register) as channel:
            try:
                await exchange_pb2_grpc.ExchangeServiceStub(channel).ProveConsistency(
                    exchange_pb2.ProveConsistencyRequest(), timeout=SECONDS
                )
            except grpc.aio.AioRpcError as error:
                reasons = dict(error.trailing_metadata() or ())
                if "paiza-reason" in reasons:
                    break
        assert time.monotonic() < deadline, "the certificate is accepted still"
        await asyncio.sleep(0.2)
    assert reasons["paiza-reason"] == "certificate_expired"


async def test_a_node_and_a_client_that_slept_through_it_all_catch_up(other: Federation, call: Call) -> None:
    """Every key of the other member was replaced meanwhile; the first call already finds the new register."""
    profile = profiles.load(other.folder / "home/kaz-liaison")
    async with connect(profile):
        pass
    other.node("tjk").stop()
    await asyncio.to_thread(replace_ca, other, "kaz", "node", call, "--stolen")
    await asyncio.to_thread(replace_tls, other, "kaz", call, "--stolen")
    file = other.folder / "kaz.announcement"
    call(run_node, "rotate", "encryption", "--stolen", "--config", other.node("kaz").config, "-o", file)
    call(run_trust, "sign", file, "--keys", other.folder / "trust/kaz", "--yes")
    call(run_node, "rotate", "announce", file, "--config", other.node("kaz").config)
    other.start("tjk")
    async with load_on(other):
        pass
    async with connect(profile) as connection:
        (key,) = connection.register.member("kaz").encryption_keys
        assert key.key_id == read_register(other.folder).member("kaz").encryption_keys[0].key_id


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
