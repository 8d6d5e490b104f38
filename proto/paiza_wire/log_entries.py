"""Log entries by event: one builder for each event, one accessor for each fact. No other module reads or writes them.

The ledger adds salt, time, register version and the digest of the text (`receipts.text_digest`). ``digest`` is that of
the message concerned; ``actor`` a SPIFFE ID or "os-user:NAME".
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import log_pb2 as pb

EVENTS: Final = frozenset(pb.LogEvent.values()) - {pb.LOG_EVENT_UNSPECIFIED}
_PREFIX: Final = "LOG_EVENT_"
_CASES: Final[Mapping[int, str]] = {event: pb.LogEvent.Name(event).removeprefix(_PREFIX).lower() for event in EVENTS}
LISTS: Final = frozenset({pb.LOG_EVENT_SUBJECTS_SHOWN, pb.LOG_EVENT_OPENED_TOGETHER, pb.LOG_EVENT_EXPORTED})
"""Events about several messages, to whose list the entry commits."""
_LISTED: Final = b"paiza/v1/listed-messages\n"
_DETAILS: Final[Mapping[int, type[Any]]] = {event: type(getattr(pb.LogEntry(), case)) for event, case in _CASES.items()}
_DIGESTS: Final[Mapping[int, Sequence[str]]] = {
    event: [field.name for field in detail.DESCRIPTOR.fields if field.type == FieldDescriptor.TYPE_BYTES]
    for event, detail in _DETAILS.items()
}
"""The fields of each event's detail that hold a digest."""
_HAVING: Final[Mapping[str, frozenset[int]]] = {
    name: frozenset(event for event, detail in _DETAILS.items() if name in detail.DESCRIPTOR.fields_by_name)
    for name in ("reason", "signers", "purpose", "without_annex", "request_digest")
}
"""The events whose detail has a field: to ask a message for one that it has not takes longer than to parse it."""


def submitted(*, actor: str, digest: bytes, signers: Iterable[pb.LoggedSigner]) -> pb.LogEntry:
    """Build the entry of a draft that awaits other officers; ``signers`` have signed."""
    return _entry(pb.LOG_EVENT_SUBMITTED, actor, digest, signers=signers)


def approved(*, actor: str, digest: bytes, signer: pb.LoggedSigner) -> pb.LogEntry:
    """Build the entry of a second officer's signature."""
    return _entry(pb.LOG_EVENT_APPROVED, actor, digest, signer=signer)


def released(
    *, actor: str, recipient: str, digest: bytes, signers: Iterable[pb.LoggedSigner], thread_name: str
) -> pb.LogEntry:
    """Build the entry of a release to one member; ``thread_name`` only if the message opens its thread."""
    return _entry(pb.LOG_EVENT_RELEASED, actor, digest, recipient, signers=signers, thread_name=thread_name)


def received(*, actor: str, source: str, digest: bytes, dispatch_sha256: bytes) -> pb.LogEntry:
    """Build the receipt of a message; ``dispatch_sha256`` commits to the RELEASED or FORWARDED entry it answers."""
    return _entry(pb.LOG_EVENT_RECEIVED, actor, digest, source, dispatch_sha256=dispatch_sha256)


def refused(*, actor: str, source: str, digest: bytes, reason: str, dispatch_sha256: bytes) -> pb.LogEntry:
    """Build the refusal of a message; ``dispatch_sha256`` commits to the RELEASED entry it answers."""
    return _entry(pb.LOG_EVENT_REFUSED, actor, digest, source, reason=reason, dispatch_sha256=dispatch_sha256)


def attachment_received(
    *, actor: str, source: str, digest: bytes, part_number: int, ciphertext_sha256: bytes
) -> pb.LogEntry:
    """Build the receipt of an attachment from ``source``."""
    return _entry(pb.LOG_EVENT_RECEIVED, actor, digest, source, attachment=_attachment(part_number, ciphertext_sha256))


def attachment_refused(
    *, actor: str, source: str, digest: bytes, part_number: int, reason: str, ciphertext_sha256: bytes
) -> pb.LogEntry:
    """Build the refusal of an attachment from ``source``."""
    return _entry(
        pb.LOG_EVENT_REFUSED,
        actor,
        digest,
        source,
        reason=reason,
        attachment=_attachment(part_number, ciphertext_sha256),
    )


def delivered(
    *, actor: str, recipient: str, digest: bytes, answer_sha256: bytes, part_number: int | None = None
) -> pb.LogEntry:
    """Build the entry of a receipt that was verified and stored.

    ``answer_sha256`` commits to the receipt; it is empty if an author recorded that its message was forwarded.
    """
    return _entry(
        pb.LOG_EVENT_DELIVERED, actor, digest, recipient, answer_sha256=answer_sha256, part_number=part_number
    )


def delivery_refused(
    *, actor: str, recipient: str, digest: bytes, reason: str, answer_sha256: bytes, part_number: int | None = None
) -> pb.LogEntry:
    """Build the entry of a refusal by a recipient; ``answer_sha256`` is empty if its log does not hold it."""
    return _entry(
        pb.LOG_EVENT_DELIVERY_REFUSED,
        actor,
        digest,
        recipient,
        reason=reason,
        answer_sha256=answer_sha256,
        part_number=part_number,
    )


def opened(*, actor: str, digest: bytes, part_number: int) -> pb.LogEntry:
    """Build the entry of a part that an officer opened."""
    return _entry(pb.LOG_EVENT_OPENED, actor, digest, part_number=part_number)


def subjects_shown(*, actor: str, digests: Collection[bytes]) -> pb.LogEntry:
    """Build the entry of subjects that are shown to an officer in a list."""
    return _entry(
        pb.LOG_EVENT_SUBJECTS_SHOWN, actor, messages_sha256=listed_sha256(digests), message_count=len(digests)
    )


def opened_together(*, actor: str, digests: Collection[bytes]) -> pb.LogEntry:
    """Build the entry of main parts that an officer opened together."""
    return _entry(
        pb.LOG_EVENT_OPENED_TOGETHER, actor, messages_sha256=listed_sha256(digests), message_count=len(digests)
    )


def listed_sha256(digests: Iterable[bytes]) -> bytes:
    """Commit to a set of messages; their order does not matter."""
    return sha256(_LISTED + b"".join(sorted(digests))).digest()


def commits_to(entry: pb.LogEntry, digests: Sequence[bytes]) -> bool:
    """Return whether these are the messages of an entry about several, sorted and without repetition."""
    detail = _detail(entry)
    if entry.event not in LISTS or list(digests) != sorted(set(digests)):
        return False
    return (len(digests), listed_sha256(digests)) == (detail.message_count, detail.messages_sha256)


def exported(
    *, actor: str, digests: Collection[bytes], purpose: str, grant_digest: bytes, without_annex: bool
) -> pb.LogEntry:
    """Build the entry of contents that leave the system as a file; ``grant_digest`` is empty if none is needed."""
    return _entry(
        pb.LOG_EVENT_EXPORTED,
        actor,
        purpose=purpose,
        grant_digest=grant_digest,
        without_annex=without_annex,
        messages_sha256=listed_sha256(digests),
        message_count=len(digests),
    )


def forwarded(
    *, actor: str, recipient: str, digest: bytes, purpose: str, grant_digest: bytes, without_annex: bool
) -> pb.LogEntry:
    """Build the entry of a message that is forwarded to one member; ``grant_digest`` is empty if none is needed."""
    return _entry(
        pb.LOG_EVENT_FORWARDED,
        actor,
        digest,
        recipient,
        purpose=purpose,
        grant_digest=grant_digest,
        without_annex=without_annex,
    )


def recalled(*, actor: str, author: str, digest: bytes, recall_digest: bytes) -> pb.LogEntry:
    """Build the entry of a message that its author recalled."""
    return _entry(pb.LOG_EVENT_RECALLED, actor, digest, author, recall_digest=recall_digest)


def erased(*, actor: str, requester: str, digest: bytes, request_digest: bytes) -> pb.LogEntry:
    """Build the entry of erased content; requester and request are empty after a review."""
    return _entry(pb.LOG_EVENT_ERASED, actor, digest, requester, request_digest=request_digest)


def never_held(*, actor: str, requester: str, digest: bytes, request_digest: bytes) -> pb.LogEntry:
    """Build the answer to a request to erase a message that was never held here."""
    return _entry(pb.LOG_EVENT_NEVER_HELD, actor, digest, requester, request_digest=request_digest)


def erasure_denied(*, actor: str, requester: str, digest: bytes, request_digest: bytes) -> pb.LogEntry:
    """Build the answer to a request to erase a message under legal hold."""
    return _entry(pb.LOG_EVENT_ERASURE_DENIED, actor, digest, requester, request_digest=request_digest)


def erasure_answered(*, actor: str, holder: str, answer: pb.LogEntry, answer_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a holder's answer to our request, verified and stored."""
    return _entry(
        pb.LOG_EVENT_ERASURE_ANSWERED,
        actor,
        answer.message_digest,
        holder,
        answer=answer.event,
        answer_sha256=answer_sha256,
    )


def denied(*, actor: str, reason: str, digest: bytes = b"", counterpart: str = "") -> pb.LogEntry:
    """Build the entry of an action that the policy denied the actor."""
    return _entry(pb.LOG_EVENT_DENIED, actor, digest, counterpart, reason=reason)


def forwarding_denied(*, actor: str, forwarder: str, digest: bytes, reason: str, dispatch_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a forwarded message that was not accepted; ``actor`` forwarded it."""
    return _entry(pb.LOG_EVENT_DENIED, actor, digest, forwarder, reason=reason, dispatch_sha256=dispatch_sha256)


def officer_invited(*, actor: str, invitation_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an invitation to enrol as an officer."""
    return _entry(pb.LOG_EVENT_OFFICER_INVITED, actor, invitation_sha256=invitation_sha256)


def officer_certified(
    *,
    actor: str,
    signing_certificate_sha256: bytes,
    authentication_certificate_sha256: bytes,
    invitation_sha256: bytes = b"",
    renewal_sha256: bytes = b"",
) -> pb.LogEntry:
    """Build the entry of an officer's two new certificates, and of the invitation or renewal that they answer."""
    return _entry(
        pb.LOG_EVENT_OFFICER_CERTIFIED,
        actor,
        signing_certificate_sha256=signing_certificate_sha256,
        authentication_certificate_sha256=authentication_certificate_sha256,
        invitation_sha256=invitation_sha256,
        renewal_sha256=renewal_sha256,
    )


def officer_confirmed(
    *, actor: str, authentication_certificate_sha256: bytes, signing_certificate_sha256: bytes
) -> pb.LogEntry:
    """Build the entry of an officer whose new keys were compared by telephone."""
    return _entry(
        pb.LOG_EVENT_OFFICER_CONFIRMED,
        actor,
        authentication_certificate_sha256=authentication_certificate_sha256,
        signing_certificate_sha256=signing_certificate_sha256,
    )


def officer_changed(*, actor: str, signing_certificate_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an officer's changed roles or unit; the certificate is their newest."""
    return _entry(pb.LOG_EVENT_OFFICER_CHANGED, actor, signing_certificate_sha256=signing_certificate_sha256)


def officer_suspended(
    *, actor: str, signing_certificate_sha256: bytes, certificates_revoked: bool = False
) -> pb.LogEntry:
    """Build the entry of a suspended officer; the certificate is their newest."""
    return _entry(
        pb.LOG_EVENT_OFFICER_SUSPENDED,
        actor,
        signing_certificate_sha256=signing_certificate_sha256,
        certificates_revoked=certificates_revoked,
    )


def officer_reinstated(*, actor: str, signing_certificate_sha256: bytes) -> pb.LogEntry:
    """Build the entry of the end of an officer's suspension; the certificate is their newest."""
    return _entry(pb.LOG_EVENT_OFFICER_REINSTATED, actor, signing_certificate_sha256=signing_certificate_sha256)


def officer_removed(*, actor: str, signing_certificate_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an officer who left; the certificate is their newest."""
    return _entry(pb.LOG_EVENT_OFFICER_REMOVED, actor, signing_certificate_sha256=signing_certificate_sha256)


def deputy_appointed(
    *, actor: str, officer_certificate_sha256: bytes, deputy_certificate_sha256: bytes, end_time: datetime
) -> pb.LogEntry:
    """Build the entry of an officer's deputy until a time; the certificates are the newest of both."""
    until = Timestamp()
    until.FromDatetime(end_time)
    return _entry(
        pb.LOG_EVENT_DEPUTY_APPOINTED,
        actor,
        officer_certificate_sha256=officer_certificate_sha256,
        deputy_certificate_sha256=deputy_certificate_sha256,
        end_time=until,
    )


def deputy_ended(*, actor: str, officer_certificate_sha256: bytes, deputy_certificate_sha256: bytes) -> pb.LogEntry:
    """Build the entry of the end of an appointment; the certificates are the newest of both officers."""
    return _entry(
        pb.LOG_EVENT_DEPUTY_ENDED,
        actor,
        officer_certificate_sha256=officer_certificate_sha256,
        deputy_certificate_sha256=deputy_certificate_sha256,
    )


def shift_noted(*, actor: str) -> pb.LogEntry:
    """Build the entry of a note that an officer leaves for their unit."""
    return _entry(pb.LOG_EVENT_SHIFT_NOTED, actor)


def shift_handed_over(*, actor: str) -> pb.LogEntry:
    """Build the entry of a shift that is handed over."""
    return _entry(pb.LOG_EVENT_SHIFT_HANDED_OVER, actor)


def officer_renewal(*, actor: str, request_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an officer's request for new certificates."""
    return _entry(pb.LOG_EVENT_OFFICER_RENEWAL, actor, request_sha256=request_sha256)


def directory_changed(*, actor: str, file_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a new directory of the own member's liaison officers."""
    return _entry(pb.LOG_EVENT_DIRECTORY_CHANGED, actor, file_sha256=file_sha256)


def key_announced(*, actor: str, key_sha256: bytes, kind: str) -> pb.LogEntry:
    """Build the entry of a new key or CA of the own member; ``kind`` is for example "tls" or "node-ca"."""
    return _entry(pb.LOG_EVENT_KEY_ANNOUNCED, actor, key_sha256=key_sha256, kind=kind)


def node_certified(*, actor: str, certificate_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a certificate that the issuer made for the own node."""
    return _entry(pb.LOG_EVENT_NODE_CERTIFIED, actor, certificate_sha256=certificate_sha256)


def key_added(*, actor: str, vkey_sha256: bytes) -> pb.LogEntry:
    """Build the entry of the key that signs this log from this entry on."""
    return _entry(pb.LOG_EVENT_KEY_ADDED, actor, vkey_sha256=vkey_sha256)


def register_updated() -> pb.LogEntry:
    """Build the entry of a register set that comes into force; the ledger adds its version."""
    return _entry(pb.LOG_EVENT_REGISTER_UPDATED)


def config_changed(*, actor: str, config_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a start with another configuration."""
    return _entry(pb.LOG_EVENT_CONFIG_CHANGED, actor, config_sha256=config_sha256)


def fork_found(*, member: str, notes_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a member's log that is forked; ``notes_sha256`` commits to the two notes that prove it."""
    return _entry(pb.LOG_EVENT_FORK_FOUND, counterpart=member, notes_sha256=notes_sha256)


def trust_restored(*, actor: str, member: str, notes_sha256: bytes) -> pb.LogEntry:
    """Build the entry of an administrator's decision to trust a forked log again."""
    return _entry(pb.LOG_EVENT_TRUST_RESTORED, actor, counterpart=member, notes_sha256=notes_sha256)


def default_found(*, member: str, notes_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a member's log that is in default; ``notes_sha256`` commits to the unproven notes."""
    return _entry(pb.LOG_EVENT_DEFAULT_FOUND, counterpart=member, notes_sha256=notes_sha256)


def default_ended(*, member: str, notes_sha256: bytes, forked: bool) -> pb.LogEntry:
    """Build the entry of a default that has ended; ``forked``: the log was found to be forked instead of proven."""
    return _entry(pb.LOG_EVENT_DEFAULT_ENDED, counterpart=member, notes_sha256=notes_sha256, forked=forked)


def expired(*, actor: str, recipient: str, digest: bytes, reason: str, part_number: int | None = None) -> pb.LogEntry:
    """Build the entry of an abandoned delivery; for an attachment, ``recipient`` is the member to serve it."""
    return _entry(pb.LOG_EVENT_EXPIRED, actor, digest, recipient, reason=reason, part_number=part_number)


def searched(*, actor: str) -> pb.LogEntry:
    """Build the entry of a search for a person, telephone, document or account."""
    return _entry(pb.LOG_EVENT_SEARCHED, actor)


def declined(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a second officer's refusal to sign."""
    return _entry(pb.LOG_EVENT_DECLINED, actor, digest)


def withdrawn(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a pending message that its drafter withdrew."""
    return _entry(pb.LOG_EVENT_WITHDRAWN, actor, digest)


def lapsed(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a pending message that was not decided in time."""
    return _entry(pb.LOG_EVENT_LAPSED, actor, digest)


def assigned(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a task that is assigned to a unit or an officer."""
    return _entry(pb.LOG_EVENT_ASSIGNED, actor, digest)


def acknowledged(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a task that an officer acknowledged."""
    return _entry(pb.LOG_EVENT_ACKNOWLEDGED, actor, digest)


def escalated(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a task that is escalated because it was not acknowledged in time."""
    return _entry(pb.LOG_EVENT_ESCALATED, actor, digest)


def done(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a completed task."""
    return _entry(pb.LOG_EVENT_DONE, actor, digest)


def reconciled(*, actor: str, member: str, period_digest: bytes) -> pb.LogEntry:
    """Build the entry of a period on which two members agree."""
    return _entry(pb.LOG_EVENT_RECONCILED, actor, counterpart=member, period_digest=period_digest)


def consulted(
    *,
    actor: str,
    member: str = "",
    digest: bytes = b"",
    question_sha256: bytes = b"",
    answer_sha256: bytes = b"",
) -> pb.LogEntry:
    """Build the entry of a consultation of a log.

    ``question_sha256`` commits to the query of our officer to ``member``, ``answer_sha256`` to query and answer if
    ``member`` queried us; neither is set if an officer reads our own log.
    """
    return _entry(
        pb.LOG_EVENT_CONSULTED, actor, digest, member, question_sha256=question_sha256, answer_sha256=answer_sha256
    )


def audit_granted(*, actor: str, member: str, grant_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a grant to see entries of this log."""
    return _entry(pb.LOG_EVENT_AUDIT_GRANTED, actor, counterpart=member, grant_sha256=grant_sha256)


def audit_withdrawn(*, actor: str, member: str, grant_sha256: bytes, replaced: bool) -> pb.LogEntry:
    """Build the entry of a grant that ends before its time; ``replaced``: by another grant."""
    return _entry(pb.LOG_EVENT_AUDIT_WITHDRAWN, actor, counterpart=member, grant_sha256=grant_sha256, replaced=replaced)


def peer_blocked(*, actor: str, member: str) -> pb.LogEntry:
    """Build the entry of an operator's block of a member."""
    return _entry(pb.LOG_EVENT_PEER_BLOCKED, actor, counterpart=member)


def peer_unblocked(*, actor: str, member: str) -> pb.LogEntry:
    """Build the entry of the end of a member's block."""
    return _entry(pb.LOG_EVENT_PEER_UNBLOCKED, actor, counterpart=member)


def log_continued(*, actor: str, shown_by: str, note_sha256: bytes) -> pb.LogEntry:
    """Build the first entry of a log that continues a lost one; ``note_sha256`` is of that one's largest checkpoint."""
    return _entry(pb.LOG_EVENT_LOG_CONTINUED, actor, counterpart=shown_by, note_sha256=note_sha256)


def recovered(*, actor: str, member: str, digest: bytes, lost_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a lost entry that ``member`` returned; ``lost_sha256`` commits to it and its checkpoint."""
    return _entry(pb.LOG_EVENT_RECOVERED, actor, digest, member, lost_sha256=lost_sha256)


def backed_up(*, actor: str, backup_id: bytes) -> pb.LogEntry:
    """Build the entry of a copy of the database; ``backup_id`` is that of its manifest."""
    return _entry(pb.LOG_EVENT_BACKED_UP, actor, backup_id=backup_id)


def held(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a message that is put under legal hold."""
    return _entry(pb.LOG_EVENT_HELD, actor, digest)


def hold_restored(*, actor: str, digest: bytes, lost_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a lost hold that is put back; ``lost_sha256`` commits to the lost answer that proves it."""
    return _entry(pb.LOG_EVENT_HELD, actor, digest, lost_sha256=lost_sha256)


def hold_released(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a message that is released from legal hold."""
    return _entry(pb.LOG_EVENT_HOLD_RELEASED, actor, digest)


def review_kept(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a reviewed message that is kept until another review date."""
    return _entry(pb.LOG_EVENT_REVIEW_KEPT, actor, digest)


def review_erased(*, actor: str, digest: bytes) -> pb.LogEntry:
    """Build the entry of a message whose own copy is to be erased."""
    return _entry(pb.LOG_EVENT_REVIEW_ERASED, actor, digest)


def retired(*, actor: str) -> pb.LogEntry:
    """Build the entry of old entries and headers that were replaced by their hashes."""
    return _entry(pb.LOG_EVENT_RETIRED, actor)


def proposal_signed(
    *, actor: str, member: str, proposal_sha256: bytes, key_sha256: bytes, signed_sha256: bytes
) -> pb.LogEntry:
    """Build the entry of a signature on a proposal, by a key of ``member``; ``signed_sha256`` is of the metadata."""
    return _entry(
        pb.LOG_EVENT_PROPOSAL_SIGNED,
        actor,
        counterpart=member,
        proposal_sha256=proposal_sha256,
        key_sha256=key_sha256,
        signed_sha256=signed_sha256,
    )


def proposal_refused(
    *, actor: str, member: str, proposal_sha256: bytes, key_sha256: bytes, signed_sha256: bytes
) -> pb.LogEntry:
    """Build the entry of a custodian's refusal of a proposal; ``signed_sha256`` is of what was not signed."""
    return _entry(
        pb.LOG_EVENT_PROPOSAL_REFUSED,
        actor,
        counterpart=member,
        proposal_sha256=proposal_sha256,
        key_sha256=key_sha256,
        signed_sha256=signed_sha256,
    )


def proposal_published(*, actor: str, proposal_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a proposal that the register in force contains; the ledger adds its version."""
    return _entry(pb.LOG_EVENT_PROPOSAL_PUBLISHED, actor, proposal_sha256=proposal_sha256)


def proposal_dropped(*, actor: str, proposal_sha256: bytes, refused: bool) -> pb.LogEntry:
    """Build the entry of a proposal that can no longer be published: ``refused``, or the register changed."""
    return _entry(pb.LOG_EVENT_PROPOSAL_DROPPED, actor, proposal_sha256=proposal_sha256, refused=refused)


def answered(*, actor: str, recipient: str, answer: pb.LogEntry, answer_sha256: bytes) -> pb.LogEntry:
    """Build the entry of a recipient's RECEIVED or REFUSED entry that was verified and stored."""
    digest, part = answer.message_digest, part_number(answer)
    if answer.event == pb.LOG_EVENT_RECEIVED:
        return delivered(actor=actor, recipient=recipient, digest=digest, answer_sha256=answer_sha256, part_number=part)
    return delivery_refused(
        actor=actor,
        recipient=recipient,
        digest=digest,
        reason=reason(answer),
        answer_sha256=answer_sha256,
        part_number=part,
    )


def event_name(event: int) -> str:
    """Return the display name of an event, such as "RELEASED"; its number if it has none."""
    return _CASES[event].upper() if event in _CASES else str(event)


def is_of_its_event(entry: pb.LogEntry) -> bool:
    """Return whether the entry's event is known and its detail is the one of that event."""
    case = entry.WhichOneof("detail")
    return case is not None and case == _CASES.get(entry.event)


def reason(entry: pb.LogEntry) -> str:
    """Return the reason code of a refusal, a denial or an abandoned delivery; empty for any other event."""
    return str(_field(entry, "reason", absent=""))


def signers(entry: pb.LogEntry) -> list[pb.LoggedSigner]:
    """Return the signers of a submitted, approved or released message."""
    if entry.event == pb.LOG_EVENT_APPROVED:
        return [entry.approved.signer]
    return list(_field(entry, "signers", absent=()))


def signer_count(entry: pb.LogEntry) -> int:
    """Return how many `signers` an entry has; to count them takes less than half of the time of listing them."""
    return 1 if entry.event == pb.LOG_EVENT_APPROVED else len(_field(entry, "signers", absent=()))


def purpose(entry: pb.LogEntry) -> str:
    """Return the code of the purpose of a forwarding or an export; empty for any other event."""
    return str(_field(entry, "purpose", absent=""))


def without_annex(entry: pb.LogEntry) -> bool:
    """Return whether a forwarding or an export left the nominal annex out; False for any other event."""
    return bool(_field(entry, "without_annex", absent=False))


def request_digest(entry: pb.LogEntry) -> bytes:
    """Return the digest of the request that a holder's answer to it names; empty for any other event."""
    return bytes(_field(entry, "request_digest", absent=b""))


def part_number(entry: pb.LogEntry) -> int | None:
    """Return the part that the entry is about; None for the message as a whole."""
    detail = _detail(entry)
    if isinstance(detail, pb.OpenedDetail):
        return detail.part_number
    if isinstance(detail, (pb.ReceivedDetail, pb.RefusedDetail)):
        return detail.attachment.part_number if detail.HasField("attachment") else None
    if isinstance(detail, (pb.DeliveredDetail, pb.DeliveryRefusedDetail, pb.ExpiredDetail)):
        return detail.part_number if detail.HasField("part_number") else None
    return None


def digests(entry: pb.LogEntry) -> list[bytes]:
    """Return every digest in the detail of an entry, also those that are empty."""
    names = _DIGESTS.get(entry.event)
    if not names:
        return []
    detail = _detail(entry)
    found = [getattr(detail, name) for name in names]
    if isinstance(detail, (pb.ReceivedDetail, pb.RefusedDetail)):
        found.append(detail.attachment.ciphertext_sha256)
    return found


def _entry(
    event: "pb.LogEvent.ValueType", actor: str = "", digest: bytes = b"", counterpart: str = "", **detail: Any
) -> pb.LogEntry:
    """Build an entry; ``detail`` are the fields of its event's detail, which is set also if it has none."""
    case = {_CASES[event]: _DETAILS[event](**detail)}
    return pb.LogEntry(event=event, actor=actor, message_digest=digest, counterpart=counterpart, **case)


def _detail(entry: pb.LogEntry) -> Any:
    """Return the detail of the entry's event; None if the event is not known."""
    case = _CASES.get(entry.event)
    return getattr(entry, case) if case else None


def _field(entry: pb.LogEntry, name: str, *, absent: Any) -> Any:
    """Return a field of the detail of the entry's event; ``absent`` if that detail has none of this name."""
    return getattr(_detail(entry), name) if entry.event in _HAVING[name] else absent


def _attachment(part_number: int, ciphertext_sha256: bytes) -> pb.LoggedAttachment:
    return pb.LoggedAttachment(part_number=part_number, ciphertext_sha256=ciphertext_sha256)
