"""Messages and threads as they are stored. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

LOGGED_DIGITS: Final = 16  # hex digits of a digest in what the node prints: enough to find the message


class MessageState(IntEnum):
    """The state of a message at this node. Stored as the number: never renumber."""

    RELEASED = 1
    RECEIVED = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as stored. ``signed`` is the serialized SignedMessage; None for one refused.

    ``parents`` is set when a row is written; a row that was read has none: see its header.
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
    """A thread: its id, its short name (empty if its first message was never stored), its newest message's number."""

    thread_id: bytes
    thread_name: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class Possession:
    """The data of a message present here: its header, and whether its ciphertexts are stored."""

    author: str
    header: bytes
    has_body: bool
