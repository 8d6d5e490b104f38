"""What goes before everything that did not know of it.

A halt (stop, loss of control, intervention, suspension, withdrawal, refusal) is judged against its own ancestors only.
A step that is concurrent with a halt of its matter takes no effect, wherever the order puts the two: who moved the
consignment without knowing of a stop is asked to look again.
"""

from typing import Final

from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.state import Course
from paiza_domain.workflows.step import Step

_CROSSED: Final = frozenset({kinds.PLAN, kinds.ACTIVATION, kinds.OFFER, kinds.ACCEPTANCE})


def overtakes(halt: Step, step: Step, course: Course) -> bool:
    """Return whether `halt` goes before `step`, which is concurrent with it and follows from `course`."""
    match halt.kind:
        case kinds.STOP | kinds.CONTROL_LOST | kinds.INTERVENTION:
            return step.kind in kinds.MOVEMENTS or step.kind == kinds.ROUTE_CHANGE
        case kinds.SUSPENSION:
            return step.kind in kinds.MOVEMENTS
        case kinds.HANDOVER_REFUSAL:
            return step.kind == kinds.ACCEPTANCE and step.content.offer_digest == halt.content.offer_digest
        case kinds.WITHDRAWAL if halt.content.withdrawn == "request":
            return step.kind in kinds.CONTENDED
        case kinds.WITHDRAWAL | kinds.REFUSAL:
            return _takes_back(halt, step, course)
    return False


def _takes_back(halt: Step, step: Step, course: Course) -> bool:
    """Return whether a state takes back, or refuses, what `step` relies on."""
    if step.kind == kinds.AUTHORISATION:
        return step.author == halt.author
    if step.kind not in _CROSSED:
        return False
    legs = step.content.route if step.kind == kinds.PLAN else course.remaining
    return halt.author in {leg.member for leg in legs}
