"""The gRPC servers: one over mutual TLS for peers and officers, one on a Unix socket for the operator."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from time import perf_counter
from typing import Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc_reflection.v1alpha.reflection import SERVICE_NAME

from paiza_node.core.api import health, reflected, services
from paiza_node.core.api.authentication import ANSWERED, Authenticator
from paiza_node.core.api.call_memory import CallMemory
from paiza_node.core.api.connections import Connections
from paiza_node.core.api.grpc_server import GrpcServer
from paiza_node.core.api.health import Health
from paiza_node.core.api.metrics import CALLS, SECONDS
from paiza_node.core.api.requests import Requests, check_size, parse
from paiza_node.core.api.services import Service, access_of, method_name
from paiza_node.core.api.status_codes import reason_of, refuse
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.peers.channels import MAX_MESSAGE_BYTES, READ_BYTES
from paiza_node.core.peers.tls_identity import TlsIdentity, TlsKeys
from paiza_register import Register

MAX_CALLS: Final = 16_384  # concurrent, of all callers: eight that hold each stream of each connection of theirs
ADMIN_CALLS: Final = 256  # concurrent, of the operator's programs

UNKNOWN_PER_ADDRESS: Final = 64  # connections without an admitted call; the officers of an agency may share an address
HANDSHAKE_SECONDS: Final = 10  # of TLS and HTTP/2: over a satellite TCP and TLS take 2.5 s
IDLE_SECONDS: Final = 600  # without a call, after which a connection is closed; its caller connects again
KEEPALIVE_SECONDS: Final = 60  # after which an idle connection is asked whether its caller is still there
ANSWER_SECONDS: Final = 20  # to that question

AHEAD_BYTES: Final = 1024 * 1024  # of one call; 10 MB/s over a line of 100 ms; many callers share the memory
SERVER_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 64),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", ANSWER_SECONDS * 1000),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
    ("grpc.max_connection_idle_ms", IDLE_SECONDS * 1000),
    # The most unread bytes of one call: gRPC's own estimate is unbounded.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", AHEAD_BYTES),
    ("grpc.experimental.tcp_max_read_buffer_size", READ_BYTES),
    ("grpc.compression_enabled_algorithms_bitset", 1),  # none: no program of ours compresses
    ("grpc.so_reuseport", 0),  # a second process on the same port must fail, not share the port
)


def public_server(
    *,
    listen: str,
    authenticator: Authenticator,
    handlers: Iterable[Service],
    identity: TlsIdentity,
    member: str,
    register: Callable[[], Register],
    with_reflection: bool,
    connections: Connections,
    places: int,
) -> tuple[GrpcServer, Health]:
    """Build the server for peers and officers. Its certificate and TLS roots may change while it runs.

    It takes ``places`` connections at once; those beyond are closed before their handshake.
    Raises TypeError if an RPC has no handler or a handler no RPC: such a node must not start.
    """
    options = (*SERVER_OPTIONS, ("grpc.max_allowed_incoming_connections", places))
    server = GrpcServer(options, max_calls=MAX_CALLS, connections=connections)
    served = (*services.public(), services.HEALTH)
    own_health = Health([service.full_name for service in served])
    found = {
        **services.handlers_of(handlers, services.public()),
        health.PREFIX + "Check": own_health.check,
        health.PREFIX + "List": own_health.check_all,
        health.PREFIX + "Watch": own_health.watch,
    }
    memory = CallMemory()
    for service in served:
        guarded = {
            each.name: _guarded(authenticator, connections, memory, each, found[method_name(each)])
            for each in service.methods
        }
        server.add_service(service.full_name, guarded)
    if with_reflection:
        names = [service.full_name for service in served]
        server.add_service(SERVICE_NAME, reflected.reflection_handlers(names, authenticator, connections))
    served_with: list[tuple[TlsKeys, Register]] = []

    def configuration() -> grpc.ServerCertificateConfiguration | None:
        """Return the certificates to serve with, or None if unchanged; called at every handshake."""
        connections.arrived()
        keys, now = identity.keys, register()
        if served_with and served_with[0][0] == keys and served_with[0][1] is now:
            return None
        served_with[:] = [(keys, now)]
        roots = trusted_roots(now, member)
        return grpc.ssl_server_certificate_configuration([(keys.private_key, keys.certificate)], roots)

    initial = configuration()
    assert initial is not None
    credentials = grpc.dynamic_ssl_server_credentials(
        initial,
        configuration,  # type: ignore[arg-type]  # None means "as before", which the stub does not know
        require_client_authentication=True,
    )
    bind(server, listen, credentials)
    return server, own_health


def bind(server: GrpcServer, listen: str, credentials: grpc.ServerCredentials) -> None:
    """Listen on the address for peers and officers; NodeStopped if that cannot be."""
    try:
        bound = server.add_secure_port(listen, credentials)
    except RuntimeError:
        bound = 0
    if not bound:
        raise NodeStopped(
            "bad_configuration",
            what=N_("The address {address} cannot be listened on."),
            where=N_("listen in node.toml"),
            remedy=N_("Stop what listens there, or choose another port (and publish it in the register)."),
            address=listen,
        )


def admin_server(path: Path, handlers: Iterable[Service]) -> GrpcServer:
    """Build the operator's server. Everyone who can open the socket (0600, the node's own user) is the operator."""
    found = services.handlers_of(handlers, services.for_operator())

    async def answer(method: MethodDescriptor, request: Any) -> Message:
        response: Message = await found[method_name(method)](request)
        return response

    return admin_socket_server(path, answer, ADMIN_CALLS)


def admin_socket_server(
    path: Path, answer: Callable[[MethodDescriptor, Any], Awaitable[Message]], max_calls: int
) -> GrpcServer:
    """Build a server on the operator's socket whose every call is answered by ``answer``."""
    server = GrpcServer(max_calls=max_calls)
    for service in services.for_operator():
        plain = {
            method.name: plain_handler(method, partial(answer, method), access_of(method).max_request_bytes)
            for method in service.methods
        }
        server.add_service(service.full_name, plain)
    path.unlink(missing_ok=True)  # left by a killed process; the store's lock shows that none runs
    previous = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{path}")
    finally:
        os.umask(previous)
    return server


def trusted_roots(register: Register, member: str) -> bytes:
    """Return the CAs that a caller's certificate may be from: every member's node CAs, and our own officer CAs."""
    cas = [ca for _, other in sorted(register.described.items()) for ca in other.authority.node_cas]
    cas += register.described_member(member).authority.officer_cas
    return "".join(DER_cert_to_PEM_cert(ca.certificate) for ca in cas).encode()


def _guarded(
    authenticator: Authenticator,
    connections: Connections,
    memory: CallMemory,
    method: MethodDescriptor,
    handler: Any,
) -> "grpc.RpcMethodHandler[Any, Any]":
    name = method_name(method)
    requests_of = Requests(method, services.accesses()[name].max_request_bytes, memory)

    async def unary(requests: AsyncIterator[bytes], context: Any) -> bytes | None:
        began = perf_counter()
        reason = "ok"
        asked: Any = None
        try:
            async with authenticator.admit(name, context) as call:
                connections.known(context.peer(), call.caller.id)
                if method.client_streaming:
                    several = requests_of.each(requests, lambda: authenticator.check_again(call))
                    async with aclosing(several):
                        response: Message = await handler(call.caller, several)
                else:
                    async with requests_of.only(requests) as asked:
                        await authenticator.check_place(call, asked)
                        call.sends = name in ANSWERED
                        await authenticator.check_compared(name, call.caller, asked)
                        response = await handler(call.caller, asked)
                authenticator.note_answer(call, response)
                answer = response.SerializeToString()
                memory.send(len(answer))
                return answer
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all end as a status; `refuse` logs what is not a refusal
            asked = None  # not kept with the exception that ends the call
            reason = reason_of(error)
            await refuse(context, error)
            return None
        finally:
            CALLS.labels(name, reason).inc()
            SECONDS.labels(name).observe(perf_counter() - began)

    async def stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        reason = "ok"
        asked: Any = None
        try:
            async with authenticator.admit(name, context) as call:
                connections.known(context.peer(), call.caller.id)
                call.give_up = partial(connections.give_up_unread, context.peer())
                async with requests_of.only(requests) as asked:
                    async for data in _Serialized(handler(call.caller, asked)):
                        authenticator.check_again(call)
                        with call.sending(len(data)):
                            yield data
                        call.check()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above
            asked = None
            reason = reason_of(error)
            await refuse(context, error)
        finally:
            CALLS.labels(name, reason).inc()

    # Bytes in, bytes out: this server, not the library, refuses malformed requests, with a reason. Declared as a
    # stream of requests although there is one: a call is then authenticated and counted before its request arrives,
    # so nobody can occupy all places with calls that send nothing.
    if method.server_streaming:
        return grpc.stream_stream_rpc_method_handler(stream)
    return grpc.stream_unary_rpc_method_handler(unary)


class _Serialized:
    """The responses of a stream in bytes. None is kept beside its bytes while the caller leaves those unread."""

    def __init__(self, responses: AsyncIterator[Message]) -> None:
        self._responses = responses

    def __aiter__(self) -> "_Serialized":
        return self

    async def __anext__(self) -> bytes:
        return (await anext(self._responses)).SerializeToString()


def plain_handler(
    method: MethodDescriptor,
    handler: Callable[[Any], Awaitable[Message]],
    max_request_bytes: int = services.SMALL_REQUEST_BYTES,
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return the handler of an RPC on a socket, all of whose callers may call it."""
    request_type = message_factory.GetMessageClass(method.input_type)

    async def unary(data: bytes, context: Any) -> bytes | None:
        try:
            check_size(data, max_request_bytes)
            return (await handler(parse(request_type, data))).SerializeToString()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all end as a status
            data = b""  # not kept with the exception that ends the call
            await refuse(context, error)
            return None

    return grpc.unary_unary_rpc_method_handler(unary)
