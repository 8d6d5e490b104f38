"""Requests about the misbehaviour of other members' logs, on the operator's own socket."""

import asyncio

from paiza.admin.v1 import admin_pb2
from paiza_node.core.access.operator import operator
from paiza_node.core.api import paging
from paiza_node.core.api.services import Service
from paiza_node.features.witness.misbehaviour import MisbehaviourRecorder, misbehaviour_message


class MisbehaviourService(Service):
    """Lists misbehaviour of other members' logs and restores trust in one."""

    service = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]

    def __init__(self, misbehaviour: MisbehaviourRecorder) -> None:
        self._misbehaviour = misbehaviour

    async def list_misbehaviour(self, request: admin_pb2.ListMisbehaviourRequest) -> admin_pb2.ListMisbehaviourResponse:
        found = await asyncio.to_thread(self._misbehaviour.findings)
        page, more = paging.page_of(found, lambda each: f"{each.index:019}", request)
        return admin_pb2.ListMisbehaviourResponse(misbehaviour=map(misbehaviour_message, page), next_page_token=more)

    async def restore_trust(self, request: admin_pb2.RestoreTrustRequest) -> admin_pb2.RestoreTrustResponse:
        finding = await self._misbehaviour.restore_trust(request.number, request.reason_text, operator())
        return admin_pb2.RestoreTrustResponse(misbehaviour=misbehaviour_message(finding))
