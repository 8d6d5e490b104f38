"""What an officer sent before they left is received afterwards, by a member that was away and by way of another one."""

import asyncio
from pathlib import Path

from paiza.core.v1.message_pb2 import Handling
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ProofKind
from paiza_node.core.log.model import origin_of
from paiza_node.features.witness import store as witness_store
from paiza_node.ops.admin.client import AdminClient
from tests.federation import Federation
from tests.integration.passing.desk import Desk, until
from tests.integration.witness.looking import look
from tests.registers import newest, read_register

MEMBERS = ("kaz", "tjk", "uzb", "kgz", "tkm")  # three of the other four are a quorum, so that one may be away
GREEN = Handling(code="H0", tlp="GREEN")


def is_cosigned(federation: Federation, digest: bytes) -> bool:
    """Return whether tjk holds the release proven to a cosigned checkpoint, and kaz has such a checkpoint."""
    (kept,) = look(federation.node("tjk"), lambda reads: exchange_store.proofs(reads, digest, ProofKind.RELEASED))
    origin = origin_of(kept.checkpoint)
    held = look(
        federation.node("tjk"), lambda reads: witness_store.cosigned_proof(reads, "kaz", origin, kept.index, digest)
    )
    own = look(federation.node("kaz"), lambda reads: witness_store.witnessed_after(reads, kept.index + 1))
    return held is not None and own is not None


async def test_messages_of_an_officer_who_left(tmp_path: Path) -> None:
    """The sender's and the forwarder's node attach the checkpoint of the witnesses, and the message is received."""
    with Federation.create(tmp_path / "f", MEMBERS) as federation:
        federation.start("kaz", "tjk", "kgz", "tkm")
        desks = {member: Desk(federation.folder, member, read_register(federation.folder)) for member in MEMBERS}
        digest = await desks["kaz"].send(["tjk", "uzb"], GREEN)
        await desks["tjk"].arrival(digest)

        async def cosigned() -> bool:
            return await asyncio.to_thread(is_cosigned, federation, digest)

        await until(cosigned)
        await asyncio.sleep(2.0)  # cosignatures and registers say whole seconds
        before = newest(federation.folder)
        with AdminClient(federation.node("kaz").admin_socket) as client:
            client.remove_officer("liaison", "left the service")

        async def revoked() -> bool:
            found = newest(federation.folder)
            return found.files != before.files and bool(
                read_register(federation.folder).member("kaz").authority.revoked
            )

        await until(revoked)
        federation.join(newest(federation.folder), "uzb")
        federation.start("uzb")
        await desks["uzb"].arrival(digest)
        assert await desks["tjk"].forward(digest, "kgz") == ["forwarded"]
        await desks["kgz"].arrival(digest)
        federation.stop()
        for member in ("uzb", "kgz"):
            assert "release_unwitnessed" in federation.node(member).log.read_text(), member
