"""The validation of messages: one function for sender and receiver, so that they cannot disagree."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from google.protobuf.message import DecodeError, Message

from paiza.core.v1.message_pb2 import Header, PartKind, Urgency
from paiza_domain import handling, kinds
from paiza_domain.schema import field_checks
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.text_rules import line_problem
from paiza_wire.errors import Rejected
from paiza_wire.message import MAX_PARENTS, MAX_PARTS, MAX_RECIPIENTS

MAX_CONTENT: Final = 1 << 20  # bytes of a content message; more belongs in an attachment
MAX_ANNEX: Final = 1 << 20  # bytes of a nominal annex
FOUR_EYES: Final = 2  # officers
MAX_LEGAL_BASES: Final = 16  # codes; the register says which exist
MAX_ATTENTION: Final = 100  # characters of a unit or an officer's name
MAX_CLOCK_DIFFERENCE: Final = timedelta(days=1)  # tolerated lead of the author's clock
MAX_RETENTION: Final = timedelta(days=366 * 75)  # a review date beyond a working life is a typing error

_urgency_reason = field_checks.code("urgency_reason")


def check_message(
    header: Header,
    content_bytes: bytes | None,
    annex_bytes: bytes | None,
    now: datetime,
    *,
    subject: bytes,
    annex_withheld: bool = False,
) -> tuple[Message, Message | None]:
    """Validate a message whose signatures were verified; return its content and annex.

    `Rejected` states path and code, without content.

    1. The kind and its version are known.
    2. The header is complete and consistent.
    3. The parts are those the kind has.
    4. Content and annex are within their limits and parse, without unknown fields.
    5. Content and annex are valid, at the author's time, so that every receiver gets the same result.
    6. The subject is the one that the kind derives from the content.

    ``annex_withheld``: the message was forwarded, possibly without the nominal annex that its header describes.

    Not checked here: signatures, the author's authority, `needs_second_officer`, whether a recipient may have it.
    """
    # Step 1.
    kind = kinds.get(header.kind, header.kind_version)
    # Step 2.
    _refuse("invalid_header", header_errors(header, kind, now))
    check_four_eyes(header, kind)
    # Step 3.
    _check_parts(header, kind, annex_bytes, annex_withheld=annex_withheld)
    # Step 4.
    content = _parsed(kind.content, content_bytes, MAX_CONTENT)
    annex = None if annex_bytes is None or kind.annex is None else _parsed(kind.annex, annex_bytes, MAX_ANNEX)
    # Step 5.
    _refuse("invalid_content", kind.validate(content, annex, to_datetime(header.author_time)))
    # Step 6.
    if subject != kind.subject_of(content):
        raise Rejected("invalid_subject", "the subject does not say what the content says")
    return content, annex


def needs_second_officer(header: Header, kind: Kind) -> bool:
    """Return whether two officers must sign: by the kind, or if nominal data goes to several members."""
    if kind.second_officer or len(header.recipients) < 2:  # noqa: PLR2004 - more than one other member
        return kind.second_officer
    others = {recipient.member for recipient in header.recipients} - {header.author}
    return len(others) > 1 and any(part.kind == PartKind.PART_KIND_NOMINAL_ANNEX for part in header.parts)


def check_four_eyes(header: Header, kind: Kind) -> None:
    """Raise ``Rejected("second_officer_missing")`` if one officer signed although two must."""
    if needs_second_officer(header, kind) and len(header.required_signers) < FOUR_EYES:
        raise Rejected("second_officer_missing", f"{kind.name} to these recipients needs two officers' signatures")
    if kind.second_role and kind.second_role not in {signer.role for signer in header.required_signers}:
        raise Rejected("second_officer_missing", f"{kind.name} needs the signature of an officer as {kind.second_role}")


def header_errors(header: Header, kind: Kind, now: datetime) -> list[FieldError]:
    """Return the errors of a header; paths are names of header fields."""
    found = [
        *_urgency_errors(header),
        *handling.errors(header.handling),
        *_time_errors(header, now),
        *_recipient_errors(header),
    ]
    if kind.needs_parent and not header.parent_digests:
        found.append(FieldError("parent_digests", "missing"))
    if kind.handling_codes and header.handling.code not in {"", *kind.handling_codes}:
        expected = ", ".join(sorted(kind.handling_codes))
        found.append(FieldError("handling.code", "handling_code_required", {"expected": expected}))
    if len(header.parent_digests) > MAX_PARENTS:
        found.append(FieldError("parent_digests", "too_many", {"most": MAX_PARENTS}))
    if len(header.legal_bases) > MAX_LEGAL_BASES:
        found.append(FieldError("legal_bases", "too_many", {"most": MAX_LEGAL_BASES}))
    else:
        found += _each("legal_bases", header.legal_bases, lambda basis: line_problem(basis, field_checks.MAX_CODE))
    return found


def _refuse(reason: str, errors: list[FieldError]) -> None:
    if errors:
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise Rejected(reason, f"{errors[0].path}: {errors[0].code}{more}")


def _each(path: str, values: Iterable[str], check: field_checks.Check) -> list[FieldError]:
    found = ((index, check(value)) for index, value in enumerate(values))
    return [FieldError(f"{path}[{index}]", *problem) for index, problem in found if problem]


def _urgency_errors(header: Header) -> list[FieldError]:
    if header.urgency not in Urgency.values() or header.urgency == Urgency.URGENCY_UNSPECIFIED:
        return [FieldError("urgency", "missing")]
    if header.urgency >= Urgency.URGENCY_URGENT:
        if not header.urgency_reason:
            return [FieldError("urgency_reason", "urgency_reason_missing", {"codes": "urgency_reason", "value": ""})]
        problem = _urgency_reason(header.urgency_reason)
        return [FieldError("urgency_reason", *problem)] if problem else []
    return [FieldError("urgency_reason", "urgency_reason_unneeded")] if header.urgency_reason else []


def _time_errors(header: Header, now: datetime) -> list[FieldError]:
    found = []
    for name in ("author_time", "review_time"):
        if not header.HasField(name):
            found.append(FieldError(name, "missing"))
        elif problem := field_checks.time(getattr(header, name)):
            found.append(FieldError(name, *problem))
    if found:
        return found
    author, review = to_datetime(header.author_time), to_datetime(header.review_time)
    if author > now + MAX_CLOCK_DIFFERENCE:
        found.append(FieldError("author_time", "in_future"))
    if review <= author:
        found.append(FieldError("review_time", "review_before_author"))
    elif review - author > MAX_RETENTION:
        found.append(FieldError("review_time", "out_of_range", {"least": 0, "most": MAX_RETENTION.days}))
    return found


def _recipient_errors(header: Header) -> list[FieldError]:
    if not header.recipients:
        return [FieldError("recipients", "recipients_missing")]
    if len(header.recipients) > MAX_RECIPIENTS:
        return [FieldError("recipients", "too_many", {"most": MAX_RECIPIENTS})]
    found = []
    for index, recipient in enumerate(header.recipients):
        if problem := line_problem(recipient.attention, MAX_ATTENTION):
            found.append(FieldError(f"recipients[{index}].attention", *problem))
    members = [each.member for each in header.recipients]
    if len(set(members)) != len(members):
        found.append(FieldError("recipients", "value_repeated", {"value": max(members, key=members.count)}))
    return found


def _check_parts(header: Header, kind: Kind, annex_bytes: bytes | None, *, annex_withheld: bool) -> None:
    if len(header.parts) > MAX_PARTS:
        raise Rejected("invalid_parts", f"{len(header.parts)} parts, at most {MAX_PARTS}")
    part_kinds = [part.kind for part in header.parts]
    if part_kinds[:1] != [PartKind.PART_KIND_MAIN] or part_kinds.count(PartKind.PART_KIND_MAIN) != 1:
        raise Rejected("invalid_parts", "part 0, and only it, is the content")
    annexes = part_kinds.count(PartKind.PART_KIND_NOMINAL_ANNEX)
    if annexes > (kind.annex is not None):
        raise Rejected("invalid_parts", f"{annexes} nominal annexes in a message of kind {kind.name}")
    if (annex_bytes is not None) != bool(annexes) and not (annex_withheld and annex_bytes is None):
        raise Rejected("invalid_parts", "nominal annex and header disagree")
    if not _KNOWN_PARTS.issuperset(part_kinds):
        raise Rejected("invalid_parts", "a part of unknown kind")
    for number, part in enumerate(header.parts):
        if part.HasField("handling"):
            _refuse("invalid_header", handling.errors(part.handling, f"parts[{number}].handling"))


_KNOWN_PARTS: Final = frozenset({
    PartKind.PART_KIND_MAIN,
    PartKind.PART_KIND_NOMINAL_ANNEX,
    PartKind.PART_KIND_ATTACHMENT,
})  # fmt: skip


def _parsed(message_type: Callable[[], Message], content: bytes | None, most: int) -> Message:
    """Parse within `most` bytes; the size shows whether unknown fields were kept."""
    if content is None:
        raise Rejected("invalid_content", "there is no content")
    if len(content) > most:
        raise Rejected("too_large", f"content of {len(content)} bytes, at most {most}")
    message = message_type()
    try:
        message.ParseFromString(content)
    except (DecodeError, RecursionError):
        raise Rejected("invalid_content", "not a message of its kind") from None
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise Rejected("unknown_field", "the content has fields that its kind does not")
    return message
