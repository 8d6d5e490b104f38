"""Threads that verify, so arranged that neither a verb nor an urgent message waits for somebody else's bulk.

The interpreter runs one thread at a time and shares its time among those that want it. One thread for each verb's
bulk gives each verb an equal share: submitting cannot starve delivering. What is small goes through threads of its
own.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

QUICK_ITEMS: Final = 32  # messages; a batch of up to so many takes some ten milliseconds
QUICK_THREADS: Final = 4

T = TypeVar("T")


class Lane:
    """The lane of one verb: its own thread for bulk, the shared ones for what is small."""

    def __init__(self, name: str, quick: ThreadPoolExecutor) -> None:
        """Take the threads shared with the other verbs."""
        self._quick = quick
        self._bulk = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-bulk")

    async def run(self, items: int, work: Callable[[], T]) -> T:
        """Have work on so many messages done in a thread."""
        executor = self._quick if items <= QUICK_ITEMS else self._bulk
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    def close(self) -> None:
        """Wait for what is under way, and end the thread."""
        self._bulk.shutdown()


def quick_threads() -> ThreadPoolExecutor:
    """Give the threads that all lanes share."""
    return ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="quick")
