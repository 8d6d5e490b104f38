"""RPCs of officers about forwarding, export and holders."""

import asyncio
from collections.abc import Awaitable, Callable

from paiza.officer.v1 import forwarding_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.forwarding.export import Export
from paiza_node.features.forwarding.forward import Forward
from paiza_node.features.forwarding.holders import Holders

CheckKnown = Callable[[Officer, bytes], Awaitable[None]]
"""Raises and logs a denial if an officer may not know of a message, or there is none."""


class ForwardingService(Service):
    """Handles forwarding, exports and holders; ``check_known`` applies need-to-know."""

    service = forwarding_pb2.DESCRIPTOR.services_by_name["ForwardingService"]

    def __init__(self, forward: Forward, export: Export, holders: Holders, check_known: CheckKnown) -> None:
        self._forward = forward
        self._export = export
        self._holders = holders
        self._check_known = check_known

    async def forward(self, caller: Caller, request: forwarding_pb2.ForwardRequest) -> forwarding_pb2.ForwardResponse:
        return await self._forward(officer_of(caller), request)

    async def authorize_export(
        self, caller: Caller, request: forwarding_pb2.AuthorizeExportRequest
    ) -> forwarding_pb2.AuthorizeExportResponse:
        return await self._export(officer_of(caller), request)

    async def list_holders(
        self, caller: Caller, request: forwarding_pb2.ListHoldersRequest
    ) -> forwarding_pb2.ListHoldersResponse:
        await self._check_known(officer_of(caller), request.message_digest)
        return await asyncio.to_thread(self._holders, request)
