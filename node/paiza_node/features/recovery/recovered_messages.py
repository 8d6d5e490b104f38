"""Recovered messages: our own messages that a recipient's node returned, with the answer it had given.

They are released once more in the present log: under the names of their signers, to every recipient of the header,
since the releases to others are lost too. For the member that returned them they are settled by its answer; to the
others they are delivered, and recipients that had them before answer with their earlier entry.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from paiza.core.v1 import delivery_pb2, log_pb2, message_pb2
from paiza.peer.v1 import recovery_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryRow, ForeignProof, ProofKind, Settlement
from paiza_node.core.exchange.reactions import Reaction, RedeliveredMessage, ReleasedMessage, redelivered, released
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.release import announce_released
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import stored
from paiza_node.core.messages.model import LOGGED_DIGITS, MessageRow, MessageState
from paiza_node.features.approvals import store as approvals_store
from paiza_node.features.approvals.model import ApprovalState
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import pending_attachments
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.features.recovery import store as recovery_store
from paiza_node.features.recovery.model import RecoveredEntry
from paiza_wire import log_entries, receipts
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.message import VerifiedMessage
from paiza_wire.message.attachment import Opener, part_numbers
from paiza_wire.receipts import VerifiedEntry
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

log = structlog.get_logger("paiza.recovery")


@dataclass(frozen=True, slots=True)
class Lost:
    """A lost entry of an earlier log of ours, as returned and verified."""

    row: RecoveredEntry
    entry: VerifiedEntry


@dataclass(frozen=True, slots=True)
class Regained:
    """A message of ours with its lost release to a member, and that member's answer.

    ``is_needed``: it opens by our wraps, and what is stored of it does not, or is nothing.
    """

    message: VerifiedMessage
    raw: bytes
    lost: Lost
    answer: VerifiedEntry
    hashes: bytes
    is_needed: bool


def recovered(tx: LogTransaction, lost: Sequence[Lost], actor: str) -> int:
    """Log and store what was returned, except for what is stored already; return how many were new."""
    by_origin: dict[str, list[int]] = {}
    for each in lost:
        by_origin.setdefault(each.row.origin, []).append(each.row.index)
    known = {
        (origin, at)
        for origin, ats in by_origin.items()
        for at in recovery_store.recovered_entries(tx.conn, origin, ats)
    }
    rows: list[RecoveredEntry] = []
    for each in lost:
        row = each.row
        if (row.origin, row.index) in known:
            continue
        known.add((row.origin, row.index))
        index = tx.append(
            log_entries.recovered(
                actor=actor,
                member=row.counterpart,
                digest=row.digest,
                lost_sha256=receipts.evidence_digest(row.entry, row.checkpoint),
            )
        ).index
        rows.append(
            RecoveredEntry(
                row.origin, row.index, row.counterpart, row.digest, row.entry, row.hashes, row.checkpoint, index
            )
        )
    recovery_store.add_recovered(tx.conn, rows)
    return len(rows)


class RecoveredMessages:
    """Checks returned messages of ours, and writes them as released."""

    def __init__(
        self,
        core: Core,
        *,
        officers: Callable[[], Mapping[str, Officer]],
        unit_directory: UnitDirectory,
        reactions: Sequence[Reaction],
        files: AttachmentFiles,
        delivery_life: timedelta,
    ) -> None:
        self._core = core
        self._officers = officers
        self._unit_directory = unit_directory
        self._reactions = reactions
        self._files = files
        self._life = delivery_life

    def check(
        self, item: recovery_pb2.GivenBack, lost: Lost, peer: str, checkpoint: VerifiedCheckpoint
    ) -> Regained | None:
        """Check a returned message; None if its content no longer exists there.

        1. It verifies, by the register of its release, at the time of it.
        2. Its author is us, and the lost entry is its release to that member, by its signers.
        3. The answer is that member's, proven to its log.
        """
        if not item.message:
            return None
        core = self._core
        # 1.
        version = lost.entry.entry.register_version
        core.register_cache.check_known(version)
        register = core.register_cache.archived(version)
        message = wire.verify(item.message, register.certificate_verifier(), at=lost.entry.time)
        # 2.
        if message.header.author != core.member:
            raise Rejected("wrong_member", "the message is not of ours")
        receipts.check_released(lost.entry.entry, message, peer)
        # 3.
        answer = receipts.verify_entry(item.answer, checkpoint)
        receipts.check_answer(answer.entry, message.digest, core.member)
        hashes = b"".join(item.answer.inclusion_hashes)
        return Regained(message, item.message, lost, answer, hashes, self._is_needed(message))

    def _is_needed(self, message: VerifiedMessage) -> bool:
        """Return whether a copy opens, unlike the one that is stored; every recipient returns the same messages."""
        if not self._opens(message):
            return False
        held = messages_store.read_signed(self._core.store, message.digest)
        return held is None or not self._opens(stored(held))

    def _opens(self, message: VerifiedMessage) -> bool:
        """Return whether every part that is here opens by our wraps, and each attachment has one.

        No signature covers the wraps, and anybody can wrap another key for us: that a wrap opens proves nothing.
        """
        keys, numbers = self._core.decryption_keys, part_numbers(message.header)
        try:
            keys.parts(message)
            for number, key in zip(numbers, keys.part_keys(message, numbers), strict=True):
                self._try_attachment(message.header, number, key)
        except Rejected:
            return False
        return True

    def _try_attachment(self, header: message_pb2.Header, number: int, key: bytes) -> None:
        """Open the beginning of an attachment whose file is here; Rejected if it is under another key."""
        part = header.parts[number]
        if self._files.holds(part.ciphertext_sha256, part.ciphertext_size):
            Opener(header, number, key).update(next(self._files.pieces(part.ciphertext_sha256)))

    def write(self, tx: LogTransaction, regained: Sequence[Regained], peer: str) -> None:
        """Write them as released, and settle the deliveries to that member; runs in the ledger's transaction.

        One that another member returned before is replaced if it does not open, and this one does.
        """
        ids = [each.message.header.message_id for each in regained]
        known = messages_store.claimed(tx.conn, self._core.member, ids)
        names = messages_store.thread_names(tx.conn, {each.message.header.thread_id for each in regained})
        written: list[ReleasedMessage] = []
        again: list[RedeliveredMessage] = []
        for each in regained:
            held = known.get(each.message.header.message_id)
            if held is None:
                written.append(self._release(tx, each, names))
                known[each.message.header.message_id] = each.message.digest
            elif held != each.message.digest:
                continue  # the id was used again since: what the peer holds is logged as RECOVERED
            elif each.is_needed:
                messages_store.replace_signed(tx.conn, held, each.raw)
                again += [
                    RedeliveredMessage(row, each.message.header, peer)
                    for row in messages_store.messages_of(tx.conn, [held])
                ]
            self._settle(tx, each, peer)
        released(self._reactions, tx, written)
        redelivered(self._reactions, tx, again)
        announce_released(tx, [each.message for each in regained])

    def _release(self, tx: LogTransaction, each: Regained, names: dict[bytes, str]) -> ReleasedMessage:
        message, header = each.message, each.message.header
        then = each.lost.entry.entry
        opens_thread = header.thread_id == header.message_id
        if opens_thread:
            names[header.thread_id] = then.released.thread_name
        self._approve(tx, message)
        seq = tx.next_message_seq()
        deliveries: list[DeliveryRow] = []
        for recipient in header.recipients:
            index = tx.append(
                log_entries.released(
                    actor=then.actor,
                    recipient=recipient.member,
                    digest=message.digest,
                    signers=then.released.signers,
                    thread_name=then.released.thread_name if opens_thread else "",
                )
            ).index
            deliveries.append(
                DeliveryRow(
                    id=tx.next_delivery_id(),
                    message_seq=seq,
                    digest=message.digest,
                    recipient=recipient.member,
                    urgency=precedence.urgency_of(header),
                    released_index=index,
                    released_time=tx.now,
                    expires_time=tx.now + self._life,
                    next_attempt_time=tx.now,
                )
            )
        row = MessageRow(
            seq=seq,
            digest=message.digest,
            author=header.author,
            message_id=header.message_id,
            thread_id=header.thread_id,
            thread_name=names.get(header.thread_id, ""),
            kind=header.kind,
            urgency=header.urgency,
            state=MessageState.RELEASED,
            header=message.signed.header,
            stored_time=tx.now,
            signed=each.raw,
            parents=tuple(header.parent_digests),
        )
        officer = self._officers().get(then.actor)
        (placed,) = [row] if officer is None else self._unit_directory.sent(officer, [row])
        messages_store.add_messages(tx.conn, [placed])
        deliveries_store.add_deliveries(tx.conn, deliveries)
        self._await_attachments(tx, each)
        return ReleasedMessage(placed, header, then.actor, recovered=True)

    def _await_attachments(self, tx: LogTransaction, each: Regained) -> None:
        """Mark attachments whose files are here as pending at the recipients; lost ones cannot be served."""
        header = each.message.header
        parts = [header.parts[number] for number in part_numbers(header)]
        if not all(self._files.holds(part.ciphertext_sha256, part.ciphertext_size) for part in parts):
            log.warning("attachments_lost", message=each.message.digest.hex()[:LOGGED_DIGITS])
            return
        for recipient in header.recipients:
            attachments_store.put_attachments(
                tx.conn, pending_attachments(each.message.digest, header, recipient.member, tx.now)
            )

    def _approve(self, tx: LogTransaction, message: VerifiedMessage) -> None:
        """End the pending approval of a message: all officers have signed, as their signatures show."""
        approval = approvals_store.approval(tx.conn, message.digest)
        if approval is None or approval.state is not ApprovalState.WAITING:
            return
        for signer in receipts.logged_signers(message):
            if signer.id in approval.missing:
                tx.append(log_entries.approved(actor=signer.id, digest=message.digest, signer=signer))
        approvals_store.end_approval(tx.conn, message.digest, ApprovalState.RELEASED)

    def _settle(self, tx: LogTransaction, each: Regained, peer: str) -> None:
        digest, answer = each.message.digest, each.answer
        received = answer.entry.event == log_pb2.LOG_EVENT_RECEIVED
        state = delivery_pb2.DELIVERY_STATE_DELIVERED if received else delivery_pb2.DELIVERY_STATE_REFUSED
        waiting = [
            delivery for delivery in deliveries_store.deliveries_of(tx.conn, digest) if delivery.recipient == peer
        ]
        ended = deliveries_store.settle(
            tx.conn, [Settlement(row.id, state, log_entries.reason(answer.entry)) for row in waiting], tx.now
        )
        if not ended:  # the outbound queue settled it meanwhile
            return
        tx.append(
            log_entries.answered(
                actor=self._core.node_id,
                recipient=peer,
                answer=answer.entry,
                answer_sha256=receipts.evidence_digest(answer.raw, answer.checkpoint.note),
            )
        )
        proof = ForeignProof(
            digest=digest,
            member=peer,
            kind=ProofKind.ANSWER,
            entry=answer.raw,
            index=answer.index,
            hashes=each.hashes,
            checkpoint=answer.checkpoint.note,
            register_version=tx.register_version,
        )
        exchange_store.add_proofs(tx.conn, [proof])
