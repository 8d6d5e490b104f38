"""Until when somebody is expected at the address for enrolment."""

from datetime import datetime

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import CertificateState, Invitation, InvitationState
from paiza_node.core.storage import ReadConnection


def expected_until(reads: ReadConnection, now: datetime) -> datetime | None:
    """Return when the last invitation ends with which somebody may still come; None if there is none.

    It is open; or it was used and waits to be confirmed: a person who got no answer gets it when they try again.
    """
    invitations = [each for each in access_store.invitations_in_time(reads, now) if _may_come(reads, each)]
    return max((each.expiry_time for each in invitations), default=None)


def _may_come(reads: ReadConnection, invitation: Invitation) -> bool:
    if invitation.state is InvitationState.OPEN:
        return True
    certificates = access_store.officer_certificates(reads, invitation.officer)
    return any(
        each.state is CertificateState.ASLEEP and each.invitation_sha256 == invitation.invitation_sha256
        for each in certificates
    )
