"""Acknowledge: answers of holders' logs to our requests to erase are verified, stored as evidence and logged.

An entry that is invalid, or answers no request of ours, is ignored: the loss is the sender's, since we show its erasure
as outstanding. A repeat changes nothing; a later answer of the same holder replaces an earlier one (a hold that was
lifted, a message that came after its request).
"""

from collections.abc import Sequence
from typing import Final

import structlog

from paiza.core.v1 import message_pb2
from paiza_domain.threads import thread
from paiza_node.core.exchange.piggyback import Piggyback, ProvenAnswer
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.storage import ReadConnection
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.model import ErasureAnswer
from paiza_wire import log_entries, receipts

MAX_ANSWERS: Final = 256  # about erasures, in one Deliver

log = structlog.get_logger("paiza.retention")


def erasure_answers(own: str, node_id: str) -> Piggyback:
    """The answers of holders' logs to requests of ``own`` to erase."""
    return Piggyback(
        "erasure",
        "erasure_answer_refused",
        MAX_ANSWERS,
        lambda request: request.erasure_answers,
        lambda entry: receipts.check_erasure_answer(entry, own),
        lambda tx, answers, member: record_erasures(tx, answers, member, node_id),
    )


def record_erasures(tx: LogTransaction, answers: Sequence[ProvenAnswer], member: str, node_id: str) -> set[bytes]:
    """Log and store a holder's answers; return the messages concerned. Runs in the transaction."""
    changed: set[bytes] = set()
    for each in answers:
        entry = each.entry.entry
        request, digest = log_entries.request_digest(entry), entry.message_digest
        if not _was_asked(tx.conn, request, digest, member):
            log.warning("erasure_answer_refused", peer=member, reason="unknown_id", detail="it was not asked for")
            continue
        earlier = [
            a for a in retention_store.erasure_answers(tx.conn, [request]) if (a.digest, a.member) == (digest, member)
        ]
        if earlier and not _is_later(each.entry, earlier[0]):
            continue
        evidence = receipts.evidence_digest(each.entry.raw, each.entry.checkpoint.note)
        tx.append(log_entries.erasure_answered(actor=node_id, holder=member, answer=entry, answer_sha256=evidence))
        retention_store.put_erasure_answer(
            tx.conn,
            ErasureAnswer(
                request=request,
                digest=digest,
                member=member,
                entry=each.entry.raw,
                index=each.entry.index,
                hashes=each.hashes,
                checkpoint=each.entry.checkpoint.note,
                register_version=tx.register_version,
            ),
        )
        changed.add(digest)
    return changed


def _is_later(entry: receipts.VerifiedEntry, kept: ErasureAnswer) -> bool:
    """Return whether an answer is later than the stored one.

    In a log that follows another, indices begin anew.
    """
    same_log = kept.checkpoint.startswith(entry.checkpoint.origin.encode() + b"\n")
    return not same_log or entry.index > kept.index


def _was_asked(reads: ReadConnection, request: bytes, digest: bytes, member: str) -> bool:
    """Return whether a request of ours asks this member to erase this message."""
    row = messages_store.message(reads, request)
    if row is None or row.state is not MessageState.RELEASED:
        return False
    header = message_pb2.Header.FromString(row.header)
    return digest in thread.to_be_erased(header) and member in asked_of(reads, request, header)


def asked_of(reads: ReadConnection, request: bytes, header: message_pb2.Header) -> list[str]:
    """Return the members that a request of ours went to: its addressees, and those it was forwarded to."""
    forwarded = [recipient for recipient, _index, _state in deliveries_store.forwarded_indices(reads, request)]
    return list(dict.fromkeys([*(each.member for each in header.recipients), *forwarded]))
