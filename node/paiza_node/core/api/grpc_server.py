"""The library's server with one defect mended: a method name that is not UTF-8 ends the whole server.

grpc.aio decodes the name of an unknown method outside of the call that names it, and everybody who completes a TLS
handshake may send any bytes as a name. Here every method is registered: the library's core compares the names as bytes,
and a call with any other name is answered with UNIMPLEMENTED without decoding it.

The parts of the library that are used here are not public. `tests/unit/paiza_node/core/api/test_grpc_server.py` shows
whether another release still has them.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from grpc import HandlerCallDetails, RpcMethodHandler
from grpc._cython.cygrpc import AioServer, _handle_rpc, _schedule_rpc_coro, get_working_loop
from grpc.aio._server import Server as LibraryServer
from typing_extensions import override


class GrpcServer(LibraryServer):
    """A gRPC server whose methods are registered before it starts. Belongs to one event loop."""

    def __init__(self, options: Sequence[tuple[str, Any]] = (), *, max_calls: int) -> None:
        """Serve ``max_calls`` calls at a time; those beyond end with RESOURCE_EXHAUSTED."""
        self._loop = get_working_loop()
        self._server = _CoreServer(self._loop, options, max_calls)

    def add_service(self, name: str, handlers: "Mapping[str, RpcMethodHandler[Any, Any]]") -> None:
        """Register the methods of a service, by their names without that of the service."""
        self.add_registered_method_handlers(name, dict(handlers))


class _CoreServer(AioServer):  # type: ignore[misc]  # no types are published for it
    def __init__(self, loop: asyncio.AbstractEventLoop, options: Sequence[tuple[str, Any]], max_calls: int) -> None:
        super().__init__(loop, None, (), (), tuple(options), None)
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
            arrived = await (self._request_call() if method is None else self._request_registered_call(method))
            full = len(self._calls) >= self._max_calls
            answer = _handle_rpc(name, self, (), arrived, self._loop_of_calls, full)
            self._start(_schedule_rpc_coro(answer, arrived, self._loop_of_calls, name))

    def resolve_handler(self, details: HandlerCallDetails) -> Any:
        """Return the handler of a method, None for an unknown one; the library asks for it."""
        return self._known.get(details.method)

    def _start(self, call: Coroutine[Any, Any, None]) -> None:
        task = self._loop_of_calls.create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
