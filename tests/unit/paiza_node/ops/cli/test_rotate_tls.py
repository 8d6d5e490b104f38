"""`paiza-node rotate tls --stolen`: whatever the issuer certified for other keys is revoked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest

from paiza_node.ops import tls_rotation
from paiza_node.ops.cli.rotate import tls
from paiza_wire.identity import SpiffeId, certificates, keys
from tests.unit.paiza_node.features.enrolment.enrolment_room import FEDERATION, MEMBER, Authorities


class Client:
    """A node that notes what is revoked."""

    def __init__(self, issued: Sequence[bytes]) -> None:
        self.revoked: list[bytes] = []
        self._issued = list(issued)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing is open."""

    def node_certificates(self) -> list[bytes]:
        """Return what the issuer's journal names."""
        return self._issued

    def revoke_certificate(self, certificate: bytes) -> bytes:
        """Note it; return a register version."""
        self.revoked.append(certificate)
        return sha256(certificate).digest()


def test_all_of_the_issuers_node_certificates_but_the_present_are_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that a thief had issued and this node never saw; not the expired, and none of the present key."""
    now = datetime.now(UTC)
    authorities, node = Authorities(now - timedelta(days=10)), SpiffeId(MEMBER, FEDERATION, "node")

    def certificate(key: Any, life: timedelta = timedelta(days=1)) -> bytes:
        return certificates.issue_node(
            certificates.create_csr(node, key),
            authorities.node,
            authorities.node_key,
            spiffe_id=node,
            not_before=now - timedelta(days=5),
            not_after=now + life,
        )

    present = keys.generate_p256()
    former, unseen, expired, again = (
        certificate(keys.generate_p256()),
        certificate(keys.generate_p256()),
        certificate(keys.generate_p256(), timedelta(days=-1)),
        certificate(present),
    )
    client = Client([former, expired, unseen, again])
    monkeypatch.setattr(tls, "AdminClient", lambda _socket: client)
    monkeypatch.setattr(tls_rotation, "node_certificate_file", lambda _config: b"")
    monkeypatch.setattr(tls_rotation, "certified_key", lambda *_: keys.fingerprint(present.public_key()))
    config = SimpleNamespace(issuer_socket=tmp_path / "i", admin_socket=tmp_path / "a", keys=tmp_path)
    assert tls._revoke_all(cast("Any", config), [former]) == sha256(unseen).digest()
    assert client.revoked == [former, unseen]
    without = SimpleNamespace(issuer_socket=None, admin_socket=tmp_path / "a", keys=tmp_path)
    assert tls._revoke_all(cast("Any", without), []) == b""
