"""Who holds a message: those whom its recall or correction has to reach."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import grpc

from paiza.v1 import passing_pb2, passing_pb2_grpc
from paiza_client.session import channel


class _Call(Protocol):
    async def __call__(self, attempt: Callable[[], Awaitable[Any]], /) -> Any: ...


class TakingBack:
    """What a session can ask before something is recalled or corrected."""

    def __init__(self, connection: grpc.aio.Channel, call: _Call) -> None:
        self._stub = passing_pb2_grpc.PassingServiceStub(connection)
        self._call = call

    async def holders(self, digest: bytes) -> tuple[str, ...]:
        """Name the members that hold a message or were sent it, its author too, as far as the own node was told."""
        request = passing_pb2.ListHoldersRequest(message_digest=digest)
        answer: passing_pb2.ListHoldersResponse = await self._call(
            lambda: self._stub.ListHolders(request, timeout=channel.CALL_SECONDS)
        )
        return tuple(each.member for each in answer.holders)
