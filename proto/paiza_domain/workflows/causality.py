"""The causal order of a thread: ancestors, missing steps, and the one order in which every node reads the steps.

The order is causal; among concurrent steps a stop comes first, then the lower digest. A set of steps is an integer with
one bit a step, so that ancestor queries are single operations.
"""

from collections.abc import Collection, Iterable, Iterator
from heapq import heapify, heappop, heappush

from paiza_domain.workflows.step import Step


class Causality:
    """The steps of one thread whose ancestors are all known (`steps`, parents before children), and the waiting steps.

    A step of a kind in `openers` comes first, whatever its parents: they belong to another matter.
    """

    def __init__(self, steps: Iterable[Step], openers: Collection[str], first: Collection[str]) -> None:
        known = {step.digest: step for step in steps}
        self._openers, self._first = openers, first
        self.steps: list[Step] = []
        self.index: dict[bytes, int] = {}
        self.before: list[int] = []  # the set of ancestors of each step
        children: dict[bytes, list[Step]] = {}
        unmet: dict[bytes, int] = {}
        for step in known.values():
            parents = self._parents(step)
            unmet[step.digest] = len(parents)
            for parent in parents:
                children.setdefault(parent, []).append(step)
        ready = sorted(digest for digest, count in unmet.items() if not count)
        while ready:
            step = known[ready.pop()]
            self._append(step)
            for child in children.get(step.digest, ()):
                unmet[child.digest] -= 1
                if not unmet[child.digest]:
                    ready.append(child.digest)
        self.waiting: tuple[Step, ...] = tuple(
            known[digest] for digest in sorted(known) if digest not in self.index
        )  # fmt: skip
        self.missing: tuple[bytes, ...] = tuple(
            sorted({parent for step in self.waiting for parent in self._parents(step) if parent not in known})
        )
        self.everything = (1 << len(self.steps)) - 1

    def _parents(self, step: Step) -> frozenset[bytes]:
        return frozenset() if step.kind in self._openers else frozenset(step.parents)

    def _append(self, step: Step) -> None:
        before = 0
        for parent in self._parents(step):
            place = self.index[parent]
            before |= self.before[place] | 1 << place
        self.index[step.digest] = len(self.steps)
        self.steps.append(step)
        self.before.append(before)

    def is_ancestor(self, earlier: bytes, later: int) -> bool:
        """Return whether the step of that digest is an ancestor of the step at that place."""
        place = self.index.get(earlier)
        return place is not None and bool(self.before[later] >> place & 1)

    def concurrent(self, one: int, other: int) -> bool:
        """Return whether neither of two different steps is an ancestor of the other."""
        return not (self.before[one] >> other & 1 or self.before[other] >> one & 1)

    def last_of_chain(self, place: int) -> int | None:
        """Return the last ancestor of the step at `place` if it follows from all the others, else None.

        The state before the step is then the state after that ancestor.
        """
        before = self.before[place]
        if not before:
            return None
        last = before.bit_length() - 1
        return last if self.before[last] | 1 << last == before else None

    def order(self, members: int) -> Iterator[int]:
        """Yield the places of an ancestor-closed set in the order in which they are read."""
        places = [place for place in range(members.bit_length()) if members >> place & 1]
        following: dict[int, list[int]] = {place: [] for place in places}
        unmet: dict[int, int] = {}
        for place in places:
            parents = self._parents(self.steps[place])
            unmet[place] = len(parents)
            for parent in parents:
                following[self.index[parent]].append(place)
        ready = [self._key(place) for place in places if not unmet[place]]
        heapify(ready)
        while ready:
            place = heappop(ready)[2]
            yield place
            for child in following[place]:
                unmet[child] -= 1
                if not unmet[child]:
                    heappush(ready, self._key(child))

    def _key(self, place: int) -> tuple[bool, bytes, int]:
        step = self.steps[place]
        return step.kind not in self._first, step.digest, place
