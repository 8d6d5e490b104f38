"""Messages and threads as they are stored. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

LOGGED_DIGITS: Final = 16  # hex digits of a digest in what the node prints: enough to find the message


class MessageState(IntEnum):
    """What this node did with a message. Stored as the number: never renumber."""

    RELEASED = 1
    RECEIVED = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as stored. ``signed`` is the serialized SignedMessage; None for one refused.

    ``parents`` is given when a row is written; a row that was read has none, and its header says them.
    """

    seq: int
    digest: bytes
    author: str
    message_id: bytes
    thread_id: bytes
    thread_name: str
    kind: str
    urgency: int
    state: MessageState
    header: bytes
    stored_time: datetime
    signed: bytes | None = None
    source_row: bytes | None = None
    parents: tuple[bytes, ...] = ()
    unit: str | None = None

    @property
    def received(self) -> bool:
        """Return whether the message came from another member."""
        return self.state is not MessageState.RELEASED


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread: its id, its short name (empty where its beginning was never seen here), its newest message's number."""

    thread_id: bytes
    thread_name: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class Possession:
    """What is left of a message here: its header, and whether its ciphertexts are there."""

    author: str
    header: bytes
    has_body: bool
