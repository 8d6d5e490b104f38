"""From the course to what the board shows: the overall state, deadlines, alarms, and what a next step follows from."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from paiza_domain.kinds.controlled_delivery.shapes import ACKNOWLEDGE_WITHIN
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.legality import failed, undecided_too_late
from paiza_domain.workflows.controlled_delivery.reducer import Folding
from paiza_domain.workflows.controlled_delivery.rules import Breach, Rule
from paiza_domain.workflows.controlled_delivery.scope import lacking
from paiza_domain.workflows.controlled_delivery.state import UNDECIDED, Course, Event, StateStanding, Status, Stop
from paiza_domain.workflows.controlled_delivery.status import (
    CONFIRM_WITHIN,
    REPORT_WITHIN,
    Alarm,
    Deadline,
    Due,
    Overall,
    Standing,
)
from paiza_domain.workflows.step import Step

MAX_HEADS: Final = 32  # parents that a message may name (`paiza_wire.message.MAX_PARENTS`)
_LONG_AGO: Final = datetime(1900, 1, 1, tzinfo=UTC)
_MOVING: Final = {
    kinds.ACTIVATION: Overall.ACTIVE,
    kinds.OFFER: Overall.HANDOVER_OFFERED,
    kinds.ACCEPTANCE: Overall.HANDOVER_ACCEPTED,
}


def stand(folding: Folding) -> Standing:
    """Return the standing. Time goes as far as the latest release of a step."""
    thread = folding.thread
    course = _with_early_alarms(folding.course, thread.waiting)
    latest = max((step.release_time for step in thread.steps), default=_LONG_AGO)
    states = {member: _timed(course, member, latest) for member in sorted(course.states)}
    moving = _keeps_from_moving(course, latest)
    alarms = tuple(_alarms(course, (*thread.steps, *thread.waiting)))
    return Standing(
        overall=_overall(folding.course, course, states, moving),
        request=course.request,
        requester=course.requester,
        states=MappingProxyType(states),
        participants=tuple(sorted(course.participants)),
        responsible=course.responsible,
        custody=course.custody,
        route=course.route,
        position=course.position,
        quantities=course.quantities,
        substitution_mode=course.substitution_mode,
        plan=course.plan,
        offer=course.offer,
        stops=course.stops,
        suspensions=course.suspensions,
        losses=course.losses,
        alarms=alarms,
        substitutions=course.substitutions,
        end=course.end,
        outcomes=course.outcomes,
        lacking=moving,
        ineffective=MappingProxyType(folding.ineffective),
        deadlines=tuple(sorted(_deadlines(course, states, alarms))),
        order=tuple(thread.steps[place].digest for place in folding.order),
        waiting=tuple(step.digest for step in thread.waiting),
        waiting_for=thread.missing,
        heads=_heads(folding),
    )


def _with_early_alarms(course: Course, waiting: Iterable[Step]) -> Course:
    """Add the stops and losses of control whose ancestors have not all arrived: they count at once."""
    stops = tuple(Stop(each.digest, each.author, each.release_time) for each in waiting if each.kind == kinds.STOP)
    losses = tuple(
        Event(each.digest, each.author, each.release_time) for each in waiting if each.kind == kinds.CONTROL_LOST
    )
    return replace(course, stops=course.stops + stops, losses=course.losses + losses)


def _timed(course: Course, member: str, latest: datetime) -> StateStanding:
    """Mark as expired what time has run out for."""
    standing = course.states[member]
    if course.withdrawn and standing.status is not Status.REFUSED:
        return replace(standing, status=Status.WITHDRAWN)
    undecided = standing.status in UNDECIDED and undecided_too_late(course, member, latest) is not None
    ended = standing.status is Status.AUTHORISED and failed(course, member, latest)
    return replace(standing, status=Status.EXPIRED) if undecided or ended else standing


def _keeps_from_moving(course: Course, latest: datetime) -> tuple[Breach, ...]:
    if not course.active or course.end is not None:
        return ()
    withdrawn = (Breach(Rule.REQUEST_WITHDRAWN),) if course.withdrawn else ()
    return (*withdrawn, *lacking(course, course.remaining, latest))


def _overall(course: Course, early: Course, states: dict[str, StateStanding], moving: tuple[Breach, ...]) -> Overall:
    """Return the overall state, of `course` with the `early` alarms, which count for more than an end they may undo."""
    reached = (
        (course.closed, Overall.CLOSED),
        (len(early.stops) > len(course.stops), Overall.STOP_ORDERED),
        (len(early.losses) > len(course.losses), Overall.CONTROL_LOST),
        (course.end is not None and course.outcomes and course.evidence_returned, Overall.EVIDENCE_RETURNED),
        (course.end is not None and course.outcomes, Overall.OUTCOME_REPORTED),
        (course.interventions, Overall.INTERVENED),
        (course.delivered, Overall.DELIVERED),
        (course.standing_stops, Overall.STOP_ORDERED),
        (course.losses, Overall.CONTROL_LOST),
        (not course.request, Overall.WAITING),
    )
    for holds, overall in reached:
        if holds:
            return overall
    return _under_way(course, states, moving) if course.active else _before(course, states)


def _under_way(course: Course, states: dict[str, StateStanding], moving: tuple[Breach, ...]) -> Overall:
    if course.suspensions:
        return Overall.SUSPENDED
    if moving:
        asked = {states[leg.member].status for leg in course.remaining} & UNDECIDED
        return Overall.ROUTE_CHANGED if course.rerouted and asked else Overall.SUSPENDED
    return _MOVING[course.movement]


def _before(course: Course, states: dict[str, StateStanding]) -> Overall:
    if course.withdrawn:
        return Overall.WITHDRAWN
    members = {leg.member for leg in course.route} if course.plan or course.rerouted else set(states)
    found = {states[member].status for member in members if member in states}
    if Status.REFUSED in found:
        return Overall.REFUSED
    if Status.EXPIRED in found:
        return Overall.EXPIRED
    if found != {Status.AUTHORISED}:
        return Overall.REQUESTED
    return Overall.PLAN_SIGNED if course.plan else Overall.AUTHORISED


def _alarms(course: Course, steps: Iterable[Step]) -> Iterator[Alarm]:
    taken: dict[bytes, set[str]] = {}
    for step in steps:
        if step.kind in kinds.ACKNOWLEDGING and step.content is not None:
            taken.setdefault(step.content.message_digest, set()).add(step.author)
    standing = {each.digest for each in (*course.standing_stops, *course.losses)}
    alarms = {each.digest: each for each in steps if each.kind in kinds.OVERTAKING}
    known = {stop.digest for stop in course.stops} | {loss.digest for loss in course.losses} | course.acknowledgeable
    for digest, step in sorted(alarms.items()):
        if digest in known:
            told = taken.get(digest, set()) & course.participants if course.participants else taken.get(digest, set())
            rest = course.participants - told - {step.author}
            yield Alarm(
                digest=digest,
                kind=step.kind,
                member=step.author,
                time=step.release_time,
                standing=digest in standing,
                acknowledged_by=tuple(sorted(told - {step.author})),
                still_to_acknowledge=tuple(sorted(rest)),
            )


def _deadlines(course: Course, states: dict[str, StateStanding], alarms: Iterable[Alarm]) -> Iterator[Deadline]:
    for alarm in alarms:
        for member in alarm.still_to_acknowledge:
            yield Deadline(alarm.time + ACKNOWLEDGE_WITHIN, Due.STOP_ACKNOWLEDGEMENT, member)
    if course.closed:
        return
    if course.end is not None and not course.outcomes:
        yield Deadline(course.end.time + REPORT_WITHIN, Due.OUTCOME, course.responsible or course.requester)
    if course.withdrawn or course.ended:
        return
    if course.oral_request is not None and not course.confirmed:
        yield Deadline(course.oral_request + CONFIRM_WITHIN, Due.CONFIRMATION, course.requester)
    for member, shown in states.items():
        standing = course.states[member]
        if not standing.decided and standing.latest_decision is not None:
            yield Deadline(standing.latest_decision, Due.DECISION, member)
        if standing.until is not None and shown.status in {Status.AUTHORISED, Status.EXPIRED}:
            yield Deadline(standing.until, Due.AUTHORISATION_END, member)


def _heads(folding: Folding) -> tuple[bytes, ...]:
    """Return the legal steps that no other one follows from; of those waiting, the ones that count at once.

    What is illegal can never take effect and is not followed from, so that nobody can crowd out what counts. Of more
    than a message may name as parents, those that overtake are given first.
    """
    thread = folding.thread
    early = [step for step in thread.waiting if step.kind in kinds.OVERTAKING]
    named = {parent for step in early for parent in step.parents}
    legal = tuple(folding.legal)
    followed = 0
    for place in legal:
        followed |= thread.before[place]
    for place, step in enumerate(thread.steps):
        if step.digest in named:
            followed |= thread.before[place] | 1 << place
    heads = [thread.steps[place] for place in legal if not followed >> place & 1]
    found = [*heads, *(step for step in early if step.digest not in named)]
    found.sort(key=lambda step: (step.kind not in kinds.OVERTAKING, -step.release_time.timestamp(), step.digest))
    return tuple(sorted(step.digest for step in found[:MAX_HEADS]))
