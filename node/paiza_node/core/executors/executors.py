"""Threads for verification, arranged so that no operation and no urgent message waits for another operation's bulk.

The interpreter runs one thread at a time and divides its time among those that are ready. One thread for the bulk of
each operation gives each an equal share: submitting cannot starve delivering. Small batches use threads of their own.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog

from paiza_wire.errors import PaizaError, Rejected, Unavailable

QUICK_ITEMS: Final = 32  # messages; a batch of up to so many takes some ten milliseconds
QUICK_THREADS: Final = 4
FIRST_THREADS: Final = 1  # for urgent batches, which are rare

T = TypeVar("T")
log = structlog.get_logger("paiza.executors")


class SharedThreads:
    """The threads shared by all executors: for small batches, and one for urgent ones."""

    def __init__(self) -> None:
        """Start the threads."""
        self.quick = ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="quick")
        self.first = ThreadPoolExecutor(FIRST_THREADS, thread_name_prefix="first")

    def close(self) -> None:
        """Wait for the work in progress, and end the threads."""
        self.quick.shutdown()
        self.first.shutdown()


class Executor:
    """The executor of one operation: its own thread for bulk, the shared ones for small or urgent batches."""

    def __init__(self, name: str, shared: SharedThreads) -> None:
        """Store the threads shared with the other operations."""
        self._shared = shared
        self._bulk = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-bulk")

    async def run(self, items: int, work: Callable[[], T], *, first: bool = False) -> T:
        """Run work on so many messages in a thread; ``first`` ahead of all other work."""
        small = self._shared.first if first else self._shared.quick
        executor = small if items <= QUICK_ITEMS else self._bulk
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    def close(self) -> None:
        """Wait for the work in progress, and end the thread."""
        self._bulk.shutdown()


class Executors:
    """The executors of the operations that take batches, and the threads they share."""

    def __init__(self) -> None:
        """Start the threads."""
        self._shared = SharedThreads()
        self.submit = Executor("submit", self._shared)
        self.receive = Executor("receive", self._shared)
        self.deliver = Executor("deliver", self._shared)

    def close(self) -> None:
        """Wait for the work in progress, and end the threads."""
        for executor in (self.submit, self.receive, self.deliver):
            executor.close()
        self._shared.close()


def each(items: Iterable[Any], step: Callable[..., object], *core: object) -> list[Any]:
    """Apply one step to every message of a batch; a message refused at an earlier step is returned as its refusal.

    Step by step instead of message by message, because the data of a step then stay in the processor's caches: this
    gains a tenth of the throughput. An internal error is logged and affects that one message, not the batch.
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
