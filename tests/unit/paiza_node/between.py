"""Commits between a query about a received message and the entry that answers it."""

from collections.abc import Callable

from paiza.content.v1.recall_pb2 import Recall
from paiza.core.v1 import message_pb2
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.features.retention import store as retention_store
from paiza_node.ops.tables import LIFECYCLES
from paiza_wire.message import VerifiedMessage
from tests.unit.paiza_node.room import Room

Between = Callable[[Room, VerifiedMessage, LogTransaction], None]


def nothing(_room: Room, _note: VerifiedMessage, _tx: LogTransaction) -> None:
    """Commit nothing between."""


def recalled(room: Room, note: VerifiedMessage, tx: LogTransaction) -> None:
    """Receive its author's recall."""
    recall = Recall(reason="source-at-risk", explanation="Exercise")
    message = room.message("tjk", "recall", recall, thread=note.header.thread_id, parents=[note.digest])
    room.write(tx, message)


def erased(_room: Room, note: VerifiedMessage, tx: LogTransaction) -> None:
    """Delete its content."""
    row = messages_store.message(tx.conn, note.digest)
    assert row is not None
    tombstone = message_pb2.SignedMessage(header=note.signed.header).SerializeToString()
    retention_store.erase_body(tx.conn, LIFECYCLES, row, tombstone, tx.now)


def given_away(_room: Room, note: VerifiedMessage, tx: LogTransaction) -> None:
    """Assign it to another unit."""
    row = messages_store.message(tx.conn, note.digest)
    assert row is not None
    messages_store.put_unit(tx.conn, row.seq, "border")


def retired(_room: Room, note: VerifiedMessage, tx: LogTransaction) -> None:
    """End its retention."""
    retention_store.retire_messages(tx.conn, LIFECYCLES, [note.digest])
