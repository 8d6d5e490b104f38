"""How many attempts to enrol are looked at: so many of one address, and so many in all."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from paiza_wire.errors import Unavailable

PER_ADDRESS: Final = 1.0
"""Attempts a second of one address, in the long run; a whole agency may be behind one."""

BURST_PER_ADDRESS: Final = 10.0
IN_ALL: Final = 20.0
"""Attempts a second of all addresses. Each is a look into the database, and may be a commit."""

BURST_IN_ALL: Final = 40.0
MAX_ADDRESSES: Final = 1024
"""Addresses that are remembered; a flood from more of them is bounded by `IN_ALL` alone."""

BUSY_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Bucket:
    """So many attempts are left; they grow by ``rate`` a second up to ``burst``."""

    rate: float
    burst: float
    left: float
    at: float

    def take(self, now: float) -> bool:
        self.left = min(self.burst, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Attempts:
    """Counts attempts. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._in_all = _Bucket(IN_ALL, BURST_IN_ALL, BURST_IN_ALL, clock())
        self._by_address: dict[str, _Bucket] = {}

    def take(self, address: str) -> None:
        """Count an attempt; Unavailable("busy") if there were too many."""
        now = self._clock()
        if address not in self._by_address and len(self._by_address) >= MAX_ADDRESSES:
            self._by_address.clear()
        own = self._by_address.setdefault(address, _Bucket(PER_ADDRESS, BURST_PER_ADDRESS, BURST_PER_ADDRESS, now))
        if not own.take(now) or not self._in_all.take(now):
            raise Unavailable("busy", "too many attempts to enrol", BUSY_SECONDS)
