"""Reports about third members' logs count only if those members signed them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from paiza.core.v1 import fork_proof_pb2
from paiza.peer.v1 import witness_pb2, witness_pb2_grpc
from paiza_node.core.register.state import state_of
from paiza_register import Register
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 60.0
ORIGIN = "uzb.{federation}/log/1"


def note(signer: SignerKey, size: int, root: bytes) -> bytes:
    """Sign a checkpoint in the name of uzb's log."""
    return checkpoint.sign(Checkpoint(signer.verifier_key.name, size, root), signer)


async def tell(peer: HostilePeer, *, reported: list[bytes], forks: list[fork_proof_pb2.ForkProof]) -> None:
    """Exchange checkpoints and tell something; RefusedError is not expected."""
    request = witness_pb2.ExchangeCheckpointsRequest(
        consistency_claim=peer.consistency_claim(),
        register_state=state_of(peer.register, datetime.now(UTC)),
        reported=reported,
        fork_proofs=forks,
    )
    await witness_pb2_grpc.WitnessServiceStub(peer.channel).ExchangeCheckpoints(request, timeout=SECONDS)
    peer.known = max(peer.known, len(peer.log.entries))


async def eventually(holds: Callable[[], bool]) -> None:
    """Return when something holds; what the node does meanwhile is seen from outside only by looking."""
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.1)


def against(federation: Federation, member: str) -> list[str]:
    """Return what the node says stands against a member's log."""
    peers = federation.node("kaz").status().peers
    return [reason for each in peers if each.member == member for reason in each.misbehaviour]


async def test_forged_hearsay_accuses_nobody(peer: HostilePeer, federation: Federation, register: Register) -> None:
    """Notes by another key, bytes that are no notes, proofs that contradict nothing: all is passed over."""
    origin = ORIGIN.format(federation=register.federation)
    stranger = SignerKey.from_ed25519(origin, keys.generate_ed25519())
    forged = [note(stranger, 5, bytes(32)), note(stranger, 5, bytes([1]) * 32)]
    forks = [
        fork_proof_pb2.ForkProof(first_note=forged[0], second_note=forged[1]),
        fork_proof_pb2.ForkProof(first_note=b"\xff", second_note=b""),
        fork_proof_pb2.ForkProof(),
    ]
    await tell(peer, reported=[*forged, b"", b"\x00\xff", peer.note()], forks=forks)
    node = federation.node("kaz")
    await eventually(lambda: node.log.read_text().count("gossip_ignored") >= len(forged) + len(forks))
    assert against(federation, "uzb") == []
    assert against(federation, "tjk") == []


async def test_more_than_may_be_told_is_refused(peer: HostilePeer) -> None:
    """A call that tells too much is refused as a whole."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await tell(peer, reported=[b"note"] * 129, forks=[])
    assert dict(refused.value.trailing_metadata() or ())["paiza-reason"] == "too_large"


async def test_true_hearsay_proves_a_fork_regardless_of_its_source(
    peer: HostilePeer, federation: Federation, folder: Path, register: Register
) -> None:
    """Two notes that uzb's own key signed need no trust in the liar who tells of them, who is no worse off for it."""
    private = keys.private_key_from_pem((folder / "nodes/uzb/keys/log.key").read_bytes())
    signer = SignerKey.from_ed25519(ORIGIN.format(federation=register.federation), private)  # type: ignore[arg-type]
    await tell(peer, reported=[note(signer, 5, bytes(32)), note(signer, 5, bytes([1]) * 32)], forks=[])
    await eventually(lambda: bool(against(federation, "uzb")))
    assert against(federation, "uzb") == ["log_forked"]
    assert against(federation, "tjk") == []
