"""What the node asks of its member's issuer: certificates for entries of its log that other members have cosigned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

RENEWED_WITHIN: Final = timedelta(days=31)
"""Before its end a certificate is renewed: programs begin 30 days before, by clocks of their own."""


@dataclass(frozen=True, slots=True)
class EnrolmentRequest:
    """The keys of an invited officer.

    ``log_index`` is that of the OFFICER_INVITED entry, ``statement`` the bytes of its InvitationStatement. Both signing
    requests are PKCS #10 in DER. ``administrator_signatures`` are those given with the invitation.
    """

    log_index: int
    statement: bytes
    authentication_request: bytes
    signing_request: bytes
    administrator_signatures: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class RenewalRequest:
    """An officer's signed wish for new certificates.

    ``log_index`` is that of the OFFICER_RENEWAL entry, ``statement`` the bytes of the RenewalStatement, which holds
    both signing requests; ``signature`` is over it (`paiza_wire.identity.statements`), by the key of
    ``signing_certificate`` (DER). ``confirmed_index`` is that of the OFFICER_CONFIRMED entry of this certificate; None
    for one that was itself renewed.
    """

    log_index: int
    statement: bytes
    signing_certificate: bytes
    signature: bytes
    confirmed_index: int | None = None


@dataclass(frozen=True, slots=True)
class OfficerCertificates:
    """An officer's two certificates (DER)."""

    authentication: bytes
    signing: bytes


@dataclass(frozen=True, slots=True)
class IssuedOfficer:
    """Two certificates that the issuer's journal names, and the statement that led to them.

    ``statement`` is an InvitationStatement or, if ``renewed``, a RenewalStatement.
    """

    officer: str
    certificates: OfficerCertificates
    statement: bytes
    renewed: bool
    issued_time: datetime


class Issuer(Protocol):
    """The member's issuer, or the one of a test.

    Every call raises ``Unavailable("issuer_unreachable")`` if it does not answer, and ``Unavailable("not_witnessed")``
    while no other member has cosigned a checkpoint that holds the entry: the same call may succeed later. The same
    keys for the same entry are answered with the same certificates, also after a crash on either side; other keys are
    ``Rejected("already_issued")``.
    """

    async def requires_administrator(self) -> bool:
        """Return whether an administrator must sign an invitation."""

    async def enrol(self, request: EnrolmentRequest) -> OfficerCertificates:
        """Issue the certificates of an invited officer; Rejected names what the issuer refuses."""

    async def renew(self, request: RenewalRequest) -> OfficerCertificates:
        """Issue new certificates of an officer; Rejected names what the issuer refuses."""

    async def certify_node(self, log_index: int, request: bytes) -> bytes:
        """Issue a node certificate (DER) for a KEY_ANNOUNCED entry of the kind "tls" and a signing request (DER)."""

    async def issued(self) -> list[IssuedOfficer]:
        """Return all officers' certificates that the issuer's journal names, oldest first."""

    async def node_certificates(self) -> list[bytes]:
        """Return the node certificates (DER) that the issuer's journal names, oldest first."""
