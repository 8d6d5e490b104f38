"""What other members' nodes ask about our log, and what our officers ask about logs."""

from collections.abc import Callable
from typing import Final

from paiza.officer.v1 import coordination_pb2
from paiza.peer.v1 import oversight_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.principals import principal_of
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.core.policy import Policy
from paiza_node.features.peer_audit.consult import Consult
from paiza_node.features.peer_audit.reconciliation import Reconciliation
from paiza_node.features.peer_audit.relay import Relay
from paiza_register import Member
from paiza_wire.errors import Rejected

OVERSIGHT: Final = "/paiza.peer.v1.PeerAuditService/"
COORDINATION: Final = "/paiza.officer.v1.AuditQueryService/"
OVERSEE: Final = "oversee"


def oversight_behaviours(consult: Consult, periods: Reconciliation) -> Handlers:
    """Give the behaviour of every RPC of PeerAuditService."""

    async def entries(
        caller: Caller, request: oversight_pb2.ListGrantedEntriesRequest
    ) -> oversight_pb2.ListGrantedEntriesResponse:
        asker = await consult.as_member(_member(caller), request.officer_id)
        return oversight_pb2.ListGrantedEntriesResponse(page=await consult.entries(asker, request.query))

    async def counts(
        caller: Caller, request: oversight_pb2.CountGrantedMessagesRequest
    ) -> oversight_pb2.CountGrantedMessagesResponse:
        asker = await consult.as_member(_member(caller), request.officer_id)
        return oversight_pb2.CountGrantedMessagesResponse(page=await consult.counts(asker, request.query))

    async def agree(caller: Caller, request: oversight_pb2.AgreePeriodRequest) -> oversight_pb2.AgreePeriodResponse:
        return await periods.agree(_member(caller), request)

    return {
        OVERSIGHT + "ListGrantedEntries": entries,
        OVERSIGHT + "CountGrantedMessages": counts,
        OVERSIGHT + "AgreePeriod": agree,
    }


def coordination_behaviours(
    relay: Relay, periods: Reconciliation, policy: Callable[[], Policy], own_member: str
) -> Handlers:
    """Give the behaviour of every RPC of AuditQueryService; only coordinators reach other members' logs by it."""

    async def entries(
        caller: Caller, request: coordination_pb2.ListLogEntriesRequest
    ) -> coordination_pb2.ListLogEntriesResponse:
        if request.member not in ("", own_member):
            policy().check(principal_of(_officer(caller)), OVERSEE)
        return await relay.entries(_officer(caller), request)

    async def matrix(caller: Caller, request: coordination_pb2.GetMatrixRequest) -> coordination_pb2.GetMatrixResponse:
        officer = _officer(caller)
        try:
            policy().check(principal_of(officer), OVERSEE)
        except Rejected:
            return await relay.matrix(officer, request, others=False)
        return await relay.matrix(officer, request, others=True)

    async def close(
        caller: Caller, request: coordination_pb2.ClosePeriodRequest
    ) -> coordination_pb2.ClosePeriodResponse:
        return await periods.close(_officer(caller), request)

    return {
        COORDINATION + "ListLogEntries": entries,
        COORDINATION + "GetMatrix": matrix,
        COORDINATION + "ClosePeriod": close,
    }


def _officer(caller: Caller) -> Officer:
    assert caller.officer is not None, "the gate admits only officers here"
    return caller.officer


def _member(caller: Caller) -> Member:
    assert caller.member is not None, "the gate admits only nodes here"
    return caller.member
