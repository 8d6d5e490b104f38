"""Names (SPIFFE IDs), keys and certificates, and their verification against the one member they claim."""

from paiza_wire.identity.verification import (
    FEDERATION_NAME,
    MEMBER_ID,
    VERIFIED_CERTIFICATES,
    CertificateAuthority,
    CertificateUse,
    CertificateVerifier,
    MemberAuthority,
    Role,
    SpiffeId,
    VerifiedCertificate,
    check_authority,
    load_certificate,
    node_dns_name,
    uri_san,
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
