"""What a standby answers on its own addresses: it is well, does not serve, and another process does.

Peers and officers learn it from the health service, and from the reason of every other call, and go on to the next
address; the operator from `status`. Nothing of the database is read: a caller is only known by the handshake.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from paiza.admin.v1 import admin_pb2
from paiza_node.core.api import health, services
from paiza_node.core.api.grpc_server import GrpcServer
from paiza_node.core.api.health import Health
from paiza_node.core.api.requests import parse
from paiza_node.core.api.server import SERVER_OPTIONS, admin_socket_server, bind, trusted_roots
from paiza_node.core.api.services import method_name
from paiza_node.core.api.status_codes import refuse
from paiza_node.core.peers.tls_identity import TlsKeys
from paiza_register import Register
from paiza_wire.errors import Unavailable

MAX_CALLS: Final = 64  # concurrent; each is answered at once, but for a watch of the health
MAX_HEALTH_REQUEST_BYTES: Final = 1024
RETRY_SECONDS: Final = 5.0

_STATUS: Final = "GetStatus"


def standby_server(listen: str, keys: TlsKeys, register: Register, member: str, places: int) -> GrpcServer:
    """Build the server for peers and officers of a process that waits; NodeStopped if it cannot listen."""
    options = (*SERVER_OPTIONS, ("grpc.max_allowed_incoming_connections", places))
    server = GrpcServer(options, max_calls=MAX_CALLS)
    waits = Health([service.full_name for service in (*services.public(), services.HEALTH)])
    answers: dict[str, Any] = {
        health.PREFIX + "Check": waits.check,
        health.PREFIX + "List": waits.check_all,
        health.PREFIX + "Watch": waits.watch,
    }
    for service in (*services.public(), services.HEALTH):
        methods = {each.name: _handler(each, answers.get(method_name(each), _refused)) for each in service.methods}
        server.add_service(service.full_name, methods)
    credentials = grpc.ssl_server_credentials(
        [(keys.private_key, keys.certificate)], trusted_roots(register, member), require_client_auth=True
    )
    bind(server, listen, credentials)
    return server


def standby_admin_server(path: Path, status: Callable[[], Awaitable[admin_pb2.GetStatusResponse]]) -> GrpcServer:
    """Build the operator's server of a process that waits: it answers `status`, and refuses all else."""

    async def answer(method: MethodDescriptor, _request: Any) -> Message:
        if method.name == _STATUS:
            return await status()
        raise _waits()

    return admin_socket_server(path, answer, MAX_CALLS)


def _handler(method: MethodDescriptor, answer: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    request_type = message_factory.GetMessageClass(method.input_type)

    async def first(requests: AsyncIterator[bytes]) -> Message:
        async for data in requests:
            return parse(request_type, data[:MAX_HEALTH_REQUEST_BYTES])
        raise _waits()

    async def unary(requests: AsyncIterator[bytes], context: Any) -> bytes | None:
        try:
            request = None if answer is _refused else await first(requests)
            response: Message = await answer(None, request)
            return response.SerializeToString()
        except Exception as error:  # noqa: BLE001 - all end as a status
            await refuse(context, error)
            return None

    async def stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        try:
            async for response in answer(None, await first(requests)):
                yield response.SerializeToString()
        except Exception as error:  # noqa: BLE001 - all end as a status
            await refuse(context, error)

    async def refused(_requests: AsyncIterator[bytes], context: Any) -> None:
        await refuse(context, _waits())

    if method.server_streaming and answer is _refused:
        return grpc.stream_stream_rpc_method_handler(refused)
    if method.server_streaming:
        return grpc.stream_stream_rpc_method_handler(stream)
    return grpc.stream_unary_rpc_method_handler(unary)


async def _refused(_caller: None, _request: Any) -> Message:
    raise _waits()


def _waits() -> Unavailable:
    return Unavailable("standby", "another process of this member serves", RETRY_SECONDS)
