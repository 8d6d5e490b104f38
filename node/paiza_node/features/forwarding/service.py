"""What officers ask about passing messages on, taking them out, and who holds them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from paiza.officer.v1 import passing_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.forwarding.export import Export
from paiza_node.features.forwarding.forward import Forward
from paiza_node.features.forwarding.holders import Holders

PREFIX: Final = "/paiza.officer.v1.ForwardingService/"

CheckSees = Callable[[Officer, bytes], Awaitable[None]]
"""Refuses, and logs it, where an officer does not need to know of a message."""


def passing_behaviours(forward: Forward, export: Export, holders: Holders, check_sees: CheckSees) -> Handlers:
    """Give the behaviour of every RPC of ForwardingService; ``check_sees`` refuses what an officer need not know of."""

    async def do_forward(caller: Caller, request: passing_pb2.ForwardRequest) -> passing_pb2.ForwardResponse:
        return await forward(_officer(caller), request)

    async def note_export(
        caller: Caller, request: passing_pb2.AuthorizeExportRequest
    ) -> passing_pb2.AuthorizeExportResponse:
        return await export(_officer(caller), request)

    async def list_holders(caller: Caller, request: passing_pb2.ListHoldersRequest) -> passing_pb2.ListHoldersResponse:
        await check_sees(_officer(caller), request.message_digest)
        return await asyncio.to_thread(holders, request)

    return {
        PREFIX + "Forward": do_forward,
        PREFIX + "AuthorizeExport": note_export,
        PREFIX + "ListHolders": list_holders,
    }


def _officer(caller: Caller) -> Officer:
    assert caller.officer is not None, "the gate admits only officers here"
    return caller.officer
