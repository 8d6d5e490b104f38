"""Lost entries: an entry that a member returns to us is accepted only as far as our former logs had signed it.

A request to erase comes back with our own answers. An answer DENIED shows that its message was under hold: that hold is
restored before the request is received anew, so that nothing is erased until an officer lifts it. Answers that the
requester does not return stay lost, and so does a hold that never answered a request.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import recovery_pb2
from paiza_node.core.log.changes import MessagesChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.features.recovery.model import RecoveredEntry
from paiza_node.features.recovery.recovered_messages import Lost
from paiza_node.features.retention import store as retention_store
from paiza_register import Member
from paiza_wire import log_entries, receipts
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.message import MAX_PARENTS
from paiza_wire.tlog import fork_proofs

RESTORED_TEXT: Final = "Set after the backup, as the answer to a request to erase shows; who set it, and why, is lost."

log = structlog.get_logger("paiza.recovery")


def verified(own: Member, origin: str, own_size: int, peer: str, proof: log_pb2.LogProof, now: datetime) -> Lost:
    """Check that an entry about ``peer`` and a message was in a log of ours, after the entries that we still have.

    Rejected if it was not, and if only keys signed it that the log has abandoned by ``now``: others may hold these, and
    the entries that would show it are lost.
    """
    proven_to = own.checkpoint(proof.checkpoint, origin, new_at=now)
    entry = receipts.verify_entry(proof.proven, proven_to)
    if entry.entry.counterpart != peer or not entry.entry.message_digest or entry.index < own_size:
        raise Rejected("bad_proof", "the entry is of another member or of no message, or not lost")
    row = RecoveredEntry(
        origin=origin,
        index=entry.index,
        counterpart=peer,
        digest=entry.entry.message_digest,
        entry=entry.raw,
        hashes=b"".join(proof.proven.inclusion_hashes),
        checkpoint=proof.checkpoint,
    )
    return Lost(row, entry)


def erasure_answers(
    own: Member, logs: Mapping[str, int], peer: str, given: Iterable[tuple[recovery_pb2.GivenBack, Lost]], now: datetime
) -> list[Lost]:
    """Return the last answer of our lost logs for each message that requests of ``peer`` ask to erase.

    ``logs``: those logs in their order, and the number of entries we still have of each. ``given``: the returned data,
    with the lost entry that answers for the request itself. An answer that is invalid, or is to another request, is
    ignored.
    """
    found: list[Lost] = []
    for item, request in given:
        for proof in item.erasure_answers[:MAX_PARENTS]:
            try:
                origin = fork_proofs.read_origin(proof.checkpoint)
                if origin not in logs:
                    raise Rejected("unknown_log", "the answer is of no log that was lost")
                answer = verified(own, origin, logs[origin], peer, proof, now)
                receipts.check_erasure_answer(answer.entry.entry, peer)
                if log_entries.request_digest(answer.entry.entry) != request.row.digest:
                    raise Rejected("bad_proof", "the answer is to another request")
            except PaizaError as error:
                log.warning("erasure_answer_refused", peer=peer, reason=error.reason, detail=error.detail)
                continue
            found.append(answer)
    order = list(logs)
    found.sort(key=lambda each: (order.index(each.row.origin), each.row.index))
    return list({(log_entries.request_digest(each.entry.entry), each.row.digest): each for each in found}.values())


def put_back(tx: LogTransaction, answers: Sequence[Lost], node_id: str) -> set[bytes]:
    """Restore the holds that ``answers`` show; return the messages. Runs before the requests are written.

    A request that is stored already was decided on by the present log, and a hold lifted since stays lifted.
    """
    restored: set[bytes] = set()
    for each in answers:
        entry, digest = each.entry.entry, each.row.digest
        if entry.event != log_pb2.LOG_EVENT_ERASURE_DENIED:
            continue
        if messages_store.message(tx.conn, entry.erasure_denied.request_digest) is not None:
            continue
        if retention_store.holds(tx.conn, [digest]) or messages_store.erased(tx.conn, [digest]):
            continue
        shown = receipts.evidence_digest(each.row.entry, each.row.checkpoint)
        hold = log_entries.hold_restored(actor=node_id, digest=digest, lost_sha256=shown)
        retention_store.put_hold(tx.conn, digest, tx.append(hold, text=RESTORED_TEXT).index)
        restored.add(digest)
    if restored:
        tx.announce(MessagesChanged(tuple(restored)))
    return restored
