"""What an effective step brings about. Every effect is defined on every course; whether it may happen was judged.

`knows` tells of a digest whether it is among the step's ancestors: a step ends only what its author knew of.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.state import (
    UNDECIDED,
    Course,
    Event,
    Offer,
    StateStanding,
    Status,
    Stop,
)
from paiza_domain.workflows.step import Step

Knows = Callable[[bytes], bool]
Effect = Callable[[Course, Step, Knows], Course]


def apply(course: Course, step: Step, knows: Knows) -> Course:
    """Return the course after `step`."""
    return _EFFECTS[step.kind](course, step, knows)


def planned(course: Course, step: Step) -> Course:
    """Return the course with the route of a plan."""
    return replace(
        course,
        plan=step.digest,
        route=tuple(step.content.route),
        position=0,
        quantities=tuple(step.content.quantities),
        substitution_mode=step.content.substitution_mode,
        rerouted=b"",
    )


def regains_control(course: Course, author: str, loser: str) -> bool:
    """Return whether the loss of control that `loser` reported ends when `author` resumes."""
    return author in {loser, course.responsible}


def _event(step: Step) -> Event:
    return Event(step.digest, step.author, step.release_time)


def _time(timestamp: Timestamp) -> datetime | None:
    return to_datetime(timestamp) if timestamp.seconds else None


def _asked(states: Iterable[Any], latest: datetime | None, step: bytes) -> dict[str, StateStanding]:
    return {state.member: StateStanding(state.role, latest_decision=latest, step=step) for state in states}


def _with(course: Course, member: str, standing: StateStanding) -> Mapping[str, StateStanding]:
    return MappingProxyType({**course.states, member: standing})


def _request(_course: Course, step: Step, _knows: Knows) -> Course:
    content = step.content
    states = _asked(content.states, _time(content.latest_decision_time), step.digest)
    return Course(
        request=step.digest,
        requester=step.author,
        oral_request=_time(content.oral_request_time),
        states=MappingProxyType(states),
        participants=frozenset({step.author, *step.recipients, *states}),
        route=tuple(content.route),
        quantities=tuple(content.quantities),
        substitution_mode=content.substitution_mode,
        acknowledgeable=frozenset({step.digest}),
    )


def _acknowledgement(course: Course, step: Step, _knows: Knows) -> Course:
    standing = course.states.get(step.author)
    if standing is None or standing.status is not Status.REQUESTED or step.content.message_digest != standing.step:
        return course
    acknowledged = replace(standing, status=Status.ACKNOWLEDGED, step=step.digest)
    return replace(course, states=_with(course, step.author, acknowledged))


def _conditions(course: Course, step: Step, _knows: Knows) -> Course:
    standing = course.states[step.author]
    if standing.status not in UNDECIDED:  # its own decision, released at the same time, stands
        return course
    proposed = replace(
        standing,
        status=Status.CONDITIONS_PROPOSED,
        conditions=tuple(step.content.conditions),
        answers=(),
        conditions_step=step.digest,
        step=step.digest,
    )
    return replace(course, states=_with(course, step.author, proposed))


def _conditions_answer(course: Course, step: Step, _knows: Knows) -> Course:
    content = step.content
    standing = course.states[content.member]
    if standing.status is not Status.CONDITIONS_PROPOSED or standing.conditions_step != content.conditions_digest:
        return course
    answered = replace(
        standing, status=Status.CONDITIONS_ANSWERED, answers=tuple(content.answers), step=step.digest
    )  # fmt: skip
    return replace(course, states=_with(course, content.member, answered))


def _authorisation(course: Course, step: Step, _knows: Knows) -> Course:
    authorised = replace(
        course.states[step.author],
        status=Status.AUTHORISED,
        decided=True,
        scope=step.content.scope,
        until=to_datetime(step.content.scope.valid_until_time),
        conditions=tuple(step.content.conditions),
        step=step.digest,
    )
    return replace(course, states=_with(course, step.author, authorised))


def _refusal(course: Course, step: Step, _knows: Knows) -> Course:
    refused = replace(
        course.states[step.author],
        status=Status.REFUSED,
        decided=True,
        scope=None,
        until=None,
        refusal=step.content.refusal,
        step=step.digest,
    )
    return replace(course, states=_with(course, step.author, refused))


def _withdrawal(course: Course, step: Step, _knows: Knows) -> Course:
    if step.content.withdrawn == "request":
        return replace(course, withdrawn=True)
    if step.author not in course.states:  # the route change that brought it in took no effect
        return course
    withdrawn = replace(
        course.states[step.author], status=Status.WITHDRAWN, scope=None, until=None, step=step.digest
    )  # fmt: skip
    return replace(course, states=_with(course, step.author, withdrawn))


def _confirmation(course: Course, _step: Step, _knows: Knows) -> Course:
    return replace(course, confirmed=True)


def _plan(course: Course, step: Step, _knows: Knows) -> Course:
    return planned(course, step)


def _activation(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(course, responsible=step.author, movement=step.kind, custody=(_event(step),))


def _offer(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(course, offer=Offer(step.digest, step.author, step.content.taker), movement=step.kind)


def _acceptance(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(
        course,
        responsible=step.author,
        position=course.position + 1,
        offer=None,
        movement=step.kind,
        custody=(*course.custody, _event(step)),
    )


def _handover_refusal(course: Course, step: Step, _knows: Knows) -> Course:
    if course.offer is None or course.offer.digest != step.content.offer_digest:
        return course
    return _without_offer(course)


def _without_offer(course: Course) -> Course:
    if course.offer is None:
        return course
    return replace(course, offer=None, movement=kinds.ACTIVATION if len(course.custody) == 1 else kinds.ACCEPTANCE)


def _route_change(course: Course, step: Step, _knows: Knows) -> Course:
    content = step.content
    asked = _asked(content.new_states, _time(content.latest_decision_time), step.digest)
    new = {member: standing for member, standing in asked.items() if member not in course.states}
    return replace(
        _without_offer(course),
        plan=course.plan if course.active else b"",
        rerouted=step.digest,
        route=tuple(content.route),
        position=0,
        states=MappingProxyType({**course.states, **new}),
        participants=course.participants | set(new) | set(step.recipients),
        acknowledgeable=course.acknowledgeable | {step.digest},
    )


def _suspension(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(_without_offer(course), suspensions=(*course.suspensions, _event(step)))


def _resumption(course: Course, step: Step, knows: Knows) -> Course:
    return replace(
        course,
        suspensions=tuple(
            each for each in course.suspensions if not (each.member == step.author and knows(each.digest))
        ),
        losses=tuple(
            each
            for each in course.losses
            if not (regains_control(course, step.author, each.member) and knows(each.digest))
        ),
    )


def _control_lost(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(
        _without_offer(course),
        losses=(*course.losses, _event(step)),
        acknowledgeable=course.acknowledgeable | {step.digest},
    )


def _stop(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(
        _without_offer(course),
        stops=(*course.stops, Stop(step.digest, step.author, step.release_time)),
        acknowledgeable=course.acknowledgeable | {step.digest},
    )


def _stop_lifting(course: Course, step: Step, knows: Knows) -> Course:
    def lifted(stop: Stop) -> Stop:
        mine = stop.member == step.author and not stop.lifted_by and knows(stop.digest)
        return replace(stop, lifted_by=step.digest) if mine else stop

    return replace(course, stops=tuple(lifted(stop) for stop in course.stops))


def _intervention(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(_without_offer(course), interventions=(*course.interventions, _event(step)))


def _delivered(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(course, delivered=_event(step))


def _substitution(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(course, substitutions=(*course.substitutions, _event(step)))


def _outcome(course: Course, step: Step, _knows: Knows) -> Course:
    return replace(course, outcomes=(*course.outcomes, _event(step)))


def _evidence_return(course: Course, _step: Step, _knows: Knows) -> Course:
    return replace(course, evidence_returned=True)


def _closing(course: Course, _step: Step, _knows: Knows) -> Course:
    return replace(course, closed=True)


_EFFECTS: Final[Mapping[str, Effect]] = MappingProxyType({
    kinds.REQUEST: _request,
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
    kinds.CONTROL_LOST: _control_lost,
    kinds.STOP: _stop,
    kinds.STOP_LIFTING: _stop_lifting,
    kinds.INTERVENTION: _intervention,
    kinds.DELIVERED: _delivered,
    kinds.SUBSTITUTION: _substitution,
    kinds.OUTCOME: _outcome,
    kinds.EVIDENCE_RETURN: _evidence_return,
    kinds.CLOSING: _closing,
})  # fmt: skip
