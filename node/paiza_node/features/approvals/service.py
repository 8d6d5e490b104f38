"""RPCs of officers about second signatures: pending messages, and decisions."""

from paiza.officer.v1 import approval_pb2
from paiza_node.core.api import paging
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.approvals.approve import Approve
from paiza_node.features.approvals.model import ApprovalRow


class ApprovalService(Service):
    """Handles requests about messages that are pending approval."""

    service = approval_pb2.DESCRIPTOR.services_by_name["ApprovalService"]

    def __init__(self, approve: Approve) -> None:
        self._approve = approve

    async def list_pending_approvals(
        self, caller: Caller, request: approval_pb2.ListPendingApprovalsRequest
    ) -> approval_pb2.ListPendingApprovalsResponse:
        page, more = paging.page_of(await self._approve.listed(officer_of(caller)), _place, request)
        response = approval_pb2.ListPendingApprovalsResponse(next_page_token=more)
        for row in page:
            waiting = response.messages.add(
                message_digest=row.digest, header=row.header, submitted_by=row.drafter, missing_signers=row.missing
            )
            waiting.submitted_time.FromDatetime(row.submitted_time)
            waiting.expires_time.FromDatetime(row.expires_time)
        return response

    async def get_pending_approval(
        self, caller: Caller, request: approval_pb2.GetPendingApprovalRequest
    ) -> approval_pb2.GetPendingApprovalResponse:
        return await self._approve.show(officer_of(caller), request)

    async def approve(self, caller: Caller, request: approval_pb2.ApproveRequest) -> approval_pb2.ApproveResponse:
        return await self._approve.sign(officer_of(caller), request)

    async def decline(self, caller: Caller, request: approval_pb2.DeclineRequest) -> approval_pb2.DeclineResponse:
        return await self._approve.decline(officer_of(caller), request)

    async def list_officers(
        self, _caller: Caller, request: approval_pb2.ListOfficersRequest
    ) -> approval_pb2.ListOfficersResponse:
        page, more = paging.page_of(self._approve.officers(), lambda each: each.id, request)
        return approval_pb2.ListOfficersResponse(
            officers=[approval_pb2.OfficerInfo(id=each.id, roles=sorted(each.roles), unit=each.unit) for each in page],
            next_page_token=more,
        )


def _place(row: ApprovalRow) -> str:
    """Return the place of a pending message in the list: the oldest first."""
    return f"{paging.micros_of(row.submitted_time):019}.{row.digest.hex()}"
