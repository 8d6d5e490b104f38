"""Periodic tasks: what the node does again and again beside the calls it answers, and how it pauses after failures."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from paiza_wire.errors import Unavailable

FIRST_RETRY_SECONDS: Final = 1.0  # after a round for which the database, a disk or the register was away
LONGEST_RETRY_SECONDS: Final = 60.0  # what is back is used within this time
MAX_DOUBLINGS: Final = 16  # more would overflow before they change anything

log = structlog.get_logger("paiza.executors")


def backoff(failures: int, first: float, longest: float) -> float:
    """Return how many seconds to pause after so many failures in a row, from 1 on.

    The pause doubles from ``first`` up to ``longest``; it is scattered between half of that and all of it, so that
    those who failed together do not try again together.
    """
    pause = first * 2.0 ** min(max(failures - 1, 0), MAX_DOUBLINGS)
    return min(pause, longest) * random.uniform(0.5, 1.0)  # noqa: S311 - scatter, no secret


class PeriodicTask:
    """Runs a round again and again for as long as the node runs. Belongs to one event loop.

    A round returns after how many seconds the next is due, or None for the period. `wake` has it begin earlier. One
    that is Unavailable is logged under ``failed`` and tried again after a growing pause, at most the period; any other
    error ends the task, and with it the node.
    """

    def __init__(self, round_: Callable[[], Awaitable[float | None]], *, period: float, failed: str) -> None:
        """Have ``round_`` run every ``period`` seconds; `run` begins with the first."""
        self._round = round_
        self._period = period
        self._failed = failed
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have the next round begin now, or as soon as the one under way has ended."""
        self._woken.set()

    async def run(self) -> None:
        """Run rounds until cancelled."""
        failures = 0
        while True:
            self._woken.clear()  # before the round looks: what comes during it begins the next
            try:
                seconds = await self._round()
            except Unavailable as error:
                failures += 1
                log.warning(self._failed, reason=error.reason, detail=error.detail)
                await asyncio.sleep(backoff(failures, FIRST_RETRY_SECONDS, min(self._period, LONGEST_RETRY_SECONDS)))
                continue
            failures = 0
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._period if seconds is None else seconds)
