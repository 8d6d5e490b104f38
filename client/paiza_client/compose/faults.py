"""The faults of a header that can be found on this machine: what receivers refuse, and what the own node refuses.

Paths are those of a draft ("to", "handling.classification", "second"). Nothing is asked of the node.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_client.language import language
from paiza_domain import handling, validation
from paiza_domain.codes import lookup
from paiza_domain.drafts.members import Members
from paiza_domain.schema.field_errors import FieldError, entry_text
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime
from paiza_register import Register

MAX_LISTED: Final = 20  # legal bases that are named where none is near
SECOND: Final = "second"
"""The path of a fault of the second officer, whom a draft does not name."""

_IN_DRAFT: Final[Mapping[str, str]] = {"recipients": "to", "review_time": "review", "parent_digests": "in_reply_to"}


def of_header(header: message_pb2.Header, kind: Kind, register: Register | None) -> list[FieldError]:
    """Return every fault of a header whose parts are described, at its own time.

    1. What every receiver refuses of a header alone (`validation.header_errors`).
    2. A recipient that is no active member, or the author's own member, which has every message of its own.
    3. A classification above the ceiling of a recipient, which the own node refuses.
    4. A legal basis that the federation does not list; nothing where it lists none.
    5. A second officer who is missing.

    Without a register, steps 2 to 4 are left out.
    """
    now = to_datetime(header.author_time)
    found = [_as_in_draft(each, header) for each in validation.header_errors(header, kind, now)]
    needs_second = bool(kind.second_role) or validation.needs_second_officer(header, kind)
    if needs_second and len(header.required_signers) < validation.FOUR_EYES:
        found.append(FieldError(SECOND, "second_officer_missing"))
    return [*found, *of_register(header, register)]


def of_register(header: message_pb2.Header, register: Register | None) -> list[FieldError]:
    """Return the faults that only the register shows, steps 2 to 4 above; none where no register is known."""
    if register is None:
        return []
    return [*_recipients(header, register), *_ceilings(header, register), *_legal_bases(header, register)]


def merged(first: Iterable[FieldError], second: Iterable[FieldError]) -> list[FieldError]:
    """Return the faults of both, each once; of two alike that of ``first``, which has its position."""
    return list({(each.path, each.code, each.values.get("value")): each for each in (*second, *first)}.values())


def _as_in_draft(error: FieldError, header: message_pb2.Header) -> FieldError:
    first, mark, rest = error.path.partition("[")
    if first == "recipients" and mark:
        member = header.recipients[int(rest.partition("]")[0])].member
        return FieldError(f"attention.{member}", error.code, error.values)
    return FieldError(_IN_DRAFT.get(first, first) + mark + rest, error.code, error.values)


def _recipients(header: message_pb2.Header, register: Register) -> Iterator[FieldError]:
    for each in header.recipients:
        if not each.member:
            continue  # stands for those of a message that was not found, which is told by itself
        known = register.members.get(each.member)
        if known is None:
            names = Members({member.id: member.names for member in register.members.values()})
            if problem := names.problem(each.member, language()):
                yield FieldError("to", *problem)
        elif each.member == header.author:
            yield FieldError("to", "recipient_own", {"value": known.names.get(language(), known.id)})
        elif known.status != "active":
            yield FieldError("to", "recipient_suspended", {"value": known.names.get(language(), known.id)})


def _ceilings(header: message_pb2.Header, register: Register) -> Iterator[FieldError]:
    level = handling.of_message(header).classification
    lang = language()
    for each in header.recipients:
        known = register.members.get(each.member)
        if known is not None and level > known.classification_ceiling:
            values = {"value": known.names.get(lang, known.id), "level": level, "most": known.classification_ceiling}
            yield FieldError("handling.classification", "above_ceiling", values)


def _legal_bases(header: message_pb2.Header, register: Register) -> Iterator[FieldError]:
    known = register.legal_bases
    lang = language()
    titles = {code: (code, *names.values()) for code, names in known.items()}
    for place, basis in enumerate(header.legal_bases):
        if known and basis not in known:
            near = lookup.nearest_names(basis, titles)
            suggestion = ", ".join(entry_text(each, known[each].get(lang, each)) for each in near)
            listed = ", ".join(entry_text(each, names.get(lang, each)) for each, names in known.items())
            values = {"value": basis, "suggestion": suggestion, "known": listed if len(known) <= MAX_LISTED else ""}
            yield FieldError(f"legal_bases[{place}]", "legal_basis_unknown", values)
