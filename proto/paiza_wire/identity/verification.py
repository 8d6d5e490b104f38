"""Names (SPIFFE IDs) and the verification of certificates against the one member they claim.

Names are defined in `paiza_wire.identity.spiffe`, profiles in `paiza_wire.identity.certificate_profiles`; certificates
are made in `paiza_wire.identity.certificates`. Trust is never shared between members: a certificate is checked against
the node CAs or the officer CAs of the member its own name claims, and against nothing else. There are no intermediate
certificates and no system roots. A certificate serves one use: authentication in TLS, or signing; never both.

`CertificateVerifier` checks, in this order; each step refuses by itself:

1. The bytes are one certificate of bounded size, in DER, signed with ECDSA and SHA-256 (else ``bad_certificate``).
2. It carries exactly one URI SAN, a SPIFFE ID in its only spelling (``bad_certificate``).
3. The id is of the role asked for: a node, or an officer (``bad_certificate``).
4. The id's member is in the register, under this federation's name (``wrong_member``).
5. That member's CAs for this role are exactly of the CA profile, and have signed themselves (``bad_certificate``).
6. One of these CAs issued the certificate directly, by name and by signature (``bad_certificate``).
7. The certificate is exactly of the profile of its id, use and CA, byte for byte, and not of a CA's key
   (``bad_certificate``).
8. Its member has not revoked it, nor its key (``certificate_revoked``).
9. The id is exactly the expected one (officer), or of the expected member (node) (``wrong_member``).
10. The time asked for lies in the validity of the certificate and of its CA, and in the time for which its member
    announced that CA (``certificate_expired``).

The caller ensures that this is the relevant time, that the member is active, and that the holder has the private key
(a TLS handshake or a signature proves it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from paiza_wire.errors import Rejected
from paiza_wire.identity.certificate_profiles import (
    check_ca_profile,
    check_leaf_profile,
    is_issued_by,
    load_certificate,
    p256_key,
    uri_san,
)
from paiza_wire.identity.keys import fingerprint as key_fingerprint
from paiza_wire.identity.spiffe import (
    FEDERATION_NAME,
    MEMBER_ID,
    CertificateUse,
    Role,
    SpiffeId,
    node_dns_name,
)

__all__ = [
    "FEDERATION_NAME",
    "MEMBER_ID",
    "VERIFIED_CERTIFICATES",
    "CertificateAuthority",
    "CertificateUse",
    "CertificateVerifier",
    "MemberAuthority",
    "Role",
    "SpiffeId",
    "VerifiedCertificate",
    "check_authority",
    "load_certificate",
    "node_dns_name",
    "uri_san",
]

VERIFIED_CERTIFICATES: Final = 4096
"""Verified certificates one verifier remembers: more officers than a federation writes with at once, about 8 MB."""


@dataclass(frozen=True, slots=True)
class VerifiedCertificate:
    """A certificate that passed every step; its validity is the intersection with that of its CA as announced."""

    id: SpiffeId
    public_key: ec.EllipticCurvePublicKey
    fingerprint: bytes
    not_before: datetime
    not_after: datetime
    der: bytes


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """A CA certificate (DER), with the time for which its member announced it: both ends are included."""

    certificate: bytes
    begins: datetime
    ends: datetime

    @classmethod
    def of(cls, certificate: bytes) -> "CertificateAuthority":
        """Return a CA announced for its whole X.509 validity."""
        ca = load_certificate(certificate)
        return cls(certificate, ca.not_valid_before_utc, ca.not_valid_after_utc)

    @property
    def expiry_time(self) -> datetime:
        """Return the last time at which it certifies: the announced end, or the earlier X.509 one."""
        return min(self.ends, load_certificate(self.certificate).not_valid_after_utc)


@dataclass(frozen=True, slots=True)
class MemberAuthority:
    """The CAs of a member and its revocations. Several CAs of a role are valid at once while one replaces another.

    ``revoked`` holds SHA-256 of certificates (DER) and of their public keys (SubjectPublicKeyInfo). The
    certificate's hash alone is not enough: anybody can derive another ECDSA signature, and so the same certificate
    with another hash.
    """

    member: str
    federation: str
    node_cas: tuple[CertificateAuthority, ...]
    officer_cas: tuple[CertificateAuthority, ...]
    revoked: frozenset[bytes] = frozenset()

    def cas(self, role: Role) -> tuple[CertificateAuthority, ...]:
        """Return the CAs that issue certificates of this role."""
        return self.node_cas if role == "node" else self.officer_cas

    @property
    def all_cas(self) -> tuple[CertificateAuthority, ...]:
        """Return the CAs of both roles."""
        return (*self.node_cas, *self.officer_cas)


class CertificateVerifier:
    """The verifier of certificates against one version of the register; each certificate is verified once.

    Verified certificates are cached for the life of the verifier; the CAs and the revocations never change within it. A
    new version of the register needs a new verifier. Refusals are not cached. Thread-safe.
    """

    def __init__(self, authorities: Mapping[str, MemberAuthority]) -> None:
        self._authorities = dict(authorities)
        self._remembered = lru_cache(maxsize=VERIFIED_CERTIFICATES)(self._verify)
        self._ends = lru_cache(maxsize=VERIFIED_CERTIFICATES)(self._expiry_time)

    @property
    def authorities(self) -> Mapping[str, MemberAuthority]:
        """Return the members' CAs and revocations that this verifies by."""
        return self._authorities

    def authentication(self, der: bytes, *, expected_id: str, at: datetime) -> VerifiedCertificate:
        """Check an officer's certificate for TLS: steps 1-10, for exactly this id."""
        return self._officer(der, "authentication", expected_id, at)

    def signing(self, der: bytes, *, expected_id: str, at: datetime) -> VerifiedCertificate:
        """Check an officer's certificate for signatures: steps 1-10, for exactly this id."""
        return self._officer(der, "signing", expected_id, at)

    def node(self, der: bytes, *, expected_member: str | None, at: datetime) -> VerifiedCertificate:
        """Check a node's certificate: steps 1-10; with ``expected_member`` None, any member's."""
        certificate = self._remembered(der, "node", "authentication")
        if expected_member is not None and certificate.id.member != expected_member:  # 9.
            raise Rejected("wrong_member", "the certificate is another member's")
        return _valid_at(certificate, at)

    def expiry_time(self, der: bytes) -> datetime:
        """Return the last time at which a certificate counts: its own end, or the earlier one of its CA.

        A CA ends as announced, or with its X.509 validity. Revocations are not looked at. ``bad_certificate`` if its
        member announces no CA that issued it.
        """
        return self._ends(der)

    def _expiry_time(self, der: bytes) -> datetime:
        certificate = load_certificate(der)
        spiffe_id = uri_san(certificate)
        authority = self._authorities.get(spiffe_id.member)
        if authority is None:
            raise Rejected("wrong_member", "the certificate claims a member that is not in the register")
        announced, _ca = _issuer(certificate, authority, spiffe_id.role)
        return min(certificate.not_valid_after_utc, announced.expiry_time)

    def is_revoked(self, der: bytes) -> bool:
        """Return whether the member that a certificate names has revoked it, or its key."""
        certificate = load_certificate(der)
        authority = self._authorities.get(uri_san(certificate).member)
        digests = {sha256(der).digest(), key_fingerprint(p256_key(certificate))}
        return authority is not None and not digests.isdisjoint(authority.revoked)

    def _officer(self, der: bytes, use: CertificateUse, expected_id: str, at: datetime) -> VerifiedCertificate:
        certificate = self._remembered(der, "officer", use)
        if str(certificate.id) != expected_id:  # 9.
            raise Rejected("wrong_member", "the certificate names another officer")
        return _valid_at(certificate, at)

    def _verify(self, der: bytes, role: Role, use: CertificateUse) -> VerifiedCertificate:
        """Run every step that depends neither on the time nor on the expected id."""
        # 1.-3.
        certificate = load_certificate(der)
        spiffe_id = uri_san(certificate)
        if spiffe_id.role != role:
            raise Rejected("bad_certificate", f"this is not a certificate of the role {role}")
        # 4.
        authority = self._authorities.get(spiffe_id.member)
        if authority is None:
            raise Rejected("wrong_member", "the certificate claims a member that is not in the register")
        if authority.federation != spiffe_id.federation:
            raise Rejected("wrong_member", "the certificate claims another federation")
        # 5.-6.
        announced, ca = _issuer(certificate, authority, role)
        # 7.
        public_key = check_leaf_profile(certificate, spiffe_id, use, ca)
        if any(public_key == p256_key(load_certificate(each.certificate)) for each in authority.all_cas):
            raise Rejected("bad_certificate", "the certificate is of the key of a CA")
        # 8.
        fingerprint = sha256(der).digest()
        if fingerprint in authority.revoked:
            raise Rejected("certificate_revoked", "its member has revoked this certificate")
        if key_fingerprint(public_key) in authority.revoked:
            raise Rejected("certificate_revoked", "its member has revoked the key of this certificate")
        return VerifiedCertificate(
            id=spiffe_id,
            public_key=public_key,
            fingerprint=fingerprint,
            not_before=max(certificate.not_valid_before_utc, ca.not_valid_before_utc, announced.begins),
            not_after=min(certificate.not_valid_after_utc, ca.not_valid_after_utc, announced.ends),
            der=der,
        )


def _valid_at(certificate: VerifiedCertificate, at: datetime) -> VerifiedCertificate:
    # 10.
    if at < certificate.not_before:
        raise Rejected("certificate_expired", f"not valid before {certificate.not_before.astimezone(UTC).isoformat()}")
    if at > certificate.not_after:
        raise Rejected("certificate_expired", f"not valid after {certificate.not_after.astimezone(UTC).isoformat()}")
    return certificate


def check_authority(authority: MemberAuthority) -> None:
    """Check all CAs of a member (step 5) before use: one or more of each role, each with a key of its own."""
    if not authority.node_cas or not authority.officer_cas:
        raise Rejected("bad_certificate", "there is no node CA or no officer CA")
    roles: tuple[Role, ...] = ("node", "officer")
    announced = [(role, each) for role in roles for each in authority.cas(role)]
    if any(each.begins >= each.ends for _role, each in announced):
        raise Rejected("bad_certificate", "a CA is announced to end before it begins")
    keys = {key_fingerprint(p256_key(_checked_ca(authority, role, each))) for role, each in announced}
    if len(keys) != len(announced):
        raise Rejected("bad_certificate", "two CAs have the same key")


def _issuer(
    certificate: x509.Certificate, authority: MemberAuthority, role: Role
) -> tuple[CertificateAuthority, x509.Certificate]:
    """Return the one CA that issued a certificate, as announced and parsed."""
    for announced in authority.cas(role):
        ca = _checked_ca(authority, role, announced)
        if is_issued_by(certificate, ca):
            return announced, ca
    raise Rejected("bad_certificate", "the certificate was not issued by its member's CA")


def _checked_ca(authority: MemberAuthority, role: Role, announced: CertificateAuthority) -> x509.Certificate:
    ca = load_certificate(announced.certificate)
    check_ca_profile(ca, authority.member, authority.federation, role)
    return ca
