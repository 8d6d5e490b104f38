"""Threads for verification, arranged so that no operation, no caller and no urgent message waits for another's bulk.

The interpreter runs one thread at a time and divides its time among those that are ready. One thread for the bulk of
each operation gives each an equal share: submitting cannot starve delivering. Small batches use threads of their own.
The callers take turns at every thread, and the check of a batch pauses every few milliseconds for them. The threads for
bulk pause for single messages as well, half of the time at most (`way`).

Work on a few small messages takes less time than a thread needs to get its turn: it is done on the event loop.
"""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from time import perf_counter
from typing import Any, Final, TypeVar

import structlog

from paiza_node.core import blocking
from paiza_node.core.errors import as_result
from paiza_node.core.executors.check_workers import CheckWorkers
from paiza_node.core.executors.fair_threads import SLICE_SECONDS, FairThreads, Slices, whole
from paiza_node.core.executors.way import Way
from paiza_wire.errors import PaizaError, Rejected, Unavailable

QUICK_ITEMS: Final = 32  # messages; a batch of up to so many takes some ten milliseconds
QUICK_THREADS: Final = 4
QUICK_THREADS_OF_ONE: Final = 2  # of one caller: another finds one free
FIRST_THREADS: Final = 1  # for urgent batches, which are rare
LOOP_ITEMS: Final = 4  # messages; checking so many takes a millisecond
LOOP_BYTES: Final = 64 * 1024  # of them: parts are hashed and opened too

T = TypeVar("T")
log = structlog.get_logger("paiza.executors")


class SharedThreads:
    """The threads shared by all executors: for small batches, and one for urgent ones; and the way that bulk leaves."""

    def __init__(self) -> None:
        """Start the threads."""
        self.way = Way()
        self.quick = FairThreads(QUICK_THREADS, "quick", most_threads_of_one=QUICK_THREADS_OF_ONE)
        self.first = FairThreads(FIRST_THREADS, "first")

    def close(self) -> None:
        """Wait for the work in progress, and end the threads."""
        self.quick.shutdown()
        self.first.shutdown()


class Executor:
    """The executor of one operation: its own thread for bulk, the shared ones for small or urgent batches."""

    def __init__(self, name: str, shared: SharedThreads) -> None:
        """Store the threads shared with the other operations."""
        self._shared = shared
        self._bulk = FairThreads(1, f"{name}-bulk", way=shared.way)

    async def run(self, items: int, work: Callable[[], T], *, first: bool = False, on_loop: bool = False) -> T:
        """Run work on so many messages in a thread; ``first`` ahead of all other work.

        ``on_loop``: it is so little (`fits_loop`) that the event loop does it, unless it would block. Such work changes
        nothing before it has done all that may block.
        """
        return await self.run_in_slices(items, lambda: whole(work), first=first, on_loop=on_loop)

    async def run_in_slices(
        self, items: int, work: Callable[[], Slices[T]], *, first: bool = False, on_loop: bool = False
    ) -> T:
        """Run work that pauses for others, as `each` does; otherwise as `run`."""
        if on_loop:
            try:
                return _at_once(work())
            except blocking.WouldBlock:
                pass
        return await asyncio.wrap_future(self._threads(items, first=first).submit_slices(work))

    def _threads(self, items: int, *, first: bool) -> FairThreads:
        if items > QUICK_ITEMS:
            return self._bulk
        return self._shared.first if first else self._shared.quick

    def close(self) -> None:
        """Wait for the work in progress, and end the thread."""
        self._bulk.shutdown()


class Executors:
    """The executors of the operations that take batches, the threads they share, and the worker processes."""

    def __init__(self, workers: int = 0) -> None:
        """Start the threads, and so many worker processes."""
        self.workers = CheckWorkers(workers)
        self._shared = SharedThreads()
        self.way = self._shared.way
        self.submit = Executor("submit", self._shared)
        self.receive = Executor("receive", self._shared)
        self.deliver = Executor("deliver", self._shared)

    def close(self) -> None:
        """Wait for the work in progress, and end the threads."""
        for executor in (self.submit, self.receive, self.deliver):
            executor.close()
        self._shared.close()
        self.workers.close()


def fits_loop(sizes: Iterable[int]) -> bool:
    """Return whether messages of these sizes (bytes) are so few and small that the event loop may work on them.

    Where they are many, only the first sizes are asked for.
    """
    first = list(islice(sizes, LOOP_ITEMS + 1))
    return len(first) <= LOOP_ITEMS and sum(first) <= LOOP_BYTES


def _at_once(slices: Slices[T]) -> T:
    with blocking.on_loop():
        while True:
            try:
                next(slices)
            except StopIteration as end:
                result: T = end.value
                return result


def each(items: Iterable[Any], step: Callable[..., object], *core: object) -> Slices[list[Any]]:
    """Apply one step to every message of a batch; a message refused at an earlier step is returned as its refusal.

    Step by step instead of message by message, because the data of a step then stay in the processor's caches: this
    gains a tenth of the throughput. It pauses every few milliseconds. An internal error is logged and affects that one
    message, not the batch.
    """
    done: list[Any] = []
    began = perf_counter()
    for item in items:
        if perf_counter() - began > SLICE_SECONDS:
            yield
            began = perf_counter()
        done.append(item if isinstance(item, PaizaError) else _attempt(item, step, core))
    return done


def _attempt(item: object, step: Callable[..., object], core: tuple[object, ...]) -> object:
    try:
        return step(item, *core)
    except (Rejected, Unavailable) as error:
        return as_result(error)
    except Exception:
        log.exception("check_failed")
        return Unavailable("internal_error", "the node failed on this message")
