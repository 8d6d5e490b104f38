"""The C library's allocator: what a burst of requests took goes back to the system. Only glibc needs this."""

import asyncio
import ctypes
from contextlib import suppress
from typing import Final

from paiza_node.core.executors.periodic import PeriodicTask

TRIM_SECONDS: Final = 20.0  # between two trims of some milliseconds, in a thread

_M_ARENA_MAX: Final = -8  # of mallopt(3)
_M_MMAP_THRESHOLD: Final = -3
_POOLS: Final = 2
_MAPPED_BYTES: Final = 256 * 1024


def set_up() -> None:
    """Limit all threads to two pools, and unmap large blocks when they are freed.

    glibc gives each thread a pool, which keeps the size of its largest batch; and it maps no block of a size that it
    has unmapped before.
    """
    with suppress(AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, _POOLS)
        library.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


def trimming() -> PeriodicTask:
    """Return the task that returns free memory to the system."""
    return PeriodicTask(lambda: asyncio.to_thread(_trim), period=TRIM_SECONDS, failed="memory_not_trimmed")


def _trim() -> None:
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
