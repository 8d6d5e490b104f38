"""Consultations: what an officer looks up is logged before it is shown, and nobody fills the log by looking.

An entry stands for a consultation at its time and for its repeats in the minute after it. It is on disk before anything
is shown; what a crash forgets is only which entries were made lately, so that the next repeat makes one more.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from paiza_node.core.log.ledger import Committed, Ledger, Work
from paiza_node.core.rate_limit import RateLimit
from paiza_wire.errors import Unavailable

REPEAT: Final = timedelta(minutes=1)  # within which a repeat is covered by the entry before it
MAX_ENTRIES: Final = 240  # of one officer in a minute: an audit of some hundred messages is not held up
MAX_REMEMBERED: Final = 32  # latest consultations of an officer that a repeat is compared with
MAX_OFFICERS: Final = 1000  # officers remembered; a member has fewer

T = TypeVar("T")


_Commits = OrderedDict[object, tuple[datetime, "asyncio.Task[Committed[Any]]"]]
"""The latest entries of one officer, by what was consulted: the time of each, and its commit."""


class Consultations:
    """Logs consultations and searches of officers of our own. Belongs to one event loop."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        """Store the ledger and the clock."""
        self._ledger = ledger
        self._clock = clock
        self._entries = RateLimit(MAX_ENTRIES)
        self._commits: dict[str, _Commits] = {}

    async def log(self, officer: str, work: Work[T], *, what: object = None) -> Committed[T]:
        """Commit the entry of a consultation, and return it with a checkpoint that contains it.

        ``what`` identifies the consultation: a repeat in the minute after it is given the same. None: it has no
        repeats. Unavailable("busy") for an officer who made too many entries in this minute; then nothing is shown.
        """
        now, commits = self._clock(), self._commits_of(officer)
        if what is not None and (known := commits.get(what)) is not None:
            time, commit = known
            if now - time < REPEAT and not (commit.done() and (commit.cancelled() or commit.exception())):
                return await asyncio.shield(commit)
        if wait := self._entries.wait(officer, now.timestamp()):
            detail = f"{MAX_ENTRIES} consultations of one officer in a minute are answered"
            raise Unavailable("busy", detail, wait)
        self._entries.take(officer, now.timestamp())
        # A caller that hangs up does not end the commit: a repeat may wait for it.
        commit = asyncio.ensure_future(self._ledger.commit(work))
        if what is not None:
            commits.pop(what, None)
            commits[what] = now, commit
            if len(commits) > MAX_REMEMBERED:
                commits.popitem(last=False)
        result: Committed[T] = await asyncio.shield(commit)
        return result

    def _commits_of(self, officer: str) -> _Commits:
        if len(self._commits) >= MAX_OFFICERS and officer not in self._commits:
            self._commits.clear()
        return self._commits.setdefault(officer, OrderedDict())
