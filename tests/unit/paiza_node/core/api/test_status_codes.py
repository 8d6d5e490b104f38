"""Every RPC ends a call that goes wrong with a reason of ours, never with INTERNAL, whatever goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from paiza.core.v1 import log_pb2
from paiza_node.core.api import server, services
from paiza_node.core.api.call_memory import CallMemory
from paiza_node.core.api.connections import Connections
from paiza_node.core.api.services import method_name
from paiza_node.core.api.status_codes import REASON_KEY, reason_of, refuse
from paiza_wire.errors import Rejected
from paiza_wire.reasons import REASONS

METHODS: Final = {method_name(method): method for service in services.public() for method in service.methods}


class EndedError(Exception):
    """Leave an aborted call as gRPC does."""


class Call:
    """The library's side of a call: keeps how it ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[grpc.StatusCode, str, str]] = []
        self._reason = ""

    def peer(self) -> str:
        """Return where the caller calls from."""
        return "ipv4:192.0.2.1:4711"

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Keep the reason."""
        self._reason = dict(metadata)[REASON_KEY]

    async def abort(self, code: grpc.StatusCode, detail: str) -> None:
        """End the call; the library encodes the text."""
        detail.encode()
        self.ended.append((code, self._reason, detail))
        raise EndedError


class Unserialisable:
    """A response that is none."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - as protobuf has it
        """Raise as a message does that holds what it must not hold."""
        raise ValueError("not a message")


def _raising(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def _unreadable() -> Any:
    """Parse stored bytes that are no message."""
    return log_pb2.LogEntry.FromString(b"\xff")


def _unshowable() -> Any:
    """Show a stored number that the field cannot hold."""
    return log_pb2.OpenedTogetherDetail(message_count=2**40)


FAILURES: Final = {
    "defect": (_raising(RuntimeError("a defect")), grpc.StatusCode.UNKNOWN, "internal_error"),
    "bytes": (_unreadable, grpc.StatusCode.UNAVAILABLE, "log_damaged"),
    "number": (_unshowable, grpc.StatusCode.UNAVAILABLE, "log_damaged"),
    "cancelled": (_raising(asyncio.CancelledError()), grpc.StatusCode.RESOURCE_EXHAUSTED, "busy"),
    "unserialisable": (Unserialisable, grpc.StatusCode.UNKNOWN, "internal_error"),
    "path": (_raising(Rejected("file_unreadable", "\udcff")), grpc.StatusCode.INVALID_ARGUMENT, "file_unreadable"),
}


def _handler(method: MethodDescriptor, happens: Callable[[], Any]) -> Any:
    async def unary(_caller: Any, _asked: Any) -> Any:
        return happens()

    async def stream(_caller: Any, _asked: Any) -> AsyncIterator[Any]:
        yield happens()

    return stream if method.server_streaming else unary


def _admitting() -> Any:
    """Return an authenticator that admits everybody."""

    @asynccontextmanager
    async def admit(*_: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(caller=SimpleNamespace(id="officer"), sends=False, check=lambda: None)

    async def waited(*_: Any) -> None:
        """Find a place for the call, and the logs equal."""

    def nothing(*_: Any) -> None:
        """Find nothing wrong."""

    return SimpleNamespace(
        admit=admit, check_again=nothing, check_place=waited, note_answer=nothing, check_compared=waited
    )


async def _called(handler: Any, call: Call) -> None:
    if handler.stream_stream is None:
        await handler.stream_unary(_one_request(), call)
    else:
        async for _ in handler.stream_stream(_one_request(), call):
            pass


async def _one_request() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize("failure", FAILURES)
async def test_every_rpc_ends_with_a_reason(failure: str) -> None:
    """A defect, a cancellation from inside, a response that is none, a text that is no Unicode."""
    happens, code, reason = FAILURES[failure]
    for name, method in METHODS.items():
        call = Call()
        handler: Any = server._guarded(_admitting(), Connections([]), CallMemory(), method, _handler(method, happens))
        with pytest.raises(EndedError):
            await _called(handler, call)
        assert [(ended[0], ended[1]) for ended in call.ended] == [(code, reason)], name


async def test_a_caller_that_hangs_up_gets_no_answer() -> None:
    """A call that its caller cancelled stays cancelled."""
    waiting = asyncio.Event()

    async def wait(*_: Any) -> Any:
        waiting.set()
        await asyncio.Event().wait()

    method = next(each for each in METHODS.values() if not each.server_streaming and not each.client_streaming)
    handler: Any = server._guarded(_admitting(), Connections([]), CallMemory(), method, wait)
    call = Call()
    task = asyncio.create_task(handler.stream_unary(_one_request(), call))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.ended == []


@pytest.mark.parametrize("reason", REASONS)
async def test_no_reason_is_internal(reason: str) -> None:
    """No refusal and no defect has the status that is the library's own."""
    for error in (Rejected(reason, ""), RuntimeError()):
        call = Call()
        with pytest.raises(EndedError):
            await refuse(call, error)
        assert call.ended[0][0] not in {grpc.StatusCode.INTERNAL, grpc.StatusCode.OK}


def test_calls_are_counted_by_what_ended_them() -> None:
    """A refusal under its reason, a defect as internal_error, a caller that hung up as cancelled."""
    ends = (Rejected("busy", ""), RuntimeError(), asyncio.CancelledError())
    assert [reason_of(each) for each in ends] == ["busy", "internal_error", "cancelled"]
