"""What goes ahead of everything in every queue: a stop, and word that control over a consignment was lost.

Which kinds they are the kinds say (`Kind.overtakes`). A claim to go first is believed from the unverified header: it
moves a message forward in our queues and nothing else, and only in batches so small that nobody is held up by them.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_domain import kinds
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

AHEAD_OF_FLASH: Final = int(message_pb2.URGENCY_FLASH) + 1  # urgency of a delivery that overtakes; no header has it
MAX_FIRST: Final = 8  # messages of a batch that may go first: some milliseconds of work
MAX_FIRST_CALLS: Final = 30  # calls of one member that go first in `SHARE_SECONDS`; others take their turn
SHARE_SECONDS: Final = 60.0


class Share:
    """How often in a while each member's calls may do what costs others: a member that cries wolf holds nobody up."""

    def __init__(self, most: int = MAX_FIRST_CALLS) -> None:
        """Begin with nobody having called; ``most`` calls of one member count in `SHARE_SECONDS`."""
        self._most = most
        self._calls: dict[str, deque[float]] = {}

    def take(self, member: str, now: float) -> bool:
        """Count a call at a time in seconds, and say whether it is within the member's share."""
        calls = self._calls.setdefault(member, deque(maxlen=self._most))
        if len(calls) == self._most and now - calls[0] < SHARE_SECONDS:
            return False
        calls.append(now)
        return True


@cache
def _overtaking() -> frozenset[str]:
    return frozenset(name for name, kind in kinds.all_kinds().items() if kind.overtakes)


def overtakes(kind: str) -> bool:
    """Return whether messages of a kind go ahead of everything."""
    return kind in _overtaking()


def urgency_of(header: message_pb2.Header) -> int:
    """Return the urgency by which a delivery waits: that of the header, or one above all where the kind overtakes."""
    return AHEAD_OF_FLASH if overtakes(header.kind) else header.urgency


def first(kind_names: Iterable[str]) -> bool:
    """Return whether a batch with messages of these kinds goes ahead."""
    return any(map(overtakes, kind_names))


def claims_first(messages: Sequence[bytes]) -> bool:
    """Return whether a small batch of serialized SignedMessages holds one whose header names a kind that overtakes."""
    return len(messages) <= MAX_FIRST and any(map(_claims, messages))


def _claims(signed: bytes) -> bool:
    try:
        header = wire.parse_strictly(message_pb2.SignedMessage, signed, "the message").header
        return overtakes(wire.parse_header(header).kind)
    except Rejected:
        return False  # it is refused where messages are checked
