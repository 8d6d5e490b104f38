"""The output of `--json`: our records as plain objects. Field names are a contract, like the names of the commands.

Contents have the form of the JSON Schema of their kind (`paiza_domain.json_form.values.to_object`).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from paiza.content.v1.attachment_info_pb2 import AttachmentInfo
from paiza.core.v1 import message_pb2
from paiza_client.sdk.model import AttachmentStatus, Delivery, LeftOut, MessageSummary
from paiza_client.verify.model import LogState, OpenedPart, Outcome, Proof
from paiza_domain.i18n import LANGUAGES
from paiza_domain.json_form.values import attachment_object
from paiza_domain.schema import subjects

if TYPE_CHECKING:
    from paiza_client.compose.composer import Sealed  # brings the register and TUF, which not every command needs
    from paiza_client.verify.log_query_checks import CountsReply

URGENCIES: Final = {number: name.removeprefix("URGENCY_") for name, number in message_pb2.Urgency.items()}
PARTS: Final = {
    message_pb2.PART_KIND_MAIN: "main",
    message_pb2.PART_KIND_NOMINAL_ANNEX: "annex",
    message_pb2.PART_KIND_ATTACHMENT: "attachment",
}


def value(unknown: object) -> str:
    """Encode what JSON has no form for: times in UTC, bytes in hex."""
    if isinstance(unknown, datetime):
        return unknown.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(unknown, bytes):
        return unknown.hex()
    return str(unknown)


def header(parsed: message_pb2.Header) -> dict[str, Any]:
    """Describe a signed header."""
    return {
        "id": parsed.message_id.hex(),
        "thread_id": parsed.thread_id.hex(),
        "parents": [digest.hex() for digest in parsed.parent_digests],
        "kind": parsed.kind,
        "kind_version": parsed.kind_version,
        "exercise": parsed.exercise,
        "author": parsed.author,
        "signers": [{"id": signer.id, "role": signer.role} for signer in parsed.required_signers],
        "recipients": [
            {"member": recipient.member, "attention": recipient.attention} for recipient in parsed.recipients
        ],
        "time": parsed.author_time.ToDatetime(tzinfo=UTC),
        "urgency": URGENCIES.get(parsed.urgency, str(parsed.urgency)),
        "urgency_reason": parsed.urgency_reason,
        "handling": marks(parsed.handling),
        "legal_bases": list(parsed.legal_bases),
        "review_time": parsed.review_time.ToDatetime(tzinfo=UTC),
        "parts": [
            {"number": number, "kind": PARTS.get(part.kind, "unknown"), "size": part.ciphertext_size}
            for number, part in enumerate(parsed.parts)
        ],
    }


def marks(handling: message_pb2.Handling) -> dict[str, Any]:
    """Return the marks of a message that are set, as a draft has them."""
    return {field.name: list(value) if field.is_repeated else value for field, value in handling.ListFields()}


def summary(listed: MessageSummary) -> dict[str, Any]:
    """Describe a listed message."""
    return {
        **header(listed.header),
        "digest": listed.digest,
        "thread": listed.thread_name,
        "box": "inbox" if listed.received else "sent",
        "stored_time": listed.stored_time,
        "unread": listed.received and not listed.opened_by_caller,
        "opened": listed.opened,
        "deliveries": [delivery(each) for each in listed.deliveries],
        "sequence": listed.sequence,
        "attachments": [attachment_standing(each) for each in listed.attachments],
        "erased": listed.erased,
        "recalled_by": list(listed.recalled_by),
        "corrected_by": list(listed.corrected_by),
        "replaced_by": listed.replaced_by,
        "linked": listed.linked,
        "subject": {lang: subjects.text(listed.subject, lang) for lang in LANGUAGES},
    }


def delivery(at: Delivery) -> dict[str, Any]:
    """Describe where a message stands at one recipient."""
    return {
        "recipient": at.recipient,
        "state": at.state,
        "reason": at.reason,
        "detail": at.detail,
        "attempts": at.attempts,
        "settled_time": at.settled_time,
    }


def attachment_standing(at: AttachmentStatus) -> dict[str, Any]:
    """Describe where an attachment stands at one member."""
    return {
        "part": at.part_number,
        "size": at.size,
        "member": at.member,
        "state": at.state,
        "reason": at.reason,
        "settled_time": at.settled_time,
    }


def saved(info: AttachmentInfo, path: Path) -> dict[str, Any]:
    """Describe an attachment that was saved."""
    return {**attachment_object(info), "path": str(path)}


def proof(proven: Proof) -> dict[str, Any]:
    """Describe a proven log entry."""
    return {
        "event": proven.event,
        "member": proven.member,
        "counterpart": proven.counterpart,
        "time": proven.time,
        "actor": proven.actor,
        "reason": proven.reason,
        "log": proven.origin,
        "index": proven.index,
        "tree_size": proven.tree_size,
        "part": proven.part_number,
        "without_annex": proven.without_annex,
    }


def opened(part: OpenedPart) -> dict[str, Any]:
    """Describe an opened part but for its content."""
    signers = zip(part.message.header.required_signers, part.message.signers, strict=True)
    return {
        **header(part.message.header),
        "digest": part.message.digest,
        "thread": part.thread_name,
        "part": part.part_number,
        "verified": {
            "signers": [
                {"id": signer.id, "role": signer.role, "certificate_sha256": certificate.fingerprint}
                for signer, certificate in signers
            ],
            "released": [proof(each) for each in part.released],
            "answers": [proof(each) for each in part.answers],
            "opened": proof(part.opened),
        },
    }


def outcome(sealed: "Sealed", result: Outcome) -> dict[str, Any]:
    """Describe what became of a message that was sent."""
    return {
        "id": sealed.id,
        "digest": result.digest or sealed.digest,
        "state": result.state,
        "repeated": result.repeated,
        "thread": result.thread_name,
        "reason": result.reason,
        "detail": result.detail,
        "earlier": result.earlier,
        "released": [proof(each) for each in result.proofs if each.event == "RELEASED"],
        "missing": list(result.missing),
        "expires_time": result.expires_time,
    }


def counts_reply(told: "CountsReply") -> dict[str, Any]:
    """Describe what a member says it exchanged."""
    return {
        "member": told.member,
        "since": told.since,
        "until": told.until,
        "only_with_own": told.only_with_asker,
        "counts": [
            {
                "with": each.counterpart,
                "sent": each.sent,
                "receipted": each.receipted,
                "refused": each.refused,
                "overdue": each.overdue,
                "received": each.received,
                "refused_here": each.refused_here,
            }
            for each in told.counts
        ],
        "consulted": proof(told.consulted),
    }


def left_out(found: LeftOut) -> list[dict[str, Any]]:
    """Describe what a result lacks: how many messages, by reason."""
    return [{"reason": reason, "detail": detail, "count": count} for (reason, detail), count in found.counts.items()]


def log_state(state: LogState) -> dict[str, Any]:
    """Describe what is known of a log."""
    return {
        "member": state.member,
        "log": state.origin,
        "size": state.size,
        "root": state.root,
        "accepted_time": state.accepted_time,
        "own": state.own,
        "witnessed_size": state.witnessed_size,
        "witnesses": list(state.witnesses),
        "unwitnessed_since": state.unwitnessed_since,
        "misbehaviour": list(state.misbehaviour),
        "ending_certificates": [
            {"officer": officer, "expiry_time": time} for officer, time in state.ending_certificates
        ],
    }
