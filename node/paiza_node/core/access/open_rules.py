"""Rules of capabilities that forbid opening a part at this moment."""

from collections.abc import Callable
from dataclasses import dataclass

from paiza.core.v1 import message_pb2
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_wire.errors import Rejected, Unavailable


@dataclass(frozen=True, slots=True)
class Opening:
    """A part of a message that an officer requests to open, and the reason they state."""

    row: MessageRow
    header: message_pb2.Header
    part_number: int
    reason: str


OpenRule = Callable[[ReadConnection, Opening], Rejected | Unavailable | None]
"""Returns the reason for which a part may not be opened now, or None. Called in the transaction that logs OPENED."""
