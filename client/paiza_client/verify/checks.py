"""Checks on everything the own node says, so that a lying node can withhold but neither alter nor invent.

Pure: bytes and a verified register in, proven records out. What does not hold is `NotProven`, which names the claim;
nothing of it is given on.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import audit_pb2, officer_pb2
from paiza_client.verify import approval_checks
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import LogState, OpenedPart, Outcome, Proof, Trail
from paiza_officer.errors import NotProven, Refused, Unreachable, located
from paiza_wire import receipts
from paiza_wire.identity import SpiffeId
from paiza_wire.message import (
    DIGEST_SIZE,
    PendingMessage,
    VerifiedMessage,
    message_digest,
    open_part,
    parse_header,
    verify,
)
from paiza_wire.reasons import FINDINGS

MAX_PROOFS: Final = (
    256  # of one message: a release and an answer at each of at most 64 recipients, and room for repeats
)


def check_header(digest: bytes, header: bytes, where: str = "") -> message_pb2.Header:
    """Parse a header that the node lists and check that the digest is its own."""
    with located(where or digest.hex()[:16], NotProven):
        parsed = parse_header(header)
    if message_digest(header) != digest:
        raise NotProven("part_digest_mismatch", where or digest.hex()[:16], "the digest is not that of the header")
    return parsed


def check_opened(
    answer: officer_pb2.OpenMessageResponse,
    *,
    digest: bytes,
    part_number: int,
    officer: SpiffeId,
    registers: Registers,
    logs: LogReader | None = None,
    together: Proof | None = None,
) -> OpenedPart:
    """Verify everything that the node sends with a part, and only then open it.

    ``logs`` remembers the checkpoints that it has verified: one reader serves the messages of a batch.

    1. The header is the one asked for, and our member is its author, one of its recipients, or it was passed on to us.
    2. The author's log holds its release to us (to every recipient, where we are the author; to somebody, where it was
       passed on to us).
    3. Exactly the required signers signed, with certificates valid when it was released; the part is the signed one.
    4. The releases name these signers in these roles.
    5. The answers shown are of its recipients and of this message; where we are a recipient, our log holds RECEIVED.
    6. Our log holds that it was opened, by this officer, just this part; or ``together`` with others, the main part.
    7. The part's key opens the ciphertext; an attachment's travels apart; the caller that fetched it opens it.
    """
    # 1.
    header = check_header(digest, answer.message.header)
    where = header.message_id.hex()
    recipients = [recipient.member for recipient in header.recipients]
    logs = logs or LogReader(registers)
    passed = forwardings(answer.forwarded, header, digest, logs)
    if officer.member not in {header.author, *recipients, *(proof.counterpart for proof in passed)}:
        raise NotProven("not_addressed", where, f"{officer.member} is neither author nor recipient")
    # 2.
    found = releases(answer.released, header, digest, logs)
    claimed = recipients if officer.member == header.author else [officer.member]
    if officer.member not in found and officer.member in {proof.counterpart for proof in passed}:
        claimed = [recipient for recipient in recipients if recipient in found] or recipients
    for recipient in claimed:
        if recipient not in found:
            raise NotProven("proof_missing", f"{where}: RELEASED {recipient}")
    released = {recipient: found[recipient] for recipient in claimed}
    # 3.
    attached = header.parts[part_number : part_number + 1] and (
        header.parts[part_number].kind == message_pb2.PART_KIND_ATTACHMENT
    )
    first = next(iter(released.values()))[0]
    certificates = registers.at(first.register_version).certificate_verifier()
    with located(where, NotProven):
        message = verify(
            answer.message.SerializeToString(), certificates, at=first.time, parts=[] if attached else [part_number]
        )
    # 4.
    for recipient, (proof, entry) in released.items():
        with located(f"{where}: RELEASED {recipient} ({proof.origin} #{proof.index})", NotProven):
            receipts.check_released(entry.entry, message, recipient)
    # 5.
    answered = answers(answer.answers, header, digest, logs, passed)
    if officer.member != header.author and not any(
        (each.member, each.event) == (officer.member, "RECEIVED") for each in answered
    ):
        raise NotProven("proof_missing", where, f"no RECEIVED entry of {officer.member}")
    # 6.
    opened = together or logs.proof(answer.opened)[0]
    alone = (opened.event, opened.digest, opened.part_number) == ("OPENED", digest, part_number)
    with_others = opened.event == "OPENED_TOGETHER" and digest in opened.listed and part_number == 0
    if (opened.member, opened.actor) != (officer.member, str(officer)) or not (alone or with_others):
        raise NotProven("bad_proof", f"{where}: OPENED", "the entry is not of this opening")
    # 7.
    with located(f"{where}: {part_number}", NotProven):
        sealed = b"" if attached else message.signed.parts[0].ciphertext
        plaintext = b"" if attached else open_part(message.header, part_number, sealed, answer.part_key)
    return OpenedPart(
        message=message,
        part_number=part_number,
        plaintext=plaintext,
        thread_name=answer.thread_name,
        opened=opened,
        released=tuple(proof for proof, _ in released.values()),
        answers=answered,
        forwarded=passed,
    )


def check_opened_together(
    answer: officer_pb2.OpenMessagesResponse, digests: Sequence[bytes], *, officer: SpiffeId, registers: Registers
) -> dict[bytes, OpenedPart | Refused | Unreachable]:
    """Check what the node hands over of several messages: each as a single opening is, and the entry names just these.

    Returned is what became of the first of them, as many as the answer holds; at least one.
    """
    if not 0 < len(answer.results) <= len(digests):
        raise NotProven("unexpected_answer", "OPENED_TOGETHER", "the answer has no result, or too many")
    logs = LogReader(registers)
    together = logs.proof(answer.opened)[0] if answer.HasField("opened") else None
    found: dict[bytes, OpenedPart | Refused | Unreachable] = {}
    for digest, result in zip(digests, answer.results, strict=False):
        where = digest.hex()[:16]
        match result.WhichOneof("result"):
            case "opened" if together is not None:
                one = result.opened
                single = officer_pb2.OpenMessageResponse(
                    message=one.message,
                    part_key=one.part_key,
                    released=one.released,
                    answers=one.answers,
                    thread_name=one.thread_name,
                    forwarded=one.forwarded,
                )
                found[digest] = check_opened(
                    single,
                    digest=digest,
                    part_number=0,
                    officer=officer,
                    registers=registers,
                    logs=logs,
                    together=together,
                )
            case "rejection":
                found[digest] = Refused(result.rejection.reason, where, result.rejection.detail)
            case "retry":
                found[digest] = Unreachable(result.retry.reason, where, result.retry.detail)
            case _:
                raise NotProven("unexpected_answer", where, "a result of no known kind, or opened without an entry")
    opened = {digest for digest, each in found.items() if isinstance(each, OpenedPart)}
    if opened != set(together.listed if together is not None else ()):
        raise NotProven("bad_proof", "OPENED_TOGETHER", "the entry is about other messages than those opened")
    return found


def check_subjects_shown(
    listed: Iterable[officer_pb2.MessageInfo], entry: log_pb2.LogProof, officer: SpiffeId, registers: Registers
) -> None:
    """Check that our log holds that just these subjects were shown to this officer."""
    shown = {info.message_digest for info in listed if info.subject}
    if not shown:
        return
    proof, _entry = LogReader(registers).proof(entry)
    told = (proof.event, proof.member, proof.actor, set(proof.listed))
    if told != ("SUBJECTS_SHOWN", officer.member, str(officer), shown):
        raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", "the entry is not of the subjects shown")


def versions_needed(proofs: Iterable[log_pb2.LogProof]) -> set[bytes]:
    """Name the register versions under which these entries were made; unverified, good only for fetching them."""
    versions = set()
    for proof in proofs:
        try:
            versions.add(log_pb2.LogEntry.FromString(proof.proven.entry).register_version)
        except DecodeError as error:
            raise NotProven("malformed", "", "a log entry cannot be read") from error
    return versions - {b""}


def check_submitted(
    answer: officer_pb2.SubmitResponse,
    messages: Sequence[VerifiedMessage | PendingMessage],
    member: str,
    registers: Registers,
    *,
    seen: int = 0,
) -> list[Outcome]:
    """Check the node's receipt for a batch: one result per message, every release proven by our own log.

    Each receipt is that of the very message submitted. ``seen`` is the size of the log before the submission: a release
    among these entries is a repeat.
    """
    if len(answer.results) != len(messages):
        raise NotProven("unexpected_answer", member, f"{len(answer.results)} results for {len(messages)} messages")
    logs = LogReader(registers)
    return [
        _outcome(result, message, answer.checkpoint, member, logs, seen)
        for result, message in zip(answer.results, messages, strict=True)
    ]


def tried(answer: officer_pb2.TryMessageResponse, digest: bytes) -> Outcome:
    """Return the node's answer about a message that was tried, which no log can prove."""
    if answer.WhichOneof("result") != "acceptable":
        return _not_taken(answer, digest)
    missing = tuple(answer.acceptable.missing_signers)
    return Outcome("waiting" if missing else "released", digest, missing=missing)


def check_trail(answer: audit_pb2.GetTrailResponse, digest: bytes, member: str, registers: Registers) -> Trail:
    """Check that every entry of a page of a trail is proven, of this message, and (the own ones) of our own log."""
    if len(answer.entries) + len(answer.foreign_proofs) > 64 * MAX_PROOFS:
        raise NotProven("too_large", digest.hex()[:16], "the trail has too many entries")
    logs = LogReader(registers)
    own = [logs.entry(proven, answer.checkpoint)[0] for proven in answer.entries]
    foreign = [logs.proof(proof)[0] for proof in answer.foreign_proofs]
    for proof in own:
        if proof.member != member:
            raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", "an own entry of another member's log")
    for proof in (*own, *foreign):
        if not proof.concerns(digest):
            raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", "the entry is of another message")
    return Trail(tuple(own), tuple(foreign))


def check_log_status(answer: audit_pb2.GetLogStatusResponse, member: str, registers: Registers) -> list[LogState]:
    """Check every checkpoint the node shows, its own first."""
    logs = LogReader(registers)
    states = []
    owner, own = logs.checkpoint(answer.checkpoint)
    if owner.id != member:
        raise NotProven("bad_checkpoint", own.origin, "the own checkpoint is of another member's log")
    witnessed_size, witnesses = _witnessed(answer.witnessed_checkpoint, member, own.origin, registers, logs)
    if witnessed_size is not None and witnessed_size > own.size:
        raise NotProven("bad_checkpoint", own.origin, "more is witnessed than the log holds")
    since = answer.unwitnessed_since_time
    states.append(
        LogState(
            member,
            own.origin,
            own.size,
            own.root,
            None,
            own=True,
            witnessed_size=witnessed_size,
            witnesses=witnesses,
            unwitnessed_since=since.ToDatetime(tzinfo=UTC) if answer.HasField("unwitnessed_since_time") else None,
            ending_certificates=tuple(
                (each.officer, each.expiry_time.ToDatetime(tzinfo=UTC)) for each in answer.ending_certificates
            ),
        )
    )
    for known in sorted(answer.known_logs, key=lambda each: each.member):
        if not known.checkpoint:
            continue
        owner, verified = logs.checkpoint(known.checkpoint)
        if owner.id != known.member:
            raise NotProven("bad_checkpoint", verified.origin, "the checkpoint is of another member's log")
        time = known.accepted_time.ToDatetime(tzinfo=UTC) if known.HasField("accepted_time") else None
        misbehaviour = tuple(reason for reason in known.misbehaviour if reason in FINDINGS)
        states.append(
            LogState(
                owner.id,
                verified.origin,
                verified.size,
                verified.root,
                time,
                own=False,
                misbehaviour=misbehaviour if len(misbehaviour) == len(known.misbehaviour) else (*misbehaviour, "?"),
            )
        )
    return states


def _witnessed(
    note: bytes, member: str, origin: str, registers: Registers, logs: LogReader
) -> tuple[int | None, tuple[str, ...]]:
    """Verify the cosigned checkpoint of the own log; give its size, and whose cosignatures hold."""
    if not note:
        return None, ()
    owner, verified = logs.checkpoint(note)
    if (owner.id, verified.origin) != (member, origin):
        raise NotProven("bad_checkpoint", verified.origin, "the witnessed checkpoint is of another log")
    current = registers.current
    with located(origin, NotProven):
        found = current.witnesses(current.cosignatures(note), member)
    return verified.size, tuple(sorted(found))


def releases(
    proofs: Sequence[log_pb2.LogProof], header: message_pb2.Header, digest: bytes, logs: LogReader
) -> dict[str, tuple[Proof, receipts.VerifiedEntry]]:
    """Verify releases of one message by its author's log, by recipient; their signers are the caller's to compare."""
    if len(proofs) > MAX_PROOFS:
        raise NotProven("too_large", header.message_id.hex(), "too many releases")
    found: dict[str, tuple[Proof, receipts.VerifiedEntry]] = {}
    for each in proofs:
        proof, entry = logs.proof(each)
        if (proof.event, proof.member, proof.digest) != ("RELEASED", header.author, digest):
            raise NotProven(
                "bad_proof", f"{proof.origin} #{proof.index}", "not a release of this message by its author"
            )
        found[proof.counterpart] = proof, entry
    return found


def forwardings(
    proofs: Sequence[log_pb2.LogProof], header: message_pb2.Header, digest: bytes, logs: LogReader
) -> tuple[Proof, ...]:
    """Check entries that say a message was passed on: each of the forwarder's own log, and of this message."""
    if len(proofs) > MAX_PROOFS:
        raise NotProven("too_large", header.message_id.hex(), "too many entries of passing on")
    proven = []
    for each in proofs:
        proof, entry = logs.proof(each)
        with located(f"{proof.origin} #{proof.index}", NotProven):
            receipts.check_forwarded(entry.entry, digest, proof.member)
        proven.append(proof)
    return tuple(proven)


def answers(
    proofs: Sequence[log_pb2.LogProof],
    header: message_pb2.Header,
    digest: bytes,
    logs: LogReader,
    passed: Sequence[Proof] = (),
) -> tuple[Proof, ...]:
    """Check receipts and refusals: each of a recipient's own log, or of one it was passed on to, and of this message.

    The author's own receipts, of word that its message was passed on, are left out: they say nothing of the message.
    """
    if len(proofs) > MAX_PROOFS:
        raise NotProven("too_large", header.message_id.hex(), "too many answers")
    handed = {(header.author, recipient.member) for recipient in header.recipients}
    handed |= {(proof.member, proof.counterpart) for proof in passed}
    proven = []
    for each in proofs:
        proof, entry = logs.proof(each)
        where = f"{proof.origin} #{proof.index}"
        if (proof.counterpart, proof.member) not in handed:
            raise NotProven("bad_proof", where, "an answer of a member to whom the message did not go")
        with located(where, NotProven):
            receipts.check_answer(entry.entry, digest, proof.counterpart)
        proven.append(proof)
    return tuple(proven)


def _outcome(
    result: officer_pb2.SubmitResult,
    message: VerifiedMessage | PendingMessage,
    note: bytes,
    member: str,
    logs: LogReader,
    seen: int,
) -> Outcome:
    match result.WhichOneof("result"):
        case "waiting":
            return approval_checks.waiting_outcome(result.waiting, message, note, member, logs)
        case "released":
            return _receipt(result.released, message, note, member, logs, seen)
    return _not_taken(result, message.digest)


def _not_taken(result: officer_pb2.SubmitResult | officer_pb2.TryMessageResponse, digest: bytes) -> Outcome:
    where = digest.hex()[:16]
    match result.WhichOneof("result"):
        case "rejection":
            if len(result.earlier_message_digest) not in {0, DIGEST_SIZE}:
                raise NotProven("unexpected_answer", where, "an earlier message is named by no digest")
            return Outcome(
                "refused",
                digest,
                reason=result.rejection.reason,
                detail=result.rejection.detail,
                breaches=tuple(result.breaches),
                earlier=result.earlier_message_digest,
            )
        case "retry":
            try:
                wait = result.retry.retry_after.ToTimedelta().total_seconds()
            except (ValueError, OverflowError) as error:
                raise NotProven("unexpected_answer", where, "the time to wait is none") from error
            return Outcome(
                "retry", digest, reason=result.retry.reason, detail=result.retry.detail, retry_after_seconds=wait
            )
    raise NotProven("unexpected_answer", where, "a result of no known kind")


def _receipt(
    released: officer_pb2.Released,
    message: VerifiedMessage | PendingMessage,
    note: bytes,
    member: str,
    logs: LogReader,
    seen: int,
) -> Outcome:
    """Check the receipt of one message.

    1. It is of the message submitted.
    2. The own log holds one release of it for each recipient, in the order of the header, by its signers.
    3. A thread that it opens has the name that the releases give it.
    4. A release from before the submission is told as a repeat.
    """
    where = message.header.message_id.hex()
    # 1.
    if released.message_digest != message.digest:
        raise NotProven("bad_proof", where, "the receipt is of another message")
    # 2.
    verified = [logs.entry(proven, note) for proven in released.entries]
    proofs = tuple(proof for proof, _ in verified)
    for proof in proofs:
        if (proof.event, proof.member, proof.digest) != ("RELEASED", member, message.digest):
            raise NotProven("bad_proof", f"{where}: {proof.origin} #{proof.index}", "not a release of this message")
    if not proofs:
        raise NotProven("proof_missing", where, "released without an entry")
    recipients = [recipient.member for recipient in message.header.recipients]
    if [proof.counterpart for proof in proofs] != recipients:
        raise NotProven("proof_missing", where, "the receipt does not name exactly the recipients")
    for recipient, (_, entry) in zip(recipients, verified, strict=True):
        with located(f"{where}: RELEASED {recipient}", NotProven):
            approval_checks.check_release(entry, message, recipient)
    # 3.
    opens_thread = message.header.thread_id == message.header.message_id
    if opens_thread and any(entry.entry.released.thread_name != released.thread_name for _, entry in verified):
        raise NotProven("bad_proof", where, "the releases give the thread another name")
    # 4.
    if not released.repeated_submission and any(proof.index < seen for proof in proofs):
        raise NotProven("bad_proof", where, "the release is older than the submission")
    return Outcome(
        "released", message.digest, proofs, repeated=released.repeated_submission, thread_name=released.thread_name
    )
