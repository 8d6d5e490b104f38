"""RPCs of other members' nodes about our log, and of our officers about logs."""

from collections.abc import Callable
from typing import Final

from paiza.officer.v1 import audit_query_pb2
from paiza.peer.v1 import peer_audit_pb2
from paiza_node.core.access.principals import principal_of
from paiza_node.core.api.authentication import Caller, member_of, officer_of
from paiza_node.core.api.services import Service
from paiza_node.core.policy import Policy
from paiza_node.features.peer_audit.consult import Consult
from paiza_node.features.peer_audit.reconciliation import Reconciliation
from paiza_node.features.peer_audit.relay import Relay
from paiza_wire.errors import Rejected

OVERSEE: Final = "oversee"


class PeerAuditService(Service):
    """Handles requests of other members' nodes about this node's log."""

    service = peer_audit_pb2.DESCRIPTOR.services_by_name["PeerAuditService"]

    def __init__(self, consult: Consult, periods: Reconciliation) -> None:
        self._consult = consult
        self._periods = periods

    async def list_granted_entries(
        self, caller: Caller, request: peer_audit_pb2.ListGrantedEntriesRequest
    ) -> peer_audit_pb2.ListGrantedEntriesResponse:
        asker = await self._consult.as_member(member_of(caller), request.officer_id)
        return peer_audit_pb2.ListGrantedEntriesResponse(page=await self._consult.entries(asker, request.query))

    async def count_granted_messages(
        self, caller: Caller, request: peer_audit_pb2.CountGrantedMessagesRequest
    ) -> peer_audit_pb2.CountGrantedMessagesResponse:
        asker = await self._consult.as_member(member_of(caller), request.officer_id)
        return peer_audit_pb2.CountGrantedMessagesResponse(page=await self._consult.counts(asker, request.query))

    async def agree_period(
        self, caller: Caller, request: peer_audit_pb2.AgreePeriodRequest
    ) -> peer_audit_pb2.AgreePeriodResponse:
        return await self._periods.agree(member_of(caller), request)


class AuditQueryService(Service):
    """Handles requests of officers about logs; only coordinators may query other members' logs."""

    service = audit_query_pb2.DESCRIPTOR.services_by_name["AuditQueryService"]

    def __init__(self, relay: Relay, periods: Reconciliation, policy: Callable[[], Policy], own_member: str) -> None:
        self._relay = relay
        self._periods = periods
        self._policy = policy
        self._own_member = own_member

    async def list_log_entries(
        self, caller: Caller, request: audit_query_pb2.ListLogEntriesRequest
    ) -> audit_query_pb2.ListLogEntriesResponse:
        if request.member not in ("", self._own_member):
            self._policy().check(principal_of(officer_of(caller)), OVERSEE)
        return await self._relay.entries(officer_of(caller), request)

    async def get_matrix(
        self, caller: Caller, request: audit_query_pb2.GetMatrixRequest
    ) -> audit_query_pb2.GetMatrixResponse:
        officer = officer_of(caller)
        try:
            self._policy().check(principal_of(officer), OVERSEE)
        except Rejected:
            return await self._relay.matrix(officer, request, others=False)
        return await self._relay.matrix(officer, request, others=True)

    async def close_period(
        self, caller: Caller, request: audit_query_pb2.ClosePeriodRequest
    ) -> audit_query_pb2.ClosePeriodResponse:
        return await self._periods.close(officer_of(caller), request)
