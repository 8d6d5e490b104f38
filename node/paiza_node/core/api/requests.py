"""Requests: their bytes as they arrive, and the message that they are parsed to.

A request is refused before it is parsed if it is larger than its RPC declares, or has too many fields.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza_node.core.api.call_memory import CallMemory, Lane, Taken
from paiza_node.core.api.services import SMALL_REQUEST_BYTES
from paiza_wire.errors import Rejected
from paiza_wire.field_count import check_fields

CHECKED_DEPTH: Final = 2  # of nested messages in which times and texts of a request are checked: a query, its period
REQUEST_SECONDS: Final = 60.0  # for the bytes of a request to arrive: 8 MiB over a slow line


class Requests:
    """Reads the requests of one RPC."""

    def __init__(self, method: MethodDescriptor, max_bytes: int, memory: CallMemory) -> None:
        """Store the type of the requests and their size; ``memory`` is shared by all RPCs."""
        self._type = message_factory.GetMessageClass(method.input_type)
        self._max_bytes = max_bytes
        self._lane: Lane = "small" if max_bytes <= SMALL_REQUEST_BYTES else "large"
        if method.client_streaming:
            self._lane = "piece"
        self._memory = memory

    @asynccontextmanager
    async def only(self, requests: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        """Provide the one request of a call, and count its bytes until the block ends.

        Rejected("malformed") if it does not arrive in time.
        """
        async with aclosing(_received(requests)) as received:
            try:
                request, taken = await self._next(received)
            except StopAsyncIteration:
                raise Rejected("malformed", "the call holds no request") from None
        try:
            yield request
        finally:
            self._memory.give_back(taken)

    async def each(self, requests: AsyncIterator[bytes], check_again: Callable[[], None]) -> AsyncGenerator[Message]:
        """Yield the requests of a streaming call, each with its own timeout, while its caller remains admitted."""
        async with aclosing(_received(requests)) as received:
            while True:
                try:
                    request, taken = await self._next(received)
                except StopAsyncIteration:
                    return
                try:
                    check_again()
                    yield request
                finally:
                    self._memory.give_back(taken)

    async def _next(self, received: AsyncIterator[bytes]) -> tuple[Message, Taken]:
        """Return the next request, and what must be given back once it was handled."""
        async with self._memory.arriving(self._lane):
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    data = await anext(received)
            except TimeoutError:
                raise Rejected("malformed", f"no request arrived within {REQUEST_SECONDS:.0f} s") from None
            check_size(data, self._max_bytes)
            taken = await self._memory.take(len(data))
        try:
            return parse(self._type, data), taken
        except BaseException:
            self._memory.give_back(taken)
            raise


def _received(requests: AsyncIterator[bytes]) -> Any:
    """Return what must be closed: the library's generator, in a cycle with what it yielded last."""
    return aiter(requests)


def check_size(data: bytes, max_bytes: int) -> None:
    """Raise Rejected("too_large") for a request with more bytes than its RPC declares."""
    if len(data) > max_bytes:
        raise Rejected("too_large", f"a request of this call has at most {max_bytes} bytes")


def parse(request_type: type[Message], data: bytes) -> Message:
    """Return the request of a type; Rejected("malformed") if it is not one, or a time or a text in it is invalid.

    Rejected("too_large") if it has too many fields.
    """
    check_fields(request_type, data)
    try:
        request = request_type.FromString(data)
    except DecodeError as error:
        raise Rejected("malformed", f"the request is not a {request_type.DESCRIPTOR.full_name}") from error
    for path in _paths(request_type.DESCRIPTOR, _is_time):
        _check_time(request, path)
    for path in _paths(request_type.DESCRIPTOR, _is_text):
        _check_text(request, path)
    return request


def _is_time(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.full_name == Timestamp.DESCRIPTOR.full_name and not field.is_repeated


def _is_text(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_STRING


@cache
def _paths(
    kind: Descriptor, wanted: Callable[[FieldDescriptor], bool], depth: int = CHECKED_DEPTH
) -> tuple[tuple[str, ...], ...]:
    """Return where the wanted fields of a request are: its own, and those of its nested messages."""
    found: list[tuple[str, ...]] = []
    for field in kind.fields:
        if wanted(field):
            found.append((field.name,))
        elif field.message_type is not None and not field.is_repeated and depth > 1:
            found.extend((field.name, *rest) for rest in _paths(field.message_type, wanted, depth - 1))
    return tuple(found)


def _check_time(request: Message, path: Sequence[str]) -> None:
    """Raise if a time of a request is invalid; an unset one is valid."""
    at: Any = request
    for name in path:
        if not at.HasField(name):
            return
        at = getattr(at, name)
    try:
        at.ToDatetime()
    except (ValueError, OverflowError):
        raise Rejected("malformed", f"{'.'.join(path)} is no time") from None


def _check_text(request: Message, path: Sequence[str]) -> None:
    """Raise if a text of a request, or one of several, contains NUL: PostgreSQL stores none."""
    at: Any = request
    for name in path:
        at = getattr(at, name)
    if any("\0" in text for text in ([at] if isinstance(at, str) else at)):
        raise Rejected("malformed", f"{'.'.join(path)} contains the character NUL")
