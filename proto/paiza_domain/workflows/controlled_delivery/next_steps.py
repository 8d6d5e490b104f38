"""The steps that a member may take next, and the rules that stand against the others.

Each kind of step is tried on the present state by the rules that judge a real one, with the content that is most likely
to be legal: the open offer for its acceptance, the route in force for a plan. The rules that depend on what the officer
will still write (dates, border points, amounts of a plan) are left to the real step.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza.content.v1.common_pb2 import Quantity
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.legality import AUTHORISER, breaches, failed
from paiza_domain.workflows.controlled_delivery.rules import Breach, Rule
from paiza_domain.workflows.controlled_delivery.state import DeliveryState, Status
from paiza_domain.workflows.controlled_delivery.status import DeliveryView
from paiza_domain.workflows.step import Step

_WRITTEN: Final = frozenset({
    Rule.SCOPE_DATES, Rule.SCOPE_BORDER_POINT, Rule.SCOPE_QUANTITY, Rule.SCOPE_SUBSTITUTION
})  # fmt: skip
"""Rules that a step breaks by what is written in it."""
_SIGNERS: Final = (("1", AUTHORISER), ("2", AUTHORISER))  # the strictest kinds need no more
_ORDER: Final = (
    kinds.ACKNOWLEDGEMENT, kinds.CONDITIONS, kinds.CONDITIONS_ANSWER, kinds.AUTHORISATION, kinds.REFUSAL,
    kinds.CONFIRMATION, kinds.PLAN, kinds.ACTIVATION, kinds.OFFER, kinds.ACCEPTANCE, kinds.HANDOVER_REFUSAL,
    kinds.DELIVERED, kinds.SUBSTITUTION, kinds.ROUTE_CHANGE, kinds.SUSPENSION, kinds.RESUMPTION, kinds.CONTROL_LOST,
    kinds.STOP, kinds.STOP_LIFTING, kinds.INTERVENTION, kinds.OUTCOME, kinds.EVIDENCE_RETURN, kinds.CLOSING,
    kinds.WITHDRAWAL,
)  # fmt: skip
"""All kinds but the request, in the order of a delivery."""


def next_steps(steps: Iterable[Step], view: DeliveryView, member: str, now: datetime) -> dict[str, tuple[Breach, ...]]:
    """Return the kinds of step in the order of a delivery, each with the rules it would break; legal ones break none.

    ``view`` is that of the ``steps``. What a step says may still break a rule: the node checks it when it is released.
    """
    delivery = view.delivery
    # After a stop whose own ancestors have not arrived, every step that follows from it waits for them.
    waits = not set(view.heads).isdisjoint(view.waiting)
    found: dict[str, tuple[Breach, ...]] = {}
    for kind in _ORDER:
        if waits and kind not in kinds.OVERTAKING | kinds.ACKNOWLEDGING:
            found[kind] = (Breach(Rule.ANCESTORS_MISSING, {"count": str(len(view.waiting_for))}),)
            continue
        if kind == kinds.ACKNOWLEDGEMENT:
            contents = _acknowledgements(steps, delivery, member)
        else:
            contents = _CONTENTS.get(kind, _unread)(delivery, member, now)
        found[kind] = _tried(Step(b"", kind, member, (), now, (), _SIGNERS, None), delivery, contents)
    return found


def _tried(step: Step, delivery: DeliveryState, contents: Iterable[Any]) -> tuple[Breach, ...]:
    """Return no breach if the step is legal with one of the contents, otherwise those of the first."""
    tried = [
        tuple(each for each in breaches(delivery, replace(step, content=content)) if each.rule not in _WRITTEN)
        for content in contents
    ]
    return () if () in tried else tried[0]


def _unread(_delivery: DeliveryState, _member: str, _now: datetime) -> Iterator[Any]:
    """Yield no content: no rule of the kind reads it."""
    yield None


def _acknowledgements(steps: Iterable[Step], delivery: DeliveryState, member: str) -> Iterator[Any]:
    """Yield what others ask to be acknowledged and this member has not acknowledged; one of nothing where none is."""
    left = set(delivery.acknowledgeable)
    for step in steps:
        if step.author == member:
            left.discard(step.digest)
            if step.kind in kinds.ACKNOWLEDGING and step.content is not None:
                left.discard(step.content.message_digest)
    for digest in (*sorted(left), b""):
        yield pb.ControlledDeliveryAcknowledgement(message_digest=digest)


def _answers(delivery: DeliveryState, _member: str, _now: datetime) -> Iterator[Any]:
    for member, decision in delivery.states.items():
        if decision.status is Status.CONDITIONS_PROPOSED:
            yield pb.ControlledDeliveryConditionsAnswer(member=member, conditions_digest=decision.conditions_step)
    yield pb.ControlledDeliveryConditionsAnswer(member=next(iter(delivery.states), ""))


def _withdrawals(_delivery: DeliveryState, _member: str, _now: datetime) -> Iterator[Any]:
    for what in ("authorisation", "request"):
        yield pb.ControlledDeliveryWithdrawal(withdrawn=what)


def _plans(delivery: DeliveryState, _member: str, now: datetime) -> Iterator[Any]:
    """Yield a plan of the route in force, and one that leaves out the states that will not take part."""
    taking_part = [leg for leg in delivery.route if not failed(delivery, leg.member, now)]
    for route in (delivery.route, taking_part if len(taking_part) > 1 else delivery.route):
        yield pb.ControlledDeliveryPlan(
            route=route, quantities=delivery.quantities, substitution_mode=delivery.substitution_mode
        )


def _offers(delivery: DeliveryState, member: str, _now: datetime) -> Iterator[Any]:
    following = delivery.route[delivery.position + 1 :]
    yield pb.ControlledDeliveryHandoverOffer(taker=following[0].member if following else member)


def _acceptances(delivery: DeliveryState, _member: str, _now: datetime) -> Iterator[Any]:
    yield pb.ControlledDeliveryHandoverAcceptance(offer_digest=delivery.offer.digest if delivery.offer else b"")


def _handover_refusals(delivery: DeliveryState, _member: str, _now: datetime) -> Iterator[Any]:
    yield pb.ControlledDeliveryHandoverRefusal(offer_digest=delivery.offer.digest if delivery.offer else b"")


def _route_changes(delivery: DeliveryState, _member: str, _now: datetime) -> Iterator[Any]:
    first = delivery.responsible or next(iter(delivery.states), "")
    yield pb.ControlledDeliveryRouteChange(route=[pb.ControlledDeliveryLeg(member=first)])


def _liftings(delivery: DeliveryState, member: str, _now: datetime) -> Iterator[Any]:
    stops = sorted(delivery.stops_in_force, key=lambda each: each.member != member)
    for digest in [each.digest for each in stops] or [b""]:
        yield pb.ControlledDeliveryStopLifting(stop_digest=digest)


def _substitutions(_delivery: DeliveryState, _member: str, _now: datetime) -> Iterator[Any]:
    recorded = pb.ControlledDeliveryConsignmentState(
        gross_weight=Quantity(millionths=1, unit="kg"), seals=["1"], photograph_digests=[b""]
    )
    yield pb.ControlledDeliverySubstitution(before=recorded, after=recorded)


_Contents = Callable[[DeliveryState, str, datetime], Iterator[Any]]
_CONTENTS: Final[Mapping[str, _Contents]] = MappingProxyType({
    kinds.CONDITIONS_ANSWER: _answers,
    kinds.WITHDRAWAL: _withdrawals,
    kinds.PLAN: _plans,
    kinds.OFFER: _offers,
    kinds.ACCEPTANCE: _acceptances,
    kinds.HANDOVER_REFUSAL: _handover_refusals,
    kinds.ROUTE_CHANGE: _route_changes,
    kinds.STOP_LIFTING: _liftings,
    kinds.SUBSTITUTION: _substitutions,
})  # fmt: skip
