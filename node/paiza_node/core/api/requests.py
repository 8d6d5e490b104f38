"""Requests: their bytes as they arrive, and the message that they are parsed to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import cache
from typing import Any, Final, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza_wire.errors import Rejected

TIMES_DEPTH: Final = 2  # depth of nested messages in which the times of a request are checked: a query, its period
REQUEST_SECONDS: Final = 60.0  # for the bytes of a request to arrive: 8 MiB over a slow line


async def arrival(requests: AsyncIterator[bytes]) -> bytes:
    """Return the one request of a call; Rejected("malformed") if it does not arrive in time."""
    received: Any = aiter(requests)  # a generator: the library's, in a cycle with what it yielded last
    try:
        async with asyncio.timeout(REQUEST_SECONDS), aclosing(received):
            return cast("bytes", await anext(received))
    except StopAsyncIteration:
        raise Rejected("malformed", "the call holds no request") from None
    except TimeoutError:
        raise Rejected("malformed", f"the request did not arrive within {REQUEST_SECONDS:.0f} s") from None


async def arrivals(
    request_type: type[Message], requests: AsyncIterator[bytes], check_again: Callable[[], None]
) -> AsyncIterator[Message]:
    """Yield the requests of a streaming call, each with its own timeout, while its caller remains admitted."""
    while True:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                data = await anext(requests)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Rejected("malformed", f"no further request arrived within {REQUEST_SECONDS:.0f} s") from None
        check_again()
        yield parse(request_type, data)


def parse(request_type: type[Message], data: bytes) -> Message:
    """Return the request of a type; Rejected("malformed") if it is not one, or a time in it is invalid."""
    try:
        request = request_type.FromString(data)
    except DecodeError as error:
        raise Rejected("malformed", f"the request is not a {request_type.DESCRIPTOR.full_name}") from error
    for path in _times(request_type.DESCRIPTOR):
        _check_time(request, path)
    return request


@cache
def _times(kind: Descriptor, depth: int = TIMES_DEPTH) -> tuple[tuple[str, ...], ...]:
    """Yield the times of a request: its own, and those of its nested messages."""
    found: list[tuple[str, ...]] = []
    for field in kind.fields:
        if field.message_type is None or field.is_repeated:
            continue
        if field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
            found.append((field.name,))
        elif depth > 1:
            found.extend((field.name, *rest) for rest in _times(field.message_type, depth - 1))
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
