"""A first message shows that its signer's certificate stands in the log of its member; later ones need not."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.storage import open_store
from paiza_register import Register
from paiza_wire.identity import SpiffeId
from tests.federation import Federation
from tests.integration.exchange.hostile import HostilePeer, RefusedError
from tests.officer import Officer
from tests.system.minting import Mint

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer(federation: Federation, register: Register) -> AsyncIterator[HostilePeer]:
    """Return the node of uzb, whose officers nobody knows yet."""
    hostile = HostilePeer(federation.folder, "uzb", federation.node("kaz"), register)
    async with hostile.channel:
        yield hostile


class Certified(Officer):
    """An officer with a certificate of their own, as a renewal or an abused CA makes one."""

    def __init__(self, folder: Path, register: Register, name: str) -> None:
        super().__init__(folder, "uzb-liaison", register)
        claimed = SpiffeId("uzb", register.federation, "officer", name)
        identity = Mint(folder, register).issue("uzb", "officer", claimed, use="signing")
        self.id = str(claimed)
        self.certificate = identity.certificate
        self.signer = identity.signer(self.id)

    @property
    def digest(self) -> bytes:
        """Return the SHA-256 of the certificate."""
        return sha256(self.certificate).digest()


def bare(dispatch: exchange_pb2.Dispatch) -> exchange_pb2.Dispatch:
    """Leave the proofs of certificates out of a dispatch."""
    del dispatch.release.certificates[:]
    return dispatch


async def test_the_first_message_without_proof_is_asked_for_again(
    peer: HostilePeer, folder: Path, register: Register
) -> None:
    """Without the proof nothing is decided; with it the same message is received; later ones need none."""
    officer = Certified(folder, register, "first")
    signed = officer.compose(["kaz"])
    dispatch = peer.dispatch(signed)
    assert (await peer.deliver(bare(dispatch))).reason() == ("retry", "certificate_unproven")
    again = peer.dispatch(signed, dispatch.release.released.index)
    assert (await peer.deliver(again)).reason() == ("received", "")
    assert (await peer.deliver(bare(peer.dispatch(officer.compose(["kaz"]))))).reason() == ("received", "")


async def test_one_proof_counts_for_the_whole_batch(peer: HostilePeer, folder: Path, register: Register) -> None:
    """The proof comes with one message of a batch, before or after the others."""
    officer = Certified(folder, register, "batch")
    before, carrying, after = peer.dispatch_all([officer.compose(["kaz"]) for _ in range(3)])
    answer = await peer.deliver(bare(before), carrying, bare(after))
    assert [answer.reason(at) for at in range(3)] == [("received", "")] * 3


async def test_a_certificate_that_no_entry_names_signs_nothing(
    peer: HostilePeer, folder: Path, register: Register
) -> None:
    """A thief of the officer CA's key alone sends nothing: the log holds no entry for what they issue."""
    abused, honest = Certified(folder, register, "abused"), Certified(folder, register, "honest")
    signed = abused.compose(["kaz"])
    peer.certified[abused.digest] = 1 << 40  # so that it is not logged
    assert (await peer.deliver(peer.dispatch(signed))).reason() == ("retry", "certificate_unproven")
    peer.certify(honest.digest)
    dispatch = peer.dispatch(signed)
    dispatch.release.certificates.append(peer.proven(peer.certified[honest.digest], len(peer.log.entries)))
    assert (await peer.deliver(dispatch)).reason() == ("retry", "certificate_unproven")


async def test_a_wrong_proof_is_refused(peer: HostilePeer, folder: Path, register: Register) -> None:
    """An entry of another event, or one that the log does not hold, is no proof; the message is refused, not logged."""
    officer = Certified(folder, register, "wrong")
    signed = officer.compose(["kaz"])
    dispatch = peer.dispatch(signed)
    size, (proof,) = len(peer.log.entries), dispatch.release.certificates
    released = peer.proven(dispatch.release.released.index, size)
    moved = log_pb2.ProvenEntry(entry=proof.entry, index=proof.index + 1, inclusion_hashes=proof.inclusion_hashes)
    for wrong in (released, moved, log_pb2.ProvenEntry(entry=b"x", index=proof.index)):
        del dispatch.release.certificates[:]
        dispatch.release.certificates.append(wrong)
        assert (await peer.deliver(dispatch)).reason() == ("rejection", "bad_proof")
    assert (await peer.deliver(peer.dispatch(signed))).reason() == ("received", "")


async def test_too_many_proofs_are_refused(peer: HostilePeer, folder: Path, register: Register) -> None:
    """A call proves no more certificates than it may have messages."""
    dispatch = peer.dispatch(Certified(folder, register, "many").compose(["kaz"]))
    proof = dispatch.release.certificates[0]
    dispatch.release.certificates.extend([proof] * 256)
    with pytest.raises(RefusedError) as refused:
        await peer.deliver(dispatch)
    assert refused.value.reason == "too_large"
    peer.known = len(peer.log.entries)  # the claim was accepted, the messages were not


async def test_what_was_proven_is_known_after_a_restart(
    peer: HostilePeer, federation: Federation, folder: Path, register: Register
) -> None:
    """The proof is stored with the message: a start reads it, and nothing is asked for again."""
    officer = Certified(folder, register, "restart")
    assert (await peer.deliver(peer.dispatch(officer.compose(["kaz"])))).reason() == ("received", "")
    node = federation.node("kaz")
    node.stop()
    store = open_store(f"sqlite:///{node.data / 'paiza.db'}")
    with store.reads() as reads:
        (proof,) = exchange_store.proven_certificates(reads, "uzb", [officer.digest])
    store.close()
    assert log_pb2.LogEntry.FromString(proof.entry).officer_certified.signing_certificate_sha256 == officer.digest
    node.start()
    assert (await peer.deliver(bare(peer.dispatch(officer.compose(["kaz"]))))).reason() == ("received", "")
