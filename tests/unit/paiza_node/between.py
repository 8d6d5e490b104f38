"""What may be committed between a question about a received message and the entry that answers it."""

from collections.abc import Callable

from paiza.content.v1.recall_pb2 import Recall
from paiza_node.core.log.ledger import Pen
from paiza_node.core.messages import store as messages_store
from paiza_node.features.retention import store as retention_store
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.room import Room

Between = Callable[[Room, VerifiedMessage, Pen], None]


def nothing(_room: Room, _note: VerifiedMessage, _pen: Pen) -> None:
    """Let nothing come between."""


def recalled(room: Room, note: VerifiedMessage, pen: Pen) -> None:
    """Receive its author's recall."""
    recall = Recall(reason="source-at-risk", explanation="Exercise")
    message = room.message("tjk", "recall", recall, thread=note.header.thread_id, parents=[note.digest])
    room.write(pen, message)


def erased(_room: Room, note: VerifiedMessage, pen: Pen) -> None:
    """Delete its content."""
    row = messages_store.message(pen.tx, note.digest)
    assert row is not None
    retention_store.erase_body(pen.tx, row, note.signed.header, pen.now)


def given_away(_room: Room, note: VerifiedMessage, pen: Pen) -> None:
    """Give it to another unit."""
    row = messages_store.message(pen.tx, note.digest)
    assert row is not None
    messages_store.put_unit(pen.tx, row.seq, "border")


def retired(_room: Room, note: VerifiedMessage, pen: Pen) -> None:
    """End its retention."""
    retention_store.retire_messages(pen.tx, [note.digest])
