"""The scope of authorisations: dates, border points, quantity and mode of substitution of a route (invariant 1)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import Final

from paiza.content.v1.common_pb2 import Quantity
from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryLeg, ControlledDeliveryScope
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.quantity import GRAMS_PER_UNIT, format_amount
from paiza_domain.workflows.controlled_delivery.breach_values import period_value, time_value
from paiza_domain.workflows.controlled_delivery.rules import Breach, Rule
from paiza_domain.workflows.controlled_delivery.state import DeliveryState, StateDecision, Status

_POINTS_KEPT: Final = 1_024  # names of border points; a region has a few hundred


def lacking(delivery: DeliveryState, legs: Iterable[ControlledDeliveryLeg], time: datetime) -> Iterator[Breach]:
    """Yield the breaches that keep the consignment from these legs at `time`."""
    for leg in legs:
        yield from leg_breaches(leg, delivery.states, delivery.quantities, delivery.substitution_mode, time)


def leg_breaches(
    leg: ControlledDeliveryLeg,
    states: Mapping[str, StateDecision],
    quantities: Iterable[Quantity],
    mode: str,
    time: datetime,
) -> Iterator[Breach]:
    """Yield the breaches of the state's authorisation for one leg."""
    decision = states.get(leg.member)
    if decision is None or decision.status is not Status.AUTHORISED:
        yield Breach(Rule.AUTHORISATION_MISSING, {"member": leg.member})
        return
    scope: ControlledDeliveryScope = decision.scope
    until = to_datetime(scope.valid_until_time)
    if until < time:
        yield Breach(Rule.AUTHORISATION_EXPIRED, {"member": leg.member, "time": time_value(until)})
    yield from _dates(leg, scope)
    for point in (leg.entry_point, leg.exit_point):
        yield from point_breaches(leg.member, decision, point)
    for quantity in quantities:
        if not _holds(scope.quantities, quantity):
            value = f"{format_amount(quantity.millionths)} {quantity.unit}"
            yield Breach(Rule.SCOPE_QUANTITY, {"member": leg.member, "quantity": value})
    if mode not in scope.substitution_modes:
        yield Breach(Rule.SCOPE_SUBSTITUTION, {"member": leg.member, "mode": mode})


def point_breaches(member: str, decision: StateDecision, point: str) -> Iterator[Breach]:
    """Yield a breach if the state's authorisation does not cover the border point; an empty point is ignored."""
    if point and _plain(point) not in {_plain(each) for each in decision.scope.border_points}:
        yield Breach(Rule.SCOPE_BORDER_POINT, {"member": member, "point": point})


def _dates(leg: ControlledDeliveryLeg, scope: ControlledDeliveryScope) -> Iterator[Breach]:
    enters, leaves = to_datetime(leg.entry_time), to_datetime(leg.exit_time)
    first, last = to_datetime(scope.valid_from_time), to_datetime(scope.valid_until_time)
    if not (first <= enters and leaves <= last):
        covered, needed = period_value(first, last), period_value(enters, leaves)
        yield Breach(Rule.SCOPE_DATES, {"member": leg.member, "covered": covered, "needed": needed})


def _holds(limits: Iterable[Quantity], quantity: Quantity) -> bool:
    """Return whether a limit in the same unit, or another unit of mass, is at least this quantity."""
    needed = _measure(quantity)
    return any(unit == needed[0] and amount >= needed[1] for unit, amount in map(_measure, limits))


def _measure(quantity: Quantity) -> tuple[str, Fraction | int]:
    grams = GRAMS_PER_UNIT.get(quantity.unit)
    return (quantity.unit, quantity.millionths) if grams is None else ("g", quantity.millionths * grams)


@lru_cache(maxsize=_POINTS_KEPT)
def _plain(point: str) -> str:
    return " ".join(point.split()).casefold()
