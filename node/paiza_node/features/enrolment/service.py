"""RPCs of officers who get new certificates."""

from paiza.officer.v1 import renewal_pb2
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.enrolment.renew import Renew
from paiza_wire.errors import Rejected


class RenewalService(Service):
    """Handles requests of our officers."""

    service = renewal_pb2.DESCRIPTOR.services_by_name["RenewalService"]

    def __init__(self, renew: Renew | None) -> None:
        """Without an issuer, nobody's certificates are renewed."""
        self._renew = renew

    async def renew(self, caller: Caller, request: renewal_pb2.RenewRequest) -> renewal_pb2.RenewResponse:
        if self._renew is None:
            raise Rejected("issuer_missing", "node.toml names no issuer_socket")
        return await self._renew.renew(officer_of(caller).id, request)
