"""The workflow "controlled-delivery": a pure fold over the signed steps of one thread.

Every node that holds the same steps gives the same `Standing`, in whatever order they came. A sender's node asks
`check_next` before it releases a step. No receiver refuses an authentic one; the fold says what takes no effect, and
why.
"""

from collections.abc import Iterable

from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.reducer import Folding
from paiza_domain.workflows.controlled_delivery.rules import INVARIANTS, TEXTS, Breach, Rule
from paiza_domain.workflows.controlled_delivery.state import Event, Offer, StateStanding, Status, Stop
from paiza_domain.workflows.controlled_delivery.status import MOVING, Alarm, Deadline, Due, Overall, Standing, overdue
from paiza_domain.workflows.controlled_delivery.view import stand
from paiza_domain.workflows.step import Step

__all__ = [
    "INVARIANTS",
    "MOVING",
    "NAME",
    "TEXTS",
    "Alarm",
    "Breach",
    "Deadline",
    "Due",
    "Event",
    "Offer",
    "Overall",
    "Rule",
    "Standing",
    "StateStanding",
    "Status",
    "Step",
    "Stop",
    "check_next",
    "fold",
    "overdue",
]

NAME = "controlled-delivery"


def fold(steps: Iterable[Step]) -> Standing:
    """Fold the steps of one thread, in any order.

    A step of a foreign kind counts as a link between others only.
    """
    return stand(Folding(steps))


def check_next(steps: Iterable[Step], step: Step) -> tuple[Breach, ...]:
    """Return what `step` would break if it were released now; empty means that it may be.

    1. Its ancestors are all there, unless it overtakes or acknowledges.
    2. It takes effect, beside everything that is known.
    3. It takes the effect of no other step that is known, unless it is a halt.
    """
    known = [each for each in steps if each.digest != step.digest]
    after = Folding([*known, step])
    # Step 1.
    if step.digest not in after.thread.index:
        if step.kind in kinds.OVERTAKING | kinds.ACKNOWLEDGING:
            return ()
        return (Breach(Rule.ANCESTORS_MISSING, {"count": str(len(after.thread.missing))}),)
    # Step 2.
    if found := after.ineffective.get(step.digest):
        return found
    # Step 3.
    if step.kind not in kinds.HALTS and after.ineffective.keys() - Folding(known).ineffective.keys():
        return (Breach(Rule.UNDOES_OTHERS),)
    return ()
