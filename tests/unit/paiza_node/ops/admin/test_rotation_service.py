"""A TLS key certified by the member's issuer: logged first, and asked for once more after a failure."""

from pathlib import Path
from typing import Any, cast

import pytest

from paiza.admin.v1 import rotation_pb2
from paiza.core.v1 import log_pb2
from paiza_node.core.log import store as log_store
from paiza_node.ops.admin.rotation_service import RotationService
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import SpiffeId, certificates, keys
from tests.unit.paiza_node.room import Room

REQUEST = rotation_pb2.CertifyKeyRequest(
    request=certificates.create_csr(SpiffeId("kaz", "paiza.example", "node"), keys.generate_p256())
)


class Issuer:
    """An issuer that first does not answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, bytes]] = []

    async def certify_node(self, log_index: int, request: bytes) -> bytes:
        """Note what is asked for; answer the second time."""
        self.asked.append((log_index, request))
        if len(self.asked) == 1:
            raise Unavailable("issuer_unreachable")
        return b"certificate"

    async def node_certificates(self) -> list[bytes]:
        """Name two, one of which the node never asked for."""
        return [b"certificate", b"another"]


async def test_a_repeat_asks_the_issuer_for_the_same_entry(tmp_path: Path) -> None:
    """The key is announced once, whatever fails after it, and the certificate is logged."""
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        issuer = Issuer()
        service = RotationService(cast("Any", None), room.ledger, cast("Any", None), cast("Any", issuer))
        with pytest.raises(Unavailable, match="issuer_unreachable"):
            await service.certify_key(REQUEST)
        assert (await service.certify_key(REQUEST)).certificate == b"certificate"
        assert issuer.asked == [(0, REQUEST.request)] * 2
        with room.store.reads() as reads:
            entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries(reads, 0, 10)]
        assert [entry.event for entry in entries] == [
            log_pb2.LOG_EVENT_KEY_ANNOUNCED,
            log_pb2.LOG_EVENT_NODE_CERTIFIED,
        ]


async def test_all_node_certificates_of_the_issuer_are_listed(tmp_path: Path) -> None:
    """Those that this node never asked for too; none without an issuer."""
    asked = rotation_pb2.GetNodeCertificatesRequest()
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        for issuer, listed in ((Issuer(), [b"certificate", b"another"]), (None, [])):
            service = RotationService(cast("Any", None), room.ledger, cast("Any", None), cast("Any", issuer))
            assert list((await service.get_node_certificates(asked)).certificates) == listed


async def test_without_an_issuer_the_key_is_certified_by_hand(tmp_path: Path) -> None:
    """Nothing is logged."""
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        service = RotationService(cast("Any", None), room.ledger, cast("Any", None), None)
        with pytest.raises(Rejected, match="issuer_missing"):
            await service.certify_key(REQUEST)
        assert room.ledger.checkpoint.size == 0
