"""What officers ask of the second one: what waits, and what they decide."""

from paiza.officer.v1 import approval_pb2
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.inbox.service import officer_of

PREFIX = "/paiza.officer.v1.ApprovalService/"
MAX_LISTED = 500


def approval_behaviours(approve: Approve) -> Handlers:
    """Give the behaviour of every RPC of ApprovalService."""

    async def list_waiting(
        caller: Caller, _request: approval_pb2.ListWaitingRequest
    ) -> approval_pb2.ListWaitingResponse:
        response = approval_pb2.ListWaitingResponse()
        for row in (await approve.listed(officer_of(caller)))[:MAX_LISTED]:
            waiting = response.messages.add(
                message_digest=row.digest, header=row.header, submitted_by=row.drafter, missing_signers=row.missing
            )
            waiting.submitted_time.FromDatetime(row.submitted_time)
            waiting.expires_time.FromDatetime(row.expires_time)
        return response

    async def get_waiting(caller: Caller, request: approval_pb2.GetWaitingRequest) -> approval_pb2.GetWaitingResponse:
        return await approve.show(officer_of(caller), request)

    async def sign(caller: Caller, request: approval_pb2.ApproveRequest) -> approval_pb2.ApproveResponse:
        return await approve.sign(officer_of(caller), request)

    async def decline(caller: Caller, request: approval_pb2.DeclineRequest) -> approval_pb2.DeclineResponse:
        return await approve.decline(officer_of(caller), request)

    async def list_officers(
        _caller: Caller, _request: approval_pb2.ListOfficersRequest
    ) -> approval_pb2.ListOfficersResponse:
        return approval_pb2.ListOfficersResponse(
            officers=[
                approval_pb2.OfficerInfo(id=each.id, roles=sorted(each.roles), unit=each.unit)
                for each in approve.officers()
            ]
        )

    return {
        PREFIX + "ListWaiting": list_waiting,
        PREFIX + "GetWaiting": get_waiting,
        PREFIX + "Approve": sign,
        PREFIX + "Decline": decline,
        PREFIX + "ListOfficers": list_officers,
    }
