"""Messages that overtake all others in every queue: a stop, and the report that a consignment is out of control.

The kinds declare it (`Kind.overtakes`). FLASH messages go ahead with these in checks and commits. A claim to go first
is taken from the unverified header: it only moves a message forward in our queues, and only in batches so small that
they delay nobody noticeably. Urgent work has a bounded share of each commit, in which its callers take turns.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_domain import kinds
from paiza_domain.threads.thread import RECALL
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

AHEAD_OF_FLASH: Final = int(message_pb2.URGENCY_FLASH) + 1  # urgency of a delivery that overtakes; no header has it
MAX_FIRST: Final = 8  # messages of a batch that may go first: some milliseconds of work
MAX_FIRST_CALLS: Final = 30  # calls of one member that go first in a minute; further ones wait their turn


@cache
def _overtaking() -> frozenset[str]:
    return frozenset(name for name, kind in kinds.all_kinds().items() if kind.overtakes)


def overtakes(kind: str) -> bool:
    """Return whether messages of a kind overtake all others."""
    return kind in _overtaking()


def urgency_of(header: message_pb2.Header) -> int:
    """Return the urgency of a delivery: that of the header, or the highest if the kind overtakes."""
    return AHEAD_OF_FLASH if overtakes(header.kind) else header.urgency


def is_flash(header: message_pb2.Header) -> bool:
    """Return whether a message is FLASH, or overtakes even those."""
    return urgency_of(header) >= message_pb2.URGENCY_FLASH


def unhindered(header: message_pb2.Header) -> bool:
    """Return whether no budget or quota may hold a message up: it overtakes, recalls another one, or is FLASH."""
    return is_flash(header) or header.kind == RECALL


def claims_unhindered(messages: Sequence[bytes]) -> bool:
    """Return whether a small batch of serialized SignedMessages holds one whose header says that it is `unhindered`."""
    return any(unhindered(each.header) for each in read_small(messages) if each is not None)


def read_small(messages: Sequence[bytes]) -> list[wire.ParsedMessage | None]:
    """Parse the messages of a batch that is small enough to go first; None for one that is refused, or empty.

    Nothing is returned for a larger batch.
    """
    return [_read(message) for message in messages] if len(messages) <= MAX_FIRST else []


def _read(message: bytes) -> wire.ParsedMessage | None:
    try:
        return wire.parse_message(message)
    except Rejected:
        return None  # it is refused where messages are checked
