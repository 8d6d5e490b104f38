"""Drafts made from messages: a new message like an earlier one, and the answer to a request."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import Message

from paiza.content.v1.release_pb2 import ReleaseGrant, ReleaseRequest
from paiza.core.v1 import message_pb2
from paiza_client.sdk import controlled_delivery, drafts, messages, releases, replies
from paiza_client.sdk.controlled_delivery import Delivery
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.session import Session
from paiza_client.sdk.wording import kind_of
from paiza_domain import kinds
from paiza_domain.drafts.drafts import Draft
from paiza_domain.forms import values
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import Refused

_ANNEX: Final = message_pb2.PART_KIND_NOMINAL_ANNEX
_FREE: Final = "free-message"
_OF_OTHER_PAGES: Final = frozenset({"correction", "erasure-request", "recall"})  # they take more than a form


async def as_draft(session: Session, message: MessageSummary, reason: str = "") -> Draft:
    """Return a new message like an earlier one, its nominal annex included if a reason is given.

    What names the earlier message is left out: its number and version, its thread, its attachments. It goes to the
    same members if our own member wrote it, otherwise to nobody yet. The node logs OPENED; errors are those of
    `Session.open_part`.
    """
    header = message.header
    kind = kind_of(header)
    content = messages.content(await session.open_part(message.digest, 0, reason))
    annex = None
    number = next((n for n, each in enumerate(header.parts) if each.kind == _ANNEX), None)
    if number is not None and reason and kind.annex is not None:
        annex = messages.content(await session.open_part(message.digest, number, reason))
    for field in kind.shape.fields:
        # Its number is the one field that names a message to others; lists of references stay.
        if field.required and field.term == "reference" and not field.most:
            content.ClearField(field.name)
        elif field.default and field.name.endswith("_version"):
            setattr(content, field.name, int(field.default))
        elif field.default and field.name == "status":
            setattr(content, field.name, field.default)
    own = header.author == session.profile.member
    return Draft(
        kind=kind,
        content=content,
        annex=annex,
        recipients=tuple(message_pb2.Recipient(member=each.member) for each in header.recipients) if own else (),
        handling=header.handling,
        legal_bases=tuple(header.legal_bases) if own else (),
    )


def kinds_that_answer(message: MessageSummary) -> list[Kind]:
    """Return the kinds by which a message may be answered: the usual ones first, then those that follow from it."""
    known = kinds.all_kinds()
    asked = known.get(message.header.kind)
    usual = [known[each] for each in (asked.answered_by if asked else ()) if each in known]
    answers = {name for each in known.values() for name in each.answered_by}
    further = [
        each
        for each in known.values()
        if each.needs_parent
        and not each.workflow
        and each.name not in answers | _OF_OTHER_PAGES
        and (not each.follows or message.header.kind in each.follows)
    ]
    return [*usual, known[_FREE], *sorted(further, key=lambda each: each.name)]


async def as_answer(session: Session, message: MessageSummary, kind: Kind | None = None, reason: str = "") -> Draft:
    """Return the draft of an answer: in the thread of the message, to its author, with an entry for each question.

    Marks and legal bases are those of the message. The message is opened, with the reason, if its questions are needed;
    the node logs OPENED.
    """
    chosen = kind or replies.usual_kind(message)
    content = chosen.content()
    if "message_digest" in content.DESCRIPTOR.fields_by_name:  # it names what it is about
        setattr(content, "message_digest", message.digest)  # noqa: B010 - not every content has it
    answers = chosen.shape.by_key.get("answers")
    if answers is not None and answers.shape is not None and "question_number" in answers.shape.by_name:
        asked = messages.content(await session.open_part(message.digest, 0, reason))
        for number in _questions(asked):
            getattr(content, answers.name).add(question_number=number)
    parents: tuple[str, ...] = (message.id,)
    if message.header.kind == releases.REQUEST and chosen.name in kind_of(message.header).answered_by:
        parents = tuple(each.hex() for each in releases.concerned(message))
        if isinstance(content, ReleaseGrant):
            content = releases.as_asked(await releases.opened_request(session, message), message)
    header = message.header
    to = [header.author] if header.author != session.profile.member else [each.member for each in header.recipients]
    return Draft(
        kind=chosen,
        content=content,
        recipients=tuple(message_pb2.Recipient(member=each) for each in to),
        handling=header.handling,
        legal_bases=tuple(header.legal_bases),
        parents=parents,
    )


def as_release_request(
    message: MessageSummary, *, recipients: Sequence[str], purposes: Sequence[str], reason: str, with_annex: bool
) -> Draft:
    """Return the draft of a request to the author of a message for leave to pass it on to ``recipients``."""
    content = ReleaseRequest(
        reference=message.thread_name,
        scope="whole" if with_annex else "without-annex",
        recipients=recipients,
        purposes=purposes,
        reason=reason,
    )
    header = message.header
    return Draft(
        kind=drafts.kind_of_content(content),
        content=content,
        recipients=(message_pb2.Recipient(member=header.author),),
        urgency=message_pb2.URGENCY_ROUTINE,
        handling=header.handling,
        legal_bases=tuple(header.legal_bases),
        parents=(message.id,),
    )


async def as_reminder(session: Session, message: MessageSummary, members: Sequence[str]) -> Draft:
    """Return the draft of a free message in the thread of a request of our own, to members that have not answered."""
    draft = await as_answer(session, message, drafts.find_kind(_FREE))
    return replace(draft, recipients=tuple(message_pb2.Recipient(member=each) for each in members))


def _questions(asked: Message) -> list[int]:
    """Return the numbers of the questions of a request."""
    return [each.number for each in getattr(asked, "questions", ()) if getattr(each, "number", 0)]


async def as_recall(session: Session, message: MessageSummary) -> Draft:
    """Return the draft of a recall of a message of our own, to all who hold it; two officers sign it.

    Refused("not_author") for another member's message.
    """
    kind = drafts.find_kind("recall")
    content = kind.content()
    setattr(content, "measure", kind.shape.by_name["measure"].default)  # noqa: B010 - a content by its kind
    return await _to_holders(session, message, kind, content)


async def as_erasure(session: Session, message: MessageSummary) -> Draft:
    """Return the draft of a request to erase a message of our own at all who hold it; two officers sign it.

    Refused("not_author") for another member's message.
    """
    kind = drafts.find_kind("erasure-request")
    return await _to_holders(session, message, kind, kind.content())


async def _to_holders(session: Session, message: MessageSummary, kind: Kind, content: Message) -> Draft:
    header = message.header
    if header.author != session.profile.member:
        raise Refused("not_author", message.id, header.author)
    holders = await replies.holders(session, [message])
    return Draft(
        kind=kind,
        content=content,
        recipients=tuple(message_pb2.Recipient(member=each) for each in holders),
        urgency=message_pb2.URGENCY_PRIORITY,
        handling=header.handling,
        legal_bases=tuple(header.legal_bases),
        parents=(message.id,),
    )


async def as_step(session: Session, delivery: Delivery, kind: Kind) -> Draft:
    """Return the draft of a step of a delivery: addressees, urgency, marks, and what earlier steps say.

    A step that repeats what earlier ones say (a plan the request, an authorisation what it is asked for) begins with
    that: those are opened, and the node logs OPENED. What this officer may not open is left out.
    """
    opening, workflow = delivery.opening, delivery.workflow
    header = controlled_delivery.header_of_step(delivery, kind.name)
    return Draft(
        kind=kind,
        content=await carried_over(session, delivery, kind),
        recipients=tuple(message_pb2.Recipient(member=each) for each in header.recipients),
        urgency=message_pb2.Urgency.Value(f"URGENCY_{header.urgency.upper()}"),
        urgency_reason=header.reason_code,
        handling=opening.handling,
        legal_bases=tuple(opening.legal_bases),
        parents=(workflow.status.thread_name,),
        exercise=opening.exercise,
    )


async def step_values(session: Session, delivery: Delivery, kind: Kind) -> dict[str, str]:
    """Return the values of the form of a step (`as_step`), with what its thread determines."""
    filled = controlled_delivery.fill(delivery, kind.name, lenient=True)
    return form_values(await as_step(session, delivery, kind)) | {
        f"content.{key}": text for key, text in filled.items()
    }


async def carried_over(session: Session, delivery: Delivery, kind: Kind) -> Message:
    """Return the content of a step as far as earlier steps of the delivery say it."""
    content, steps = kind.content(), delivery.workflow.steps
    earlier: dict[str, Message] = {}
    for each in steps:
        if each.effective and each.kind in _REPEATED.get(kind.name, ()):
            with suppress(Refused):
                earlier[each.kind] = messages.content(await session.open_part(each.message_digest, 0))
    match kind.name:
        case "cd-plan" | "cd-confirmation":
            for one in earlier.values():  # in the order of the thread: the newest route counts
                _copy_same(one, content)
        case "cd-authorisation" if "cd-request" in earlier:
            _permit(content, earlier["cd-request"], delivery)
        case "cd-conditions-answer" if "cd-conditions" in earlier:
            numbers = [each.number for each in earlier["cd-conditions"].conditions]  # type: ignore[attr-defined]
            for number in numbers:
                content.answers.add(number=number)  # type: ignore[attr-defined]
        case "cd-handover-offer":
            _offer(content, delivery)
        case _:
            pass
    return content


_REPEATED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "cd-plan": ("cd-request", "cd-plan", "cd-route-change"),
    "cd-confirmation": ("cd-request",),
    "cd-authorisation": ("cd-request",),
    "cd-conditions-answer": ("cd-conditions",),
})  # fmt: skip
"""The kinds of step whose content a kind repeats."""
_OF_ONE_STEP: Final = frozenset({"reference", "remarks", "reason"})


def _copy_same(earlier: Message, content: Message) -> None:
    """Copy the fields that both have; what names or remarks on one step alone stays with it."""
    own = content.DESCRIPTOR.fields_by_name
    for field, value in earlier.ListFields():
        same = own.get(field.name)
        if same is None or field.name in _OF_ONE_STEP or same.message_type is not field.message_type:
            continue
        content.ClearField(field.name)
        if same.is_repeated:
            getattr(content, field.name).extend(value)
        elif same.message_type is not None:
            getattr(content, field.name).CopyFrom(value)
        else:
            setattr(content, field.name, value)


def _permit(content: Any, request: Any, delivery: Delivery) -> None:
    """Fill in an authorisation with what the request asks of the own state."""
    legs = [leg for leg in delivery.workflow.legs if leg.member == delivery.own]
    scope = content.scope
    scope.quantities.extend(request.quantities)
    scope.substitution_modes.append(request.substitution_mode)
    if legs:
        scope.valid_from_time.CopyFrom(legs[0].entry_time)
        scope.valid_until_time.CopyFrom(legs[-1].exit_time)
        points = [point for leg in legs for point in (leg.entry_point, leg.exit_point) if point]
        scope.border_points.extend(dict.fromkeys(points))


def _offer(content: Any, delivery: Delivery) -> None:
    """Fill in the offer of a handover with what is planned for the end of the present leg."""
    legs, responsible = list(delivery.workflow.legs), delivery.workflow.status.responsible
    for leg, following in pairwise(legs):
        if leg.member == responsible == delivery.own:
            content.taker, content.point = following.member, leg.exit_point
            content.planned_time.CopyFrom(leg.exit_time)


def form_values(draft: Draft) -> dict[str, str]:
    """Return a draft as values of its form (`paiza_domain.forms.values`)."""
    return values.of_text(draft.kind, drafts.write(draft))[0]
