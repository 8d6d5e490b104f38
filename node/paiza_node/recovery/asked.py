"""Asked: before anything is signed for a member after a start, it was asked what it holds of our log.

A node whose database is older than it knows (a backup, a disk or a machine put back) would sign a second history, and
whoever holds the first one could prove it. The checkpoint file tells where it was not put back with the database;
the other members tell where it was. So whatever carries a checkpoint of ours goes to a member only once that member's
answer was compared with our log: the same root at the size it holds, or the node stops (`courier`). A member that
knows nothing of our log saw nothing that could contradict, and need not be asked.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from paiza_wire.errors import Unavailable

ASK_SECONDS: Final = 5.0  # a caller waits so long for the question to be answered, then tries again

# What another member's node may call without having been asked: nothing of ours that is signed stands in the answers.
UNSIGNED: Final = frozenset(
    {
        "/paiza.v1.ExchangeService/Handshake",
        "/paiza.v1.ExchangeService/FetchAttachment",
        "/paiza.v1.RecoveryService/GetStanding",
        "/paiza.v1.RegisterService/GetFile",
        "/paiza.v1.RegisterService/GetArchivedSet",
    }
)


class Asked:
    """Which members were asked since the start. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin with nobody asked."""
        self._asked: dict[str, asyncio.Event] = {}
        self._ask: Callable[[str], None] = lambda _member: None

    def connect(self, ask: Callable[[str], None]) -> None:
        """Say how a member is asked; its answer, compared with our log, ends in `note`."""
        self._ask = ask

    def note(self, member: str) -> None:
        """Say that a member was asked, and that our log leads to all it holds of it."""
        self._asked.setdefault(member, asyncio.Event()).set()

    def has(self, member: str) -> bool:
        """Say whether a member was asked."""
        return member in self._asked and self._asked[member].is_set()

    def require(self, member: str) -> None:
        """Refuse ("not_compared") to send what we signed to a member that was not asked yet."""
        if not self.has(member):
            raise Unavailable("not_compared", f"{member} was not asked yet what it holds of our log", ASK_SECONDS)

    async def check(self, member: str, method: str, request: Any, own_size: int) -> None:
        """Let a call of a member's node through once that member was asked; "not_compared" where it does not answer.

        Who claims to know more of our log than there is gets through as well: every verb refuses that, and has it
        asked.
        """
        if method in UNSIGNED or self.has(member):
            return
        known = claimed_size(request)
        if known == 0:
            self.note(member)
            return
        if known is not None and known > own_size:
            return
        self._ask(member)
        try:
            await asyncio.wait_for(self._asked.setdefault(member, asyncio.Event()).wait(), ASK_SECONDS)
        except TimeoutError:
            detail = f"{member} was not reached since the start, to compare what it holds of our log"
            raise Unavailable("not_compared", detail, ASK_SECONDS) from None


def claimed_size(request: Any) -> int | None:
    """Read from a request how much of our log its caller knows; None where it does not say."""
    names = request.DESCRIPTOR.fields_by_name
    if "growth" in names:
        return int(request.growth.known_size)
    if "known_size" in names:
        return int(request.known_size)
    if "sizes" in names:
        return max(request.sizes, default=0)
    return None
