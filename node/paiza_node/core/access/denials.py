"""Denials at the door: an officer's call that the rules do not permit at all stands in the log, as every denial does.

What a verb denies, with a message at hand, the verb logs itself. Here the log is kept from being filled: of each
officer a few denials a minute are entries, the others stand in what the node prints.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from paiza_node.core.log.ledger import Ledger
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable

MAX_DENIALS: Final = 10  # of one officer that are logged within a minute
MAX_OFFICERS: Final = 1000  # remembered; a member has fewer
MINUTE: Final = timedelta(minutes=1)

log = structlog.get_logger("paiza.access")


class Denials:
    """Logs what officers were denied at the door. Belongs to one event loop."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        """Store where it is logged, and the time."""
        self._ledger = ledger
        self._clock = clock
        self._recent: dict[str, deque[datetime]] = {}

    async def note(self, officer: str, method: str, detail: str) -> None:
        """Log that an officer was denied a call; where nothing can be logged now, the denial stands all the same."""
        if not self._in_share(officer):
            log.warning("denied", officer=officer, method=method, detail=detail, logged=False)
            return
        entry = log_entries.denied(actor=officer, reason="policy_denied")
        try:
            await self._ledger.commit(lambda tx: tx.append(entry, text=f"{method.rpartition('/')[2]}: {detail}"))
        except Unavailable as error:
            log.warning("denied", officer=officer, method=method, detail=detail, logged=False, reason=error.reason)

    def _in_share(self, officer: str) -> bool:
        now = self._clock()
        if len(self._recent) >= MAX_OFFICERS and officer not in self._recent:
            self._recent.clear()
        times = self._recent.setdefault(officer, deque(maxlen=MAX_DENIALS))
        if len(times) == MAX_DENIALS and now - times[0] < MINUTE:
            return False
        times.append(now)
        return True
