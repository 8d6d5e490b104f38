"""The reachability of one peer, its clock, and the register that it announces."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from time import monotonic
from typing import Final

import structlog

from paiza_node.core.peers.clocks import ClockSample
from paiza_wire.errors import PaizaError

FIRST_PAUSE_SECONDS: Final = 0.5  # after the first failure of a peer
LONGEST_PAUSE_SECONDS: Final = 60.0  # a peer that is back is found within this time, if it does not call
RETURN_SECONDS: Final = 1.0  # between two returns of a peer: one that calls without a pause is not tried without one
LOGGED_FAILURES: Final = 20  # one in so many failures in a row is logged, and the first

log = structlog.get_logger("paiza.peers")


@dataclass(slots=True)
class PeerHealth:
    """The successes and failures of calls to one peer, for status and metrics."""

    member: str
    reachable: bool = False
    last_error: str = ""
    last_seen: datetime | None = None
    clock: ClockSample | None = None
    timestamp_version: int = 0  # of the register that it announced last; 0 before the first answer
    unreached: bool = False  # the last call did not reach it, and it has not called since
    returned: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it calls after it could not be reached; then replaced by another event."""
    not_back_until: float = -inf  # by `monotonic`

    def answered(self, now: datetime) -> None:
        """Note that the peer answered."""
        self.reachable, self.unreached, self.last_error, self.last_seen = True, False, "", now

    def heard(self) -> None:
        """Note that the peer called: what waits because it could not be reached is tried at once.

        What it refused is not: two nodes that refuse each other's calls would call each other without a pause. A peer
        that cannot be reached for all its calls is tried as often as they come, but for `RETURN_SECONDS` between them.
        """
        if self.unreached and monotonic() >= self.not_back_until:
            self.unreached, self.not_back_until = False, monotonic() + RETURN_SECONDS
            returned, self.returned = self.returned, asyncio.Event()
            returned.set()

    def failed(self, error: Exception, failures: int) -> None:
        """Note a failure; log every so many in a row."""
        self.reachable = False
        self.unreached = isinstance(error, PaizaError) and error.reason == "peer_unreachable"
        if not isinstance(error, PaizaError):
            log.error("peer_queue_failed", peer=self.member, failures=failures, exc_info=error)
            self.last_error = "internal_error"
            return
        self.last_error = f"{error.reason}: {error.detail}"
        if failures == 1 or failures % LOGGED_FAILURES == 0:
            log.warning("peer_failed", peer=self.member, reason=error.reason, detail=error.detail, failures=failures)
