"""Reactions: what capabilities do about messages that the exchange has just written.

A reaction runs once a batch, in the transaction, after the rows of its messages. It writes its own tables and log
entries and refuses nothing: refusals are decided before. It reads the messages and its own tables, but no table of
another reaction, so that the order of the reactions does not change what is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from paiza.core.v1 import message_pb2
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.decryption import Opened
from paiza_node.core.messages.model import MessageRow

_M = TypeVar("_M")


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message of another member that was received and not refused.

    ``source`` is the member whose node delivered it; ``assignee`` is the officer it is for, empty if it names none.
    ``opened`` is its content as it was checked; None if it is not at hand.
    """

    row: MessageRow
    header: message_pb2.Header
    source: str
    assignee: str = ""
    opened: Opened | None = None


@dataclass(frozen=True, slots=True)
class ReleasedMessage:
    """A message of this member that was released by the officer ``actor``.

    ``recovered``: it was released in a log that was lost, and was restored; its follow-ups may already be stored here.
    """

    row: MessageRow
    header: message_pb2.Header
    actor: str
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class RedeliveredMessage:
    """A stored message that came once more, from ``source``; that copy took the place of the stored body if it opens.

    One of another member came from its author, after a member had forwarded it; one of ours was given back a second
    time, after a loss.
    """

    row: MessageRow
    header: message_pb2.Header
    source: str


@dataclass(frozen=True, slots=True)
class Reaction:
    """A capability's reaction to written messages; a method left out does nothing."""

    on_received: Callable[[LogTransaction, Sequence[ReceivedMessage]], None] | None = None
    on_released: Callable[[LogTransaction, Sequence[ReleasedMessage]], None] | None = None
    on_redelivered: Callable[[LogTransaction, Sequence[RedeliveredMessage]], None] | None = None


def received(reactions: Sequence[Reaction], tx: LogTransaction, messages: Sequence[ReceivedMessage]) -> None:
    """Run every reaction to received messages; nothing happens if there are none."""
    _run([each.on_received for each in reactions], tx, messages)


def released(reactions: Sequence[Reaction], tx: LogTransaction, messages: Sequence[ReleasedMessage]) -> None:
    """Run every reaction to released messages; nothing happens if there are none."""
    _run([each.on_released for each in reactions], tx, messages)


def redelivered(reactions: Sequence[Reaction], tx: LogTransaction, messages: Sequence[RedeliveredMessage]) -> None:
    """Run every reaction to messages that came from another member too; nothing happens if there are none."""
    _run([each.on_redelivered for each in reactions], tx, messages)


def _run(
    reactions: Sequence[Callable[[LogTransaction, Sequence[_M]], None] | None],
    tx: LogTransaction,
    messages: Sequence[_M],
) -> None:
    for react in reactions:
        if react is not None and messages:
            react(tx, messages)
