"""The workflow "controlled-delivery": a pure reduction of the signed steps of one thread.

Every node that holds the same steps computes the same `DeliveryView`, whatever the order of arrival. A sender's node
calls `check_next` before it releases a step. No receiver refuses an authentic step; the view lists the ineffective
steps and the reasons.
"""

from collections.abc import Iterable

from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.next_steps import next_steps
from paiza_domain.workflows.controlled_delivery.reducer import Reduction
from paiza_domain.workflows.controlled_delivery.rules import INVARIANTS, TEXTS, Breach, Rule
from paiza_domain.workflows.controlled_delivery.state import Event, Offer, StateDecision, Status, Stop
from paiza_domain.workflows.controlled_delivery.status import (
    MOVING,
    OVER,
    Alarm,
    Deadline,
    DeadlineKind,
    DeliveryView,
    OverallStatus,
    overdue,
)
from paiza_domain.workflows.controlled_delivery.tasks import settled
from paiza_domain.workflows.controlled_delivery.view import build_view
from paiza_domain.workflows.step import Step

__all__ = [
    "INVARIANTS",
    "MOVING",
    "NAME",
    "OVER",
    "TEXTS",
    "Alarm",
    "Breach",
    "Deadline",
    "DeadlineKind",
    "DeliveryView",
    "Event",
    "Offer",
    "OverallStatus",
    "Rule",
    "StateDecision",
    "Status",
    "Step",
    "Stop",
    "check_next",
    "next_steps",
    "overdue",
    "reduce",
    "settled",
]

NAME = "controlled-delivery"


def reduce(steps: Iterable[Step]) -> DeliveryView:
    """Return the view of the steps of one thread, given in any order.

    A step of a foreign kind counts only as a link between others.
    """
    return build_view(Reduction(steps))


def check_next(steps: Iterable[Step], step: Step) -> tuple[Breach, ...]:
    """Return the rules that `step` would break if it were released now; empty if it may be released.

    1. All its ancestors are known, unless it overtakes or acknowledges.
    2. It takes effect beside all known steps.
    3. It makes no known step ineffective, unless it is a stopping step.
    """
    known = [each for each in steps if each.digest != step.digest]
    after = Reduction([*known, step])
    # Step 1.
    if step.digest not in after.thread.index:
        if step.kind in kinds.OVERTAKING | kinds.ACKNOWLEDGING:
            return ()
        return (Breach(Rule.ANCESTORS_MISSING, {"count": str(len(after.thread.missing))}),)
    # Step 2.
    if found := after.ineffective.get(step.digest):
        return found
    # Step 3.
    if step.kind not in kinds.STOPPING and after.ineffective.keys() - Reduction(known).ineffective.keys():
        return (Breach(Rule.UNDOES_OTHERS),)
    return ()
