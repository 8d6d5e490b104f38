"""Log entries by event: one builder an event, and one accessor a fact. Nothing else writes or reads their fields.

The ledger adds salt, time, register version and the digest of the text (`receipts.text_digest`). ``digest`` is that of
the message concerned; ``actor`` a SPIFFE ID or "os-user:NAME".
"""

from collections.abc import Iterable

from paiza.core.v1 import log_pb2 as pb


def submitted(*, actor: str, digest: bytes, signers: Iterable[pb.LoggedSigner]) -> pb.LogEntry:
    """Build the entry of a draft that waits for other officers; ``signers`` have signed."""
    return pb.LogEntry(event=pb.LOG_EVENT_SUBMITTED, actor=actor, message_digest=digest, signers=signers)


def approved(*, actor: str, digest: bytes, signer: pb.LoggedSigner) -> pb.LogEntry:
    """Build the entry of a second officer's signature."""
    return pb.LogEntry(event=pb.LOG_EVENT_APPROVED, actor=actor, message_digest=digest, signers=[signer])


def released(
    *, actor: str, recipient: str, digest: bytes, signers: Iterable[pb.LoggedSigner], thread_name: str
) -> pb.LogEntry:
    """Build the entry of a release to one member; ``thread_name`` only where the message opens its thread."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_RELEASED,
        actor=actor,
        counterpart=recipient,
        message_digest=digest,
        signers=signers,
        thread_name=thread_name,
    )


def received(*, actor: str, source: str, digest: bytes, dispatch_sha256: bytes) -> pb.LogEntry:
    """Build the receipt of a message; ``dispatch_sha256`` commits to the RELEASED or FORWARDED entry it answers."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_RECEIVED,
        actor=actor,
        counterpart=source,
        message_digest=digest,
        evidence_sha256=dispatch_sha256,
    )


def refused(*, actor: str, source: str, digest: bytes, reason: str, dispatch_sha256: bytes) -> pb.LogEntry:
    """Build the refusal of a message; ``dispatch_sha256`` commits to the RELEASED entry it answers."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_REFUSED,
        actor=actor,
        counterpart=source,
        message_digest=digest,
        reason=reason,
        evidence_sha256=dispatch_sha256,
    )


def attachment_received(
    *, actor: str, source: str, digest: bytes, part_number: int, ciphertext_sha256: bytes
) -> pb.LogEntry:
    """Build the receipt of an attachment that ``source`` handed over."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_RECEIVED,
        actor=actor,
        counterpart=source,
        message_digest=digest,
        part_number=part_number,
        evidence_sha256=ciphertext_sha256,
    )


def attachment_refused(
    *, actor: str, source: str, digest: bytes, part_number: int, reason: str, ciphertext_sha256: bytes
) -> pb.LogEntry:
    """Build the refusal of an attachment that ``source`` handed over."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_REFUSED,
        actor=actor,
        counterpart=source,
        message_digest=digest,
        part_number=part_number,
        reason=reason,
        evidence_sha256=ciphertext_sha256,
    )


def delivered(
    *, actor: str, recipient: str, digest: bytes, answer_sha256: bytes, part_number: int | None = None
) -> pb.LogEntry:
    """Build the entry of a receipt that was verified and stored.

    ``answer_sha256`` commits to it; it is empty where an author took note that its message was forwarded.
    """
    return pb.LogEntry(
        event=pb.LOG_EVENT_DELIVERED,
        actor=actor,
        counterpart=recipient,
        message_digest=digest,
        part_number=part_number,
        evidence_sha256=answer_sha256,
    )


def delivery_refused(
    *, actor: str, recipient: str, digest: bytes, reason: str, answer_sha256: bytes, part_number: int | None = None
) -> pb.LogEntry:
    """Build the entry of a refusal by a recipient; ``answer_sha256`` is empty where its log does not hold it."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_REFUSED,
        actor=actor,
        counterpart=recipient,
        message_digest=digest,
        part_number=part_number,
        reason=reason,
        evidence_sha256=answer_sha256,
    )


def opened(*, actor: str, digest: bytes, part_number: int) -> pb.LogEntry:
    """Build the entry of a part that is handed to an officer."""
    return pb.LogEntry(event=pb.LOG_EVENT_OPENED, actor=actor, message_digest=digest, part_number=part_number)


def exported(*, actor: str, digest: bytes, purpose: str, grant_digest: bytes, without_annex: bool) -> pb.LogEntry:
    """Build the entry of content that leaves the system as a file; ``grant_digest`` is empty where none is needed."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_EXPORTED,
        actor=actor,
        message_digest=digest,
        purpose=purpose,
        evidence_sha256=grant_digest,
        part_number=0 if without_annex else None,
    )


def forwarded(
    *, actor: str, recipient: str, digest: bytes, purpose: str, grant_digest: bytes, without_annex: bool
) -> pb.LogEntry:
    """Build the entry of a message that is forwarded to one member; ``grant_digest`` is empty where none is needed."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_FORWARDED,
        actor=actor,
        counterpart=recipient,
        message_digest=digest,
        purpose=purpose,
        evidence_sha256=grant_digest,
        part_number=0 if without_annex else None,
    )


def recalled(*, actor: str, author: str, digest: bytes, recall_digest: bytes) -> pb.LogEntry:
    """Build the entry of a message that its author recalled."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_RECALLED,
        actor=actor,
        counterpart=author,
        message_digest=digest,
        evidence_sha256=recall_digest,
    )


def erased(*, actor: str, requester: str, digest: bytes, request_digest: bytes) -> pb.LogEntry:
    """Build the entry of content that is gone; requester and request are empty after a review."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_ERASED,
        actor=actor,
        counterpart=requester,
        message_digest=digest,
        evidence_sha256=request_digest,
    )


def never_held(*, actor: str, requester: str, digest: bytes, request_digest: bytes) -> pb.LogEntry:
    """Build the answer to a request to erase what was never here."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_ERASED,
        actor=actor,
        counterpart=requester,
        message_digest=digest,
        reason="not_held",
        evidence_sha256=request_digest,
    )


def erasure_denied(*, actor: str, requester: str, digest: bytes, request_digest: bytes) -> pb.LogEntry:
    """Build the answer to a request to erase what is under legal hold."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_DENIED,
        actor=actor,
        counterpart=requester,
        message_digest=digest,
        reason="legal_hold",
        evidence_sha256=request_digest,
    )


def erasure_answered(*, actor: str, holder: str, answer: pb.LogEntry, answer_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a holder's answer to a request of ours that was verified and stored."""
    return pb.LogEntry(
        event=answer.event,
        actor=actor,
        counterpart=holder,
        message_digest=answer.message_digest,
        reason=answer.reason,
        evidence_sha256=answer_sha256,
    )


def denied(*, actor: str, reason: str, digest: bytes = b"", counterpart: str = "") -> pb.LogEntry:
    """Build the entry of an act that the actor was denied."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_DENIED, actor=actor, counterpart=counterpart, message_digest=digest, reason=reason
    )


def forwarding_denied(*, actor: str, forwarder: str, digest: bytes, reason: str, dispatch_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a forwarded message that is not taken; ``actor`` forwarded it."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_DENIED,
        actor=actor,
        counterpart=forwarder,
        message_digest=digest,
        reason=reason,
        evidence_sha256=dispatch_sha256,
    )


def officer_certified(*, actor: str, certificate_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an officer's new certificate."""
    return pb.LogEntry(event=pb.LOG_EVENT_OFFICER_CERTIFIED, actor=actor, evidence_sha256=certificate_sha256)


def officer_changed(*, actor: str, certificate_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an officer's other roles or unit."""
    return pb.LogEntry(event=pb.LOG_EVENT_OFFICER_CHANGED, actor=actor, evidence_sha256=certificate_sha256)


def officer_suspended(*, actor: str, certificate_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an officer who is suspended or gone."""
    return pb.LogEntry(event=pb.LOG_EVENT_OFFICER_SUSPENDED, actor=actor, evidence_sha256=certificate_sha256)


def key_added(*, actor: str, vkey_sha256: bytes) -> pb.LogEntry:
    """Build the entry of the key that signs this log from here on."""
    return pb.LogEntry(event=pb.LOG_EVENT_KEY_ADDED, actor=actor, evidence_sha256=vkey_sha256)


def register_updated(*, register_version: bytes) -> pb.LogEntry:
    """Build the entry of a register set that comes into force."""
    return pb.LogEntry(event=pb.LOG_EVENT_REGISTER_UPDATED, evidence_sha256=register_version)


def config_changed(*, actor: str, config_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a start with another configuration."""
    return pb.LogEntry(event=pb.LOG_EVENT_CONFIG_CHANGED, actor=actor, evidence_sha256=config_sha256)


def fork_found(*, member: str, notes_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a member's log that is forked; ``notes_sha256`` commits to the two notes that show it."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_FORK_FOUND, counterpart=member, reason="log_forked", evidence_sha256=notes_sha256
    )


def trust_restored(*, actor: str, member: str, notes_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an administrator's decision to trust a forked log again."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_CONVICTION_DECIDED,
        actor=actor,
        counterpart=member,
        reason="log_forked",
        evidence_sha256=notes_sha256,
    )


def default_found(*, member: str, notes_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a member's log that is in default; ``notes_sha256`` commits to the notes not proven."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_DEFAULT_FOUND, counterpart=member, reason="log_in_default", evidence_sha256=notes_sha256
    )


def default_ended(*, member: str, reason: str, notes_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a default that is over."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_DEFAULT_FOUND, counterpart=member, reason=reason, evidence_sha256=notes_sha256
    )


def expired(*, actor: str, recipient: str, digest: bytes, reason: str, part_number: int | None = None) -> pb.LogEntry:
    """Build the entry of a delivery that is given up; of an attachment, ``recipient`` is who should hand it over."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_EXPIRED,
        actor=actor,
        counterpart=recipient,
        message_digest=digest,
        part_number=part_number,
        reason=reason,
    )


def searched(*, actor: str) -> pb.LogEntry:
    """Build the entry of a search for a person, telephone, document or account."""
    return pb.LogEntry(event=pb.LOG_EVENT_SEARCHED, actor=actor)


def declined(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a second officer who does not sign."""
    return pb.LogEntry(event=pb.LOG_EVENT_DECLINED, actor=actor, message_digest=digest, reason="approval_declined")


def withdrawn(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a waiting message that its drafter took back."""
    return pb.LogEntry(event=pb.LOG_EVENT_DECLINED, actor=actor, message_digest=digest, reason="approval_withdrawn")


def lapsed(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a waiting message on which nobody decided in time."""
    return pb.LogEntry(event=pb.LOG_EVENT_DECLINED, actor=actor, message_digest=digest, reason="approval_expired")


def assigned(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a task that is given to a unit or an officer."""
    return pb.LogEntry(event=pb.LOG_EVENT_ASSIGNED, actor=actor, message_digest=digest)


def acknowledged(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a task that an officer acknowledged."""
    return pb.LogEntry(event=pb.LOG_EVENT_ACKNOWLEDGED, actor=actor, message_digest=digest)


def escalated(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a task that is passed on because nobody acknowledged it in time."""
    return pb.LogEntry(event=pb.LOG_EVENT_ESCALATED, actor=actor, message_digest=digest)


def done(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a task that is done."""
    return pb.LogEntry(event=pb.LOG_EVENT_DONE, actor=actor, message_digest=digest)


def reconciled(*, actor: str, member: str, period_digest: bytes) -> pb.LogEntry:
    """Build the entry of a period on which two members agree."""
    return pb.LogEntry(event=pb.LOG_EVENT_RECONCILED, actor=actor, counterpart=member, evidence_sha256=period_digest)


def consulted(
    *,
    actor: str,
    member: str = "",
    digest: bytes = b"",
    question_sha256: bytes = b"",
    answer_sha256: bytes = b"",
) -> pb.LogEntry:
    """Build the entry of a consultation of a log.

    ``question_sha256`` commits to what an officer of ours asks ``member``, ``answer_sha256`` to question and answer
    where ``member`` asks us; neither is set where an officer reads the own log.
    """
    return pb.LogEntry(
        event=pb.LOG_EVENT_CONSULTED,
        actor=actor,
        counterpart=member,
        message_digest=digest,
        evidence_sha256=question_sha256 or answer_sha256,
    )


def audit_granted(*, actor: str, member: str, grant_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a grant to see entries of this log."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_AUDIT_GRANTED,
        actor=actor,
        counterpart=member,
        reason="granted",
        evidence_sha256=grant_sha256,
    )


def audit_withdrawn(*, actor: str, member: str, grant_sha256: bytes, replaced: bool) -> pb.LogEntry:
    """Build the entry of a grant that ends before its time; ``replaced``: another one takes its place."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_AUDIT_GRANTED,
        actor=actor,
        counterpart=member,
        reason="replaced" if replaced else "withdrawn",
        evidence_sha256=grant_sha256,
    )


def log_continued(*, actor: str, shown_by: str, note_sha256: bytes) -> pb.LogEntry:
    """Build the first entry of a log that continues a lost one; ``note_sha256`` is of that one's largest checkpoint."""
    return pb.LogEntry(event=pb.LOG_EVENT_LOG_CONTINUED, actor=actor, counterpart=shown_by, evidence_sha256=note_sha256)


def recovered(*, actor: str, member: str, digest: bytes, lost_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a lost entry that ``member`` gave back; ``lost_sha256`` commits to it and its checkpoint."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_RECOVERED,
        actor=actor,
        counterpart=member,
        message_digest=digest,
        evidence_sha256=lost_sha256,
    )


def backed_up(*, actor: str, backup_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a copy of the database."""
    return pb.LogEntry(event=pb.LOG_EVENT_BACKED_UP, actor=actor, evidence_sha256=backup_sha256)


def held(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a message that is put under legal hold."""
    return pb.LogEntry(event=pb.LOG_EVENT_HELD, actor=actor, message_digest=digest, reason="hold_begun")


def hold_restored(*, actor: str, digest: bytes, lost_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a lost hold that is put back; ``lost_sha256`` commits to the lost answer that shows it."""
    return pb.LogEntry(
        event=pb.LOG_EVENT_HELD,
        actor=actor,
        message_digest=digest,
        reason="hold_restored",
        evidence_sha256=lost_sha256,
    )


def hold_released(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a message that is no longer under legal hold."""
    return pb.LogEntry(event=pb.LOG_EVENT_HELD, actor=actor, message_digest=digest, reason="hold_lifted")


def review_kept(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a reviewed message that is kept until another review date."""
    return pb.LogEntry(event=pb.LOG_EVENT_REVIEWED, actor=actor, message_digest=digest, reason="review_kept")


def review_erased(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a message whose own copy is to be erased."""
    return pb.LogEntry(event=pb.LOG_EVENT_REVIEWED, actor=actor, message_digest=digest, reason="review_erased")


def retired(*, actor: str) -> pb.LogEntry:
    """Build the entry of old entries and headers that were replaced by their hashes."""
    return pb.LogEntry(event=pb.LOG_EVENT_RETIRED, actor=actor)


def answered(*, actor: str, recipient: str, answer: pb.LogEntry, answer_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a recipient's RECEIVED or REFUSED entry that was verified and stored."""
    digest, part = answer.message_digest, part_number(answer)
    if answer.event == pb.LOG_EVENT_RECEIVED:
        return delivered(actor=actor, recipient=recipient, digest=digest, answer_sha256=answer_sha256, part_number=part)
    return delivery_refused(
        actor=actor,
        recipient=recipient,
        digest=digest,
        reason=answer.reason,
        answer_sha256=answer_sha256,
        part_number=part,
    )


def signers(entry: pb.LogEntry) -> list[pb.LoggedSigner]:
    """Return those who signed what was submitted, approved or released."""
    return list(entry.signers)


def thread_name(entry: pb.LogEntry) -> str:
    """Return the name of the thread that a released message opens; empty otherwise."""
    return entry.thread_name


def part_number(entry: pb.LogEntry) -> int | None:
    """Return the part the entry is about; None for the message as a whole."""
    return entry.part_number if entry.HasField("part_number") else None
