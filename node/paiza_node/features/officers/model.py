"""What an operator states about an officer, checked; and its form in the text beside the log."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from paiza_node.core.log.model import MAX_REASON
from paiza_wire.errors import Rejected
from paiza_wire.identity import VerifiedCertificate
from paiza_wire.identity.invitations import keys_digest
from paiza_wire.identity.keys import PublicKey, public_key_to_spki

ROLES: Final = ("liaison", "duty", "authoriser", "coordinator", "auditor", "custodian", "data")
"""The roles an officer may have."""

MAX_UNIT: Final = 64  # characters
DEFAULT_LIFE: Final = timedelta(hours=24)
LONGEST_LIFE: Final = timedelta(days=7)  # a secret on paper or in a mail box is read by others some day


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """An officer's two certificates, verified."""

    authentication: VerifiedCertificate
    signing: VerifiedCertificate

    def keys_sha256(self, invitation_sha256: bytes) -> bytes:
        """Return the digest of both public keys under an invitation, whose words are compared by telephone."""
        return keys_sha256(self.authentication.public_key, self.signing.public_key, invitation_sha256)


@dataclass(frozen=True, slots=True)
class Admission:
    """An officer whose certificates were made apart from the node, checked (`admit.check`)."""

    id: str
    roles: frozenset[str]
    unit: str
    certificates: CertificatePair


def keys_sha256(authentication: PublicKey, signing: PublicKey, invitation_sha256: bytes) -> bytes:
    """Return the digest of both public keys of an officer under an invitation."""
    return keys_digest(public_key_to_spki(authentication), public_key_to_spki(signing), invitation_sha256)


def checked_roles(roles: frozenset[str]) -> frozenset[str]:
    """Return the roles; Rejected("malformed") if there is none, or one is unknown."""
    if not roles:
        raise Rejected("malformed", "an officer has at least one role")
    if unknown := roles - set(ROLES):
        raise Rejected("malformed", f"there is no role {min(unknown)}; roles are {', '.join(ROLES)}")
    return roles


def checked_unit(unit: str, duty_unit: str) -> str:
    """Return the unit; Rejected("unit_missing") if the member has a duty unit and none is named."""
    if len(unit) > MAX_UNIT or not unit.isprintable() or unit != unit.strip():
        raise Rejected("malformed", f"a unit is a name of at most {MAX_UNIT} characters")
    if duty_unit and not unit:
        raise Rejected("unit_missing", "duty_unit is set in node.toml: every officer belongs to a unit")
    return unit


def stated(reason_text: str) -> str:
    """Return an operator's reason; Rejected("reason_missing") without one."""
    text = reason_text.strip()
    if not text or len(text) > MAX_REASON:
        raise Rejected("reason_missing", f"say why, in 1 to {MAX_REASON} characters")
    return text
