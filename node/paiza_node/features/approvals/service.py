"""What officers ask of the second one: what waits, and what they decide."""

from paiza.officer.v1 import approval_pb2
from paiza_node.core.api import paging
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.approvals.model import ApprovalRow
from paiza_node.features.inbox.service import officer_of

PREFIX = "/paiza.officer.v1.ApprovalService/"


def approval_behaviours(approve: Approve) -> Handlers:
    """Give the behaviour of every RPC of ApprovalService."""

    async def list_waiting(
        caller: Caller, request: approval_pb2.ListWaitingRequest
    ) -> approval_pb2.ListWaitingResponse:
        page, more = paging.page_of(await approve.listed(officer_of(caller)), _place, request)
        response = approval_pb2.ListWaitingResponse(next_page_token=more)
        for row in page:
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
        _caller: Caller, request: approval_pb2.ListOfficersRequest
    ) -> approval_pb2.ListOfficersResponse:
        page, more = paging.page_of(approve.officers(), lambda each: each.id, request)
        return approval_pb2.ListOfficersResponse(
            officers=[approval_pb2.OfficerInfo(id=each.id, roles=sorted(each.roles), unit=each.unit) for each in page],
            next_page_token=more,
        )

    return {
        PREFIX + "ListWaiting": list_waiting,
        PREFIX + "GetWaiting": get_waiting,
        PREFIX + "Approve": sign,
        PREFIX + "Decline": decline,
        PREFIX + "ListOfficers": list_officers,
    }


def _place(row: ApprovalRow) -> str:
    """Return the place of a waiting message in the list: the oldest first."""
    return f"{paging.micros_of(row.submitted_time):019}.{row.digest.hex()}"
