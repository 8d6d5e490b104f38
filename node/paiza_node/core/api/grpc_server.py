"""The library's server with two defects mended.

A method name that is not UTF-8 ends the whole server: grpc.aio decodes the name of an unknown method outside of the
call that names it, and everybody who completes a TLS handshake may send any bytes as a name. Here every method is
registered: the library's core compares the names as bytes, and a call with any other name is answered with
UNIMPLEMENTED without decoding it.

Headers are limited only once the caller has acknowledged the server's settings: before, a call may bring 16 MiB of
them, which are half of one on the wire if compressed. No honest program sends so many. They are in memory when a call
arrives, and to look at them takes 0.2 s. Such a call is refused here and its connection given up; further calls on that
connection are dropped unseen.

The parts of the library that are used here are not public. `tests/unit/paiza_node/core/api/test_grpc_server.py` shows
whether another release still has them.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

import grpc
from grpc import HandlerCallDetails, RpcMethodHandler
from grpc._cython.cygrpc import AioServer, _handle_rpc, _schedule_rpc_coro, _ServicerContext, get_working_loop
from grpc.aio._server import Server as LibraryServer
from typing_extensions import override

from paiza_node.core.api.connections import Connections
from paiza_node.core.api.status_codes import refuse
from paiza_wire.errors import Rejected

HEADERS_BYTES: Final = 16 * 1024  # of a call, which gRPC announces; counted as in RFC 9113 §6.5.2
FIELD_BYTES: Final = 32  # that a field counts beside its name and value


class GrpcServer(LibraryServer):
    """A gRPC server whose methods are registered before it starts. Belongs to one event loop."""

    def __init__(
        self, options: Sequence[tuple[str, Any]] = (), *, max_calls: int, connections: Connections | None = None
    ) -> None:
        """Serve ``max_calls`` calls at a time; those beyond end with RESOURCE_EXHAUSTED.

        ``connections``: those of its listener; None where nobody looks at them (the operator's socket, a standby).
        """
        self._loop = get_working_loop()
        self._server = _CoreServer(self._loop, options, max_calls, connections)

    def add_service(self, name: str, handlers: "Mapping[str, RpcMethodHandler[Any, Any]]") -> None:
        """Register the methods of a service, by their names without that of the service."""
        self.add_registered_method_handlers(name, dict(handlers))


class _CoreServer(AioServer):  # type: ignore[misc]  # no types are published for it
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: Sequence[tuple[str, Any]],
        max_calls: int,
        connections: Connections | None,
    ) -> None:
        super().__init__(loop, None, (), (), tuple(options), None)
        self._connections = connections
        self._refused: RpcMethodHandler[Any, Any] = grpc.stream_unary_rpc_method_handler(self._refuse)
        self._loop_of_calls = loop
        self._max_calls = max_calls
        self._calls: set[asyncio.Task[None]] = set()
        self._known: dict[str, Any] = {}

    @override
    def add_registered_method_handlers(self, method_handlers: "dict[str, RpcMethodHandler[Any, Any]]") -> None:
        self._known.update(method_handlers)
        super().add_registered_method_handlers(method_handlers)

    @override
    def _make_request_call_future(self, method_bytes: bytes | None) -> "asyncio.Task[None]":
        """Start to serve a method, or all unknown ones; the library waits for the end, which is that of the server."""
        return self._loop_of_calls.create_task(self._serve(method_bytes))

    async def _serve(self, method: bytes | None) -> None:
        name = "" if method is None else method.decode()
        while True:  # until the library's error for a server that stops, which its own loop expects
            # Kept by no name here, since the next call of a method may be long in coming.
            self._start(name, await (self._request_call() if method is None else self._request_registered_call(method)))

    def resolve_handler(self, details: HandlerCallDetails) -> Any:
        """Return the handler of a method, None for an unknown one; the library asks for it."""
        headers = details.invocation_metadata or ()
        if sum(len(name) + len(value) + FIELD_BYTES for name, value in headers) > HEADERS_BYTES:
            return self._refused
        return self._known.get(details.method)

    async def _refuse(self, _requests: Any, context: Any) -> None:
        shown = [name.decode("ascii", "replace") for name in context.auth_context().get("peer_spiffe_id", ())]
        if self._connections is not None:
            self._connections.give_up_headers(context.peer(), shown)
        await refuse(context, Rejected("too_large", f"the headers of a call have at most {HEADERS_BYTES} bytes"))

    def _start(self, name: str, arrived: Any) -> None:
        """Begin to answer a call; one that is dropped ends when nobody keeps it any more."""
        loop = self._loop_of_calls
        if self._connections is not None and self._connections.barred(
            lambda: _ServicerContext(arrived, None, None, loop).peer()
        ):
            return
        answer = _handle_rpc(name, self, (), arrived, loop, len(self._calls) >= self._max_calls)
        call: Coroutine[Any, Any, None] = _schedule_rpc_coro(answer, arrived, loop, name)
        task = loop.create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
