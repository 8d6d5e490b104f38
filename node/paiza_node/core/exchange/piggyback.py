"""Answers that ride on a Deliver: entries of the caller's log about something we asked of it earlier.

An entry that does not hold is passed over: it is the caller's own loss, since what it answers stays open here. A repeat
changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.log.ledger import LogTransaction
from paiza_wire import receipts
from paiza_wire.errors import Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

log = structlog.get_logger("paiza.exchange")


@dataclass(frozen=True, slots=True)
class ProvenAnswer:
    """An entry of another member's log that answers us, proven to its checkpoint."""

    entry: receipts.VerifiedEntry
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Piggyback:
    """One kind of answers that ride on a Deliver.

    ``proven`` returns those that a request brings, ``limit`` is how many it may bring. ``check`` raises Rejected for an
    entry that is no such answer; it runs off the event loop. ``record`` writes answers of a member in the transaction,
    and returns the messages that they change something of. ``refused`` is what the program's log calls an answer that
    does not hold.
    """

    name: str
    refused: str
    limit: int
    proven: Callable[[exchange_pb2.DeliverRequest], Sequence[log_pb2.ProvenEntry]]
    check: Callable[[log_pb2.LogEntry], None]
    record: Callable[[LogTransaction, Sequence[ProvenAnswer], str], set[bytes]]


def check_answers(
    piggyback: Piggyback, proven: Sequence[log_pb2.ProvenEntry], checkpoint: VerifiedCheckpoint, member: str
) -> list[ProvenAnswer]:
    """Return those answers that hold; Rejected("too_large") where there are too many."""
    if len(proven) > piggyback.limit:
        raise Rejected("too_large", f"at most {piggyback.limit} {piggyback.name} answers are given at once")
    answers: list[ProvenAnswer] = []
    for each in proven:
        try:
            entry = receipts.verify_entry(each, checkpoint)
            piggyback.check(entry.entry)
        except Rejected as error:
            log.warning(piggyback.refused, peer=member, reason=error.reason, detail=error.detail)
            continue
        answers.append(ProvenAnswer(entry, b"".join(each.inclusion_hashes)))
    return answers
