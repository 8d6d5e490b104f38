"""Consultations: what an officer looks up is logged before it is shown, and nobody fills the log by looking.

An entry stands for a consultation at its time and for its repeats in the minute after it. It is on disk before anything
is shown; what a crash forgets is only which entries were made lately, so that the next repeat makes one more.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from paiza_node.core.log.ledger import Committed, Ledger, Work
from paiza_wire.errors import Unavailable

REPEAT: Final = timedelta(minutes=1)  # within which a repeat is covered by the entry before it
MAX_ENTRIES: Final = 240  # of one officer in `PERIOD`: an audit of some hundred messages is not held up
PERIOD: Final = timedelta(minutes=1)
MAX_REMEMBERED: Final = 32  # latest consultations of an officer that a repeat is compared with
MAX_OFFICERS: Final = 1000  # officers remembered; a member has fewer

T = TypeVar("T")


@dataclass(slots=True)
class _Recent:
    """The latest entries of one officer: their times, and by what was consulted the commit of each."""

    times: deque[datetime] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    commits: OrderedDict[object, tuple[datetime, "asyncio.Task[Committed[Any]]"]] = field(default_factory=OrderedDict)


class Consultations:
    """Logs consultations and searches of officers of our own. Belongs to one event loop."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        """Store the ledger and the clock."""
        self._ledger = ledger
        self._clock = clock
        self._officers: dict[str, _Recent] = {}

    async def log(self, officer: str, work: Work[T], *, what: object = None) -> Committed[T]:
        """Commit the entry of a consultation, and return it with a checkpoint that contains it.

        ``what`` identifies the consultation: a repeat in the minute after it is given the same. None: it has no
        repeats. Unavailable("busy") for an officer who made too many entries in this minute; then nothing is shown.
        """
        now, recent = self._clock(), self._recent(officer)
        if what is not None and (known := recent.commits.get(what)) is not None:
            time, commit = known
            if now - time < REPEAT and not (commit.done() and (commit.cancelled() or commit.exception())):
                return await asyncio.shield(commit)
        if len(recent.times) == MAX_ENTRIES and (wait := recent.times[0] + PERIOD - now) > timedelta(0):
            detail = f"{MAX_ENTRIES} consultations of one officer in a minute are answered"
            raise Unavailable("busy", detail, wait.total_seconds())
        recent.times.append(now)
        # A caller that hangs up does not end the commit: a repeat may wait for it.
        commit = asyncio.ensure_future(self._ledger.commit(work))
        if what is not None:
            recent.commits.pop(what, None)
            recent.commits[what] = now, commit
            if len(recent.commits) > MAX_REMEMBERED:
                recent.commits.popitem(last=False)
        result: Committed[T] = await asyncio.shield(commit)
        return result

    def _recent(self, officer: str) -> _Recent:
        if len(self._officers) >= MAX_OFFICERS and officer not in self._officers:
            self._officers.clear()
        return self._officers.setdefault(officer, _Recent())
