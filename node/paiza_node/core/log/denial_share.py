"""How many DENIED entries an actor may cause: a few a minute, so that refusals never fill the log.

Further denials take effect all the same. They are counted, and the text beside the actor's next entry names the number.
"""

from collections import Counter, deque
from datetime import datetime, timedelta
from typing import Final

MAX_DENIALS: Final = 60  # entries of one actor in `PERIOD`: work that is refused in earnest stays below
PERIOD: Final = timedelta(minutes=1)
MAX_ACTORS: Final = 1000  # actors remembered; a member has fewer officers


class DenialShare:
    """The DENIED entries of each actor in the last minute. One per ledger; only its thread takes from it."""

    def __init__(self) -> None:
        """Begin without entries."""
        self._recent: dict[str, deque[datetime]] = {}
        self._left_out: Counter[str] = Counter()

    def is_spent(self, actor: str, now: datetime) -> bool:
        """Return whether an actor caused as many entries as they may at this time. Any thread may ask."""
        times = self._recent.get(actor)
        return times is not None and len(times) == MAX_DENIALS and now - times[0] < PERIOD

    def take(self, actor: str, now: datetime) -> int | None:
        """Count a denial; return how many before it caused no entry, None if it may cause none itself."""
        if self.is_spent(actor, now):
            self._left_out[actor] += 1
            return None
        if len(self._recent) >= MAX_ACTORS and actor not in self._recent:
            self._recent.clear()
            self._left_out.clear()
        self._recent.setdefault(actor, deque(maxlen=MAX_DENIALS)).append(now)
        return self._left_out.pop(actor, 0)
