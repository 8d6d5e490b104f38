"""Denials: calls that an officer may not make at all are logged, as every denial is.

A denial that concerns a particular message is logged by its handler. This module limits the number of entries: a few
denials a minute for each officer; the others are written only to the program's log.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from paiza_node.core.log.ledger import Ledger
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable

MAX_DENIALS: Final = 10  # per minute, of one officer
MAX_OFFICERS: Final = 1000  # officers remembered; a member has fewer
MINUTE: Final = timedelta(minutes=1)

log = structlog.get_logger("paiza.access")


class Denials:
    """Logs calls denied to officers. Belongs to one event loop."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        """Store the ledger and the clock."""
        self._ledger = ledger
        self._clock = clock
        self._recent: dict[str, deque[datetime]] = {}

    async def note(self, officer: str, method: str, refusal: Rejected) -> None:
        """Log that an officer was denied a call. The denial takes effect even if nothing can be logged now."""
        told = {"officer": officer, "method": method, "reason": refusal.reason, "detail": refusal.detail}
        if not self._in_share(officer):
            log.warning("denied", **told, logged=False)
            return
        entry = log_entries.denied(actor=officer, reason=refusal.reason)
        text = f"{method.rpartition('/')[2]}: {refusal.detail}"
        try:
            await self._ledger.commit(lambda tx: tx.append(entry, text=text))
        except Unavailable as error:
            log.warning("denied", **told, logged=False, error=error.reason)
        else:
            log.warning("denied", **told, logged=True)

    def _in_share(self, officer: str) -> bool:
        now = self._clock()
        if len(self._recent) >= MAX_OFFICERS and officer not in self._recent:
            self._recent.clear()
        times = self._recent.setdefault(officer, deque(maxlen=MAX_DENIALS))
        if len(times) == MAX_DENIALS and now - times[0] < MINUTE:
            return False
        times.append(now)
        return True
