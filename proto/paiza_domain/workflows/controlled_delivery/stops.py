"""The precedence of stopping steps over concurrent steps.

A stopping step (stop, loss of control, intervention, suspension, withdrawal, refusal) is checked against its own
ancestors only. A step that is concurrent with a stopping step for the same matter takes no effect, whatever the order
of the two: a member that moved the consignment without knowing of a stop must check again.
"""

from typing import Final

from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.state import DeliveryState
from paiza_domain.workflows.step import Step

_CROSSED: Final = frozenset({kinds.PLAN, kinds.ACTIVATION, kinds.OFFER, kinds.ACCEPTANCE})


def overtakes(stopping_step: Step, step: Step, delivery: DeliveryState) -> bool:
    """Return whether `stopping_step` makes the concurrent `step` ineffective; `step` follows from `delivery`."""
    match stopping_step.kind:
        case kinds.STOP | kinds.CONTROL_LOST | kinds.INTERVENTION:
            return step.kind in kinds.MOVEMENTS or step.kind == kinds.ROUTE_CHANGE
        case kinds.SUSPENSION:
            return step.kind in kinds.MOVEMENTS
        case kinds.HANDOVER_REFUSAL:
            return step.kind == kinds.ACCEPTANCE and step.content.offer_digest == stopping_step.content.offer_digest
        case kinds.WITHDRAWAL if stopping_step.content.withdrawn == "request":
            return step.kind in kinds.CONFLICTING
        case kinds.WITHDRAWAL | kinds.REFUSAL:
            return _takes_back(stopping_step, step, delivery)
    return False


def _takes_back(stopping_step: Step, step: Step, delivery: DeliveryState) -> bool:
    """Return whether a state withdraws or refuses a decision that `step` relies on."""
    if step.kind == kinds.AUTHORISATION:
        return step.author == stopping_step.author
    if step.kind not in _CROSSED:
        return False
    legs = step.content.route if step.kind == kinds.PLAN else delivery.remaining
    return stopping_step.author in {leg.member for leg in legs}
