"""A rate limit: so many events of one caller in any minute. What happens beyond it is for its user to decide."""

from collections import deque
from typing import Final

PERIOD_SECONDS: Final = 60.0
MAX_CALLERS: Final = 1000  # remembered; a member has fewer officers, a federation fewer members


class RateLimit:
    """The latest events of each caller. One thread counts; any thread may ask."""

    def __init__(self, most: int) -> None:
        """Begin without events; ``most`` of one caller are allowed in `PERIOD_SECONDS`."""
        self._most = most
        self._events: dict[str, deque[float]] = {}

    def wait(self, caller: str, now: float) -> float:
        """Return after how many seconds another event is within the limit; 0 if it is now. ``now`` in seconds."""
        events = self._events.get(caller)
        if events is None or len(events) < self._most:
            return 0.0
        return max(0.0, events[0] + PERIOD_SECONDS - now)

    def take(self, caller: str, now: float) -> bool:
        """Count an event if it is within the limit; return whether it is."""
        if self.wait(caller, now):
            return False
        if len(self._events) >= MAX_CALLERS and caller not in self._events:
            self._events.clear()
        self._events.setdefault(caller, deque(maxlen=self._most)).append(now)
        return True
