"""Certificates for strangers, impostors and honest callers, from the keys of a development federation's CAs."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import grpc

from paiza.admin.v1 import officer_pb2
from paiza_register import Register
from paiza_wire.identity import CertificateUse, Role, SpiffeId, certificates, keys, load_certificate, node_dns_name
from paiza_wire.message import OfficerSigner
from tests.officer import node_roots

LIFE: Final = timedelta(days=30)


@dataclass(frozen=True)
class Identity:
    """A key and what it shows to a node; without certificate it shows none."""

    key_pem: bytes
    certificate: bytes = b""

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as TLS libraries read it."""
        return ssl.DER_cert_to_PEM_cert(self.certificate).encode()

    def signer(self, officer_id: str) -> OfficerSigner:
        """The signer of messages."""
        key = keys.private_key_from_pem(self.key_pem)
        return OfficerSigner(officer_id, self.certificate, lambda data: keys.sign(key, data))

    def channel(self, address: str, member: str, register: Register, *options: tuple[str, int]) -> grpc.aio.Channel:
        """Dial a member's node as an honest program would, showing this identity; ``options`` as gRPC names them."""
        shown = (self.key_pem, self.certificate_pem) if self.certificate else (None, None)
        return grpc.aio.secure_channel(
            address,
            grpc.ssl_channel_credentials(node_roots(register, member), *shown),
            options=[
                ("grpc.ssl_target_name_override", node_dns_name(member, register.federation)),
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.enable_http_proxy", 0),
                ("grpc.enable_retries", 0),
                # As the programs of officers and peers have it: gRPC's own pauses between attempts begin with 1 s.
                ("grpc.initial_reconnect_backoff_ms", 250),
                ("grpc.max_reconnect_backoff_ms", 2_000),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.max_send_message_length", 64 * 1024 * 1024),
                ("grpc.max_receive_message_length", 64 * 1024 * 1024),
                *options,
            ],
        )

    @contextmanager
    def http2(self, address: str, source: str = "") -> Iterator[ssl.SSLSocket]:
        """Connect to a node with TLS alone, showing this identity, for frames of HTTP/2 written by hand."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["h2"])
        if self.certificate:
            with NamedTemporaryFile() as file:
                file.write(self.key_pem + self.certificate_pem)
                file.flush()
                context.load_cert_chain(file.name)
        host, _, port = address.rpartition(":")
        plain = socket.create_connection((host, int(port)), 10, (source, 0))
        with plain, context.wrap_socket(plain) as secure:
            yield secure


@dataclass(frozen=True)
class NewCa:
    """A CA that a member may announce beside those that it has."""

    certificate: bytes
    key: Any

    @classmethod
    def make(cls, member: str, federation: str, kind: Role) -> "NewCa":
        """Make one that is valid since long."""
        key, first = keys.generate_p256(), datetime.now(UTC) - LIFE
        made = certificates.issue_ca(member, federation, kind, key, not_before=first, not_after=first + 10 * LIFE)
        return cls(made, key)

    def issue(self, claimed: SpiffeId, use: CertificateUse = "authentication") -> Identity:
        """Certify a claim."""
        key, first = keys.generate_p256(), datetime.now(UTC) - timedelta(minutes=5)
        ca = load_certificate(self.certificate)
        issued = certificates.issue(key.public_key(), ca, self.key, claimed, use, first, first + LIFE)
        return Identity(keys.private_key_to_pem(key), issued)


class Mint:
    """Holds every CA key of a development federation, as only a test may."""

    def __init__(self, folder: Path, register: Register) -> None:
        self.folder = folder
        self.register = register

    def nobody(self) -> Identity:
        """Show no certificate at all."""
        return Identity(b"")

    def node(self, member: str) -> Identity:
        """Return the identity of a member's real node."""
        return self._file(self.folder / "nodes" / member / "keys", "tls.key", "tls.crt")

    def officer(self, profile: str) -> Identity:
        """Return the identity of an officer that the federation was made with, such as "kaz-duty"."""
        return self._file(self.folder / "home" / profile, "authentication.key", "authentication.crt")

    def signing_identity(self, profile: str) -> Identity:
        """Return the signing key and certificate of an officer, which are not for TLS."""
        return self._file(self.folder / "home" / profile, "signing.key", "signing.crt")

    def issue(
        self,
        authority: str,
        kind: Role,
        claimed: SpiffeId,
        *,
        use: CertificateUse = "authentication",
        begins: datetime | None = None,
        life: timedelta = LIFE,
    ) -> Identity:
        """Certify any claim with a member's CA of this kind, without checks."""
        ca = load_certificate(self.register.member(authority).authority.cas(kind)[0].certificate)
        ca_key = keys.private_key_from_pem((self.folder / f"trust/{authority}/{kind}-ca.key").read_bytes())
        key = keys.generate_p256()
        first = begins or datetime.now(UTC) - timedelta(minutes=5)
        issued = certificates.issue(key.public_key(), ca, ca_key, claimed, use, first, first + life)  # type: ignore[arg-type]
        return Identity(keys.private_key_to_pem(key), issued)

    def stranger(self, claimed: SpiffeId, use: CertificateUse = "authentication") -> Identity:
        """Certify a claim by a CA that calls itself the member's but that no register names."""
        first = datetime.now(UTC) - timedelta(minutes=5)
        ca_key, key = keys.generate_p256(), keys.generate_p256()
        ca = certificates.issue_ca(
            claimed.member, claimed.federation, claimed.role, ca_key, not_before=first, not_after=first + LIFE
        )
        issued = certificates.issue(key.public_key(), load_certificate(ca), ca_key, claimed, use, first, first + LIFE)
        return Identity(keys.private_key_to_pem(key), issued)

    def admission(self, member: str, name: str, identity: Identity) -> officer_pb2.AdmittedOfficer:
        """Return what admits an officer with this authentication certificate, and with a signing certificate."""
        officer_id = SpiffeId(member, self.register.federation, "officer", name)
        return officer_pb2.AdmittedOfficer(
            id=str(officer_id),
            roles=["liaison"],
            unit="exercise",
            authentication_certificate=identity.certificate,
            signing_certificate=self.issue(member, "officer", officer_id, use="signing").certificate,
        )

    def _file(self, folder: Path, key: str, certificate: str) -> Identity:
        pem = (folder / certificate).read_text()
        return Identity((folder / key).read_bytes(), ssl.PEM_cert_to_DER_cert(pem))
