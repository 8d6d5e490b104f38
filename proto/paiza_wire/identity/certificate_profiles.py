"""The X.509 profiles of CAs, node certificates and officer certificates: their fields, and the checks on them.

Trust is decided in `paiza_wire.identity`, with these checks as its steps. A certificate that does not fit its profile
is ``Rejected("bad_certificate")``.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from paiza_wire.errors import Rejected
from paiza_wire.identity.spiffe import CertificateUse, Role, SpiffeId, node_dns_name

MAX_CERTIFICATE_BYTES: Final = 4096
"""Largest certificate or signing request looked at; those of our profiles have well under a thousand."""

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
_DOCUMENT_SIGNING: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
_EXTENDED_USES: Final[Mapping[tuple[Role, CertificateUse], tuple[x509.ObjectIdentifier, ...]]] = {
    ("node", "authentication"): (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    ("officer", "authentication"): (ExtendedKeyUsageOID.CLIENT_AUTH,),
    ("officer", "signing"): (_DOCUMENT_SIGNING,),
}


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
        # X.690 §8.6.2: the octet before the signature counts unused bits. The parser takes others than none.
        if not der.endswith(b"\x00" + certificate.signature):
            raise Rejected("bad_certificate", "the signature does not end with its last octet")
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


def check_ca_profile(ca: x509.Certificate, trust_domain: str) -> None:
    """Check the CA profile, this trust domain (``<member>.<federation>``), and the CA's signature over itself."""
    extensions = ca.extensions
    _check_extension_set(ca, _CA_EXTENSIONS)
    basic = _critical(extensions, x509.BasicConstraints)
    if basic != x509.BasicConstraints(ca=True, path_length=0):
        raise Rejected("bad_certificate", "the CA is not a CA of path length 0")
    if _critical(extensions, x509.KeyUsage) != ca_key_usage():
        raise Rejected("bad_certificate", "the CA's key usage is not exactly signing certificates and CRLs")
    if _critical(extensions, x509.NameConstraints) != name_constraints(trust_domain):
        raise Rejected("bad_certificate", "the CA is not constrained to its member's name")
    p256_key(ca)
    if not is_issued_by(ca, ca):
        raise Rejected("bad_certificate", "the CA has not signed itself")


def check_leaf_profile(
    certificate: x509.Certificate, spiffe_id: SpiffeId, use: CertificateUse
) -> ec.EllipticCurvePublicKey:
    """Check the profile of a node's or officer's certificate with this id, for this use; return its public key."""
    extensions = certificate.extensions
    _check_extension_set(certificate, _LEAF_EXTENSIONS)
    if _critical(extensions, x509.BasicConstraints) != x509.BasicConstraints(ca=False, path_length=None):
        raise Rejected("bad_certificate", "the certificate is a CA's")
    if _critical(extensions, x509.KeyUsage) != key_usage(use):
        raise Rejected("bad_certificate", "the key usage is not the one for this use")
    if extensions.get_extension_for_class(x509.ExtendedKeyUsage).value != extended_uses(spiffe_id.role, use):
        raise Rejected("bad_certificate", "the extended key usage is not the one for this use")
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if list(names) != list(subject_names(spiffe_id)):
        raise Rejected("bad_certificate", f"the alternative names are not those of the role {spiffe_id.role}")
    return p256_key(certificate)


def use_of(certificate: x509.Certificate) -> CertificateUse:
    """Return the use that the key usage of a parsed certificate names; its profile is not checked."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except X509_ERRORS as error:
        raise Rejected("bad_certificate", "there is no key usage") from error
    return "signing" if usage.content_commitment else "authentication"


def subject_names(spiffe_id: SpiffeId) -> x509.SubjectAlternativeName:
    """Return the alternative names of a certificate: the id, followed by the DNS name for a node."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(str(spiffe_id))]
    if spiffe_id.role == "node":
        names.append(x509.DNSName(node_dns_name(spiffe_id.member, spiffe_id.federation)))
    return x509.SubjectAlternativeName(names)


def extended_uses(role: Role, use: CertificateUse) -> x509.ExtendedKeyUsage:
    """Return the extended key usage of a role for a use, in a fixed order."""
    return x509.ExtendedKeyUsage(_EXTENDED_USES[role, use])


def key_usage(use: CertificateUse) -> x509.KeyUsage:
    """Return the key usage for a use: digital signature for authentication, content commitment for signing."""
    return _key_usage(digital_signature=use == "authentication", content_commitment=use == "signing")


def ca_key_usage() -> x509.KeyUsage:
    """Return the key usage of a CA: certificates and CRLs."""
    return _key_usage(key_cert_sign=True, crl_sign=True)


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


def name_constraints(trust_domain: str) -> x509.NameConstraints:
    """Return a CA's constraints: URIs of exactly this trust domain (RFC 5280 §4.2.1.10), DNS names below it."""
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


def is_issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Return whether this CA issued the certificate directly, by name and by signature."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
