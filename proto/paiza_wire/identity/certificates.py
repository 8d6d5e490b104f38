"""Issuing: CAs, signing requests, node and officer certificates, as `paiza_wire.identity` checks them.

An issuer takes two things from a signing request: the public key, whose holder signed the request, and the
id, which must be the one the issuer expects. Everything else in a certificate is the issuer's. All keys are
on P-256; serial numbers are random.
"""

from datetime import datetime
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from paiza_wire.errors import Rejected
from paiza_wire.identity.certificate_profiles import (
    MAX_CERTIFICATE_BYTES,
    X509_ERRORS,
    ca_profile,
    check_ca_profile,
    leaf_profile,
    load_certificate,
    p256_key,
    subject_name,
    subject_names,
    uri_san,
)
from paiza_wire.identity.spiffe import CertificateUse, Role, SpiffeId

AuthorityKey: TypeAlias = ec.EllipticCurvePrivateKey
"""The private key of a CA."""


def issue_ca(
    member: str,
    federation: str,
    role: Role,
    private_key: ec.EllipticCurvePrivateKey,
    *,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """Build the self-signed CA (DER) for a member's certificates of this role, constrained to the member's name."""
    public_key = private_key.public_key()
    _require_p256(public_key)
    profile = ca_profile(member, federation, role, public_key)
    builder = profile.builder(public_key, x509.random_serial_number(), not_before, not_after)
    return builder.sign(private_key, hashes.SHA256()).public_bytes(Encoding.DER)


def create_csr(spiffe_id: SpiffeId, private_key: ec.EllipticCurvePrivateKey) -> bytes:
    """Build a signing request (DER, PKCS #10) for this id, signed with the key to be certified."""
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject_name(spiffe_id))
        .add_extension(subject_names(spiffe_id), critical=False)
    )
    return builder.sign(private_key, hashes.SHA256()).public_bytes(Encoding.DER)


def csr_to_pem(csr: bytes) -> bytes:
    """Return a signing request (DER) as a PEM block."""
    return x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM)


def csr_from_pem(pem: bytes) -> bytes:
    """Return a signing request in DER; ``Rejected("bad_certificate")`` if this is none in PEM."""
    if not 0 < len(pem) <= 2 * MAX_CERTIFICATE_BYTES:  # base64 takes four thirds
        raise Rejected("bad_certificate", "the signing request is empty or too large")
    try:
        return x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER)
    except X509_ERRORS as error:
        raise Rejected("bad_certificate", "this is no signing request in PEM") from error


def read_csr(csr: bytes) -> tuple[SpiffeId, ec.EllipticCurvePublicKey]:
    """Return the id and the key of a signing request (DER), whose own signature holds.

    The id is what the request asks for, by nobody's authority. ``Rejected("bad_certificate")`` for a request that is
    malformed, of another kind of key, or not signed with its own key.
    """
    if not 0 < len(csr) <= MAX_CERTIFICATE_BYTES:
        raise Rejected("bad_certificate", "the signing request is empty or too large")
    try:
        request = x509.load_der_x509_csr(csr)
        request.extensions  # noqa: B018 - parsed on first use; every way of being malformed shall show here
    except X509_ERRORS as error:
        raise Rejected("bad_certificate", "the signing request cannot be parsed") from error
    public_key = p256_key(request)
    if not request.is_signature_valid:
        raise Rejected("bad_certificate", "the signing request is not signed by its own key")
    return uri_san(request), public_key


def issue_node(
    csr: bytes,
    ca: bytes,
    ca_key: AuthorityKey,
    *,
    spiffe_id: SpiffeId,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """Issue a node certificate (DER) for this request; ``Rejected("bad_certificate")`` if it is for another."""
    if spiffe_id.role != "node":
        raise Rejected("bad_certificate", "a node CA issues certificates to nodes only")
    return _issue_checked(csr, ca, ca_key, spiffe_id, "authentication", not_before, not_after)


def issue_officer(
    csr: bytes,
    ca: bytes,
    ca_key: AuthorityKey,
    *,
    spiffe_id: SpiffeId,
    use: CertificateUse,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """Issue an officer certificate (DER) for this request; ``Rejected("bad_certificate")`` if it is for another."""
    if spiffe_id.role != "officer":
        raise Rejected("bad_certificate", "an officer CA issues certificates to officers only")
    return _issue_checked(csr, ca, ca_key, spiffe_id, use, not_before, not_after)


def _issue_checked(
    csr: bytes,
    ca: bytes,
    ca_key: AuthorityKey,
    spiffe_id: SpiffeId,
    use: CertificateUse,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    issuer = load_certificate(ca)
    check_ca_profile(issuer, spiffe_id.member, spiffe_id.federation, spiffe_id.role)
    if p256_key(issuer) != ca_key.public_key():
        raise Rejected("bad_certificate", "the CA's key is not the one in its certificate")
    return issue(_requested_key(csr, spiffe_id), issuer, ca_key, spiffe_id, use, not_before, not_after)


def issue(
    public_key: ec.EllipticCurvePublicKey,
    issuer: x509.Certificate,
    issuer_key: AuthorityKey,
    spiffe_id: SpiffeId,
    use: CertificateUse,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """Issue a certificate (DER) of the id's profile for this use without checking the issuer's right to do so.

    Only for `issue_node` and `issue_officer`, which check it, and for tests that need certificates to be refused.
    """
    profile = leaf_profile(spiffe_id, use, public_key, issuer)
    builder = profile.builder(public_key, x509.random_serial_number(), not_before, not_after)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER)


def _requested_key(csr: bytes, spiffe_id: SpiffeId) -> ec.EllipticCurvePublicKey:
    """Return the key of a signing request whose own signature holds and which asks for exactly this id."""
    requested, public_key = read_csr(csr)
    if requested != spiffe_id:
        raise Rejected("bad_certificate", "the signing request is for another id")
    return public_key


def _require_p256(key: ec.EllipticCurvePublicKey) -> None:
    if not isinstance(key.curve, ec.SECP256R1):
        raise Rejected("bad_certificate", "a CA's key is on P-256")
