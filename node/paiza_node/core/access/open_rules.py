"""Rules of capabilities about what an officer may not open at this moment."""

from collections.abc import Callable
from dataclasses import dataclass

from paiza.core.v1 import message_pb2
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_wire.errors import Rejected, Unavailable


@dataclass(frozen=True, slots=True)
class Opening:
    """One part of a message that an officer wants to open, and the reason that they state."""

    row: MessageRow
    header: message_pb2.Header
    part_number: int
    reason: str


OpenRule = Callable[[ReadConnection, Opening], Rejected | Unavailable | None]
"""Returns why a part is not opened now, None where nothing speaks against it. It is asked in OPENED's transaction."""
