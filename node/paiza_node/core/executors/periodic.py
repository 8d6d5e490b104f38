"""Periodic tasks: repeated background work, and the pauses after failures."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from paiza_node.core.errors import damage_of
from paiza_wire.errors import Unavailable

FIRST_RETRY_SECONDS: Final = 1.0  # after a round for which the database, a disk or the register was unavailable
LONGEST_RETRY_SECONDS: Final = 60.0  # a service that is back is found within this time
MAX_DOUBLINGS: Final = 16  # beyond this, doubling changes nothing and would overflow

log = structlog.get_logger("paiza.executors")


def backoff(failures: int, first: float, longest: float) -> float:
    """Return the seconds to pause after this number of failures in a row, from 1 on.

    The pause doubles from ``first`` up to ``longest``; it is scattered between half of that and all of it, so that
    callers that failed together do not try again together.
    """
    pause = first * 2.0 ** min(max(failures - 1, 0), MAX_DOUBLINGS)
    return min(pause, longest) * random.uniform(0.5, 1.0)  # noqa: S311 - scatter, no secret


class PeriodicTask:
    """Runs a round repeatedly as long as the node runs. Belongs to one event loop.

    A round returns the seconds until the next is due, or None for the period. `wake` makes it begin earlier. A round
    that raises Unavailable, or cannot read a stored row, is logged under ``failed`` and tried again after a growing
    pause, at most the period; any other error ends the task, and with it the node.
    """

    def __init__(self, round_: Callable[[], Awaitable[float | None]], *, period: float, failed: str) -> None:
        """Run ``round_`` every ``period`` seconds; `run` begins with the first."""
        self._round = round_
        self._period = period
        self._failed = failed
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Begin the next round now, or as soon as the running one has ended."""
        self._woken.set()

    async def run(self) -> None:
        """Run rounds until cancelled."""
        failures = 0
        while True:
            self._woken.clear()  # before the round: a wake-up during it begins the next
            try:
                seconds = await self._round()
            except Exception as error:
                refused = error if isinstance(error, Unavailable) else damage_of(error)
                if refused is None:
                    raise
                failures += 1
                log.warning(self._failed, reason=refused.reason, detail=refused.detail)
                await asyncio.sleep(backoff(failures, FIRST_RETRY_SECONDS, min(self._period, LONGEST_RETRY_SECONDS)))
                continue
            failures = 0
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._period if seconds is None else seconds)
