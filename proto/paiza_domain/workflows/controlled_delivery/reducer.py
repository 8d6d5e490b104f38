"""The reducer: the effective steps of a thread, and the state after them. Pure; the same on every node.

1. A step is checked against the state after its own ancestors: it is legal there or not, for good. An overtaking step
   is legal without its ancestors.
2. The steps of a set are read in the one order (causal, then a stop first, then the lower digest).
3. A legal step takes no effect if a concurrent stopping step takes precedence over it.
4. A step that can conflict with a concurrent step is checked again against the state at its place in the order.
5. All other legal steps take effect: the events they record stay true.

Only one of several requests in one thread counts (`Reduction._chosen_request`), and the steps of one member are limited
in number, so a member that lies about the time or floods a thread harms only its own steps.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from paiza_domain.workflows.causality import Causality
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.legality import addressing, breaches, without_state
from paiza_domain.workflows.controlled_delivery.rules import Breach, Rule
from paiza_domain.workflows.controlled_delivery.state import START, DeliveryState
from paiza_domain.workflows.controlled_delivery.stops import overtakes
from paiza_domain.workflows.controlled_delivery.transitions import apply
from paiza_domain.workflows.step import Step

_OPENERS = frozenset({kinds.REQUEST})
_DIGITS = 12  # hexadecimal digits that tell steps apart for a person
MAX_STEPS: Final = 128  # of one member in one thread, and as many that overtake; a whole delivery has some thirty

Breaches = tuple[Breach, ...]


class Reduction:
    """The reduction of a set of steps: `delivery` is the final state, `ineffective` the broken rules by digest."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.thread = Causality(steps, _OPENERS, kinds.OVERTAKING)
        self._too_many = _over_quota(self.thread.steps)
        self._request = self._chosen_request()
        self._breaches: list[Breaches] = []
        self._states: dict[int, DeliveryState] = {0: START}
        self._stopping = 0
        for place, step in enumerate(self.thread.steps):
            self._breaches.append(self._own_breaches(place, step))
            if step.kind in kinds.STOPPING and not self._breaches[place]:
                self._stopping |= 1 << place
        self.ineffective: dict[bytes, Breaches] = {}
        self.order = tuple(self.thread.order(self.thread.everything))
        self.delivery = self._reduce(self.order, self.thread.everything, self.ineffective)

    @property
    def legal(self) -> Iterable[int]:
        """Return the places of the workflow steps that are legal after their own ancestors."""
        steps = enumerate(self.thread.steps)
        return (place for place, step in steps if step.kind in kinds.STEPS and not self._breaches[place])

    def _chosen_request(self) -> bytes:
        """Return the digest of the valid request: the one that most members follow exclusively, then the earliest.

        The time comes from the author's log, and an author can withhold its log: a request dated before another one
        does not invalidate the steps of members that acted on the other.
        """
        requests = [place for place, step in enumerate(self.thread.steps) if step.kind == kinds.REQUEST]
        if not requests:
            return b""
        all_requests = sum(1 << place for place in requests)
        followers: dict[int, set[str]] = {1 << place: {self.thread.steps[place].author} for place in requests}
        for place, step in enumerate(self.thread.steps):
            alone = self.thread.before[place] & all_requests
            if step.kind in kinds.STEPS and alone in followers:
                followers[alone].add(step.author)

        def rank(place: int) -> tuple[bool, int, object, bytes]:
            step = self.thread.steps[place]
            return step.digest in self._too_many, -len(followers[1 << place]), step.release_time, step.digest

        return self.thread.steps[min(requests, key=rank)].digest

    def before(self, place: int) -> DeliveryState:
        """Return the state after a step's own ancestors."""
        members = self.thread.before[place]
        known = self._states.get(members)
        if known is not None:
            return known
        last = self.thread.last_of_chain(place)
        if last is not None:
            # No step of the set is concurrent with `last`: it is read last and its first check stands.
            delivery = self._applied(self.before(last), last)
        else:
            delivery = self._reduce(self.thread.order(members), members, {})
        self._states[members] = delivery
        return delivery

    def _own_breaches(self, place: int, step: Step) -> Breaches:
        """Return the rules broken after the step's own ancestors (step 1)."""
        if step.kind not in kinds.STEPS:
            return ()
        if step.digest in self._too_many:
            return (Breach(Rule.TOO_MANY_STEPS, {"member": step.author}),)
        if step.kind == kinds.REQUEST and step.digest != self._request:
            return (Breach(Rule.REQUEST_REPEATED),)
        delivery = self.before(place)
        return breaches(delivery, step) or addressing(delivery, step)

    def _applied(self, delivery: DeliveryState, place: int) -> DeliveryState:
        step = self.thread.steps[place]
        if self._breaches[place] or step.kind not in kinds.STEPS:
            return delivery
        return apply(delivery, step, lambda digest: self.thread.is_ancestor(digest, place))

    def _reduce(self, order: Iterable[int], members: int, ineffective: dict[bytes, Breaches]) -> DeliveryState:
        """Return the state after a set of steps (steps 2 to 5); ineffective steps are added to `ineffective`."""
        delivery = START
        for place in order:
            found = self._breaches[place] or self._overtaken(place, members) or self._conflicts(delivery, place)
            if found:
                ineffective[self.thread.steps[place].digest] = found
            else:
                delivery = self._applied(delivery, place)
        return delivery

    def _overtaken(self, place: int, members: int) -> Breaches:
        """Return a breach if a concurrent stopping step takes precedence (step 3)."""
        step = self.thread.steps[place]
        if step.kind not in kinds.CONFLICTING and step.kind != kinds.AUTHORISATION:
            return ()
        stopping = self._stopping & members & ~self.thread.before[place]
        first: Step | None = None
        while stopping:
            other = stopping.bit_length() - 1
            stopping ^= 1 << other
            stopping_step = self.thread.steps[other]
            if (first is None or stopping_step.digest < first.digest) and self._takes_precedence(other, place):
                first = stopping_step
        if first is None:
            return ()
        # The lowest digest is reported: places differ from node to node.
        return (Breach(Rule.OVERTAKEN, {"member": first.author, "step": first.digest.hex()[:_DIGITS]}),)

    def _takes_precedence(self, other: int, place: int) -> bool:
        step, stopping_step = self.thread.steps[place], self.thread.steps[other]
        return self.thread.concurrent(place, other) and overtakes(stopping_step, step, self.before(place))

    def _conflicts(self, delivery: DeliveryState, place: int) -> Breaches:
        """Return the rules broken at the step's place in the order (step 4)."""
        step = self.thread.steps[place]
        if step.kind in kinds.CONFLICTING:
            return breaches(delivery, step)
        return without_state(delivery, step) if step.kind in kinds.DECISIONS else ()


def _over_quota(steps: Iterable[Step]) -> frozenset[bytes]:
    """Return the digests of the steps beyond a member's quota, the latest by its log. Stops have their own quota."""
    used: Counter[tuple[str, bool]] = Counter()
    beyond: set[bytes] = set()
    for step in sorted(steps, key=lambda each: (each.release_time, each.digest)):
        share = step.author, step.kind in kinds.OVERTAKING
        if step.kind in kinds.STEPS and used[share] == MAX_STEPS:
            beyond.add(step.digest)
        elif step.kind in kinds.STEPS:
            used[share] += 1
    return frozenset(beyond)
