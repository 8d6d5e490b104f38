"""Checks on what the own node says about messages that need a second officer. Pure, as `paiza_client.verify.checks`.

The second officer signs header bytes whose digest, parts and present signatures were verified here, with every part
opened: they see exactly the content they sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import approval_pb2, officer_pb2
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import Outcome, Proof
from paiza_domain import validation
from paiza_officer.errors import NotProven, located
from paiza_wire.identity import SpiffeId
from paiza_wire.message import (
    PendingMessage,
    VerifiedMessage,
    attachment,
    message_digest,
    open_part,
    open_subject,
    verify_pending,
)
from paiza_wire.message.part_cipher import subject_key
from paiza_wire.receipts import VerifiedEntry, check_released


@dataclass(frozen=True, slots=True)
class OpenedWaiting:
    """A waiting message, verified as far as it is signed, with what its parts say by their number."""

    message: PendingMessage
    parts: dict[int, bytes]
    submitted_by: str
    expires_time: datetime
    opened: tuple[Proof, ...]


def waiting_outcome(
    told: officer_pb2.HeldForApproval,
    message: VerifiedMessage | PendingMessage,
    note: bytes,
    member: str,
    logs: LogReader,
) -> Outcome:
    """Check the node's receipt for a message that waits.

    1. The own log holds that this message was submitted, by officers whom it names.
    2. It waits for others of them, none of whom has signed it.
    3. It does so until a time after its submission.
    """
    where = message.header.message_id.hex()
    # 1.
    proof, entry = logs.entry(told.submitted, note)
    if (told.message_digest, proof.event, proof.member, proof.digest) != (
        message.digest,
        "SUBMITTED",
        member,
        message.digest,
    ):
        raise NotProven("bad_proof", f"{where}: SUBMITTED", "the entry is not of this submission")
    required = {(signer.id, signer.role) for signer in message.header.required_signers}
    submitted_by = {(signer.id, signer.role) for signer in entry.entry.submitted.signers}
    if not submitted_by or not submitted_by < required:
        raise NotProven("wrong_signers", f"{where}: SUBMITTED", "the entry names other signers than the message")
    # 2.
    missing = {signer for signer, _ in required} - {signer for signer, _ in submitted_by}
    if isinstance(message, PendingMessage):
        missing &= {signer.id for signer in message.missing}
    if not told.missing_signers or not missing.issuperset(told.missing_signers):
        raise NotProven("unexpected_answer", where, "it waits for officers who signed, or whom it does not name")
    # 3.
    try:
        expires_time = told.expires_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise NotProven("unexpected_answer", where, "the time until which it waits is none") from error
    if expires_time <= proof.time:
        raise NotProven("unexpected_answer", where, "it waits until a time before its submission")
    return Outcome(
        "waiting",
        message.digest,
        (proof,),
        missing=tuple(told.missing_signers),
        expires_time=expires_time,
    )


def check_release(entry: VerifiedEntry, message: VerifiedMessage | PendingMessage, recipient: str) -> None:
    """Check a release of our own message; of signatures added elsewhere, that the named officers made them."""
    if isinstance(message, VerifiedMessage):
        check_released(entry.entry, message, recipient)
        return
    where = f"{message.header.message_id.hex()}: RELEASED {recipient}"
    signers = entry.entry.released.signers
    if entry.entry.counterpart != recipient:
        raise NotProven("bad_proof", where, "the entry is for another recipient")
    if [(each.id, each.role) for each in signers] != [(each.id, each.role) for each in message.header.required_signers]:
        raise NotProven("wrong_signers", where, "the release names other signers than the message")
    ours = {signer.id: certificate.fingerprint for signer, certificate in message.signers}
    if any(each.certificate_sha256 != ours[each.id] for each in signers if each.id in ours):
        raise NotProven("wrong_signers", where, "the release names another certificate than the one that signed")


def check_waiting(
    answer: approval_pb2.GetPendingApprovalResponse,
    *,
    digest: bytes,
    officer: SpiffeId,
    registers: Registers,
    now: datetime,
) -> OpenedWaiting:
    """Check a waiting message before anybody reads or signs it.

    1. The header is the one asked for, and of our own member.
    2. The signatures there are hold, and the parts are those of the header.
    3. The keys open the parts; our log holds that each of them was opened by this officer.
    4. The content is what every recipient would accept.
    """
    # 1.
    where = digest.hex()[:16]
    if message_digest(answer.message.header) != digest:
        raise NotProven("part_digest_mismatch", where, "the node shows another message than the one asked for")
    # 2.
    with located(where, NotProven):
        message = verify_pending(answer.message.SerializeToString(), registers.current.certificate_verifier(), at=now)
    if message.header.author != officer.member:
        raise NotProven("wrong_member", where, "the message is another member's")
    # 3.
    sealed = {part.part_number: part.ciphertext for part in message.signed.parts}
    parts: dict[int, bytes] = {}
    with located(where, NotProven):
        for key in answer.part_keys:
            parts[key.part_number] = open_part(
                message.header, key.part_number, sealed.get(key.part_number, b""), key.part_key
            )
    logs = LogReader(registers)
    opened = tuple(logs.proof(each)[0] for each in answer.opened)
    told = {(each.event, each.member, each.actor, each.digest, each.part_number) for each in opened}
    if told != {("OPENED", officer.member, str(officer), digest, number) for number in parts}:
        raise NotProven("bad_proof", f"{where}: OPENED", "the entries are not of these openings")
    # 4.
    keys = {each.part_number: each.part_key for each in answer.part_keys}
    with located(where, NotProven):
        subject = open_subject(message.header, message.signed.subject, subject_key(keys.get(0, b"")))
    _check_content(message, parts, subject, now, where)
    return OpenedWaiting(message, parts, answer.submitted_by, answer.expires_time.ToDatetime(tzinfo=UTC), opened)


def check_read(waiting: OpenedWaiting) -> None:
    """Refuse to sign what was not shown whole: a node that keeps the annex back has nobody sign for what it holds."""
    apart = attachment.part_numbers(waiting.message.header)
    unread = {*range(len(waiting.message.header.parts))} - {*waiting.parts, *apart}
    if unread:
        where = f"{waiting.message.digest.hex()[:16]}: {', '.join(map(str, sorted(unread)))}"
        raise NotProven("part_missing", where, "the node did not show this part, which the officer must have read")


def check_waiting_attachment(
    answer: approval_pb2.GetPendingApprovalResponse,
    *,
    digest: bytes,
    number: int,
    officer: SpiffeId,
    registers: Registers,
) -> tuple[Proof, bytes]:
    """Check that our log holds that this officer opened one attachment of a waiting message; gives that and its key."""
    where = f"{digest.hex()[:16]}: {number}"
    if [each.part_number for each in answer.part_keys] != [number] or len(answer.opened) != 1:
        raise NotProven("unexpected_answer", where, "the node gives other keys than the one asked for")
    proof, _entry = LogReader(registers).proof(answer.opened[0])
    told = (proof.event, proof.member, proof.actor, proof.digest, proof.part_number)
    if told != ("OPENED", officer.member, str(officer), digest, number):
        raise NotProven("bad_proof", f"{where}: OPENED", "the entry is not of this opening")
    return proof, answer.part_keys[0].part_key


def _check_content(message: PendingMessage, parts: dict[int, bytes], subject: bytes, now: datetime, where: str) -> None:
    annexes = [
        number for number, part in enumerate(message.header.parts) if part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX
    ]
    withheld = any(number not in parts for number in annexes)
    annex = next((parts[number] for number in annexes if number in parts), None)
    with located(where):
        validation.check_message(message.header, parts.get(0), annex, now, subject=subject, annex_withheld=withheld)


def check_approved(
    proven: log_pb2.ProvenEntry, note: bytes, digest: bytes, officer: SpiffeId, logs: LogReader
) -> Proof:
    """Check that our log holds this officer's approval."""
    proof, _entry = logs.entry(proven, note)
    if (proof.event, proof.member, proof.actor, proof.digest) != ("APPROVED", officer.member, str(officer), digest):
        raise NotProven("bad_proof", f"{digest.hex()[:16]}: APPROVED", "the entry is not of this approval")
    return proof


def check_declined(answer: approval_pb2.DeclineResponse, digest: bytes, officer: SpiffeId, logs: LogReader) -> Proof:
    """Check that our log holds that this officer ended the waiting."""
    proof, _entry = logs.entry(answer.declined, answer.checkpoint)
    said = (proof.member, proof.actor, proof.digest)
    if proof.event not in {"DECLINED", "WITHDRAWN"} or said != (officer.member, str(officer), digest):
        raise NotProven("bad_proof", f"{digest.hex()[:16]}: DECLINED", "the entry is not of this act")
    return proof


def same_signatures(shown: Sequence[message_pb2.Signature], header: message_pb2.Header) -> bool:
    """Return whether all required signatures are there, in their order."""
    return [each.signer_id for each in shown] == [each.id for each in header.required_signers]
