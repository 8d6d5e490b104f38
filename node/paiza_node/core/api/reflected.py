"""The reflection service, behind the same authentication as every other service.

The ready-made one answers everybody who completes a TLS handshake, also who was revoked or suspended, for as long as
they like, and ends a call with the library's own text if a request is malformed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import SERVICE_NAME, aio

from paiza_node.core.api import health
from paiza_node.core.api.authentication import Authenticator
from paiza_node.core.api.connections import Connections
from paiza_node.core.api.requests import REQUEST_SECONDS
from paiza_node.core.api.status_codes import refuse
from paiza_wire.errors import Rejected

ADMITTED_AS: Final = health.PREFIX + "Check"
"""The RPC with the same access: every officer and every peer."""


def reflection_handlers(
    served: Iterable[str], authenticator: Authenticator, connections: Connections
) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    """Return the handlers of the reflection service, which shows these services by their full names."""
    servicer = aio.ReflectionServicer((*served, SERVICE_NAME))

    async def info(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        try:
            async with authenticator.admit(ADMITTED_AS, context) as call:
                connections.known(context.peer(), call.caller.id)
                parsed = _parsed(requests, lambda: authenticator.check_again(call))
                async for response in servicer.ServerReflectionInfo(parsed, context):
                    yield response.SerializeToString()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all end as a status
            await refuse(context, error)

    return {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(info)}


async def _parsed(requests: AsyncIterator[bytes], check_again: Callable[[], None]) -> AsyncIterator[Any]:
    """Yield the requests of a call, while its caller remains admitted."""
    while True:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                data = await anext(requests)
            check_again()
            yield reflection_pb2.ServerReflectionRequest.FromString(data)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Rejected("malformed", f"no request arrived within {REQUEST_SECONDS:.0f} s") from None
        except DecodeError as error:
            raise Rejected("malformed", "the request is no ServerReflectionRequest") from error
