"""The library's server: names that it cannot read, calls beyond its limit, its end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio
from typing_extensions import override

from paiza_node.core.api.connections import Connections
from paiza_node.core.api.grpc_server import GrpcServer
from tests import http2

MAX_CALLS: Final = 2
OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED = 0, 3, 8, 12
ECHO: Final = b"/paiza.test.v1.TestService/Echo"


async def _echo(request: bytes, _context: Any) -> bytes:
    return request


async def _echo_all(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


@pytest_asyncio.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """Run a server on a socket."""
    server = GrpcServer(max_calls=MAX_CALLS)
    handlers: dict[str, Any] = {
        "Echo": grpc.unary_unary_rpc_method_handler(_echo),
        "EchoAll": grpc.stream_stream_rpc_method_handler(_echo_all),
    }
    server.add_service("paiza.test.v1.TestService", handlers)
    made = tmp_path / "test.sock"
    server.add_insecure_port(f"unix:{made}")
    await server.start()
    yield made
    await server.stop(1.0)


@pytest.mark.parametrize(
    "name", [b"/paiza.test.v1.TestService/\xff\xfe", b"\x80", b"/", b"/paiza.test.v1.TestService/None", b"/x/\xc3\xa9"]
)
async def test_unknown_name_ends_its_call_and_nothing_else(path: Path, name: bytes) -> None:
    """A call of a name that no method has, also one that is no text, is UNIMPLEMENTED; the next call is served."""
    for _ in range(3):
        assert await asyncio.to_thread(_call, path, name) == (UNIMPLEMENTED, "Method not found!")
    assert (await asyncio.to_thread(_call, path, ECHO))[0] == OK


async def test_calls_beyond_the_limit_are_refused(path: Path) -> None:
    """As many calls are served as the limit says; the next is refused until one of them ends."""
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        stream: Any = channel.stream_stream("/paiza.test.v1.TestService/EchoAll")
        held = [stream() for _ in range(MAX_CALLS)]
        for call in held:
            await call.write(b"a")
            assert await call.read() == b"a"
        assert (await asyncio.to_thread(_call, path, ECHO))[0] == RESOURCE_EXHAUSTED
        await held[0].done_writing()
        assert await held[0].read() is grpc.aio.EOF
        async with asyncio.timeout(60):  # the server counts a call for a moment after its caller has seen it end
            while (answer := (await asyncio.to_thread(_call, path, ECHO))[0]) != OK:
                assert answer == RESOURCE_EXHAUSTED


async def test_headers_beyond_the_limit_are_refused(path: Path) -> None:
    """Before the caller acknowledges the settings too, when the library takes them; the next call is served."""
    within, beyond = ([(b"x", b"y" * 100)] * count for count in (120, 130))
    assert (await asyncio.to_thread(_call, path, ECHO, within))[0] == OK
    code, text = await asyncio.to_thread(_call, path, ECHO, beyond)
    assert (code, "16384 bytes" in text) == (INVALID_ARGUMENT, True)
    assert (await asyncio.to_thread(_call, path, ECHO))[0] == OK


class _Barring(Connections):
    """Connections of an address that is barred or is not."""

    def __init__(self) -> None:
        super().__init__([])
        self.bars = False
        self.peers: list[str] = []

    @override
    def barred(self, peer: Callable[[], str]) -> bool:
        """Note whose call it is."""
        self.peers.append(peer())
        return self.bars


async def test_calls_of_barred_addresses_are_dropped() -> None:
    """Such a call has no answer, and the next one is served."""
    connections = _Barring()
    server = GrpcServer(max_calls=MAX_CALLS, connections=connections)
    handler: Any = grpc.unary_unary_rpc_method_handler(_echo)
    server.add_service("paiza.test.v1.TestService", {"Echo": handler})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary(ECHO.decode())
        connections.bars = True
        with pytest.raises(grpc.aio.AioRpcError) as dropped:
            await call(b"a", timeout=60)
        connections.bars = False
        assert await call(b"b", timeout=60) == b"b"
    await server.stop(1.0)
    assert dropped.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
    assert len({*connections.peers}) == 1
    assert connections.peers[0].startswith("ipv4:127.0.0.1:")


async def test_stop_ends_what_is_under_way(tmp_path: Path) -> None:
    """A server that stops ends the calls under way after the grace."""
    server = GrpcServer(max_calls=MAX_CALLS)
    handler: Any = grpc.stream_stream_rpc_method_handler(_echo_all)
    server.add_service("paiza.test.v1.TestService", {"EchoAll": handler})
    server.add_insecure_port(f"unix:{tmp_path / 'test.sock'}")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path / 'test.sock'}") as channel:
        opened: Any = channel.stream_stream("/paiza.test.v1.TestService/EchoAll")
        call = opened()
        await call.write(b"a")
        assert await call.read() == b"a"
        await server.stop(0.05)
        assert await call.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def _call(path: Path, name: bytes, fields: Sequence[tuple[bytes, bytes]] = ()) -> tuple[int | None, str]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        return http2.answer(connection, http2.call(name, more=fields))
