"""Other members' nodes without a network: channels whose RPCs are methods, and directories of given sessions."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.rpcs import RequestT, ResponseT, Rpc


class MethodChannel:
    """A channel to a node whose RPCs are the methods of a subclass, by their names in snake case."""

    endpoint = ""

    def __init__(self, member: str) -> None:
        self.member = member
        self.closed = False

    async def call(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call the method that the RPC names."""
        return cast("ResponseT", await self._method(rpc)(request))

    async def stream(self, rpc: Rpc[RequestT, ResponseT], request: RequestT) -> AsyncGenerator[ResponseT]:
        """Yield what the method that the RPC names yields."""
        async for response in self._method(rpc)(request):
            yield response

    def check_trusted(self) -> None:
        """Trust the node under every register."""

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True

    def _method(self, rpc: Rpc[Any, Any]) -> Any:
        name = rpc.path.rpartition("/")[2]
        return getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())


def directory_of(sessions: Mapping[str, Any]) -> PeerDirectory:
    """Return a directory of these sessions, by member."""
    register = SimpleNamespace(version=bytes(32), active_ids=sessions.keys(), members=sessions, untimely={})
    return PeerDirectory("", cast("Any", SimpleNamespace(last=register)), sessions.__getitem__)


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds of which nothing tells; at most half a minute."""
    async with asyncio.timeout(30.0):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.001)
