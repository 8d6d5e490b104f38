"""The view of a delivery: its overall status, deadlines, alarms, and the parents of a next step."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from paiza_domain.kinds.controlled_delivery.shapes import ACKNOWLEDGE_WITHIN
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.legality import failed, undecided_too_late
from paiza_domain.workflows.controlled_delivery.reducer import Reduction
from paiza_domain.workflows.controlled_delivery.rules import Breach, Rule
from paiza_domain.workflows.controlled_delivery.scope import lacking
from paiza_domain.workflows.controlled_delivery.state import (
    UNDECIDED,
    DeliveryState,
    Event,
    StateDecision,
    Status,
    Stop,
)
from paiza_domain.workflows.controlled_delivery.status import (
    CONFIRM_WITHIN,
    REPORT_WITHIN,
    Alarm,
    Deadline,
    DeadlineKind,
    DeliveryView,
    OverallStatus,
)
from paiza_domain.workflows.step import Step

MAX_HEADS: Final = 32  # parents that a message may name (`paiza_wire.message.MAX_PARENTS`)
_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_MOVING: Final = {
    kinds.ACTIVATION: OverallStatus.ACTIVE,
    kinds.OFFER: OverallStatus.HANDOVER_OFFERED,
    kinds.ACCEPTANCE: OverallStatus.HANDOVER_ACCEPTED,
}


def build_view(reduction: Reduction) -> DeliveryView:
    """Return the view. Times are judged at the latest release of a step."""
    thread = reduction.thread
    delivery = _with_early_alarms(reduction.delivery, thread.waiting)
    latest = max((step.release_time for step in thread.steps), default=_EARLIEST)
    states = {member: _with_expiry(delivery, member, latest) for member in sorted(delivery.states)}
    moving = _movement_breaches(delivery, latest)
    alarms = tuple(_alarms(delivery, (*thread.steps, *thread.waiting)))
    return DeliveryView(
        overall=_overall(reduction.delivery, delivery, states, moving),
        request=delivery.request,
        requester=delivery.requester,
        states=MappingProxyType(states),
        participants=tuple(sorted(delivery.participants)),
        responsible=delivery.responsible,
        custody=delivery.custody,
        route=delivery.route,
        position=delivery.position,
        quantities=delivery.quantities,
        substitution_mode=delivery.substitution_mode,
        plan=delivery.plan,
        offer=delivery.offer,
        stops=delivery.stops,
        suspensions=delivery.suspensions,
        losses=delivery.losses,
        alarms=alarms,
        substitutions=delivery.substitutions,
        end=delivery.end,
        outcomes=delivery.outcomes,
        lacking=moving,
        ineffective=MappingProxyType(reduction.ineffective),
        deadlines=tuple(sorted(_deadlines(delivery, states, alarms))),
        order=tuple(thread.steps[place].digest for place in reduction.order),
        waiting=tuple(step.digest for step in thread.waiting),
        waiting_for=thread.missing,
        heads=_heads(reduction),
        delivery=reduction.delivery,
    )


def _with_early_alarms(delivery: DeliveryState, waiting: Iterable[Step]) -> DeliveryState:
    """Add the stops and losses of control whose ancestors have not all arrived: they take effect at once."""
    stops = tuple(Stop(each.digest, each.author, each.release_time) for each in waiting if each.kind == kinds.STOP)
    losses = tuple(
        Event(each.digest, each.author, each.release_time) for each in waiting if each.kind == kinds.CONTROL_LOST
    )
    return replace(delivery, stops=delivery.stops + stops, losses=delivery.losses + losses)


def _with_expiry(delivery: DeliveryState, member: str, latest: datetime) -> StateDecision:
    """Return the decision of a state, marked as expired if its time has run out."""
    decision = delivery.states[member]
    if delivery.withdrawn and decision.status is not Status.REFUSED:
        return replace(decision, status=Status.WITHDRAWN)
    undecided = decision.status in UNDECIDED and undecided_too_late(delivery, member, latest) is not None
    ended = decision.status is Status.AUTHORISED and failed(delivery, member, latest)
    return replace(decision, status=Status.EXPIRED) if undecided or ended else decision


def _movement_breaches(delivery: DeliveryState, latest: datetime) -> tuple[Breach, ...]:
    if not delivery.active or delivery.end is not None:
        return ()
    withdrawn = (Breach(Rule.REQUEST_WITHDRAWN),) if delivery.withdrawn else ()
    return (*withdrawn, *lacking(delivery, delivery.remaining, latest))


def _overall(
    delivery: DeliveryState, early: DeliveryState, states: dict[str, StateDecision], moving: tuple[Breach, ...]
) -> OverallStatus:
    """Return the overall status; the alarms in `early` override an end of the delivery, which they may undo."""
    reached = (
        (delivery.closed, OverallStatus.CLOSED),
        (len(early.stops) > len(delivery.stops), OverallStatus.STOP_ORDERED),
        (len(early.losses) > len(delivery.losses), OverallStatus.CONTROL_LOST),
        (
            delivery.end is not None and delivery.outcomes and delivery.evidence_returned,
            OverallStatus.EVIDENCE_RETURNED,
        ),
        (delivery.end is not None and delivery.outcomes, OverallStatus.OUTCOME_REPORTED),
        (delivery.interventions, OverallStatus.INTERVENED),
        (delivery.delivered, OverallStatus.DELIVERED),
        (delivery.stops_in_force, OverallStatus.STOP_ORDERED),
        (delivery.losses, OverallStatus.CONTROL_LOST),
        (not delivery.request, OverallStatus.WAITING),
    )
    for holds, overall in reached:
        if holds:
            return overall
    return _under_way(delivery, states, moving) if delivery.active else _before(delivery, states)


def _under_way(delivery: DeliveryState, states: dict[str, StateDecision], moving: tuple[Breach, ...]) -> OverallStatus:
    if delivery.suspensions:
        return OverallStatus.SUSPENDED
    if moving:
        asked = {states[leg.member].status for leg in delivery.remaining} & UNDECIDED
        return OverallStatus.ROUTE_CHANGED if delivery.rerouted and asked else OverallStatus.SUSPENDED
    return _MOVING[delivery.movement]


def _before(delivery: DeliveryState, states: dict[str, StateDecision]) -> OverallStatus:
    if delivery.withdrawn:
        return OverallStatus.WITHDRAWN
    members = {leg.member for leg in delivery.route} if delivery.plan or delivery.rerouted else set(states)
    found = {states[member].status for member in members if member in states}
    if Status.REFUSED in found:
        return OverallStatus.REFUSED
    if Status.EXPIRED in found:
        return OverallStatus.EXPIRED
    if found != {Status.AUTHORISED}:
        return OverallStatus.REQUESTED
    return OverallStatus.PLAN_SIGNED if delivery.plan else OverallStatus.AUTHORISED


def _alarms(delivery: DeliveryState, steps: Iterable[Step]) -> Iterator[Alarm]:
    acknowledgements: dict[bytes, set[str]] = {}
    for step in steps:
        if step.kind in kinds.ACKNOWLEDGING and step.content is not None:
            acknowledgements.setdefault(step.content.message_digest, set()).add(step.author)
    in_force = {each.digest for each in (*delivery.stops_in_force, *delivery.losses)}
    alarms = {each.digest: each for each in steps if each.kind in kinds.OVERTAKING}
    known = {each.digest for each in (*delivery.stops, *delivery.losses)} | delivery.acknowledgeable
    for digest, step in sorted(alarms.items()):
        if digest in known:
            acknowledged = acknowledgements.get(digest, set())
            if delivery.participants:
                acknowledged = acknowledged & delivery.participants
            rest = delivery.participants - acknowledged - {step.author}
            yield Alarm(
                digest=digest,
                kind=step.kind,
                member=step.author,
                time=step.release_time,
                in_force=digest in in_force,
                acknowledged_by=tuple(sorted(acknowledged - {step.author})),
                still_to_acknowledge=tuple(sorted(rest)),
            )


def _deadlines(
    delivery: DeliveryState, states: dict[str, StateDecision], alarms: Iterable[Alarm]
) -> Iterator[Deadline]:
    if delivery.closed:
        return
    for alarm in alarms:
        for member in alarm.still_to_acknowledge if alarm.in_force else ():
            yield Deadline(alarm.time + ACKNOWLEDGE_WITHIN, DeadlineKind.STOP_ACKNOWLEDGEMENT, member)
    if delivery.end is not None and not delivery.outcomes:
        yield Deadline(
            delivery.end.time + REPORT_WITHIN, DeadlineKind.OUTCOME, delivery.responsible or delivery.requester
        )
    if delivery.withdrawn or delivery.ended:
        return
    if delivery.oral_request is not None and not delivery.confirmed:
        yield Deadline(delivery.oral_request + CONFIRM_WITHIN, DeadlineKind.CONFIRMATION, delivery.requester)
    for member, shown in states.items():
        decision = delivery.states[member]
        if not decision.decided and decision.latest_decision is not None:
            yield Deadline(decision.latest_decision, DeadlineKind.DECISION, member)
        if decision.until is not None and shown.status in {Status.AUTHORISED, Status.EXPIRED}:
            yield Deadline(decision.until, DeadlineKind.AUTHORISATION_END, member)


def _heads(reduction: Reduction) -> tuple[bytes, ...]:
    """Return the legal steps without a successor and, of the waiting steps, those that take effect at once.

    An illegal step never takes effect and is never a parent, so nobody can crowd out the effective steps. If there are
    more heads than a message may name as parents, overtaking steps come first.
    """
    thread = reduction.thread
    early = [step for step in thread.waiting if step.kind in kinds.OVERTAKING]
    named = {parent for step in early for parent in step.parents}
    legal = tuple(reduction.legal)
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
