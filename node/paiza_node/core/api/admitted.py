"""How a call begins: its headers are within the limit, its caller is admitted, and the connection is its caller's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from paiza_node.core.api.authentication import Authenticator, Call
from paiza_node.core.api.connections import Connections
from paiza_wire.errors import Rejected

HEADERS_BYTES: Final = 16 * 1024  # of a call, which gRPC announces; counted as in RFC 9113 §6.5.2
FIELD_BYTES: Final = 32  # that a field counts beside its name and value


@asynccontextmanager
async def admitted(
    authenticator: Authenticator, connections: Connections, method: str, context: Any
) -> AsyncIterator[Call]:
    """Check a call, and yield it; the connection is known as that of its caller from then on."""
    _check_headers(connections, context)
    async with authenticator.admit(method, context) as call:
        connections.known(context.peer(), call.caller.id)
        yield call


def _check_headers(connections: Connections, context: Any) -> None:
    """Raise Rejected("too_large") for more headers than gRPC has announced to take, and end their connection.

    gRPC (1.85) refuses them itself, but only once the caller has acknowledged its settings. No honest program sends so
    many. They are in memory when a call begins; those of the further calls on the connection are dropped with it.
    """
    peer = context.peer()
    if not connections.ended_by_headers(peer):
        headers = context.invocation_metadata() or ()
        if sum(len(name) + len(value) + FIELD_BYTES for name, value in headers) <= HEADERS_BYTES:
            return
        shown = [name.decode("ascii", "replace") for name in context.auth_context().get("peer_spiffe_id", ())]
        connections.give_up_headers(peer, shown)
    raise Rejected("too_large", f"the headers of a call have at most {HEADERS_BYTES} bytes")
