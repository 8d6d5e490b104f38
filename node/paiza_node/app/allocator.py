"""The C library's allocator: what a burst of requests took goes back to the system. Only glibc needs this."""

import asyncio
import ctypes
from contextlib import suppress
from typing import Final

from paiza_node.core.executors.periodic import PeriodicTask

TRIM_SECONDS: Final = 20.0  # between two trims of some milliseconds, in a thread

_M_ARENA_MAX: Final = -8  # of mallopt(3)
_M_MMAP_THRESHOLD: Final = -3
_M_TRIM_THRESHOLD: Final = -1
_POOLS: Final = 2
_MAPPED_BYTES: Final = 4 * 1024 * 1024  # a block; the buffers of a full batch of short messages have up to half of that
_KEPT_BYTES: Final = 32 * 1024 * 1024  # free at the end of a pool until the next trim: the next batch needs them again


def set_up() -> None:
    """Limit all threads to two pools, unmap large blocks when they are freed, and leave the rest to the trims.

    glibc gives each thread a pool, which keeps the size of its largest batch; and it maps no block of a size that it
    has unmapped before. By itself it gives back 128 KiB at the end of a pool at once: every batch of messages would
    take its memory anew, page by page, for a fortieth of the sender's processor time.
    """
    with suppress(AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, _POOLS)
        library.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def trimming() -> PeriodicTask:
    """Return the task that returns free memory to the system."""
    return PeriodicTask(lambda: asyncio.to_thread(_trim), period=TRIM_SECONDS, failed="memory_not_trimmed")


def _trim() -> None:
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
