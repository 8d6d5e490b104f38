"""The transitions: the state after an effective step. Every transition is defined on every state.

The legality of the step was checked before. `is_ancestor` returns whether a digest is among the step's ancestors: a
step ends only what its author knew of.
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
    DeliveryState,
    Event,
    Offer,
    StateDecision,
    Status,
    Stop,
)
from paiza_domain.workflows.step import Step

IsAncestor = Callable[[bytes], bool]
Transition = Callable[[DeliveryState, Step, IsAncestor], DeliveryState]


def apply(delivery: DeliveryState, step: Step, is_ancestor: IsAncestor) -> DeliveryState:
    """Return the state after `step`."""
    return _TRANSITIONS[step.kind](delivery, step, is_ancestor)


def planned(delivery: DeliveryState, step: Step) -> DeliveryState:
    """Return the state with the route of a plan."""
    return replace(
        delivery,
        plan=step.digest,
        route=tuple(step.content.route),
        position=0,
        quantities=tuple(step.content.quantities),
        substitution_mode=step.content.substitution_mode,
        rerouted=b"",
    )


def regains_control(delivery: DeliveryState, author: str, loser: str) -> bool:
    """Return whether the loss of control that `loser` reported ends when `author` resumes."""
    return author in {loser, delivery.responsible}


def _event(step: Step) -> Event:
    return Event(step.digest, step.author, step.release_time)


def _time(timestamp: Timestamp) -> datetime | None:
    return to_datetime(timestamp) if timestamp.seconds else None


def _asked(states: Iterable[Any], latest: datetime | None, step: bytes) -> dict[str, StateDecision]:
    return {state.member: StateDecision(state.role, latest_decision=latest, step=step) for state in states}


def _with(delivery: DeliveryState, member: str, decision: StateDecision) -> Mapping[str, StateDecision]:
    return MappingProxyType({**delivery.states, member: decision})


def _request(_course: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    content = step.content
    states = _asked(content.states, _time(content.latest_decision_time), step.digest)
    return DeliveryState(
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


def _acknowledgement(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    decision = delivery.states.get(step.author)
    if decision is None or decision.status is not Status.REQUESTED or step.content.message_digest != decision.step:
        return delivery
    acknowledged = replace(decision, status=Status.ACKNOWLEDGED, step=step.digest)
    return replace(delivery, states=_with(delivery, step.author, acknowledged))


def _conditions(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    decision = delivery.states[step.author]
    if decision.status not in UNDECIDED:  # its own decision, released at the same time, stands
        return delivery
    proposed = replace(
        decision,
        status=Status.CONDITIONS_PROPOSED,
        conditions=tuple(step.content.conditions),
        answers=(),
        conditions_step=step.digest,
        step=step.digest,
    )
    return replace(delivery, states=_with(delivery, step.author, proposed))


def _conditions_answer(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    content = step.content
    decision = delivery.states[content.member]
    if decision.status is not Status.CONDITIONS_PROPOSED or decision.conditions_step != content.conditions_digest:
        return delivery
    answered = replace(
        decision, status=Status.CONDITIONS_ANSWERED, answers=tuple(content.answers), step=step.digest
    )  # fmt: skip
    return replace(delivery, states=_with(delivery, content.member, answered))


def _authorisation(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    authorised = replace(
        delivery.states[step.author],
        status=Status.AUTHORISED,
        decided=True,
        scope=step.content.scope,
        until=to_datetime(step.content.scope.valid_until_time),
        conditions=tuple(step.content.conditions),
        step=step.digest,
    )
    return replace(delivery, states=_with(delivery, step.author, authorised))


def _refusal(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    refused = replace(
        delivery.states[step.author],
        status=Status.REFUSED,
        decided=True,
        scope=None,
        until=None,
        refusal=step.content.refusal,
        step=step.digest,
    )
    return replace(delivery, states=_with(delivery, step.author, refused))


def _withdrawal(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    if step.content.withdrawn == "request":
        return replace(delivery, withdrawn=True)
    if step.author not in delivery.states:  # the route change that brought it in took no effect
        return delivery
    withdrawn = replace(
        delivery.states[step.author], status=Status.WITHDRAWN, scope=None, until=None, step=step.digest
    )  # fmt: skip
    return replace(delivery, states=_with(delivery, step.author, withdrawn))


def _confirmation(delivery: DeliveryState, _step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(delivery, confirmed=True)


def _plan(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return planned(delivery, step)


def _activation(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(delivery, responsible=step.author, movement=step.kind, custody=(_event(step),))


def _offer(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(delivery, offer=Offer(step.digest, step.author, step.content.taker), movement=step.kind)


def _acceptance(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(
        delivery,
        responsible=step.author,
        position=delivery.position + 1,
        offer=None,
        movement=step.kind,
        custody=(*delivery.custody, _event(step)),
    )


def _handover_refusal(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    if delivery.offer is None or delivery.offer.digest != step.content.offer_digest:
        return delivery
    return _without_offer(delivery)


def _without_offer(delivery: DeliveryState) -> DeliveryState:
    if delivery.offer is None:
        return delivery
    return replace(delivery, offer=None, movement=kinds.ACTIVATION if len(delivery.custody) == 1 else kinds.ACCEPTANCE)


def _route_change(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    content = step.content
    asked = _asked(content.new_states, _time(content.latest_decision_time), step.digest)
    new = {member: decision for member, decision in asked.items() if member not in delivery.states}
    return replace(
        _without_offer(delivery),
        plan=delivery.plan if delivery.active else b"",
        rerouted=step.digest,
        route=tuple(content.route),
        position=0,
        states=MappingProxyType({**delivery.states, **new}),
        participants=delivery.participants | set(new) | set(step.recipients),
        acknowledgeable=delivery.acknowledgeable | {step.digest},
    )


def _suspension(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(_without_offer(delivery), suspensions=(*delivery.suspensions, _event(step)))


def _resumption(delivery: DeliveryState, step: Step, is_ancestor: IsAncestor) -> DeliveryState:
    return replace(
        delivery,
        suspensions=tuple(
            each for each in delivery.suspensions if not (each.member == step.author and is_ancestor(each.digest))
        ),
        losses=tuple(
            each
            for each in delivery.losses
            if not (regains_control(delivery, step.author, each.member) and is_ancestor(each.digest))
        ),
    )


def _control_lost(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(
        _without_offer(delivery),
        losses=(*delivery.losses, _event(step)),
        acknowledgeable=delivery.acknowledgeable | {step.digest},
    )


def _stop(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(
        _without_offer(delivery),
        stops=(*delivery.stops, Stop(step.digest, step.author, step.release_time)),
        acknowledgeable=delivery.acknowledgeable | {step.digest},
    )


def _stop_lifting(delivery: DeliveryState, step: Step, is_ancestor: IsAncestor) -> DeliveryState:
    def lifted(stop: Stop) -> Stop:
        mine = stop.member == step.author and not stop.lifted_by and is_ancestor(stop.digest)
        return replace(stop, lifted_by=step.digest) if mine else stop

    return replace(delivery, stops=tuple(lifted(stop) for stop in delivery.stops))


def _intervention(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(_without_offer(delivery), interventions=(*delivery.interventions, _event(step)))


def _delivered(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(delivery, delivered=_event(step))


def _substitution(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(delivery, substitutions=(*delivery.substitutions, _event(step)))


def _outcome(delivery: DeliveryState, step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(delivery, outcomes=(*delivery.outcomes, _event(step)))


def _evidence_return(delivery: DeliveryState, _step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(delivery, evidence_returned=True)


def _closing(delivery: DeliveryState, _step: Step, _is_ancestor: IsAncestor) -> DeliveryState:
    return replace(delivery, closed=True)


_TRANSITIONS: Final[Mapping[str, Transition]] = MappingProxyType({
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
