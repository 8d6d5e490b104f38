"""What a delivery still asks of one member: the steps of others that are tasks of its officers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.state import Status
from paiza_domain.workflows.controlled_delivery.status import OVER, DeliveryView
from paiza_domain.workflows.step import Step

_ASKING: Final = frozenset({
    kinds.REQUEST, kinds.ROUTE_CHANGE, kinds.CONDITIONS, kinds.CONDITIONS_ANSWER, kinds.OFFER, kinds.STOP,
    kinds.CONTROL_LOST,
})  # fmt: skip
_TO_DECIDE: Final = frozenset({Status.REQUESTED, Status.ACKNOWLEDGED})


def settled(steps: Iterable[Step], view: DeliveryView, member: str) -> frozenset[bytes]:
    """Return the digests of the steps of others that ask nothing more of the officers of a member.

    1. When the delivery is over, no step does.
    2. A step that asks for an answer does while the delivery waits for the answer of this member.
    3. An acknowledgement never does.
    4. Any other step does until the member releases a step that follows from it.

    A step whose ancestors are missing is not settled: what it asks is not known yet.
    """
    of_delivery = [step for step in steps if step.kind in kinds.STEPS and step.digest not in view.waiting]
    others = [step for step in of_delivery if step.author != member]
    if view.overall in OVER:  # 1.
        return frozenset(step.digest for step in others)
    awaited = frozenset(_awaited(of_delivery, view, member))
    followed = _followed({step.digest: step for step in of_delivery}, member)
    return frozenset(
        step.digest
        for step in others
        if (step.digest not in awaited if step.kind in _ASKING else step.digest in followed)  # 2. and 4.
        or step.kind == kinds.ACKNOWLEDGEMENT  # 3.
    )


def _awaited(steps: Iterable[Step], view: DeliveryView, member: str) -> Iterator[bytes]:
    """Yield the steps that the delivery waits for this member to answer."""
    decision = view.states.get(member)
    if decision is not None:
        lacks = any(breach.values.get("member") == member for breach in view.lacking)
        for step in steps:
            if step.digest in view.ineffective:
                continue
            asked = _asked(step)
            if (decision.status in _TO_DECIDE and member in asked) or (lacks and step.kind == kinds.ROUTE_CHANGE):
                yield step.digest
        if decision.status is Status.CONDITIONS_ANSWERED:
            yield decision.step
    if view.requester == member:
        yield from (each.conditions_step for each in view.states.values() if each.status is Status.CONDITIONS_PROPOSED)
    if view.offer is not None and view.offer.taker == member:
        yield view.offer.digest
    yield from (each.digest for each in view.alarms if each.in_force and member in each.still_to_acknowledge)


def _asked(step: Step) -> frozenset[str]:
    """Return the states whose authorisation a step asks for."""
    if step.kind == kinds.REQUEST:
        return frozenset(state.member for state in step.content.states)
    if step.kind == kinds.ROUTE_CHANGE:
        return frozenset(state.member for state in step.content.new_states)
    return frozenset()


def _followed(steps: Mapping[bytes, Step], member: str) -> frozenset[bytes]:
    """Return the steps from which a step of this member follows, directly or not."""
    found: set[bytes] = set()
    left = [parent for step in steps.values() if step.author == member for parent in step.parents]
    while left:
        digest = left.pop()
        if digest not in found:
            found.add(digest)
            left += steps[digest].parents if digest in steps else ()
    return frozenset(found)
