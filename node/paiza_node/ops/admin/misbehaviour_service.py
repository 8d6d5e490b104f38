"""What the operator asks and decides about other members' logs, on his own socket."""

import asyncio
from collections.abc import Mapping
from typing import Any

from paiza.admin.v1 import admin_pb2
from paiza_node.core.access.operator import operator
from paiza_node.core.api import paging
from paiza_node.features.witness.misbehaviour import Misbehaviour, conviction


def conviction_behaviours(convictions: Misbehaviour) -> Mapping[str, Any]:
    """Give the behaviour of the RPCs of AdminService that are about convictions."""

    async def listed(request: admin_pb2.ListMisbehaviourRequest) -> admin_pb2.ListMisbehaviourResponse:
        found = await asyncio.to_thread(convictions.findings)
        page, more = paging.page_of(found, lambda each: f"{each.index:019}", request)
        return admin_pb2.ListMisbehaviourResponse(convictions=map(conviction, page), next_page_token=more)

    async def decided(request: admin_pb2.RestoreTrustRequest) -> admin_pb2.RestoreTrustResponse:
        finding = await convictions.decide(request.number, request.reason_text, operator())
        return admin_pb2.RestoreTrustResponse(conviction=conviction(finding))

    prefix = "/paiza.admin.v1.AdminService/"
    return {prefix + "ListMisbehaviour": listed, prefix + "RestoreTrust": decided}
