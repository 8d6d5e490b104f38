"""Messages and proven entries in words, in the language in use: rows for a screen, for a page, for a file."""

from datetime import UTC, datetime, timedelta
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_client import error_help
from paiza_client.language import N_, _, date_text, language, ngettext, number_text, span_text, time_text
from paiza_client.sdk.as_json import URGENCIES
from paiza_client.sdk.model import LeftOut
from paiza_client.verify.model import OpenedPart, Proof
from paiza_domain import kinds, policy_rules
from paiza_domain.exercise import marked
from paiza_domain.log_events import event_text
from paiza_domain.schema.kind import Kind
from paiza_domain.threads import deadlines
from paiza_officer.errors import Refused
from paiza_wire.errors import Rejected

OTHER_PURPOSE: Final = frozenset(
    {"export-for-other-purpose", "opening-for-other-purpose"}
)  # rules of the node's policy

_URGENCIES: Final = {
    "FLASH": N_("FLASH"),
    "URGENT": N_("URGENT"),
    "PRIORITY": N_("priority"),
    "ROUTINE": N_("routine"),
    "INFORMATION": N_("information"),
}
_ROLES: Final = {
    "liaison": N_("liaison officer"),
    "duty": N_("duty officer"),
    "authoriser": N_("authorising officer"),
    "coordinator": N_("coordinator"),
    "auditor": N_("auditor"),
    "custodian": N_("register custodian"),
    "data": N_("data officer"),
}
_SAME: Final = timedelta(seconds=1)  # times of the protocol may lose what is less
_UNKNOWN_PART: Final = N_("unknown part")
_PART_NAMES: Final = {
    message_pb2.PART_KIND_MAIN: N_("main part"),
    message_pb2.PART_KIND_NOMINAL_ANNEX: N_("nominal annex"),
    message_pb2.PART_KIND_ATTACHMENT: N_("attachment"),
}


def header_rows(header: message_pb2.Header, thread_name: str, level: str = "") -> list[tuple[str, str]]:
    """Describe a header for reading, as (label, text); ``level`` is the reader's own name of the classification."""
    marked = handling(header.handling, purposes=False)
    rows = [
        (_("Kind"), kind_title(header)),
        (_("Id"), header.message_id.hex()),
        (_("Thread"), thread_name),
        (_("From"), f"{header.author}: " + ", ".join(f"{s.id} ({role(s.role)})" for s in header.required_signers)),
        (_("To"), recipients(header)),
        (_("Written"), when(header.author_time.ToDatetime(tzinfo=UTC))),
        (_("Urgency"), " — ".join(filter(None, (urgency(header), _code("urgency_reason", header.urgency_reason))))),
        (_("Handling"), f"{marked} ({level})" if level else marked),
        (_("Purposes"), ", ".join(_code("purpose", each) for each in header.handling.purposes)),
        (_("Legal bases"), ", ".join(header.legal_bases)),
        (_("Review"), date_text(header.review_time.ToDatetime(tzinfo=UTC).date())),
    ]
    return [(label, text) for label, text in rows if text]


def proof_rows(opened: OpenedPart) -> list[tuple[str, str]]:
    """Describe what has been proven about an opened part."""
    header = opened.message.header
    rows = [
        (
            _("signed"),
            _("{id} as {role}, certificate {fingerprint}").format(
                id=signer.id, role=role(signer.role), fingerprint=certificate.fingerprint.hex()[:16]
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
    return event_text(proof.event, language())


def role(code: str) -> str:
    """Return the name of an officer's role; an unknown code stands as it is."""
    return _(_ROLES[code]) if code in _ROLES else code


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
    """Name a kind for reading, an exercise as one; by its code where this program does not know it."""
    try:
        title = kinds.get(header.kind, header.kind_version).titles[language()]
    except Rejected:
        title = header.kind
    return marked(title, language(), exercise=header.exercise)


def thread_title(name: str, *, exercise: bool) -> str:
    """Return the short name of a thread, that of an exercise with its mark."""
    return marked(name, language(), exercise=exercise)


def sender(header: message_pb2.Header) -> str:
    """Name the member that sends and the officer who wrote it, the first of its signers."""
    written = next((each.id.rpartition("/")[2] for each in header.required_signers), "")
    return f"{header.author} ({written})" if written else header.author


def recipients(header: message_pb2.Header) -> str:
    """Name the recipients, with whom the message is for."""
    return ", ".join(
        f"{each.member} ({each.attention})" if each.attention else each.member for each in header.recipients
    )


def _code(list_name: str, code: str) -> str:
    from paiza_domain.schema import reading  # noqa: PLC0415 - lists need no code lists

    return reading.code_text(list_name, code, language())


def urgency(header: message_pb2.Header) -> str:
    """Name the urgency for reading."""
    name = URGENCIES.get(header.urgency, "")
    return _(_URGENCIES[name]) if name in _URGENCIES else name


def why_due(header: message_pb2.Header, due: datetime, since: datetime, *, is_known: bool = True) -> str:
    """Return why a request is due when it is: by its author, or the usual time; empty if neither.

    ``since`` is the time from which the usual deadline counts. Not ``is_known``: the request was not opened, and its
    author may name another time in it.
    """
    try:
        kind = kinds.get(header.kind, header.kind_version)
    except Rejected:
        return ""
    usual = deadlines.usual(header, kind)
    if usual is None:
        return ""
    if abs(due - since - usual) >= _SAME:
        return _("the deadline that its author names")
    span = span_text(usual)
    if not is_known and deadlines.may_be_named(kind):
        return _("the usual deadline, {span}; its author may name another one in it, which binds").format(span=span)
    return _("the usual deadline, {span}: its author names none").format(span=span)


def when(moment: datetime) -> str:
    """Return a time for reading, in the zone of this machine, to the second."""
    return time_text(moment)


def handling(mark: message_pb2.Handling, *, purposes: bool = True, level: str = "") -> str:
    """Write a mark on one line; an unmarked text says that there is none. ``level`` is the name of its level."""
    words = [f"TLP:{mark.tlp}" if mark.tlp else "", mark.code, mark.code_text]
    words += [f"PAP:{mark.pap}" if mark.pap else "", level or _("level {n}").format(n=mark.classification)]
    if mark.evaluation:
        words.append(f"{mark.evaluation} ({mark.evaluation_scheme})")
    if purposes and mark.purposes:
        purpose_names = ", ".join(_code("purpose", each) for each in mark.purposes)
        words.append(_("only for: {purposes}").format(purposes=purpose_names))
    return ", ".join(filter(None, words))


def left_out(found: LeftOut) -> tuple[str, ...]:
    """Return how many messages a result lacks, a sentence for each reason; nothing where it lacks none."""
    return tuple(
        ngettext("{n} message left out: {why}", "{n} messages left out: {why}", count).format(
            n=number_text(count), why=why_left_out(reason, detail)
        )
        for (reason, detail), count in found.counts.most_common()
    )


def why_left_out(reason: str, detail: str) -> str:
    """Return why a message is in no result, as a sentence."""
    if detail in OTHER_PURPOSE:
        return _("Its author gave it for other purposes.")
    return refusal(reason, detail)


def refusal(reason: str, detail: str) -> str:
    """Return what a refusal says: that of its code, and each rule of the policy that it names, else its detail."""
    what, rules = _(error_help.remedy(reason).what), policy_rules.told(detail, language())
    return " ".join([what, *(rules or ([f"({detail})"] if detail else []))])
