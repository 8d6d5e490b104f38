"""The issuer's server, on a Unix socket that the node's user may open, and the node's channel to it."""

import os
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from paiza.issuer.v1 import issuer_pb2_grpc
from paiza_node.core.api import services
from paiza_node.core.api.grpc_server import GrpcServer
from paiza_node.core.api.server import plain_handler
from paiza_node.core.api.services import Service, method_name
from paiza_node.core.api.status_codes import REASON_KEY
from paiza_register.verified_set import MAX_SET_BYTES
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.reasons import REASONS

SECONDS: Final = 60.0  # of one call; a token may sign slowly, and a large register takes seconds to verify
MAX_MESSAGE_BYTES: Final = MAX_SET_BYTES + (1 << 20)  # a register, and what comes with it
OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    # A whole register comes in one call.
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)

CHANNEL_OPTIONS: Final = (
    *OPTIONS,
    # A socket costs nothing to try. By default the first calls after a restart of the issuer would fail for seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
)

MAX_CALLS: Final = 8  # concurrent; the node makes one at a time

_PASSING: Final = frozenset({
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNKNOWN,
})  # fmt: skip


def issuer_server(path: Path, group: int | None, handler: Service) -> GrpcServer:
    """Build the issuer's server. Its own user and the members of ``group`` may open the socket (0660), nobody else.

    ``group`` is a numeric id, of which the process must be a member; None leaves the process's own group.
    """
    server = GrpcServer(OPTIONS, max_calls=MAX_CALLS)
    found = services.handlers_of([handler], [handler.service])
    plain = {
        method.name: plain_handler(method, found[method_name(method)], MAX_MESSAGE_BYTES)
        for method in handler.service.methods
    }
    server.add_service(handler.service.full_name, plain)
    path.unlink(missing_ok=True)  # left by a killed process; the journal's lock shows that none runs
    previous = os.umask(0o117)
    try:
        server.add_insecure_port(f"unix:{path}")
    finally:
        os.umask(previous)
    if group is not None:
        os.chown(path, -1, group)
    return server


class IssuerChannel:
    """The node's channel to the issuer of its member. Belongs to one event loop."""

    def __init__(self, socket: Path) -> None:
        """Store the socket's path; it connects with the first call."""
        self._socket = socket
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=CHANNEL_OPTIONS)
        self._stub = issuer_pb2_grpc.IssuerServiceStub(self._channel)

    async def call(self, method: str, request: Message) -> Any:
        """Call an RPC of IssuerService by its name and return its response.

        ``Unavailable("issuer_unreachable")`` if nobody answers; else the issuer's refusal, of either family.
        """
        try:
            return await getattr(self._stub, method)(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            reason = dict(error.trailing_metadata() or ()).get(REASON_KEY, "")
            code = error.code()
            if not isinstance(reason, str) or reason not in REASONS or reason == "internal_error":
                raise Unavailable("issuer_unreachable", f"{self._socket}: {code.name}: {error.details()}") from error
            family = Unavailable if code in _PASSING else Rejected
            raise family(reason, f"issuer: {error.details()}") from error

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()
