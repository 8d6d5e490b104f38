"""The X.509 profiles of CAs, node certificates and officer certificates, and the checks against them.

A profile says everything of a certificate but its key, its serial number and its validity: names, extensions, their
order, their criticality. One function makes certificates of it (`paiza_wire.identity.certificates`), and a certificate
fits only if the same function makes the same bytes again. Anything else is ``Rejected("bad_certificate")``: there is
nothing that two programs could read differently.

Trust is decided in `paiza_wire.identity`, with these checks as its steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from paiza_wire.errors import Rejected
from paiza_wire.identity import der
from paiza_wire.identity.spiffe import CertificateUse, Role, SpiffeId, node_dns_name

MAX_CERTIFICATE_BYTES: Final = 4096
"""Largest certificate or signing request looked at; those of our profiles have well under a thousand."""

SERIAL_OCTETS: Final = range(8, 21)
"""Lengths of a serial number in DER: at least 64 bits, so that it is unpredictable; at most what RFC 5280 allows."""

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

_DOCUMENT_SIGNING: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
_EXTENDED_USES: Final[Mapping[tuple[Role, CertificateUse], tuple[x509.ObjectIdentifier, ...]]] = {
    ("node", "authentication"): (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    ("officer", "authentication"): (ExtendedKeyUsageOID.CLIENT_AUTH,),
    ("officer", "signing"): (_DOCUMENT_SIGNING,),
}

_SEQUENCE: Final = 0x30
_BIT_STRING: Final = 0x03
_ECDSA_WITH_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")  # without parameters: RFC 5758 §3.2


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that a certificate says beside its key, serial number and validity.

    ``extensions`` stand in their order, each with its criticality.
    """

    subject: x509.Name
    issuer: x509.Name
    extensions: tuple[tuple[x509.ExtensionType, bool], ...]

    def builder(
        self, public_key: ec.EllipticCurvePublicKey, serial_number: int, begins: datetime, ends: datetime
    ) -> x509.CertificateBuilder:
        """Return what a CA signs; ValueError for a serial number or times that no certificate can have."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(self.issuer)
            .public_key(public_key)
            .serial_number(serial_number)
            .not_valid_before(begins.astimezone(UTC))
            .not_valid_after(ends.astimezone(UTC))
        )
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical)
        return builder


def load_certificate(encoded: bytes) -> x509.Certificate:
    """Parse a certificate (DER) of bounded size; neither its profile nor its signature is checked here."""
    if not 0 < len(encoded) <= MAX_CERTIFICATE_BYTES:
        raise Rejected("bad_certificate", "the certificate is empty or too large")
    try:
        certificate = x509.load_der_x509_certificate(encoded)
        certificate.extensions  # noqa: B018 - parsed on first use; what is malformed shall show here
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        whole = (
            certificate.tbs_certificate_bytes,
            _ECDSA_WITH_SHA256,
            der.encode(_BIT_STRING, b"\0" + certificate.signature),
        )
    except X509_ERRORS as error:
        raise Rejected("bad_certificate", "the certificate cannot be parsed") from error
    # The parser accepts other encodings of the same, which would have another fingerprint.
    if der.encode(_SEQUENCE, b"".join(whole)) != encoded:
        raise Rejected("bad_certificate", "the certificate is not signed with ECDSA and SHA-256, or not in DER")
    if begins >= ends:
        raise Rejected("bad_certificate", "the certificate ends before it begins")
    return certificate


def uri_san(certificate: x509.Certificate | x509.CertificateSigningRequest) -> SpiffeId:
    """Return the one URI SAN of a parsed certificate or signing request."""
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
    """Return the public key of a certificate or signing request, which must be on P-256."""
    try:
        key = holder.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Rejected("bad_certificate", "the public key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Rejected("bad_certificate", "the public key is not on P-256")
    return key


def ca_profile(member: str, federation: str, role: Role, public_key: ec.EllipticCurvePublicKey) -> Profile:
    """Return the profile of a member's CA for certificates of this role."""
    name = _name(federation, f"{member} {role} CA")
    return Profile(
        subject=name,
        issuer=name,
        extensions=(
            (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_key_usage(key_cert_sign=True, crl_sign=True), True),
            (_name_constraints(f"{member}.{federation}"), True),
        ),
    )


def leaf_profile(
    spiffe_id: SpiffeId, use: CertificateUse, public_key: ec.EllipticCurvePublicKey, ca: x509.Certificate
) -> Profile:
    """Return the profile of a node's or officer's certificate with this id, for this use, from this CA."""
    return Profile(
        subject=subject_name(spiffe_id),
        issuer=ca.subject,
        extensions=(
            (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_key_usage(digital_signature=use == "authentication", content_commitment=use == "signing"), True),
            (x509.ExtendedKeyUsage(_EXTENDED_USES[spiffe_id.role, use]), False),
            (subject_names(spiffe_id), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(p256_key(ca)), False),
        ),
    )


def check_ca_profile(ca: x509.Certificate, member: str, federation: str, role: Role) -> None:
    """Check a member's CA for this role against its profile, and its signature over itself."""
    _check(ca, ca_profile(member, federation, role, p256_key(ca)))
    if not is_issued_by(ca, ca):
        raise Rejected("bad_certificate", "the CA has not signed itself")


def check_leaf_profile(
    certificate: x509.Certificate, spiffe_id: SpiffeId, use: CertificateUse, ca: x509.Certificate
) -> ec.EllipticCurvePublicKey:
    """Check a node's or officer's certificate against the profile of this id, use and CA; return its public key.

    Its signature is not checked here, see `is_issued_by`.
    """
    public_key = p256_key(certificate)
    _check(certificate, leaf_profile(spiffe_id, use, public_key, ca))
    return public_key


def is_for_use(certificate: x509.Certificate, role: Role, use: CertificateUse) -> bool:
    """Return whether a certificate says that it is for this use; nothing else of it is checked."""
    try:
        stated = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except X509_ERRORS:
        return False
    return stated == x509.ExtendedKeyUsage(_EXTENDED_USES[role, use])


def subject_name(spiffe_id: SpiffeId) -> x509.Name:
    """Return the subject of a certificate for this id."""
    return _name(spiffe_id.federation, f"{spiffe_id.member} {spiffe_id.name or spiffe_id.role}")


def subject_names(spiffe_id: SpiffeId) -> x509.SubjectAlternativeName:
    """Return the alternative names of a certificate: the id, followed by the DNS name for a node."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(str(spiffe_id))]
    if spiffe_id.role == "node":
        names.append(x509.DNSName(node_dns_name(spiffe_id.member, spiffe_id.federation)))
    return x509.SubjectAlternativeName(names)


def _key_usage(
    *,
    digital_signature: bool = False,
    content_commitment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name_constraints(trust_domain: str) -> x509.NameConstraints:
    """Return a CA's constraints: URIs of exactly this trust domain (RFC 5280 §4.2.1.10), DNS names below it."""
    return x509.NameConstraints(
        permitted_subtrees=[x509.UniformResourceIdentifier(trust_domain), x509.DNSName(trust_domain)],
        excluded_subtrees=None,
    )


def _name(federation: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, federation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _check(certificate: x509.Certificate, profile: Profile) -> None:
    serial_number = certificate.serial_number
    if serial_number <= 0 or serial_number.bit_length() // 8 + 1 not in SERIAL_OCTETS:
        raise Rejected("bad_certificate", "the serial number is not a positive one of 8 to 20 octets")
    if tuple((each.value, each.critical) for each in certificate.extensions) != profile.extensions:
        raise Rejected("bad_certificate", "the extensions are not exactly those of the profile")
    try:
        again = profile.builder(
            p256_key(certificate), serial_number, certificate.not_valid_before_utc, certificate.not_valid_after_utc
        )
    except ValueError as error:
        raise Rejected("bad_certificate", "the serial number or the validity is none that a CA can write") from error
    # The library returns what is signed only with a signature, so a key that serves for nothing else makes one.
    if again.sign(_any_key(), hashes.SHA256()).tbs_certificate_bytes != certificate.tbs_certificate_bytes:
        raise Rejected("bad_certificate", "the names or the encoding are not exactly those of the profile")


@cache
def _any_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def is_issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Return whether this CA issued the certificate directly, by name and by signature."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
