"""Answers carried by a Deliver: entries of the caller's log about our earlier requests.

An invalid entry is ignored: the loss is the caller's, since our request stays open here. A repeated one changes
nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.log.transaction import LogTransaction
from paiza_wire import receipts
from paiza_wire.errors import Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

log = structlog.get_logger("paiza.exchange")


@dataclass(frozen=True, slots=True)
class ProvenAnswer:
    """An entry of another member's log that answers a request of ours, proven to its checkpoint."""

    entry: receipts.VerifiedEntry
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Piggyback:
    """One kind of answers carried by a Deliver.

    ``proven`` returns those of a request, ``limit`` is the most a request may carry. ``check`` raises Rejected for an
    entry that is no such answer; it runs off the event loop. ``record`` writes answers of a member in the transaction,
    and returns the messages that they affect. ``refused`` is the event in the program's log for an invalid answer.
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
    """Return the valid answers; Rejected("too_large") if there are too many."""
    if len(proven) > piggyback.limit:
        raise Rejected("too_large", f"at most {piggyback.limit} {piggyback.name} answers are given at once")
    entries = receipts.EntryVerifier(checkpoint)
    answers: list[ProvenAnswer] = []
    for each in proven:
        try:
            entry = entries.verify(each)
            piggyback.check(entry.entry)
        except Rejected as error:
            log.warning(piggyback.refused, peer=member, reason=error.reason, detail=error.detail)
            continue
        answers.append(ProvenAnswer(entry, b"".join(each.inclusion_hashes)))
    return answers
