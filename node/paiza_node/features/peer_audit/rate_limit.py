"""Budget: how much is done for one member in a minute, where the number of its calls does not say what they cost."""

from typing import Final

from paiza_node.core.exchange.precedence import SHARE_SECONDS
from paiza_wire.errors import Unavailable

RETRY_SECONDS: Final = 10.0  # whoever has had enough done tries again after so long


class RateLimit:
    """What was spent on each member in the present minute, in whichever unit. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self._spent: dict[str, tuple[float, float]] = {}

    def check(self, member: str, most: float, now: float) -> None:
        """Refuse ("busy") a member on whom this much was spent; ``now`` in seconds of a clock that is never set."""
        begun, spent = self._spent.get(member, (now, 0.0))
        if now - begun < SHARE_SECONDS and spent >= most:
            raise Unavailable("busy", f"as much as may be was done for {member} in this minute", RETRY_SECONDS)

    def add(self, member: str, amount: float, now: float) -> None:
        """Count what was spent."""
        begun, spent = self._spent.get(member, (now, 0.0))
        self._spent[member] = (begun, spent + amount) if now - begun < SHARE_SECONDS else (now, amount)
