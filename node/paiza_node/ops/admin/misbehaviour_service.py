"""What the operator asks and decides about other members' logs, on his own socket."""

import asyncio

from paiza.admin.v1 import admin_pb2
from paiza_node.core.access.operator import operator
from paiza_node.core.api import paging
from paiza_node.core.api.services import Service
from paiza_node.features.witness.misbehaviour import Misbehaviour, conviction


class MisbehaviourService(Service):
    """Requests of the operator about other members' logs."""

    service = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]

    def __init__(self, convictions: Misbehaviour) -> None:
        self._convictions = convictions

    async def list_misbehaviour(self, request: admin_pb2.ListMisbehaviourRequest) -> admin_pb2.ListMisbehaviourResponse:
        found = await asyncio.to_thread(self._convictions.findings)
        page, more = paging.page_of(found, lambda each: f"{each.index:019}", request)
        return admin_pb2.ListMisbehaviourResponse(convictions=map(conviction, page), next_page_token=more)

    async def restore_trust(self, request: admin_pb2.RestoreTrustRequest) -> admin_pb2.RestoreTrustResponse:
        finding = await self._convictions.decide(request.number, request.reason_text, operator())
        return admin_pb2.RestoreTrustResponse(conviction=conviction(finding))
