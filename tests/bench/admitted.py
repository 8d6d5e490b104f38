"""More officers of one member than a development federation is made with, admitted at its running node."""

from collections.abc import Sequence
from typing import Final

from paiza_node.ops.admin.client import AdminClient
from paiza_wire.identity import SpiffeId
from tests.federation import Federation
from tests.system.minting import Identity, Mint

AT_ONCE: Final = 200  # officers admitted in one call


def admit(federation: Federation, member: str, units: Sequence[str], role: str = "liaison") -> list[Identity]:
    """Admit one officer in each of these units, which may be the same; return their identities for TLS."""
    register = federation.register()
    mint = Mint(federation.folder, register)
    identities, admissions = [], []
    for number, unit in enumerate(units):
        name = f"{role}{number:03d}"
        identity = mint.issue(member, "officer", SpiffeId(member, register.federation, "officer", name))
        admission = mint.admission(member, name, identity)
        admission.unit, admission.roles[:] = unit, [role]
        identities.append(identity)
        admissions.append(admission)
    with AdminClient(federation.node(member).admin_socket) as client:
        for first in range(0, len(admissions), AT_ONCE):
            client.admit_officers(admissions[first : first + AT_ONCE])
    return identities
