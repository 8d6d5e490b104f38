"""Threads that verify, so arranged that neither a verb nor an urgent message waits for somebody else's bulk.

The interpreter runs one thread at a time and shares its time among those that want it. One thread for each verb's
bulk gives each verb an equal share: submitting cannot starve delivering. What is small goes through threads of its
own.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog

from paiza_wire.errors import PaizaError, Rejected, Unavailable

QUICK_ITEMS: Final = 32  # messages; a batch of up to so many takes some ten milliseconds
QUICK_THREADS: Final = 4
FIRST_THREADS: Final = 1  # for what goes ahead of everything, and is rare

T = TypeVar("T")
log = structlog.get_logger("paiza.executors")


class SharedThreads:
    """The threads that all lanes share: for what is small, and one for what goes ahead of everything."""

    def __init__(self) -> None:
        """Begin the threads."""
        self.quick = ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="quick")
        self.first = ThreadPoolExecutor(FIRST_THREADS, thread_name_prefix="first")

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        self.quick.shutdown()
        self.first.shutdown()


class Executor:
    """The lane of one verb: its own thread for bulk, the shared ones for what is small or goes first."""

    def __init__(self, name: str, shared: SharedThreads) -> None:
        """Store the threads shared with the other verbs."""
        self._shared = shared
        self._bulk = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-bulk")

    async def run(self, items: int, work: Callable[[], T], *, first: bool = False) -> T:
        """Have work on so many messages done in a thread; ``first`` ahead of all other work."""
        small = self._shared.first if first else self._shared.quick
        executor = small if items <= QUICK_ITEMS else self._bulk
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    def close(self) -> None:
        """Wait for what is under way, and end the thread."""
        self._bulk.shutdown()


class Executors:
    """The lanes of the verbs that take batches, and the threads they share."""

    def __init__(self) -> None:
        """Begin the threads."""
        self._shared = SharedThreads()
        self.submit = Executor("submit", self._shared)
        self.receive = Executor("receive", self._shared)
        self.deliver = Executor("deliver", self._shared)

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        for executor in (self.submit, self.receive, self.deliver):
            executor.close()
        self._shared.close()


def each(items: Iterable[Any], step: Callable[..., object], *core: object) -> list[Any]:
    """Take every message of a batch through one step; one refused at a step before is passed on as its refusal.

    Step by step instead of message by message, because what a step needs then stays in the processor's caches: a tenth
    of the throughput. A defect of ours is logged and holds up that one message, not the batch.
    """
    return [item if isinstance(item, PaizaError) else _attempt(item, step, core) for item in items]


def _attempt(item: object, step: Callable[..., object], core: tuple[object, ...]) -> object:
    try:
        return step(item, *core)
    except (Rejected, Unavailable) as error:
        return error
    except Exception:
        log.exception("check_failed")
        return Unavailable("internal_error", "the node failed on this message")
