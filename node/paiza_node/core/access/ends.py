"""When officers' certificates end."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from paiza_node.core.access.model import CertificateState, Officer, OfficerCertificate


def certificate_ends(
    officers: Mapping[str, Officer], certificates: Iterable[OfficerCertificate]
) -> dict[str, datetime]:
    """Return when each active officer can act no longer: the newest certificate of one of the two uses has expired."""
    ends: dict[str, dict[str, datetime]] = {}
    for each in certificates:
        if each.state is CertificateState.ACTIVE and officers[each.officer].is_active:
            uses = ends.setdefault(each.officer, {})
            uses[each.use] = max(each.not_after, uses.get(each.use, each.not_after))
    return {officer: min(uses.values()) for officer, uses in sorted(ends.items())}
