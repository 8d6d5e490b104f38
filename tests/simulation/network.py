"""The network of the simulation: every request and every answer waits until the scheduler delivers or drops it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from paiza_wire.errors import PaizaError, Unavailable

Handler = Callable[[str, str, Any], Awaitable[Any]]
"""Called with the caller's member id, the method and the request; returns the answer, or None."""


@dataclass
class Packet:
    """A request or an answer on its way. ``arrive`` has it arrive, ``lose`` has its caller find out that it did not."""

    ends: frozenset[str]
    is_request: bool
    arrive: Callable[[], None]
    lose: Callable[[], None]


class Network:
    """Carries calls between members; nothing moves by itself."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.waiting: list[Packet] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def call(self, caller: str, callee: str, method: str, request: Any) -> Any:
        """Call another member; what came back, or Unavailable."""
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        data = request.SerializeToString()

        def lose() -> None:
            if not answered.done():
                answered.set_exception(Unavailable("peer_unreachable", "the network lost it"))

        def arrive() -> None:
            task = asyncio.create_task(self._handle(caller, callee, method, type(request).FromString(data), answered))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

        self.waiting.append(Packet(frozenset((caller, callee)), is_request=True, arrive=arrive, lose=lose))
        return await answered

    async def _handle(self, caller: str, callee: str, method: str, request: Any, answered: asyncio.Future[Any]) -> None:
        outcome: Any
        try:
            outcome = await self.handlers[callee](caller, method, request)
        except PaizaError as error:
            outcome = Unavailable(error.reason, error.detail)  # what `peers.GrpcPeer` makes of every refused call
        if outcome is None:
            outcome = Unavailable("peer_unreachable", "nobody answers there")

        def arrive() -> None:
            if answered.done():
                return
            if isinstance(outcome, Exception):
                answered.set_exception(outcome)
            else:
                answered.set_result(type(outcome).FromString(outcome.SerializeToString()))

        def lose() -> None:
            if not answered.done():
                answered.set_exception(Unavailable("peer_unreachable", "the network lost it"))

        self.waiting.append(Packet(frozenset((caller, callee)), is_request=False, arrive=arrive, lose=lose))

    def deliver(self, at: int) -> None:
        """Deliver one packet."""
        self.waiting.pop(at).arrive()

    def drop(self, at: int) -> None:
        """Lose one packet."""
        self.waiting.pop(at).lose()

    def disturb(self, rng: random.Random, *, loss: float, twice: float) -> None:
        """Deliver, lose or deliver twice any packet that waits, whichever came first."""
        at = rng.randrange(len(self.waiting))
        chance = rng.random()
        if chance < loss:
            self.drop(at)
            return
        packet = self.waiting[at]
        if chance < loss + twice and packet.is_request:
            packet.arrive()  # the caller tries again while the first try is still on its way
        self.deliver(at)

    def reset(self, member: str) -> None:
        """Break every connection of a member: what was on its way to or from it is lost."""
        lost = [packet for packet in self.waiting if member in packet.ends]
        self.waiting = [packet for packet in self.waiting if member not in packet.ends]
        for packet in lost:
            packet.lose()
