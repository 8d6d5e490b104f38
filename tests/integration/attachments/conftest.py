"""Two real nodes, an officer of each, and a stretch of network between the nodes that a test owns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest_asyncio

from tests.attaching import POLL_SECONDS, Ciphertext, bring, seal, signed, submit
from tests.federation import Federation, free_ports
from tests.officer import Officer
from tests.system.proxy import Proxy

PATIENCE_SECONDS = 120.0


@dataclass
class Line:
    """A federation of kaz, who sends, and tjk; what tjk fetches from kaz goes over ``proxy``."""

    federation: Federation
    proxy: Proxy
    sender: Officer
    receiver: Officer
    sending: grpc.aio.Channel
    receiving: grpc.aio.Channel
    folder: Path

    async def send(self, size: int) -> tuple[bytes, Ciphertext]:
        """Send a message with one attachment; gives its digest, and what was sealed."""
        header = self.sender.header(["tjk"])
        sealed = seal(self.folder, header, size)
        assert (await bring(self.sending, sealed)).whole
        result = await submit(self.sending, signed(self.sender, header, [sealed.said]))
        assert result.WhichOneof("result") == "released", result
        return result.released.message_digest, sealed

    async def until(self, asked: Callable[[], Awaitable[Any]]) -> None:
        """Ask another process until it gives something; what it does announces itself in no other way."""
        for _ in range(round(PATIENCE_SECONDS / POLL_SECONDS)):
            if await asked():
                return
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError("it did not come to that")

    def held(self, member: str, sealed: Ciphertext) -> bool:
        """Return whether a node holds a ciphertext, byte for byte."""
        path = self.federation.node(member).data / "attachments" / sealed.said.ciphertext_sha256.hex()
        return path.exists() and path.stat().st_size == sealed.said.ciphertext_size and _same(path, sealed.path)


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    """Start both nodes; officers reach theirs directly, tjk's node reaches kaz's over the proxy."""
    federation = Federation.create(tmp_path / "federation", ["kaz", "tjk"])
    node = federation.node("kaz")
    published = int(node.address.rpartition(":")[2])
    node.configure(listen=f"127.0.0.1:{free_ports(1)}")
    with federation:
        async with Proxy(published, node.address) as proxy:
            federation.start()
            sender, receiver = Officer(federation.folder, "kaz-liaison"), Officer(federation.folder, "tjk-liaison")
            sender.node = node.address
            async with sender.channel() as sending, receiver.channel() as receiving:
                yield Line(federation, proxy, sender, receiver, sending, receiving, tmp_path)


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while piece := first.read(1024 * 1024):
            if piece != second.read(len(piece)):
                return False
        return not second.read(1)
