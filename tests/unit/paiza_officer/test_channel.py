"""Which node an invited person speaks to: its certificate has the exact profile, and is of a CA of the invitation."""

from datetime import UTC, datetime, timedelta
from ssl import DER_cert_to_PEM_cert
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from paiza.enrolment.v1 import enrolment_pb2
from paiza_officer import channel
from paiza_officer.errors import Unreachable
from paiza_wire.identity import SpiffeId, certificates, keys, load_certificate, node_dns_name

NOW = datetime.now(UTC)
BEGINS, ENDS = NOW - timedelta(hours=1), NOW + timedelta(days=1)
CA_KEY = keys.generate_p256()
CA = certificates.issue_ca("kaz", "paiza.example", "node", CA_KEY, not_before=BEGINS, not_after=ENDS)
INVITATION = enrolment_pb2.Invitation(
    enrol_address="node.kaz:7402", member="kaz", federation="paiza.example", node_cas=[CA]
)


def issued(member: str = "kaz", ends: datetime = ENDS, ca_key: Any = CA_KEY) -> bytes:
    """Return a node's certificate of the exact profile."""
    public_key, node = keys.generate_p256().public_key(), SpiffeId(member, "paiza.example", "node")
    return certificates.issue(public_key, load_certificate(CA), ca_key, node, "authentication", BEGINS, ends)


def with_the_name_alone() -> bytes:
    """Return a certificate of the node CA that TLS accepts for the node's name, but that is of no profile."""
    key, name = keys.generate_p256(), x509.DNSName(node_dns_name("kaz", "paiza.example"))
    builder = x509.CertificateBuilder(
        issuer_name=load_certificate(CA).subject,
        subject_name=x509.Name([]),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=BEGINS,
        not_valid_after=ENDS,
    ).add_extension(x509.SubjectAlternativeName([name]), critical=False)
    return builder.sign(CA_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def check(certificate: bytes) -> None:
    """Let the invited person look at a certificate."""
    channel._check_invited_to(INVITATION, DER_cert_to_PEM_cert(certificate).encode())


def test_certificate_of_the_members_node_is_believed() -> None:
    """It is of the profile, of a CA in the invitation, and valid now."""
    check(issued())


@pytest.mark.parametrize(
    "certificate",
    [
        issued("tjk"),
        issued(ends=NOW - timedelta(minutes=1)),
        issued(ca_key=keys.generate_p256()),
        with_the_name_alone(),
    ],
)
def test_other_certificates_are_not(certificate: bytes) -> None:
    """Another member's, an expired one, one of another key, one that only has the name."""
    with pytest.raises(Unreachable) as refused:
        check(certificate)
    assert refused.value.reason == "node_unreachable"
