"""The legality of a step in a given state: the rules of every kind of step, one breach a line."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.breach_values import time_value
from paiza_domain.workflows.controlled_delivery.rules import Breach, Rule
from paiza_domain.workflows.controlled_delivery.scope import lacking, point_breaches
from paiza_domain.workflows.controlled_delivery.state import UNDECIDED, DeliveryState, Status
from paiza_domain.workflows.controlled_delivery.transitions import planned, regains_control
from paiza_domain.workflows.step import Step

Check = Callable[[DeliveryState, Step], Iterator[Breach]]

AUTHORISER: Final = "authoriser"  # the role one of two signers acts in
OFFICERS: Final = 2  # who sign an authorisation, and the lifting of a stop


def breaches(delivery: DeliveryState, step: Step) -> tuple[Breach, ...]:
    """Return the rules that `step` breaks if it follows from `delivery`; empty if it is legal.

    Not checked here: the recipients (see `addressing`) and concurrent steps.
    """
    if step.kind == kinds.REQUEST:
        return (Breach(Rule.REQUEST_REPEATED),) if delivery.request else ()
    if not delivery.request:
        return (Breach(Rule.REQUEST_MISSING),)
    if step.author not in delivery.participants:
        return (Breach(Rule.NOT_PARTICIPANT, {"member": step.author}),)
    if delivery.closed and step.kind not in _ALWAYS:
        return (Breach(Rule.CLOSED),)
    return tuple(_CHECKS[step.kind](delivery, step))


def addressing(delivery: DeliveryState, step: Step) -> tuple[Breach, ...]:
    """Return a breach if the step lacks recipients; overtaking steps are exempt."""
    if step.kind in kinds.OVERTAKING:
        return ()
    needed = set(delivery.participants)
    if step.kind == kinds.REQUEST:
        needed |= {state.member for state in step.content.states}
    if step.kind == kinds.ROUTE_CHANGE:
        needed |= {state.member for state in step.content.new_states}
    missing = needed - {step.author, *step.recipients}
    return (Breach(Rule.NOT_ADDRESSED_TO_ALL, {"members": ", ".join(sorted(missing))}),) if missing else ()


def without_state(delivery: DeliveryState, step: Step) -> tuple[Breach, ...]:
    """Return a breach if the deciding state is not in the delivery: its route change took no effect."""
    member = step.content.member if step.kind == kinds.CONDITIONS_ANSWER else step.author
    return () if member in delivery.states else (Breach(Rule.NOT_ON_ROUTE, {"member": member}),)


def undecided_too_late(delivery: DeliveryState, member: str, time: datetime) -> datetime | None:
    """Return the latest time for a state's first decision if it has passed at `time`, else None."""
    decision = delivery.states[member]
    latest = decision.latest_decision
    return latest if latest is not None and not decision.decided and time > latest else None


def _acknowledgement(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if step.content.message_digest not in delivery.acknowledgeable:
        yield Breach(Rule.NOTHING_TO_ACKNOWLEDGE)


def _state(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if step.author not in delivery.states:
        yield Breach(Rule.NOT_ON_ROUTE, {"member": step.author})


def _requester(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if step.author != delivery.requester:
        yield Breach(Rule.NOT_REQUESTER, {"member": delivery.requester})


def _two_officers(step: Step) -> Iterator[Breach]:
    if len({officer for officer, _role in step.signers}) < OFFICERS:
        yield Breach(Rule.TWO_OFFICERS_NEEDED)
    if AUTHORISER not in {role for _officer, role in step.signers}:
        yield Breach(Rule.AUTHORISER_NEEDED)


def _deciding(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if step.author not in delivery.states:
        yield Breach(Rule.NOT_ON_ROUTE, {"member": step.author})
        return
    if delivery.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if latest := undecided_too_late(delivery, step.author, step.release_time):
        yield Breach(Rule.DECISION_TOO_LATE, {"member": step.author, "time": time_value(latest)})


def _conditions(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _deciding(delivery, step)
    if step.author in delivery.states and delivery.states[step.author].status not in UNDECIDED:
        yield Breach(Rule.DECIDED_ALREADY, {"member": step.author})


def _conditions_answer(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _requester(delivery, step)
    if delivery.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    asked = delivery.states.get(step.content.member)
    if (
        asked is None
        or asked.status is not Status.CONDITIONS_PROPOSED
        or asked.conditions_step != step.content.conditions_digest
    ):
        yield Breach(Rule.CONDITIONS_NOT_OPEN, {"member": step.content.member})
        return
    numbers = {each.number for each in asked.conditions}
    for answer in step.content.answers:
        if answer.number not in numbers:
            yield Breach(Rule.CONDITION_UNKNOWN, {"member": step.content.member, "number": str(answer.number)})


def _authorisation(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _two_officers(step)
    yield from _deciding(delivery, step)
    if delivery.ended:
        yield Breach(Rule.ENDED)
    if step.author not in delivery.states:
        return
    if delivery.states[step.author].status is Status.CONDITIONS_PROPOSED:
        yield Breach(Rule.CONDITIONS_UNANSWERED, {"member": step.author})
    if delivery.states[step.author].status is Status.REFUSED:
        yield Breach(Rule.DECIDED_ALREADY, {"member": step.author})


def _refusal(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _state(delivery, step)
    if delivery.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if step.author in delivery.states and delivery.states[step.author].status not in UNDECIDED:
        yield Breach(Rule.DECIDED_ALREADY, {"member": step.author})


def _withdrawal(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if delivery.ended:
        yield Breach(Rule.ENDED)
    if step.content.withdrawn == "request":
        yield from _requester(delivery, step)
        if delivery.active:
            yield Breach(Rule.ACTIVE_ALREADY)
        if delivery.withdrawn:
            yield Breach(Rule.NOTHING_TO_WITHDRAW, {"member": step.author})
        return
    yield from _state(delivery, step)
    if step.author in delivery.states and delivery.states[step.author].status is not Status.AUTHORISED:
        yield Breach(Rule.NOTHING_TO_WITHDRAW, {"member": step.author})


def _confirmation(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _requester(delivery, step)
    if delivery.oral_request is None or delivery.confirmed:
        yield Breach(Rule.NOTHING_TO_CONFIRM)


def _plan(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _requester(delivery, step)
    if delivery.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if delivery.active:
        yield Breach(Rule.ACTIVE_ALREADY)
    if delivery.ended:
        yield Breach(Rule.ENDED)
    after = planned(delivery, step)
    yield from lacking(after, after.route, step.release_time)


def _stopped(delivery: DeliveryState) -> Iterator[Breach]:
    for stop in delivery.stops_in_force:
        yield Breach(Rule.STOPPED, {"member": stop.member})
    for loss in delivery.losses:
        yield Breach(Rule.CONTROL_LOST, {"member": loss.member})
    for suspension in delivery.suspensions:
        yield Breach(Rule.SUSPENDED, {"member": suspension.member})


def _activation(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if delivery.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if delivery.active:
        yield Breach(Rule.ACTIVE_ALREADY)
        return
    if delivery.ended:
        yield Breach(Rule.ENDED)
    yield from _stopped(delivery)
    if not delivery.plan:
        yield Breach(Rule.PLAN_MISSING)
        return
    if step.author != delivery.route[0].member:
        yield Breach(Rule.ROUTE_BEGINS_ELSEWHERE, {"member": delivery.route[0].member})
    yield from lacking(delivery, delivery.remaining, step.release_time)
    yield from _not_yet(delivery, step)


def _not_yet(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    """Yield a breach if the state that becomes responsible does so before its authorisation begins."""
    decision = delivery.states.get(step.author)
    if decision is not None and decision.status is Status.AUTHORISED:
        begin = to_datetime(decision.scope.valid_from_time)
        if step.release_time < begin:
            yield Breach(Rule.AUTHORISATION_NOT_YET, {"member": step.author, "time": time_value(begin)})


def _under_way(delivery: DeliveryState) -> Iterator[Breach]:
    if not delivery.active:
        yield Breach(Rule.NOT_ACTIVE)
    if delivery.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if delivery.ended:
        yield Breach(Rule.ENDED)
    yield from _stopped(delivery)


def _responsible(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if delivery.active and step.author != delivery.responsible:
        yield Breach(Rule.NOT_RESPONSIBLE, {"member": step.author, "responsible": delivery.responsible})


def _offer_open(delivery: DeliveryState) -> Iterator[Breach]:
    if delivery.offer is not None:
        yield Breach(Rule.OFFER_OPEN, {"member": delivery.offer.taker})


def _next_state(delivery: DeliveryState) -> str:
    return delivery.route[delivery.position + 1].member if delivery.position + 1 < len(delivery.route) else ""


def _offer(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _under_way(delivery)
    yield from _responsible(delivery, step)
    yield from _offer_open(delivery)
    if step.content.taker != _next_state(delivery):
        yield Breach(Rule.NOT_NEXT_ON_ROUTE, {"member": _next_state(delivery) or "–"})
    yield from lacking(delivery, delivery.remaining, step.release_time)
    for member in (step.author, step.content.taker):
        decision = delivery.states.get(member)
        if decision is not None and decision.status is Status.AUTHORISED:
            yield from point_breaches(member, decision, step.content.point)


def _acceptance(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _under_way(delivery)
    offer = delivery.offer
    if offer is None or offer.digest != step.content.offer_digest or offer.giver != delivery.responsible:
        yield Breach(Rule.OFFER_MISSING)
        return
    if step.author != offer.taker:
        yield Breach(Rule.NOT_THE_TAKER, {"member": offer.taker})
    yield from lacking(delivery, delivery.remaining[1:], step.release_time)
    yield from _not_yet(delivery, step)


def _handover_refusal(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    offer = delivery.offer
    if offer is None or offer.digest != step.content.offer_digest:
        yield Breach(Rule.OFFER_MISSING)
    elif step.author not in {offer.taker, offer.giver}:
        yield Breach(Rule.NOT_THE_TAKER, {"member": offer.taker})


def _route_change(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if delivery.withdrawn:
        yield Breach(Rule.REQUEST_WITHDRAWN)
    if delivery.ended:
        yield Breach(Rule.ENDED)
    for stop in delivery.stops_in_force:
        yield Breach(Rule.STOPPED, {"member": stop.member})
    for loss in delivery.losses:
        yield Breach(Rule.CONTROL_LOST, {"member": loss.member})
    yield from _offer_open(delivery)
    if delivery.active:
        yield from _responsible(delivery, step)
        if step.content.route[0].member != delivery.responsible:
            yield Breach(Rule.ROUTE_BEGINS_ELSEWHERE, {"member": delivery.responsible})
    else:
        yield from _requester(delivery, step)
    known = {*delivery.states, *(state.member for state in step.content.new_states)}
    for member in sorted({leg.member for leg in step.content.route} - known):
        yield Breach(Rule.NOT_ON_ROUTE, {"member": member})


def _suspension(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _state(delivery, step)
    if not delivery.active:
        yield Breach(Rule.NOT_ACTIVE)
    if delivery.ended:
        yield Breach(Rule.ENDED)


def _resumption(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if not any(regains_control(delivery, step.author, each.member) for each in delivery.losses) and not any(
        each.member == step.author for each in delivery.suspensions
    ):
        yield Breach(Rule.NOTHING_TO_RESUME, {"member": step.author})


def _stop(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _state(delivery, step)


def _stop_lifting(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _two_officers(step)
    stop = next((each for each in delivery.stops_in_force if each.digest == step.content.stop_digest), None)
    if stop is None:
        yield Breach(Rule.STOP_MISSING)
    elif stop.member != step.author:
        yield Breach(Rule.NOT_THE_STOPPER, {"member": stop.member})


def _intervention(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _state(delivery, step)
    if delivery.interventions or any(stop.member == step.author for stop in delivery.stops_in_force):
        return
    if not delivery.active:
        yield Breach(Rule.NOT_ACTIVE)
    yield from _responsible(delivery, step)


def _delivered(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _under_way(delivery)
    yield from _responsible(delivery, step)
    yield from _offer_open(delivery)
    if _next_state(delivery):
        yield Breach(Rule.NOT_NEXT_ON_ROUTE, {"member": _next_state(delivery)})


def _substitution(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if delivery.ended:
        yield Breach(Rule.ENDED)
    if delivery.active:
        yield from _responsible(delivery, step)
    elif not delivery.plan:
        yield Breach(Rule.PLAN_MISSING)
    elif step.author != delivery.route[0].member:
        yield Breach(Rule.ROUTE_BEGINS_ELSEWHERE, {"member": delivery.route[0].member})
    if step.author not in delivery.states:
        yield Breach(Rule.NOT_ON_ROUTE, {"member": step.author})
        return
    decision = delivery.states[step.author]
    if decision.status is not Status.AUTHORISED:
        yield Breach(Rule.AUTHORISATION_MISSING, {"member": step.author})
    elif step.content.mode not in decision.scope.substitution_modes:
        yield Breach(Rule.SCOPE_SUBSTITUTION, {"member": step.author, "mode": step.content.mode})
    for name, state in (("before", step.content.before), ("after", step.content.after)):
        if not (state.gross_weight.millionths and state.seals and state.photograph_digests):
            yield Breach(Rule.SUBSTITUTION_UNRECORDED, {"what": name})


def _party(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    if step.author != delivery.requester:
        yield from _state(delivery, step)


def _outcome(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _party(delivery, step)
    if delivery.end is None:
        yield Breach(Rule.NOT_ENDED)


def _evidence_return(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _party(delivery, step)
    if not delivery.outcomes:
        yield Breach(Rule.OUTCOME_MISSING)


def _closing(delivery: DeliveryState, step: Step) -> Iterator[Breach]:
    yield from _requester(delivery, step)
    if not delivery.active and not delivery.ended and not delivery.outcomes:
        if not (delivery.withdrawn or any(failed(delivery, member, step.release_time) for member in delivery.states)):
            yield Breach(Rule.NOT_ENDED)
        return
    if delivery.end is None:
        yield Breach(Rule.NOT_ENDED)
    elif not delivery.outcomes:
        yield Breach(Rule.OUTCOME_MISSING)
    elif not delivery.evidence_returned:
        yield Breach(Rule.EVIDENCE_NOT_RETURNED)


def failed(delivery: DeliveryState, member: str, time: datetime) -> bool:
    """Return whether a state refused, withdrew, did not decide in time, or its authorisation expired before `time`."""
    decision = delivery.states[member]
    if decision.status in {Status.REFUSED, Status.WITHDRAWN}:
        return True
    if decision.status is Status.AUTHORISED:
        return to_datetime(decision.scope.valid_until_time) < time
    return undecided_too_late(delivery, member, time) is not None


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
