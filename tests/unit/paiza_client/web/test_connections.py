"""Connections that other users of this machine open and never use."""

import asyncio
import socket

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from paiza_client.web import connections
from paiza_client.web.connections import HELD, Connection
from paiza_client.web.serve import listen

EXTRA = 5
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_few_connections_of_others_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others fill some places and no more; the officer is answered beside them."""
    own: set[int] = set()
    monkeypatch.setattr(connections, "is_of_this_user", lambda peer, _port: peer[1] in own)
    with listen(0) as listening:
        config = uvicorn.Config(PlainTextResponse("here"), http=Connection, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        port = listening.getsockname()[1]
        others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(HELD + EXTRA)]
        async with asyncio.timeout(30):
            for reader, _writer in others[HELD:]:
                assert await reader.read() == b""  # closed
        with socket.socket() as mine:
            mine.bind(("127.0.0.1", 0))
            own.add(mine.getsockname()[1])
            mine.settimeout(0)
            await asyncio.get_running_loop().sock_connect(mine, ("127.0.0.1", port))
            await asyncio.get_running_loop().sock_sendall(mine, REQUEST)
            assert b"200 OK" in await asyncio.get_running_loop().sock_recv(mine, 100)
        for _reader, writer in others:
            writer.close()
        server.should_exit = True
        await serving
