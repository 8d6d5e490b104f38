"""A limit of work: how much is done for one member in a minute, if calls differ in cost."""

from typing import Final

from paiza_node.core.rate_limit import PERIOD_SECONDS
from paiza_wire.errors import Unavailable

RETRY_SECONDS: Final = 10.0  # a member over its limit tries again after so long


class WorkLimit:
    """The work done for each member in the present minute, in any unit. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin with zero."""
        self._spent: dict[str, tuple[float, float]] = {}

    def check(self, member: str, most: float, now: float) -> None:
        """Raise Unavailable("busy") for a member over its limit; ``now`` in seconds of a monotonic clock."""
        begun, spent = self._spent.get(member, (now, 0.0))
        if now - begun < PERIOD_SECONDS and spent >= most:
            raise Unavailable("busy", f"as much as may be was done for {member} in this minute", RETRY_SECONDS)

    def add(self, member: str, amount: float, now: float) -> None:
        """Add work done."""
        begun, spent = self._spent.get(member, (now, 0.0))
        self._spent[member] = (begun, spent + amount) if now - begun < PERIOD_SECONDS else (now, amount)
