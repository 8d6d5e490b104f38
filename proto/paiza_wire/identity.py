"""Names (SPIFFE IDs) and the verification of certificates against the one member they claim.

Certificates are made in `paiza_wire.certificates`, whose profiles are checked here. Trust is never shared
between members: a certificate is checked against the node CA or the officer CA of the member its own name
claims, and against nothing else. There are no intermediate certificates and no system roots.

`CertificateVerifier` checks, in this order; each step refuses by itself:

1. The bytes are one X.509 v3 certificate of bounded size (else ``bad_certificate``).
2. It carries exactly one URI SAN, a SPIFFE ID in its only spelling (``bad_certificate``).
3. The id is of the role asked for: a node, or an officer (``bad_certificate``).
4. The id's member is in the register, under this federation's name (``wrong_member``).
5. That member's CA for this role has the CA profile, that member's name and its own signature (``bad_certificate``).
6. That CA issued the certificate directly, by name and by signature (``bad_certificate``).
7. The certificate has the profile of its role: the exact set of extensions, with exact values (``bad_certificate``).
8. Its member has not revoked it, nor its key (``certificate_revoked``).
9. The id is exactly the expected one (officer), or of the expected member (node) (``wrong_member``).
10. The time asked for lies in the validity of both the certificate and its CA (``certificate_expired``).

What the caller owes: that this time is the one which counts, that the member is active, and that the holder
has the private key (a TLS handshake or a signature shows it).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from paiza_wire.errors import Rejected
from paiza_wire.keys import fingerprint as key_fingerprint

Role = Literal["node", "officer"]
"""Whom a certificate names: a member's node or one of its officers."""

MEMBER_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,15}")
"""A member: lower-case ISO 3166-1 alpha-3 for a state, a short name for an organisation. Use with ``fullmatch``."""

OFFICER_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""An officer's name within its member. Use with ``fullmatch``."""

FEDERATION_NAME: Final = re.compile(r"(?=.{3,48}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
"""A DNS name of at least two labels, lower case; 48 characters keep every name built on it inside X.509's 64."""

MAX_CERTIFICATE_BYTES: Final = 4096
"""Largest certificate or signing request looked at; those of our profiles have well under a thousand."""

VERIFIED_CERTIFICATES: Final = 4096
"""Verified certificates one verifier remembers: more officers than a federation writes with at once, about 8 MB."""

_SCHEME: Final = "spiffe://"

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

X509_ERRORS: Final = (
    ValueError,  # also UnicodeError
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""Everything that parsing a certificate, and reading a lazily parsed field of it, raises."""

_LEAF_EXTENSIONS: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)
_CA_EXTENSIONS: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)
_EXTENDED_USES: Final[Mapping[Role, frozenset[x509.ObjectIdentifier]]] = {
    "node": frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}),
    "officer": frozenset({ExtendedKeyUsageOID.CLIENT_AUTH}),
}


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """Who someone is: ``spiffe://<member>.<federation>/node`` or ``spiffe://<member>.<federation>/officer/<name>``."""

    member: str
    federation: str
    role: Role
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse (``malformed``) what has no single spelling, so that equal ids are equal strings."""
        if not MEMBER_ID.fullmatch(self.member) or self.member.startswith("xn--"):
            raise Rejected("malformed", "the member of a SPIFFE ID is not a member id")
        if not FEDERATION_NAME.fullmatch(self.federation):
            raise Rejected("malformed", "the federation of a SPIFFE ID is not a lower-case DNS name")
        if self.role not in _EXTENDED_USES:
            raise Rejected("malformed", "the role of a SPIFFE ID is neither node nor officer")
        if self.role == "node" and self.name:
            raise Rejected("malformed", "a node has no name of its own")
        if self.role == "officer" and not OFFICER_NAME.fullmatch(self.name):
            raise Rejected("malformed", "the officer's name in a SPIFFE ID is not well formed")

    @classmethod
    def parse(cls, text: str) -> "SpiffeId":
        """Read the one spelling; anything else is ``Rejected("malformed")``."""
        if not text.startswith(_SCHEME):
            raise Rejected("malformed", "a SPIFFE ID begins with spiffe://")
        domain, _, path = text.removeprefix(_SCHEME).partition("/")
        member, _, federation = domain.partition(".")
        if path == "node":
            return cls(member, federation, "node")
        if not path.startswith("officer/"):
            raise Rejected("malformed", "the path of a SPIFFE ID is neither /node nor /officer/<name>")
        return cls(member, federation, "officer", path.removeprefix("officer/"))

    def __str__(self) -> str:
        path = "node" if self.role == "node" else f"officer/{self.name}"
        return f"{_SCHEME}{self.member}.{self.federation}/{path}"


def node_dns_name(member: str, federation: str) -> str:
    """Give the DNS name in a node's certificate; gRPC compares it with ``ssl_target_name_override``."""
    return f"node.{member}.{federation}"


@dataclass(frozen=True, slots=True)
class VerifiedCertificate:
    """A certificate that passed every step; its validity is the part which it shares with its CA's."""

    id: SpiffeId
    public_key: ec.EllipticCurvePublicKey
    fingerprint: bytes
    not_before: datetime
    not_after: datetime
    der: bytes


@dataclass(frozen=True, slots=True)
class MemberAuthority:
    """Whom a member's certificates come from, and what it has revoked.

    ``revoked`` holds SHA-256 of certificates (DER) and of their public keys (SubjectPublicKeyInfo). The
    certificate's hash alone would not do: of one ECDSA signature anybody can make another, and so the same
    certificate under another hash.
    """

    member: str
    federation: str
    node_ca: bytes
    officer_ca: bytes
    revoked: frozenset[bytes] = frozenset()

    def ca(self, role: Role) -> bytes:
        """Give the CA (DER) that issues certificates of this role."""
        return self.node_ca if role == "node" else self.officer_ca


class CertificateVerifier:
    """Verifies certificates against the authorities of one version of the register, each certificate once.

    What passed is remembered for the life of the verifier; since the authorities in it never change, that
    includes the CA and the revocations. A new version of the register needs a new verifier. Refusals are not
    remembered. Safe between threads.
    """

    def __init__(self, authorities: Mapping[str, MemberAuthority]) -> None:
        self._authorities = dict(authorities)
        self._remembered = lru_cache(maxsize=VERIFIED_CERTIFICATES)(self._verify)

    def officer(self, der: bytes, *, expected_id: str, at: datetime) -> VerifiedCertificate:
        """Check an officer's certificate: steps 1-10, for exactly this id."""
        certificate = self._remembered(der, "officer")
        if str(certificate.id) != expected_id:  # 9.
            raise Rejected("wrong_member", "the certificate names another officer")
        return _valid_at(certificate, at)

    def node(self, der: bytes, *, expected_member: str | None, at: datetime) -> VerifiedCertificate:
        """Check a node's certificate: steps 1-10; ``expected_member`` None leaves open which member it proves."""
        certificate = self._remembered(der, "node")
        if expected_member is not None and certificate.id.member != expected_member:  # 9.
            raise Rejected("wrong_member", "the certificate is another member's")
        return _valid_at(certificate, at)

    def _verify(self, der: bytes, role: Role) -> VerifiedCertificate:
        """Do every step that depends neither on the time nor on whom the caller expects."""
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
        # 5.
        ca = _checked_ca(authority, role)
        # 6.
        _check_issued_by(certificate, ca)
        # 7.
        public_key = check_leaf_profile(certificate, spiffe_id)
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
            not_before=max(certificate.not_valid_before_utc, ca.not_valid_before_utc),
            not_after=min(certificate.not_valid_after_utc, ca.not_valid_after_utc),
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
    """Check both CAs of a member (step 5) before anything relies on them; they must have different keys."""
    if p256_key(_checked_ca(authority, "node")) == p256_key(_checked_ca(authority, "officer")):
        raise Rejected("bad_certificate", "the node CA and the officer CA have the same key")


def _checked_ca(authority: MemberAuthority, role: Role) -> x509.Certificate:
    ca = load_certificate(authority.ca(role))
    check_ca_profile(ca, f"{authority.member}.{authority.federation}")
    return ca


def load_certificate(der: bytes) -> x509.Certificate:
    """Parse a certificate of bounded size and the one signature algorithm; its signature is not checked here."""
    if not 0 < len(der) <= MAX_CERTIFICATE_BYTES:
        raise Rejected("bad_certificate", "the certificate is empty or too large")
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.extensions  # noqa: B018 - parsed on first use; what is malformed shall show here
        version, algorithm = certificate.version, certificate.signature_algorithm_oid
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        serial_number = certificate.serial_number
        if certificate.public_bytes(Encoding.DER) != der:
            raise Rejected("bad_certificate", "the certificate is not in its only encoding")
    except X509_ERRORS as error:
        raise Rejected("bad_certificate", "the certificate cannot be parsed") from error
    if version is not x509.Version.v3:
        raise Rejected("bad_certificate", "the certificate is not of X.509 version 3")
    if algorithm != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        raise Rejected("bad_certificate", "the certificate is not signed with ECDSA and SHA-256")
    if begins >= ends:
        raise Rejected("bad_certificate", "the certificate ends before it begins")
    if serial_number <= 0:
        raise Rejected("bad_certificate", "the serial number is not positive")
    return certificate


def uri_san(certificate: x509.Certificate | x509.CertificateSigningRequest) -> SpiffeId:
    """Give the one URI SAN of a parsed certificate or signing request."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except X509_ERRORS as error:
        raise Rejected("bad_certificate", "there is no readable subject alternative name") from error
    if len(uris) != 1:
        raise Rejected("bad_certificate", "there is not exactly one URI SAN")
    try:
        return SpiffeId.parse(uris[0])
    except Rejected as error:
        raise Rejected("bad_certificate", f"the URI SAN is not a SPIFFE ID: {error.detail}") from error


def p256_key(holder: x509.Certificate | x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    """Give the public key of a certificate or signing request, which must be on P-256."""
    try:
        key = holder.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Rejected("bad_certificate", "the public key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Rejected("bad_certificate", "the public key is not on P-256")
    return key


def check_ca_profile(ca: x509.Certificate, trust_domain: str) -> None:
    """Demand the CA profile, this trust domain (``<member>.<federation>``), and the CA's signature over itself."""
    extensions = ca.extensions
    _check_extension_set(ca, _CA_EXTENSIONS)
    basic = _critical(extensions, x509.BasicConstraints)
    if basic != x509.BasicConstraints(ca=True, path_length=0):
        raise Rejected("bad_certificate", "the CA is not a CA of path length 0")
    if _critical(extensions, x509.KeyUsage) != key_usage(ca=True):
        raise Rejected("bad_certificate", "the CA's key usage is not exactly signing certificates and CRLs")
    if _critical(extensions, x509.NameConstraints) != name_constraints(trust_domain):
        raise Rejected("bad_certificate", "the CA is not constrained to its member's name")
    p256_key(ca)
    _check_issued_by(ca, ca)


def check_leaf_profile(certificate: x509.Certificate, spiffe_id: SpiffeId) -> ec.EllipticCurvePublicKey:
    """Demand the profile of a node's or officer's certificate under this id; gives its public key."""
    extensions = certificate.extensions
    _check_extension_set(certificate, _LEAF_EXTENSIONS)
    if _critical(extensions, x509.BasicConstraints) != x509.BasicConstraints(ca=False, path_length=None):
        raise Rejected("bad_certificate", "the certificate is a CA's")
    if _critical(extensions, x509.KeyUsage) != key_usage(ca=False):
        raise Rejected("bad_certificate", "the key usage is not exactly digital signature")
    uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if len(list(uses)) != len(_EXTENDED_USES[spiffe_id.role]) or set(uses) != _EXTENDED_USES[spiffe_id.role]:
        raise Rejected("bad_certificate", f"the extended key usage is not that of the role {spiffe_id.role}")
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if list(names) != list(subject_names(spiffe_id)):
        raise Rejected("bad_certificate", f"the alternative names are not those of the role {spiffe_id.role}")
    return p256_key(certificate)


def subject_names(spiffe_id: SpiffeId) -> x509.SubjectAlternativeName:
    """Give the alternative names of a certificate: the id, and for a node its DNS name behind it."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(str(spiffe_id))]
    if spiffe_id.role == "node":
        names.append(x509.DNSName(node_dns_name(spiffe_id.member, spiffe_id.federation)))
    return x509.SubjectAlternativeName(names)


def extended_uses(role: Role) -> x509.ExtendedKeyUsage:
    """Give the extended key usage of a role, in a fixed order."""
    return x509.ExtendedKeyUsage(sorted(_EXTENDED_USES[role], key=lambda use: use.dotted_string))


def key_usage(*, ca: bool) -> x509.KeyUsage:
    """Give the key usage of a CA (certificates and CRLs) or of a certificate (digital signature)."""
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def name_constraints(trust_domain: str) -> x509.NameConstraints:
    """Give a CA's constraints: URIs of exactly this trust domain (RFC 5280 §4.2.1.10), DNS names below it."""
    return x509.NameConstraints(
        permitted_subtrees=[x509.UniformResourceIdentifier(trust_domain), x509.DNSName(trust_domain)],
        excluded_subtrees=None,
    )


def _check_extension_set(certificate: x509.Certificate, expected: frozenset[x509.ObjectIdentifier]) -> None:
    if {extension.oid for extension in certificate.extensions} != expected:
        raise Rejected("bad_certificate", "the certificate's extensions are not exactly those of its profile")


def _critical(extensions: x509.Extensions, kind: type[_Kind]) -> _Kind:
    extension = extensions.get_extension_for_class(kind)
    if not extension.critical:
        raise Rejected("bad_certificate", f"the extension {kind.__name__} is not critical")
    return extension.value


def _check_issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise Rejected("bad_certificate", "the certificate was not issued by its member's CA") from error
