"""Controlled deliveries: the board, one delivery, and its next step with everything that its thread determines.

    delivery = await controlled_delivery.find(session, "TJK-2026-00123")
    prepared = controlled_delivery.step(delivery, "cd-stop", {"reason": "safety"})
    sent = await sending.send(session, prepared)

What a step must name (the steps it follows from, everybody who takes part, the step it answers) is filled in from the
node's fold of the thread. A step that breaks a rule is refused by the own node, when it is sent.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import workflow_pb2
from paiza_client.language import N_, _, language, span_text, time_text
from paiza_client.sdk import drafts, messages, threads
from paiza_client.sdk.breaches import problems
from paiza_client.sdk.drafts import UNCHANGED, Overrides, Prepared
from paiza_client.sdk.session import Session
from paiza_domain import kinds
from paiza_domain.drafts.drafts import Draft
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import FieldProblem, Refused

WORKFLOW: Final = "controlled-delivery"
REQUEST: Final = "cd-request"
_REASON: Final = "controlled-delivery"  # why a step is URGENT or FLASH, where the officer names no other reason
EARLY: Final = timedelta(hours=2)  # before the planned time; consignments are seldom on the minute
_BEGINS: Final = frozenset({"cd-activation", "cd-handover-acceptance"})
_OPEN_CONDITIONS: Final = "conditions-proposed"
_FLASH: Final = frozenset({
    "cd-handover-offer", "cd-handover-acceptance", "cd-handover-refusal", "cd-route-change", "cd-suspension",
    "cd-control-lost", "cd-stop", "cd-intervention", "cd-delivered",
})  # fmt: skip
_WITH_REASON: Final = frozenset({"urgent", "flash"})
_ROUTINE: Final = frozenset({"cd-outcome", "cd-evidence-return", "cd-closing"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A controlled delivery as the own node sees it, for a step of the member ``own``.

    ``opening`` is the header of its first step: marks and legal bases of a step without a draft are taken from it.
    """

    workflow: workflow_pb2.GetWorkflowResponse
    opening: message_pb2.Header
    own: str


@dataclass(frozen=True, slots=True)
class _Filling:
    """The fields that are filled in, how their texts are found, and the remark where there is nothing to answer.

    ``find`` takes the node's answer and the own member, and returns one text for each field, or none at all.
    """

    fields: tuple[str, ...]
    find: Callable[[workflow_pb2.GetWorkflowResponse, str], tuple[str, ...]]
    nothing: str


@dataclass(frozen=True, slots=True)
class NextStep:
    """A kind of step that the caller's roles may send; ``against`` are the rules that it would break now."""

    kind: Kind
    against: tuple[workflow_pb2.WorkflowBreach, ...]

    @property
    def title(self) -> str:
        """Return its title without the name of the workflow before it."""
        _workflow, _colon, step = self.kind.titles[language()].partition(": ")
        return step[:1].upper() + step[1:]


async def board(session: Session, *, over_too: bool = False) -> list[workflow_pb2.WorkflowStatus]:
    """Return where every controlled delivery stands that is not over (or every one), the most recently moved first."""
    return await session.workflows.board(WORKFLOW, over_too=over_too)


async def status(session: Session, text: str) -> workflow_pb2.GetWorkflowResponse:
    """Return where one delivery stands, what is due, and every step; ``text`` is as `threads.find` takes it.

    Refused("unknown_id") where that thread is no controlled delivery. Nothing is opened or logged.
    """
    found = await threads.workflow(session, text)
    if found.status.workflow != WORKFLOW:
        raise threads.no_workflow(text)
    return found


async def find(session: Session, text: str) -> Delivery:
    """Return a delivery for a step of our own; errors as `status`."""
    found = await status(session, text)
    first = await messages.find(session, found.steps[0].message_digest.hex())
    return Delivery(found, first.header, session.profile.member)


def next_steps(found: workflow_pb2.GetWorkflowResponse, roles: Collection[str]) -> list[NextStep]:
    """Return the kinds of step that an officer of these roles may send, in the order of a delivery.

    Those without a rule against them may be taken now; what is written in one is checked when it is sent.
    """
    known = kinds.all_kinds()
    return [
        NextStep(known[each.kind], tuple(each.breaches))
        for each in found.next_steps
        if each.kind in known and known[each.kind].sender_roles & set(roles)
    ]


def check_possible(delivery: Delivery, kind: str) -> None:
    """Raise Refused("workflow_breach") with the rules that a step of this kind would break now, however it is written.

    Not for an acknowledgement or a plan: `next_steps` leaves out some of these that are legal.
    """
    breaches = [breach for each in delivery.workflow.next_steps if each.kind == kind for breach in each.breaches]
    if breaches:
        thread = delivery.workflow.status.thread_name
        raise Refused("workflow_breach", thread, problems=problems(breaches))


def request(
    draft: Draft, source: str, own: str, overrides: Overrides = UNCHANGED, now: datetime | None = None
) -> Prepared:
    """Return the request that begins a delivery: to the states it names, unless the draft names recipients.

    ``own`` is the own member's id, ``source`` the draft's path. Misused for a draft of another kind.
    """
    drafts.check_kind(draft, REQUEST, source)
    prepared = drafts.prepare(draft, source, _urgent(REQUEST, overrides), now)
    if prepared.envelope.recipients:
        return prepared
    states = dict.fromkeys(each.member for each in prepared.content.states)  # type: ignore[attr-defined]
    return drafts.address(prepared, [member for member in states if member != own])


def filled_fields(kind: str) -> tuple[str, ...]:
    """Return the fields of a kind of step that `fill` finds in the thread; none where the officer writes all."""
    return _FILLINGS[kind].fields if kind in _FILLINGS else ()


def fill(
    delivery: Delivery, kind: str, given: Mapping[str, str] = MappingProxyType({}), *, lenient: bool = False
) -> dict[str, str]:
    """Return the fields of a step as text by key: those ``given``, and those that the thread determines.

    Refused("workflow_breach") where the step answers something, nothing of that kind waits in the thread, and ``given``
    does not name it either; with ``lenient`` the field is left out, for a draft that may name it.
    """
    filling = _FILLINGS.get(kind)
    if filling is None:
        return dict(given)
    texts = filling.find(delivery.workflow, delivery.own)
    if not texts and not lenient and filling.fields[-1] not in given:
        thread = delivery.workflow.status.thread_name
        raise Refused("workflow_breach", thread, problems=[FieldProblem(thread, _(filling.nothing))])
    return {**dict(zip(filling.fields, texts, strict=False)), **given}


def step(
    delivery: Delivery,
    kind: str,
    given: Mapping[str, str] = MappingProxyType({}),
    overrides: Overrides = UNCHANGED,
    now: datetime | None = None,
) -> Prepared:
    """Return a step of a delivery from single fields, as text by key; the others are filled in as `fill` does.

    ``kind`` is the kind of the step ("cd-stop"). It goes to everybody who takes part. A step is URGENT, FLASH or
    ROUTINE by its kind, unless ``overrides`` says otherwise. Refused as `fill` and `drafts.of_fields`.
    """
    draft = drafts.of_fields(drafts.find_kind(kind), fill(delivery, kind, given), delivery.opening, now)
    return step_of_draft(delivery, draft, f"paiza cd: {kind}", overrides, now)


def header_of_step(delivery: Delivery, kind: str, overrides: Overrides = UNCHANGED) -> Overrides:
    """Return what the thread sets against the draft of a step, for `drafts.read` to find the faults of its header."""
    to = tuple(member for member in delivery.workflow.participants if member != delivery.own)
    parents = tuple(each.hex() for each in delivery.workflow.heads)
    return replace(_urgent(kind, overrides), recipients=to, parents=parents)


def step_of_draft(
    delivery: Delivery, draft: Draft, source: str, overrides: Overrides = UNCHANGED, now: datetime | None = None
) -> Prepared:
    """Return a step of a delivery from a draft, read with ``given=fill(delivery, kind, lenient=True)``."""
    prepared = drafts.prepare(draft, source, _urgent(draft.kind.name, overrides), now)
    named = [*delivery.workflow.participants, *(each.member for each in prepared.envelope.recipients)]
    prepared = drafts.address(prepared, [member for member in dict.fromkeys(named) if member != delivery.own])
    workflow, exercise = delivery.workflow, delivery.opening.exercise
    return drafts.in_thread(prepared, workflow.status.thread_id, workflow.heads, exercise=exercise)


def warnings(delivery: Delivery, prepared: Prepared, now: datetime | None = None) -> list[str]:
    """Return, in the language in use, what breaks no rule and is unusual: an officer confirms it before it is sent.

    An activation or acceptance more than `EARLY` before the planned time, and a handover at a border point that the
    plan does not name.
    """
    legs, own = list(delivery.workflow.legs), delivery.own
    now = now or datetime.now(UTC)
    planned = next((leg.entry_time.ToDatetime(tzinfo=UTC) for leg in legs if leg.member == own), None)
    found = []
    if prepared.kind.name in _BEGINS and planned is not None and planned - now > EARLY:
        words = _("The plan begins in {member} at {time}, in {span}: this is long before.")
        found.append(words.format(member=own, time=time_text(planned), span=span_text(planned - now)))
    if prepared.kind.name == "cd-handover-offer":
        point = prepared.content.point  # type: ignore[attr-defined]
        points = [name for leg in legs for name in (leg.entry_point, leg.exit_point) if name and own == leg.member]
        if points and _plain(point) not in map(_plain, points):
            words = _("The plan does not name the border point {point} for {member}; it names: {points}")
            found.append(words.format(point=point, member=own, points=", ".join(dict.fromkeys(points))))
    return found


def _plain(point: str) -> str:
    return " ".join(point.split()).casefold()


def usual_urgency(kind: str) -> tuple[str, str]:
    """Return how urgent a kind of step is, and the code of the reason; empty where it needs none."""
    urgency = "flash" if kind in _FLASH else "routine" if kind in _ROUTINE else "urgent"
    return urgency, _REASON if urgency in _WITH_REASON else ""


def _urgent(kind: str, overrides: Overrides) -> Overrides:
    urgency, reason = overrides.urgency, overrides.reason_code
    if not urgency and not reason:
        urgency = usual_urgency(kind)[0]
    if urgency in _WITH_REASON and not reason:
        reason = _REASON
    return replace(overrides, urgency=urgency, reason_code=reason)


def _to_acknowledge(found: workflow_pb2.GetWorkflowResponse, own: str) -> tuple[str, ...]:
    """Return the oldest stop or loss of control that waits for us; else the newest request or change of route."""
    waiting = [each for each in found.status.alarms if each.in_force and own in each.waiting_for]
    if waiting:
        return (min(waiting, key=lambda each: each.release_time.ToNanoseconds()).message_digest.hex(),)
    return _newest(found, "cd-request", "cd-route-change")


def _conditions(found: workflow_pb2.GetWorkflowResponse, _own: str) -> tuple[str, ...]:
    for state in found.status.states:
        if state.status == _OPEN_CONDITIONS:
            return state.member, state.step_digest.hex()
    return ()


def _offer(found: workflow_pb2.GetWorkflowResponse, _own: str) -> tuple[str, ...]:
    return _newest(found, "cd-handover-offer")


def _begun(_found: workflow_pb2.GetWorkflowResponse, _own: str) -> tuple[str, ...]:
    return (_now(),)


def _taken(found: workflow_pb2.GetWorkflowResponse, own: str) -> tuple[str, ...]:
    offer = _offer(found, own)
    return (_now(), *offer) if offer else ()


def _now() -> str:
    """Return this minute as a draft writes it: what an officer does not date is done now."""
    return datetime.now(UTC).astimezone().isoformat(" ", "minutes")


def _own_stop(found: workflow_pb2.GetWorkflowResponse, own: str) -> tuple[str, ...]:
    for each in found.status.alarms:
        if each.in_force and each.author == own and each.kind == "cd-stop":
            return (each.message_digest.hex(),)
    return ()


def _newest(found: workflow_pb2.GetWorkflowResponse, *kinds: str) -> tuple[str, ...]:
    digests = [each.message_digest.hex() for each in found.steps if each.effective and each.kind in kinds]
    return tuple(digests[-1:])


_HANDOVER: Final = _Filling(("offer_digest",), _offer, N_("No handover has been offered."))
_FILLINGS: Final[Mapping[str, _Filling]] = MappingProxyType({
    "cd-activation": _Filling(("started_at",), _begun, ""),
    "cd-acknowledgement": _Filling(
        ("message_digest",), _to_acknowledge, N_("Nothing here waits to be acknowledged.")
    ),
    "cd-conditions-answer": _Filling(
        ("member", "conditions_digest"), _conditions, N_("No state has conditions that wait for an answer.")
    ),
    "cd-handover-acceptance": replace(_HANDOVER, fields=("taken_at", "offer_digest"), find=_taken),
    "cd-handover-refusal": _HANDOVER,
    "cd-stop-lifting": _Filling(
        ("stop_digest",), _own_stop, N_("No stop that your member ordered is in force.")
    ),
})  # fmt: skip
