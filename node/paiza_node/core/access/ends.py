"""When officers' certificates end."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from paiza_node.core.access.model import CertificateState, Officer, OfficerCertificate
from paiza_register import Register
from paiza_wire.errors import Rejected


def within_ca(certificates: Iterable[OfficerCertificate], register: Register) -> list[OfficerCertificate]:
    """Return the certificates with the end that holds: that of their CA, if the register announces an earlier one.

    A CA that the register names no longer has ended by the time of that register.
    """
    verifier = register.certificate_verifier()
    found = []
    for each in certificates:
        try:
            end = verifier.expiry_time(each.der)
        except Rejected:
            end = register.issued_time
        found.append(replace(each, not_after=min(each.not_after, end)))
    return found


def certificate_ends(
    officers: Mapping[str, Officer], certificates: Iterable[OfficerCertificate]
) -> dict[str, datetime]:
    """Return when each active officer can act no longer: the newest certificate of one of the two uses has expired.

    A certificate whose officer is not stored counts for nothing; `verify` names it.
    """
    ends: dict[str, dict[str, datetime]] = {}
    active = {officer.id for officer in officers.values() if officer.is_active}
    for each in certificates:
        if each.state is CertificateState.ACTIVE and each.officer in active:
            uses = ends.setdefault(each.officer, {})
            uses[each.use] = max(each.not_after, uses.get(each.use, each.not_after))
    return {officer: min(uses.values()) for officer, uses in sorted(ends.items())}
