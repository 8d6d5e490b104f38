"""Changes of the register between real nodes: a revoked officer, a suspended member, a new key.

The members sign it with their own keys, and it is put into nodes that are stopped; the others get it from these.
"""

import asyncio
import shutil
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza.peer.v1 import exchange_pb2, exchange_pb2_grpc
from paiza_register.ceremony.change import SUSPEND
from paiza_wire.identity import load_certificate, sealing
from paiza_wire.identity.keys import fingerprint
from paiza_wire.identity.private_keys import X_WING
from paiza_wire.message import key_wrapping
from tests.federation import Federation, NodeProcess
from tests.officer import Officer
from tests.registers import read_register
from tests.system import ledgers
from tests.system.minting import Mint

SECONDS: Final = 60  # limits, not measures
SETTLE_SECONDS: Final = 180
POLL_SECONDS: Final = 0.1


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Make a federation."""
    with Federation.create(tmp_path / "federation", ["kaz", "tjk", "centre"]) as made:
        yield made


async def test_revoked_officer_and_suspended_member_are_shut_out(federation: Federation) -> None:
    """Revoked certificates and suspended members are refused once the node has read the new register."""
    folder, node = federation.folder, federation.node("kaz")
    mint = Mint(folder, read_register(folder))
    duty, peer = mint.officer("kaz-duty"), mint.node("tjk")
    federation.start("kaz")
    async with duty.channel(node.address, "kaz", mint.register) as channel:
        await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(officer_pb2.GetSessionRequest(), timeout=SECONDS)
    async with peer.channel(node.address, "kaz", mint.register) as channel:
        await exchange_pb2_grpc.ExchangeServiceStub(channel).ProveConsistency(
            exchange_pb2.ProveConsistencyRequest(), timeout=SECONDS
        )
    node.stop()
    revoked = {
        "certificate_sha256": sha256(duty.certificate).hexdigest(),
        "key_sha256": fingerprint(_public_key(duty.certificate)).hex(),
        "reason": "exercise",
    }
    federation.join(federation.edit("kaz", "revoked", lambda document: document["certificates"].append(revoked)), "kaz")
    federation.join(federation.change(SUSPEND, member="tjk"), "kaz")
    federation.start("kaz")
    async with duty.channel(node.address, "kaz", mint.register) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(
                officer_pb2.GetSessionRequest(), timeout=SECONDS
            )
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert ("paiza-reason", "certificate_revoked") in list(refused.value.trailing_metadata() or ())
    async with peer.channel(node.address, "kaz", mint.register) as channel:
        # It connects, since the register is served to suspended members too.
        with pytest.raises(grpc.aio.AioRpcError) as shut_out:
            await exchange_pb2_grpc.ExchangeServiceStub(channel).ProveConsistency(
                exchange_pb2.ProveConsistencyRequest(), timeout=SECONDS
            )
    assert shut_out.value.code() is grpc.StatusCode.PERMISSION_DENIED
    async with mint.officer("kaz-liaison").channel(node.address, "kaz", mint.register) as channel:
        await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(officer_pb2.GetSessionRequest(), timeout=SECONDS)


async def test_message_for_a_replaced_key_is_wrapped_again_and_delivered(federation: Federation) -> None:
    """A message sealed for a key the recipient no longer has is asked for, wrapped anew by its author, and received."""
    folder = federation.folder
    register = read_register(folder)
    kaz, tjk = federation.node("kaz"), federation.node("tjk")
    author = Officer(folder, "kaz-liaison", register)
    federation.start("kaz", "tjk")
    tjk.kill()  # it has seen the register that the message will name
    async with author.channel() as channel:
        item = officer_pb2.SubmitItem(message=author.compose(["tjk"]))
        response = await officer_pb2_grpc.OfficerServiceStub(channel).Submit(
            officer_pb2.SubmitRequest(items=[item]), timeout=SECONDS
        )
    digest = response.results[0].released.message_digest
    kaz.stop()
    seed = key_wrapping.generate_seed()
    (folder / "nodes/tjk/keys/encryption.seed").write_bytes(sealing.unsealed(X_WING.write(seed)))
    federation.join(federation.edit("tjk", "member", lambda document: _replace_key(document, seed)), "kaz", "tjk")
    await asyncio.to_thread(federation.start, "kaz", "tjk")
    await settled(kaz)
    federation.stop()
    sent, received = ledgers.read(kaz), ledgers.read(tjk)
    assert sent.delivered_to("tjk") == {digest}
    assert set(received.events(ledgers.RECEIVED, "kaz")) == {digest}
    renewed = read_register(folder)
    ledgers.check_own(received, renewed)
    ledgers.check_exchange(sent, received, renewed)


async def test_message_under_a_register_the_recipient_never_had_is_delivered(federation: Federation) -> None:
    """A node that was away for the whole life of a register version still receives what was made under it."""
    folder = federation.folder
    register = read_register(folder)
    kaz = federation.node("kaz")
    author = Officer(folder, "kaz-liaison", register)
    federation.start("kaz")
    async with author.channel() as channel:
        item = officer_pb2.SubmitItem(message=author.compose(["tjk"]))
        await officer_pb2_grpc.OfficerServiceStub(channel).Submit(
            officer_pb2.SubmitRequest(items=[item]), timeout=SECONDS
        )
    newer = federation.publish("kaz")
    shutil.rmtree(federation.node("tjk").data)
    federation.join(newer, "tjk")
    federation.start("tjk")
    await settled(kaz)
    federation.stop()
    assert len(ledgers.read(kaz).delivered_to("tjk")) == 1


async def test_a_node_that_answers_at_its_second_endpoint_only_is_found(federation: Federation) -> None:
    """Messages go to the endpoint where the member's node is, and status names it."""
    folder = federation.folder
    tjk = federation.node("tjk")
    nobody = {"address": "127.0.0.1:1"}
    newer = federation.edit("tjk", "member", lambda document: document["endpoints"].insert(0, nobody))
    federation.join(newer, "kaz", "tjk")
    kaz = federation.node("kaz")
    author = Officer(folder, "kaz-liaison", read_register(folder))
    federation.start("kaz", "tjk")
    async with author.channel() as channel:
        item = officer_pb2.SubmitItem(message=author.compose(["tjk"]))
        await officer_pb2_grpc.OfficerServiceStub(channel).Submit(
            officer_pb2.SubmitRequest(items=[item]), timeout=SECONDS
        )
    await settled(kaz)
    (peer,) = [peer for peer in (await asyncio.to_thread(kaz.status)).peers if peer.member == "tjk"]
    assert (peer.reachable, peer.endpoint) == (True, tjk.address)
    federation.stop()
    assert len(ledgers.read(kaz).delivered_to("tjk")) == 1


async def settled(node: NodeProcess) -> None:
    """Return when nothing waits at a node any more."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (await asyncio.to_thread(node.status)).waiting:
        assert time.monotonic() < deadline, node.log_tail()
        await asyncio.sleep(POLL_SECONDS)


def _replace_key(document: dict[str, Any], seed: bytes) -> None:
    key = key_wrapping.private_key_from_seed(seed).public_key
    now = datetime.now(UTC)
    document["encryption_keys"] = [
        {
            "key_id": key.key_id.hex(),
            "public_key": b64encode(key.public_key_bytes).decode(),
            "not_before": _time(now - timedelta(hours=1)),
            "not_after": _time(now + timedelta(days=30)),
        }
    ]


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _public_key(certificate: bytes) -> Any:
    return load_certificate(certificate).public_key()
