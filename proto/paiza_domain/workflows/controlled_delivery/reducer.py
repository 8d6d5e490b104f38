"""The fold: which steps take effect, and what course they bring about. Pure; the same on every node.

1. A step is judged against the course of its own ancestors: legal there or not, for good. What overtakes is legal for
   want of ancestors.
2. The steps of a set are read in the one order (causal, then a stop first, then the lower digest).
3. A legal step takes no effect if a halt that is concurrent with it goes before it.
4. A step that can collide with a concurrent one is judged once more against the course at its place in the order.
5. All other legal steps take effect: what they record stays true.

Of several requests in one thread one counts (`Folding._chosen`), and of one member's steps only so many: whoever lies
about the time or floods a thread takes effect from nobody but himself.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from paiza_domain.workflows.causality import Causality
from paiza_domain.workflows.controlled_delivery import step_kinds as kinds
from paiza_domain.workflows.controlled_delivery.legality import addressing, breaches, without_state
from paiza_domain.workflows.controlled_delivery.rules import Breach, Rule
from paiza_domain.workflows.controlled_delivery.state import START, Course
from paiza_domain.workflows.controlled_delivery.stops import overtakes
from paiza_domain.workflows.controlled_delivery.transitions import apply
from paiza_domain.workflows.step import Step

_OPENERS = frozenset({kinds.REQUEST})
_DIGITS = 12  # hexadecimal digits that tell steps apart for a person
MAX_STEPS: Final = 128  # of one member in one thread, and as many that overtake; a whole delivery has some thirty

Breaches = tuple[Breach, ...]


class Folding:
    """One fold over one set of steps; `course` is the outcome, `ineffective` says by digest what a step breaks."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.thread = Causality(steps, _OPENERS, kinds.OVERTAKING)
        self._too_many = _beyond_quota(self.thread.steps)
        self._request = self._chosen()
        self._verdicts: list[Breaches] = []
        self._courses: dict[int, Course] = {0: START}
        self._halts = 0
        for place, step in enumerate(self.thread.steps):
            self._verdicts.append(self._judged(place, step))
            if step.kind in kinds.HALTS and not self._verdicts[place]:
                self._halts |= 1 << place
        self.ineffective: dict[bytes, Breaches] = {}
        self.order = tuple(self.thread.order(self.thread.everything))
        self.course = self._read(self.order, self.thread.everything, self.ineffective)

    @property
    def legal(self) -> Iterable[int]:
        """Return the places of the steps of the workflow that are legal against their own ancestors."""
        steps = enumerate(self.thread.steps)
        return (place for place, step in steps if step.kind in kinds.STEPS and not self._verdicts[place])

    def _chosen(self) -> bytes:
        """Return the request that counts: the one from which alone the steps of most members follow, then the earliest.

        The time is what the author's log says, and a log can be kept back: a request that is dated before another takes
        nothing away from those who have acted on that one.
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

    def before(self, place: int) -> Course:
        """Return the course of a step's own ancestors."""
        members = self.thread.before[place]
        known = self._courses.get(members)
        if known is not None:
            return known
        last = self.thread.last_of_chain(place)
        if last is not None:
            # Nothing in the set is concurrent with `last`: it reads last, and as it was judged.
            course = self._taken(self.before(last), last)
        else:
            course = self._read(self.thread.order(members), members, {})
        self._courses[members] = course
        return course

    def _judged(self, place: int, step: Step) -> Breaches:
        """Step 1."""
        if step.kind not in kinds.STEPS:
            return ()
        if step.digest in self._too_many:
            return (Breach(Rule.TOO_MANY_STEPS, {"member": step.author}),)
        if step.kind == kinds.REQUEST and step.digest != self._request:
            return (Breach(Rule.REQUEST_REPEATED),)
        course = self.before(place)
        return breaches(course, step) or addressing(course, step)

    def _taken(self, course: Course, place: int) -> Course:
        step = self.thread.steps[place]
        if self._verdicts[place] or step.kind not in kinds.STEPS:
            return course
        return apply(course, step, lambda digest: self.thread.is_ancestor(digest, place))

    def _read(self, order: Iterable[int], members: int, ineffective: dict[bytes, Breaches]) -> Course:
        """Read a set in its order (steps 2 to 5); what takes no effect is added to `ineffective`."""
        course = START
        for place in order:
            found = self._verdicts[place] or self._overtaken(place, members) or self._collides(course, place)
            if found:
                ineffective[self.thread.steps[place].digest] = found
            else:
                course = self._taken(course, place)
        return course

    def _overtaken(self, place: int, members: int) -> Breaches:
        """Step 3."""
        step = self.thread.steps[place]
        if step.kind not in kinds.CONTENDED and step.kind != kinds.AUTHORISATION:
            return ()
        halts = self._halts & members & ~self.thread.before[place]
        first: Step | None = None
        while halts:
            other = halts.bit_length() - 1
            halts ^= 1 << other
            halt = self.thread.steps[other]
            if (first is None or halt.digest < first.digest) and self._goes_before(other, place):
                first = halt
        if first is None:
            return ()
        # The one of the lowest digest is named: places differ from node to node.
        return (Breach(Rule.OVERTAKEN, {"member": first.author, "step": first.digest.hex()[:_DIGITS]}),)

    def _goes_before(self, other: int, place: int) -> bool:
        step, halt = self.thread.steps[place], self.thread.steps[other]
        return self.thread.concurrent(place, other) and overtakes(halt, step, self.before(place))

    def _collides(self, course: Course, place: int) -> Breaches:
        """Step 4."""
        step = self.thread.steps[place]
        if step.kind in kinds.CONTENDED:
            return breaches(course, step)
        return without_state(course, step) if step.kind in kinds.DECISIONS else ()


def _beyond_quota(steps: Iterable[Step]) -> frozenset[bytes]:
    """Name the steps that one member has too many of: the latest by its own log. Stops have a share of their own."""
    used: Counter[tuple[str, bool]] = Counter()
    beyond: set[bytes] = set()
    for step in sorted(steps, key=lambda each: (each.release_time, each.digest)):
        share = step.author, step.kind in kinds.OVERTAKING
        if step.kind in kinds.STEPS and used[share] == MAX_STEPS:
            beyond.add(step.digest)
        elif step.kind in kinds.STEPS:
            used[share] += 1
    return frozenset(beyond)
