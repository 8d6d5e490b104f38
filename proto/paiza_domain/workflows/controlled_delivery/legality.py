"""What a step breaks, judged against a course: the rules of every kind of step, one refusal a line."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.rules import Breach, Rule
from paiza_domain.workflows.controlled_delivery.scope import lacking, point_breaches, time_text
from paiza_domain.workflows.controlled_delivery.state import UNDECIDED, Course, Status
from paiza_domain.workflows.controlled_delivery.transitions import planned, regains_control
from paiza_domain.workflows.step import Step

Check = Callable[[Course, Step], Iterator[Breach]]

AUTHORISER: Final = "authoriser"  # the role one of two signers acts in
OFFICERS: Final = 2  # who sign an authorisation, and the lifting of a stop


def breaches(course: Course, step: Step) -> tuple[Breach, ...]:
    """Return what `step` breaks if it follows from `course`; empty means legal.

    Not judged here: to whom it was addressed (see `addressing`), and what happened meanwhile elsewhere.
    """
    if step.kind == kinds.REQUEST:
        return (Breach(Rule.REQUEST_REPEATED),) if course.request else ()
    if not course.request:
        return (Breach(Rule.REQUEST_MISSING),)
    if step.author not in course.participants:
        return (Breach(Rule.NOT_PARTICIPANT, {"member": step.author}),)
    if course.closed and step.kind not in _ALWAYS:
        return (Breach(Rule.CLOSED),)
    return tuple(_CHECKS[step.kind](course, step))


def addressing(course: Course, step: Step) -> tuple[Breach, ...]:
    """Return who should have been addressed; what overtakes everything is not held up by this."""
    if step.kind in kinds.OVERTAKING:
        return ()
    needed = set(course.participants)
    if step.kind == kinds.REQUEST:
        needed |= {state.member for state in step.content.states}
    if step.kind == kinds.ROUTE_CHANGE:
        needed |= {state.member for state in step.content.new_states}
    missing = needed - {step.author, *step.recipients}
    return (Breach(Rule.NOT_ADDRESSED_TO_ALL, {"members": ", ".join(sorted(missing))}),) if missing else ()


def without_state(course: Course, step: Step) -> tuple[Breach, ...]:
    """Say of a decision that its state is none of this course: the route change that brought it in took no effect."""
    member = step.content.member if step.kind == kinds.CONDITIONS_ANSWER else step.author
    return () if member in course.states else (Breach(Rule.NOT_ON_ROUTE, {"member": member}),)


def undecided_too_late(course: Course, member: str, time: datetime) -> datetime | None:
    """Return the latest time for a state's first decision where it had passed at `time`."""
    standing = course.states[member]
    latest = standing.latest_decision
    return latest if latest is not None and not standing.decided and time > latest else None


def _acknowledgement(course: Course, step: Step) -> Iterator[Breach]:
    if step.content.message_digest not in course.acknowledgeable:
        yield Breach(Rule.NOTHING_TO_ACKNOWLEDGE)


def _state(course: Course, step: Step) -> Iterator[Breach]:
    if step.author not in course.states:
        yield Breach(Rule.NOT_ON_ROUTE, {"member": step.author})


def _requester(course: Course, step: Step) -> Iterator[Breach]:
    if step.author != course.requester:
        yield Breach(Rule.NOT_REQUESTER, {"member": course.requester})


def _two_officers(step: Step) -> Iterator[Breach]:
    if len({officer for officer, _role in step.signers}) < OFFICERS:
        yield Breach(Rule.TWO_OFFICERS_NEEDED)
    if AUTHORISER not in {role for _officer, role in step.signers}:
        yield Breach(Rule.AUTHORISER_NEEDED)


def _deciding(course: Course, step: Step) -> Iterator[Breach]:
    if step.author not in course.states:
        yield Breach(Rule.NOT_ON_ROUTE, {"member": step.author})
        return
    if course.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if latest := undecided_too_late(course, step.author, step.release_time):
        yield Breach(Rule.DECISION_TOO_LATE, {"member": step.author, "time": time_text(latest)})


def _conditions(course: Course, step: Step) -> Iterator[Breach]:
    yield from _deciding(course, step)
    if step.author in course.states and course.states[step.author].status not in UNDECIDED:
        yield Breach(Rule.DECIDED_ALREADY, {"member": step.author})


def _conditions_answer(course: Course, step: Step) -> Iterator[Breach]:
    yield from _requester(course, step)
    if course.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    asked = course.states.get(step.content.member)
    if (
        asked is None
        or asked.status is not Status.CONDITIONS_PROPOSED
        or asked.conditions_step != step.content.conditions_digest
    ):
        yield Breach(Rule.CONDITIONS_NOT_OPEN, {"member": step.content.member})


def _authorisation(course: Course, step: Step) -> Iterator[Breach]:
    yield from _two_officers(step)
    yield from _deciding(course, step)
    if course.ended:
        yield Breach(Rule.ENDED)
    if step.author not in course.states:
        return
    if course.states[step.author].status is Status.CONDITIONS_PROPOSED:
        yield Breach(Rule.CONDITIONS_UNANSWERED, {"member": step.author})
    if course.states[step.author].status is Status.REFUSED:
        yield Breach(Rule.DECIDED_ALREADY, {"member": step.author})


def _refusal(course: Course, step: Step) -> Iterator[Breach]:
    yield from _state(course, step)
    if course.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if step.author in course.states and course.states[step.author].status not in UNDECIDED:
        yield Breach(Rule.DECIDED_ALREADY, {"member": step.author})


def _withdrawal(course: Course, step: Step) -> Iterator[Breach]:
    if course.ended:
        yield Breach(Rule.ENDED)
    if step.content.withdrawn == "request":
        yield from _requester(course, step)
        if course.active:
            yield Breach(Rule.ACTIVE_ALREADY)
        if course.withdrawn:
            yield Breach(Rule.NOTHING_TO_WITHDRAW, {"member": step.author})
        return
    yield from _state(course, step)
    if step.author in course.states and course.states[step.author].status is not Status.AUTHORISED:
        yield Breach(Rule.NOTHING_TO_WITHDRAW, {"member": step.author})


def _confirmation(course: Course, step: Step) -> Iterator[Breach]:
    yield from _requester(course, step)
    if course.oral_request is None or course.confirmed:
        yield Breach(Rule.NOTHING_TO_CONFIRM)


def _plan(course: Course, step: Step) -> Iterator[Breach]:
    yield from _requester(course, step)
    if course.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if course.active:
        yield Breach(Rule.ACTIVE_ALREADY)
    if course.ended:
        yield Breach(Rule.ENDED)
    after = planned(course, step)
    yield from lacking(after, after.route, step.release_time)


def _halted(course: Course) -> Iterator[Breach]:
    for stop in course.standing_stops:
        yield Breach(Rule.STOPPED, {"member": stop.member})
    for loss in course.losses:
        yield Breach(Rule.CONTROL_LOST, {"member": loss.member})
    for suspension in course.suspensions:
        yield Breach(Rule.SUSPENDED, {"member": suspension.member})


def _activation(course: Course, step: Step) -> Iterator[Breach]:
    if course.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if course.active:
        yield Breach(Rule.ACTIVE_ALREADY)
        return
    if course.ended:
        yield Breach(Rule.ENDED)
    yield from _halted(course)
    if not course.plan:
        yield Breach(Rule.PLAN_MISSING)
        return
    if step.author != course.route[0].member:
        yield Breach(Rule.ROUTE_BEGINS_ELSEWHERE, {"member": course.route[0].member})
    yield from lacking(course, course.remaining, step.release_time)


def _under_way(course: Course) -> Iterator[Breach]:
    if not course.active:
        yield Breach(Rule.NOT_ACTIVE)
    if course.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if course.ended:
        yield Breach(Rule.ENDED)
    yield from _halted(course)


def _responsible(course: Course, step: Step) -> Iterator[Breach]:
    if course.active and step.author != course.responsible:
        yield Breach(Rule.NOT_RESPONSIBLE, {"member": step.author, "responsible": course.responsible})


def _offer_open(course: Course) -> Iterator[Breach]:
    if course.offer is not None:
        yield Breach(Rule.OFFER_OPEN, {"member": course.offer.taker})


def _next_state(course: Course) -> str:
    return course.route[course.position + 1].member if course.position + 1 < len(course.route) else ""


def _offer(course: Course, step: Step) -> Iterator[Breach]:
    yield from _under_way(course)
    yield from _responsible(course, step)
    yield from _offer_open(course)
    if step.content.taker != _next_state(course):
        yield Breach(Rule.NOT_NEXT_ON_ROUTE, {"member": _next_state(course) or "–"})
    yield from lacking(course, course.remaining, step.release_time)
    for member in (step.author, step.content.taker):
        standing = course.states.get(member)
        if standing is not None and standing.status is Status.AUTHORISED:
            yield from point_breaches(member, standing, step.content.point)


def _acceptance(course: Course, step: Step) -> Iterator[Breach]:
    yield from _under_way(course)
    offer = course.offer
    if offer is None or offer.digest != step.content.offer_digest or offer.giver != course.responsible:
        yield Breach(Rule.OFFER_MISSING)
        return
    if step.author != offer.taker:
        yield Breach(Rule.NOT_THE_TAKER, {"member": offer.taker})
    yield from lacking(course, course.remaining[1:], step.release_time)


def _handover_refusal(course: Course, step: Step) -> Iterator[Breach]:
    offer = course.offer
    if offer is None or offer.digest != step.content.offer_digest:
        yield Breach(Rule.OFFER_MISSING)
    elif step.author not in {offer.taker, offer.giver}:
        yield Breach(Rule.NOT_THE_TAKER, {"member": offer.taker})


def _route_change(course: Course, step: Step) -> Iterator[Breach]:
    if course.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if course.ended:
        yield Breach(Rule.ENDED)
    for stop in course.standing_stops:
        yield Breach(Rule.STOPPED, {"member": stop.member})
    for loss in course.losses:
        yield Breach(Rule.CONTROL_LOST, {"member": loss.member})
    yield from _offer_open(course)
    if course.active:
        yield from _responsible(course, step)
        if step.content.route[0].member != course.responsible:
            yield Breach(Rule.ROUTE_BEGINS_ELSEWHERE, {"member": course.responsible})
    else:
        yield from _requester(course, step)
    known = {*course.states, *(state.member for state in step.content.new_states)}
    for member in sorted({leg.member for leg in step.content.route} - known):
        yield Breach(Rule.NOT_ON_ROUTE, {"member": member})


def _suspension(course: Course, step: Step) -> Iterator[Breach]:
    yield from _state(course, step)
    if not course.active:
        yield Breach(Rule.NOT_ACTIVE)
    if course.ended:
        yield Breach(Rule.ENDED)


def _resumption(course: Course, step: Step) -> Iterator[Breach]:
    if not any(regains_control(course, step.author, halt.member) for halt in course.losses) and not any(
        halt.member == step.author for halt in course.suspensions
    ):
        yield Breach(Rule.NOTHING_TO_RESUME, {"member": step.author})


def _stop(course: Course, step: Step) -> Iterator[Breach]:
    yield from _state(course, step)


def _stop_lifting(course: Course, step: Step) -> Iterator[Breach]:
    yield from _two_officers(step)
    stop = next((each for each in course.standing_stops if each.digest == step.content.stop_digest), None)
    if stop is None:
        yield Breach(Rule.STOP_MISSING)
    elif stop.member != step.author:
        yield Breach(Rule.NOT_THE_STOPPER, {"member": stop.member})


def _intervention(course: Course, step: Step) -> Iterator[Breach]:
    yield from _state(course, step)
    if course.interventions or any(stop.member == step.author for stop in course.standing_stops):
        return
    if not course.active:
        yield Breach(Rule.NOT_ACTIVE)
    yield from _responsible(course, step)


def _delivered(course: Course, step: Step) -> Iterator[Breach]:
    yield from _under_way(course)
    yield from _responsible(course, step)
    yield from _offer_open(course)
    if _next_state(course):
        yield Breach(Rule.NOT_NEXT_ON_ROUTE, {"member": _next_state(course)})


def _substitution(course: Course, step: Step) -> Iterator[Breach]:
    if course.ended:
        yield Breach(Rule.ENDED)
    if course.active:
        yield from _responsible(course, step)
    elif not course.plan:
        yield Breach(Rule.PLAN_MISSING)
    elif step.author != course.route[0].member:
        yield Breach(Rule.ROUTE_BEGINS_ELSEWHERE, {"member": course.route[0].member})
    if step.author not in course.states:
        yield Breach(Rule.NOT_ON_ROUTE, {"member": step.author})
        return
    standing = course.states[step.author]
    if standing.status is not Status.AUTHORISED:
        yield Breach(Rule.AUTHORISATION_MISSING, {"member": step.author})
    elif step.content.mode not in standing.scope.substitution_modes:
        yield Breach(Rule.SCOPE_SUBSTITUTION, {"member": step.author, "mode": step.content.mode})
    for name, state in (("before", step.content.before), ("after", step.content.after)):
        if not (state.gross_weight.millionths and state.seals and state.photograph_digests):
            yield Breach(Rule.SUBSTITUTION_UNRECORDED, {"what": name})


def _party(course: Course, step: Step) -> Iterator[Breach]:
    if step.author != course.requester:
        yield from _state(course, step)


def _outcome(course: Course, step: Step) -> Iterator[Breach]:
    yield from _party(course, step)
    if course.end is None:
        yield Breach(Rule.NOT_ENDED)


def _evidence_return(course: Course, step: Step) -> Iterator[Breach]:
    yield from _party(course, step)
    if not course.outcomes:
        yield Breach(Rule.OUTCOME_MISSING)


def _closing(course: Course, step: Step) -> Iterator[Breach]:
    yield from _requester(course, step)
    if not course.active and not course.ended and not course.outcomes:
        if not (course.withdrawn or any(failed(course, member, step.release_time) for member in course.states)):
            yield Breach(Rule.NOT_ENDED)
        return
    if course.end is None:
        yield Breach(Rule.NOT_ENDED)
    elif not course.outcomes:
        yield Breach(Rule.OUTCOME_MISSING)
    elif not course.evidence_returned:
        yield Breach(Rule.EVIDENCE_NOT_RETURNED)


def failed(course: Course, member: str, time: datetime) -> bool:
    """Return whether a state refused, withdrew, was silent for too long, or its authorisation has run out at `time`."""
    standing = course.states[member]
    if standing.status in {Status.REFUSED, Status.WITHDRAWN}:
        return True
    if standing.status is Status.AUTHORISED:
        return to_datetime(standing.scope.valid_until_time) < time
    return undecided_too_late(course, member, time) is not None


_ALWAYS: Final = frozenset({*kinds.ACKNOWLEDGING, *kinds.OVERTAKING})  # also after the closing
_CHECKS: Final[Mapping[str, Check]] = MappingProxyType({
    kinds.ACKNOWLEDGEMENT: _acknowledgement,
    kinds.CONDITIONS: _conditions,
    kinds.CONDITIONS_ANSWER: _conditions_answer,
    kinds.AUTHORISATION: _authorisation,
    kinds.REFUSAL: _refusal,
    kinds.WITHDRAWAL: _withdrawal,
    kinds.CONFIRMATION: _confirmation,
    kinds.PLAN: _plan,
    kinds.ACTIVATION: _activation,
    kinds.OFFER: _offer,
    kinds.ACCEPTANCE: _acceptance,
    kinds.HANDOVER_REFUSAL: _handover_refusal,
    kinds.ROUTE_CHANGE: _route_change,
    kinds.SUSPENSION: _suspension,
    kinds.RESUMPTION: _resumption,
    kinds.CONTROL_LOST: _suspension,
    kinds.STOP: _stop,
    kinds.STOP_LIFTING: _stop_lifting,
    kinds.INTERVENTION: _intervention,
    kinds.DELIVERED: _delivered,
    kinds.SUBSTITUTION: _substitution,
    kinds.OUTCOME: _outcome,
    kinds.EVIDENCE_RETURN: _evidence_return,
    kinds.CLOSING: _closing,
})  # fmt: skip
