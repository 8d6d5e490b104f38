"""Nodes of a development federation in this process: the whole program, and no socket.

    async with InProcess.started(folder, ["kaz", "tjk"]) as nodes:
        answer = await nodes["kaz"].call(caller, "/paiza.officer.v1.OfficerService/GetSession", b"")

Everything runs as in `paiza-node run`: start, services, background tasks, authentication of each call by the caller's
certificate, reading of requests, refusals. Only gRPC is left out: a call goes from the caller's certificate and bytes
straight to the method handler that the server would have called, and nodes call each other in the same way. For tests
that make many calls, or many starts: fuzzing, and bent rows.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import patch

import grpc
from google.protobuf.message import Message

from paiza.admin.v1 import officer_pb2
from paiza_node.app import serve, start, wiring
from paiza_node.core.api import server
from paiza_node.core.api.key_exchange import HYBRID, PROPERTY
from paiza_node.core.api.status_codes import REASON_KEY
from paiza_node.core.errors import NodeStopped
from paiza_node.core.peers.rpcs import RequestT, ResponseT, Rpc
from paiza_node.core.peers.tls_identity import TlsIdentity
from paiza_node.features.officers.admit import read_file
from paiza_node.ops.config import load
from paiza_wire.errors import PaizaError, Rejected, Unavailable

CALL_SECONDS: Final = 60.0  # a call that takes longer hangs
START_SECONDS: Final = 60.0
FIRST_RESPONSES: Final = 8  # of a stream
STREAM_SECONDS: Final = 0.05  # without a further response: a watch goes on for ever
OPERATOR: Final = b""
"""Who calls over the admin socket."""


class RefusedCall(Exception):  # noqa: N818 - the outcome of a call
    """A call that ended with a status: the gRPC code, the reason in the trailing metadata, the detail."""

    def __init__(self, code: grpc.StatusCode, reason: str, detail: str) -> None:
        self.code, self.reason, self.detail = code, reason, detail
        super().__init__(f"{code.name} {reason}: {detail}")


class HangingCallError(Exception):
    """A call that did not end in time."""


class Context:
    """A call as its handler sees it: of a caller with a certificate (PEM), or of the operator."""

    def __init__(self, certificate: bytes) -> None:
        self._certificate = certificate
        self._trailing: tuple[tuple[str, str], ...] = ()
        self._callbacks: list[Callable[[Any], object]] = []

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Return what TLS found out."""
        return {"x509_pem_cert": [self._certificate], PROPERTY: [HYBRID]} if self._certificate else {}

    def peer(self) -> str:
        """Return where the caller is."""
        return "ipv4:127.0.0.1:1" if self._certificate else "unix:"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata of the call: none."""
        return ()

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller's deadline: there is none."""
        return None

    def cancelled(self) -> bool:
        """Return whether the caller cancelled the call."""
        return False

    def done(self) -> bool:
        """Return whether the call has ended."""
        return False

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Call a function at the end of the call."""
        self._callbacks.append(callback)

    def end(self) -> None:
        """Let the call have ended."""
        for callback in self._callbacks:
            callback(self)

    def set_trailing_metadata(self, metadata: tuple[tuple[str, str], ...]) -> None:
        """Note the metadata that go with the status."""
        self._trailing = metadata

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> None:
        """End the call."""
        found = dict(trailing_metadata or self._trailing)
        raise RefusedCall(code, str(found.get(REASON_KEY, "")), details)


class Server:
    """What stands for `GrpcServer`: it keeps the method handlers, and listens nowhere."""

    def __init__(self, *_options: object, **_limits: object) -> None:
        self._handlers: dict[str, Any] = {}
        node = _STARTING.get()
        node.servers.append(self)

    def add_service(self, name: str, methods: Mapping[str, Any]) -> None:
        """Add a service."""
        self._handlers |= {f"/{name}/{method}": handler for method, handler in methods.items()}

    def add_secure_port(self, *_address: object) -> int:
        """Listen nowhere."""
        return 1

    def add_insecure_port(self, *_address: object) -> int:
        """Listen nowhere."""
        return 1

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self, _grace: float | None) -> None:
        """Do nothing."""

    def handler(self, method: str) -> Any:
        """Return the handler of a method, None if there is none."""
        return self._handlers.get(method)


class Channel:
    """The channel from one node to another member's."""

    endpoint = "in-process"

    def __init__(self, member: str, identity: TlsIdentity, *_arguments: object, **_options: object) -> None:
        self.member = member
        self._own = _NODES[identity.keys.certificate]

    def _node(self) -> "InProcess":
        node = self._own.others.get(self.member)
        if node is None or not node.serving:
            raise Unavailable("peer_unreachable", f"{self.member} does not run")
        return node

    async def call(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call once and wait for the answer."""
        try:
            data = await self._node().call(self._own.certificate, rpc.path, request.SerializeToString())
        except RefusedCall as error:
            kind = Rejected if rpc.refusal_is_answer else Unavailable
            raise kind(error.reason or "unexpected_answer", f"{self.member}: {error.detail}") from error
        return rpc.response.FromString(data)

    async def stream(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> AsyncGenerator[ResponseT]:
        """Yield the responses of a stream."""
        try:
            async for data in self._node().stream(self._own.certificate, rpc.path, request.SerializeToString()):
                yield rpc.response.FromString(data)
        except RefusedCall as error:
            raise Unavailable(error.reason or "unexpected_answer", f"{self.member}: {error.detail}") from error

    async def call_any(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call once and wait for the answer: a node has one address here."""
        return await self.call(rpc, request)

    def check_trusted(self) -> None:
        """Trust the node under every register."""

    async def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Recorded:
    """A call: the certificate of its caller, the method path, the bytes of its requests."""

    caller: bytes
    method: str
    requests: tuple[bytes, ...]


class InProcess:
    """One member's node. ``others`` are the nodes that it reaches, by member."""

    def __init__(self, folder: Path, others: Mapping[str, "InProcess"]) -> None:
        """``folder`` is the folder of the node, with its node.toml."""
        self.folder = folder
        self.others = others
        self.member = folder.name
        self.certificate = (folder / "keys/tls.crt").read_bytes()
        self.servers: list[Server] = []
        self.calls: list[Recorded] = []
        self.serving = False
        self._ends = asyncio.Event()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def started(cls, folder: Path, members: Sequence[str]) -> AsyncIterator[Mapping[str, "InProcess"]]:
        """Run nodes of a federation in a folder, with their officers admitted."""
        nodes: dict[str, InProcess] = {}
        nodes |= {member: cls(folder / "nodes" / member, nodes) for member in members}
        async with AsyncExitStack() as running:
            for node in nodes.values():
                await running.enter_async_context(node.run())
            yield nodes

    @asynccontextmanager
    async def run(self) -> AsyncIterator["InProcess"]:
        """Run the node; raise what it ends with if it does not start, or fails while it runs."""
        read_config = partial(load, self.folder / "node.toml", {})
        token = _STARTING.set(self)
        _NODES[self.certificate] = self
        with _without_sockets():
            self._task = asyncio.create_task(start.run(read_config(), read_config))
            ready = asyncio.create_task(self._ready.wait())
            try:
                async with asyncio.timeout(START_SECONDS):
                    await asyncio.wait([self._task, ready], return_when=asyncio.FIRST_COMPLETED)
                    if self._task.done():
                        await self._task
                        raise AssertionError("the node ended while it started")
                _STARTING.reset(token)
                self.serving = True
                await self._admit_listed()
                yield self
            finally:
                ready.cancel()
                self.serving = False
                self._ends.set()
                await asyncio.wait([self._task], timeout=START_SECONDS)
        await self._task

    @property
    def runs(self) -> bool:
        """Return whether the node has not ended."""
        return self._task is not None and not self._task.done()

    def handler(self, method: str) -> Any:
        """Return the handler of a method path."""
        found = next((found for each in self.servers if (found := each.handler(method)) is not None), None)
        assert found is not None, f"{method} is not served"
        return found

    async def call(self, caller: bytes, method: str, *requests: bytes) -> bytes:
        """Call as the holder of a certificate (PEM) or the `OPERATOR`; return the response.

        RefusedCall holds the status of a refusal.
        """
        self.calls.append(Recorded(caller, method, requests))
        handler = self.handler(method)
        context = Context(caller)
        asked = requests[0] if handler.unary_unary else _each(requests)
        try:
            return cast("bytes", await (handler.unary_unary or handler.stream_unary)(asked, context))
        finally:
            context.end()

    async def stream(self, caller: bytes, method: str, request: bytes) -> AsyncGenerator[bytes]:
        """Yield the responses of a stream, until it ends or is silent for a moment."""
        self.calls.append(Recorded(caller, method, (request,)))
        context = Context(caller)
        responses = aiter(self.handler(method).stream_stream(_each([request]), context))
        try:
            while True:
                try:
                    async with asyncio.timeout(STREAM_SECONDS if "Watch" in method else None):
                        response = await anext(responses)
                except (StopAsyncIteration, TimeoutError):
                    return
                yield response
        finally:
            await responses.aclose()
            context.end()

    async def answer(self, caller: bytes, method: str, *requests: bytes) -> list[bytes]:
        """Call any RPC, streaming or not; return its first responses. HangingCallError if it does not end in time."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await self._answer(caller, method, requests)
        except TimeoutError:
            raise HangingCallError(f"{method} did not end within {CALL_SECONDS:.0f} s") from None

    async def _answer(self, caller: bytes, method: str, requests: Sequence[bytes]) -> list[bytes]:
        if not self.handler(method).stream_stream:
            return [await self.call(caller, method, *requests)]
        found = []
        async for response in self.stream(caller, method, requests[0]):
            found.append(response)
            if len(found) == FIRST_RESPONSES:
                break
        return found

    async def ask(self, caller: bytes, method: str, request: Message, response: type[ResponseT]) -> ResponseT:
        """Call a unary RPC with messages."""
        return response.FromString(await self.call(caller, method, request.SerializeToString()))

    async def until_stopped(self, background_tasks: list[Any], _reload: object) -> None:
        """Run the background tasks until the node is to end; one that fails ends it."""
        tasks = [asyncio.ensure_future(each) for each in background_tasks]
        waiting = asyncio.create_task(self._ends.wait())
        self._ready.set()
        done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, *tasks):
            task.cancel()
        await asyncio.gather(waiting, *tasks, return_exceptions=True)
        for task in done - {waiting}:
            await task

    async def _admit_listed(self) -> None:
        listed = officer_pb2.ListOfficersRequest()
        service = "/paiza.admin.v1.OfficerAdminService"
        known = await self.ask(OPERATOR, f"{service}/ListOfficers", listed, officer_pb2.ListOfficersResponse)
        if not known.officers:
            officers = read_file((self.folder / "officers.json").read_bytes())
            request = officer_pb2.AdmitOfficersRequest(officers=officers)
            await self.call(OPERATOR, f"{service}/AdmitOfficers", request.SerializeToString())


_STARTING: ContextVar[InProcess] = ContextVar("starting")
_NODES: Final[dict[bytes, InProcess]] = {}  # by certificate


async def _each(requests: Iterable[bytes]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


@contextmanager
def _without_sockets() -> Iterator[None]:
    """Exchange what reaches out of the process: the server, channels to other nodes, signals, the collector."""
    collector = SimpleNamespace(freeze=lambda: None, set_threshold=lambda *_: None)
    with (
        patch.object(server, "GrpcServer", Server),
        patch.object(wiring, "GrpcChannel", Channel),
        patch.object(serve, "gc", collector),
        patch.object(serve, "_until_stopped", lambda tasks, reload: _STARTING.get().until_stopped(tasks, reload)),
    ):
        yield


ENDS: Final = (NodeStopped, PaizaError)
"""What a node may refuse to start with, or end with."""
