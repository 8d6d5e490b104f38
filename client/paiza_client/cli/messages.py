"""How messages are named and shown: ids shortened by the officer, rows of lists, an opened part with its proofs."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from paiza.core.v1 import message_pb2
from paiza_client.cli import classification
from paiza_client.cli.as_json import URGENCIES
from paiza_client.cli.terminal import Terminal, lang
from paiza_client.data.exports import marks
from paiza_client.errors import FieldProblem, Refused
from paiza_client.language import N_, _
from paiza_client.sdk.model import Delivery, MessageSummary
from paiza_client.verify.model import OpenedPart, Proof
from paiza_domain import kinds
from paiza_domain.schema import subjects
from paiza_domain.schema.kind import Kind
from paiza_wire.errors import Rejected

if TYPE_CHECKING:
    from paiza_client.sdk import Session

SHORT_ID: Final = 18  # hex digits shown in lists: 48 bits of time, and 20 bits that are random
MAX_CANDIDATES: Final = 20  # messages named when an id is not unique

_HEX: Final = re.compile(r"[0-9a-f]{4,64}\Z")
_THREAD: Final = re.compile(r"[A-Z][A-Z0-9-]{1,15}-[0-9]{4}-[0-9]{1,9}\Z")
_STATES: Final = {
    "waiting": N_("waiting"),
    "delivered": N_("delivered"),
    "refused": N_("refused"),
    "rejected": N_("rejected"),
    "expired": N_("expired"),
    "dropped": N_("dropped"),
    "unknown": N_("unknown"),
}
_URGENCIES: Final = {
    "FLASH": N_("FLASH"),
    "URGENT": N_("URGENT"),
    "PRIORITY": N_("priority"),
    "ROUTINE": N_("routine"),
    "INFORMATION": N_("information"),
}
_EVENTS: Final = {
    "SUBMITTED": N_("submitted"),
    "APPROVED": N_("approved"),
    "RELEASED": N_("released"),
    "RECEIVED": N_("received"),
    "DELIVERED": N_("delivered"),
    "REFUSED": N_("refused"),
    "DELIVERY_REFUSED": N_("refused by the recipient"),
    "OPENED": N_("opened"),
    "OPENED_TOGETHER": N_("opened with others"),
    "SUBJECTS_SHOWN": N_("subject shown"),
    "EXPORTED": N_("exported"),
    "EXPIRED": N_("given up"),
    "DENIED": N_("denied"),
    "DECLINED": N_("not signed"),
    "WITHDRAWN": N_("taken back before it was signed"),
    "LAPSED": N_("not signed in time"),
    "ASSIGNED": N_("given to"),
    "ACKNOWLEDGED": N_("acknowledged"),
    "ESCALATED": N_("passed on, unacknowledged"),
    "DONE": N_("done"),
    "RECALLED": N_("recalled"),
    "FORWARDED": N_("passed on"),
    "SEARCHED": N_("searched"),
    "ERASED": N_("erased"),
    "NEVER_HELD": N_("never held"),
    "ERASURE_DENIED": N_("not erased: legal hold"),
    "ERASURE_ANSWERED": N_("answer to a request to erase"),
    "HELD": N_("legal hold"),
    "HOLD_RELEASED": N_("legal hold released"),
    "REVIEW_KEPT": N_("reviewed and kept"),
    "REVIEW_ERASED": N_("reviewed, own copy erased"),
    "CONSULTED": N_("looked into the log"),
    "RETIRED": N_("retention ended"),
    "OFFICER_CERTIFIED": N_("officer certified"),
    "OFFICER_CHANGED": N_("officer changed"),
    "OFFICER_SUSPENDED": N_("officer suspended"),
    "KEY_ADDED": N_("key added"),
    "REGISTER_UPDATED": N_("register updated"),
    "CONFIG_CHANGED": N_("configuration changed"),
    "FORK_FOUND": N_("fork found"),
    "TRUST_RESTORED": N_("trust restored"),
    "DEFAULT_FOUND": N_("in default"),
    "DEFAULT_ENDED": N_("default ended"),
    "RECONCILED": N_("period agreed"),
    "AUDIT_GRANTED": N_("audit grant"),
    "AUDIT_WITHDRAWN": N_("audit grant ended"),
    "LOG_CONTINUED": N_("log continued"),
    "RECOVERED": N_("recovered"),
    "BACKED_UP": N_("backed up"),
}
_UNKNOWN_PART: Final = N_("unknown part")
_PART_NAMES: Final = {
    message_pb2.PART_KIND_MAIN: N_("main part"),
    message_pb2.PART_KIND_NOMINAL_ANNEX: N_("nominal annex"),
    message_pb2.PART_KIND_ATTACHMENT: N_("attachment"),
}


async def matching(session: "Session", text: str) -> tuple[MessageSummary, ...]:
    """Find the messages an officer means: by (the beginning of) an id or digest, or by a thread's short name."""
    wanted = text.strip().replace("-", "").lower()
    if _THREAD.match(text.strip().upper()):
        prefix = text.strip().upper()
    elif _HEX.match(wanted):
        prefix = wanted
    else:
        raise Refused("unknown_id", text)
    page = await session.list_messages(box="both", id_prefix=prefix, page_size=MAX_CANDIDATES)
    if not page.messages:
        raise Refused("unknown_id", text)
    return page.messages


async def one(session: "Session", text: str) -> MessageSummary:
    """Find the one message an officer means; a thread's name means the message where the thread has only one."""
    found = await matching(session, text)
    if len(found) > 1:
        exact = [each for each in found if each.id == text.replace("-", "").lower()]
        if len(exact) == 1:
            return exact[0]
        problems = [
            FieldProblem(each.id, f"{each.header.kind}, {each.header.author}, {when(each.stored_time)}")
            for each in found
        ]
        raise Refused("ambiguous_id", text, problems=problems)
    return found[0]


def listing(
    terminal: Terminal,
    messages: Sequence[MessageSummary],
    *,
    sent: bool = False,
    remarks: Mapping[bytes, str] = MappingProxyType({}),
) -> None:
    """Print messages as a table; ``remarks`` are told of the message with that digest beside its state."""
    columns = [_("Id"), _("Thread"), _("Stored"), _("Urgency"), _("Kind"), _("Subject"), _("From"), _("To")]
    columns.append(_("Delivery") if sent else _("State"))
    rows = [
        (
            each.id[:SHORT_ID],
            each.thread_name,
            when(each.stored_time),
            urgency(each.header),
            kind_title(each.header),
            subjects.text(each.subject, lang()),
            each.header.author,
            recipients(each.header),
            "; ".join(
                filter(
                    None,
                    (
                        mark(each),
                        _deliveries(each) if not each.received else _state(each),
                        remarks.get(each.digest, ""),
                        _attachments(each),
                    ),
                )
            ),
        )
        for each in messages
    ]
    terminal.table(columns, rows, empty=_("No messages."))


def _attachments(message: MessageSummary) -> str:
    """Return how many of a message's attachments are where they should be; nothing where it has none."""
    if not message.attachments:
        return ""
    whole = sum(each.state == "received" for each in message.attachments)
    failed = sum(each.state in ("refused", "expired") for each in message.attachments)
    text = _("attachments: {whole} of {all}").format(whole=whole, all=len(message.attachments))
    return text + (" " + _("({n} failed)").format(n=failed) if failed else "")


def header_rows(header: message_pb2.Header, thread_name: str) -> list[tuple[str, str]]:
    """Describe a header for reading."""
    rows = [
        (_("Kind"), kind_title(header)),
        (_("Id"), header.message_id.hex()),
        (_("Thread"), thread_name),
        (_("From"), f"{header.author}: " + ", ".join(f"{s.id} ({s.role})" for s in header.required_signers)),
        (_("To"), recipients(header)),
        (_("Written"), when(header.author_time.ToDatetime(tzinfo=UTC))),
        (_("Urgency"), " — ".join(filter(None, (urgency(header), _code("urgency_reason", header.urgency_reason))))),
        (_("Handling"), _handling(header.handling)),
        (_("Purposes"), ", ".join(_code("purpose", each) for each in header.handling.purposes)),
        (_("Legal bases"), ", ".join(header.legal_bases)),
        (_("Review"), header.review_time.ToDatetime(tzinfo=UTC).date().isoformat()),
    ]
    return [(label, text) for label, text in rows if text]


def proof_rows(opened: OpenedPart) -> list[tuple[str, str]]:
    """Describe what has been proven about an opened part."""
    header = opened.message.header
    rows = [
        (
            _("signed"),
            _("{id} as {role}, certificate {fingerprint}").format(
                id=signer.id, role=signer.role, fingerprint=certificate.fingerprint.hex()[:16]
            ),
        )
        for signer, certificate in zip(header.required_signers, opened.message.signers, strict=True)
    ]
    return rows + [(event(each), proof_text(each)) for each in (*opened.released, *opened.answers, opened.opened)]


def proof_text(proof: Proof) -> str:
    """Describe a proven entry: who, when, where it stands."""
    arrow = f"{proof.member} → {proof.counterpart}" if proof.counterpart else proof.member
    details = [arrow, when(proof.time), f"{proof.origin} #{proof.index}", proof.reason]
    if proof.event == "OPENED":
        details.insert(2, proof.actor)
    return "  ".join(filter(None, details))


def event(proof: Proof) -> str:
    """Name what an entry records, in words where there are any."""
    return _(_EVENTS[proof.event]) if proof.event in _EVENTS else proof.event


def part_name(header: message_pb2.Header, number: int) -> str:
    """Name a part for reading."""
    return _(_PART_NAMES.get(header.parts[number].kind, _UNKNOWN_PART))


def part_number(header: message_pb2.Header, wanted: str) -> int:
    """Find a part by its name or number."""
    names = {"main": message_pb2.PART_KIND_MAIN, "annex": message_pb2.PART_KIND_NOMINAL_ANNEX}
    for number, part in enumerate(header.parts):
        if wanted == str(number) or names.get(wanted) == part.kind:
            return number
    raise Refused("part_missing", f"{header.message_id.hex()}: {wanted}")


def kind_of(header: message_pb2.Header) -> Kind:
    """Return the kind of a message; Refused where this program does not know it."""
    try:
        return kinds.get(header.kind, header.kind_version)
    except Rejected as error:
        raise Refused(error.reason, header.message_id.hex(), error.detail) from error


def kind_title(header: message_pb2.Header) -> str:
    """Name a kind for reading; by its code where this program does not know it."""
    try:
        return kinds.get(header.kind, header.kind_version).titles[lang()]
    except Rejected:
        return header.kind


def recipients(header: message_pb2.Header) -> str:
    """Name the recipients, with whom the message is for."""
    return ", ".join(
        f"{each.member} ({each.attention})" if each.attention else each.member for each in header.recipients
    )


def _code(list_name: str, code: str) -> str:
    from paiza_domain.schema import reading  # noqa: PLC0415 - lists need no code lists

    return reading.code_text(list_name, code, lang())


def urgency(header: message_pb2.Header) -> str:
    """Name the urgency for reading."""
    name = URGENCIES.get(header.urgency, "")
    return _(_URGENCIES[name]) if name in _URGENCIES else name


def delivery(at: Delivery) -> str:
    """Return where a message stands at one recipient."""
    state = _(_STATES[at.state])
    return f"{at.recipient}: {state} ({at.reason})" if at.reason else f"{at.recipient}: {state}"


def when(moment: datetime) -> str:
    """Return a time for reading, in the zone of this machine, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def mark(message: MessageSummary) -> str:
    """Say in capitals that a message was erased, or what its author said of it afterwards; empty where nothing."""
    if message.erased:
        return _("ERASED")
    if message.recalled_by:
        return _("RECALLED")
    if message.replaced_by:
        return _("REPLACED")
    return _("CORRECTED") if message.corrected_by else ""


def _deliveries(message: MessageSummary) -> str:
    return "; ".join(delivery(at) for at in message.deliveries)


def _state(message: MessageSummary) -> str:
    state = _("opened by a colleague") if message.opened else _("new")
    if message.opened_by_caller:
        state = _("read")
    return "; ".join((state, _("linked"))) if message.linked else state


def _handling(handling: message_pb2.Handling) -> str:
    """Return the marks, with the name of the level in the reader's own member."""
    named = classification.name(handling.classification) if handling.classification else ""
    said = marks.text(handling, purposes=False)
    return f"{said} ({named})" if named else said
