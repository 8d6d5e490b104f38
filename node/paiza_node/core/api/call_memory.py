"""The memory that calls may take: requests that arrive, requests that are handled, answers that wait to be sent.

gRPC takes a request whole before anybody sees its size: `MAX_MESSAGE_BYTES` of each that is being read, and
`AHEAD_BYTES` of each other one (`paiza_node.core.api.server`). So few are read at once for one caller. Nobody waits for
another caller to send; all callers together share the bytes of what has arrived.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Final, Literal

from paiza_node.core.api.metrics import REQUEST_BYTES, UNSENT_BYTES
from paiza_node.core.api.services import SMALL_REQUEST_BYTES
from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.peers.channels import MAX_MESSAGE_BYTES
from paiza_wire.errors import Unavailable

Lane = Literal["small", "large", "piece"]

ARRIVING: Final[Mapping[Lane, int]] = MappingProxyType({"small": 1, "large": 2, "piece": 1})
"""Requests of one caller that arrive at once; the next one of this caller waits until one has.

Small ones come with their call. Of two large ones the second may be urgent. Pieces of uploads hold up no other call.
"""

CALLER_BYTES: Final = MAX_MESSAGE_BYTES
"""Bytes of large requests of one caller that are handled at once."""

ALL_BYTES: Final = 2 * MAX_MESSAGE_BYTES
"""Bytes of large requests that are handled at once: 14 batches of 256 usual messages."""

UNSENT_CALLER_BYTES: Final = 2 * MAX_MESSAGE_BYTES
"""Bytes of large answers that one caller has asked for and not read."""

Taken = tuple[CallerKey, int]
"""The bytes of a request that are counted for a caller."""

WAIT_SECONDS: Final = 10.0  # for others' requests to be handled
BUSY_SECONDS: Final = 1.0


class CallMemory:
    """Counts the bytes of calls by caller. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._arriving: dict[tuple[CallerKey, Lane], asyncio.Semaphore] = {}
        self._handled: Counter[CallerKey] = Counter()
        self._waiting: deque[tuple[asyncio.Future[None], CallerKey, int]] = deque()
        self._unsent: Counter[CallerKey] = Counter()

    def arriving(self, lane: Lane) -> AbstractAsyncContextManager[None]:
        """Return the turn of the current caller to have a request read."""
        key = (CALLER.get(), lane)
        turn = self._arriving.get(key)
        if turn is None:
            turn = self._arriving[key] = asyncio.Semaphore(ARRIVING[lane])
        return turn

    async def take(self, size: int) -> Taken:
        """Return once the current caller may have so many bytes handled; `give_back` must follow.

        Unavailable("busy") if it takes too long. Small requests are not counted.
        """
        caller = CALLER.get()
        if size <= SMALL_REQUEST_BYTES:
            return caller, 0
        if not self._waiting and self._fits(caller, size):
            self._count(caller, size)
            return caller, size
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, caller, size))
        self._grant()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # its turn came, and nobody uses it
                self._count(caller, -size)
            else:
                self._waiting.remove((turn, caller, size))
            self._grant()
            if isinstance(error, TimeoutError):
                raise Unavailable("busy", "many large requests are being handled", BUSY_SECONDS) from None
            raise
        return caller, size

    def give_back(self, taken: Taken) -> None:
        """Count bytes as handled."""
        caller, size = taken
        if size:
            self._count(caller, -size)
            self._grant()

    def send(self, size: int) -> None:
        """Count an answer until the task of its call ends; Unavailable("busy") if its caller has too many unread."""
        if size <= SMALL_REQUEST_BYTES:
            return
        caller = CALLER.get()
        if self._unsent[caller] + size > UNSENT_CALLER_BYTES:
            raise Unavailable("busy", "this caller has not read the answers that it asked for before", BUSY_SECONDS)
        self._count_unsent(caller, size)
        task = asyncio.current_task()
        assert task is not None
        # Not a callback of the library: that would keep the answer in a cycle until cycles are collected.
        task.add_done_callback(lambda _task: self._count_unsent(caller, -size))

    def _fits(self, caller: CallerKey, size: int) -> bool:
        return self._handled[caller] + size <= CALLER_BYTES and self._handled.total() + size <= ALL_BYTES

    def _grant(self) -> None:
        """Start those that fit now, in the order in which they came."""
        for each in tuple(self._waiting):
            turn, caller, size = each
            if self._handled.total() + size > ALL_BYTES:
                return
            if self._fits(caller, size):
                self._waiting.remove(each)
                self._count(caller, size)
                turn.set_result(None)

    def _count(self, caller: CallerKey, size: int) -> None:
        self._handled[caller] += size
        if not self._handled[caller]:
            del self._handled[caller]
        REQUEST_BYTES.set(self._handled.total())

    def _count_unsent(self, caller: CallerKey, size: int) -> None:
        self._unsent[caller] += size
        if not self._unsent[caller]:
            del self._unsent[caller]
        UNSENT_BYTES.set(self._unsent.total())
