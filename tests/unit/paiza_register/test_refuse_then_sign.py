"""Every course that two roots of one version can take where one custodian breaks every promise.

Honest custodians sign one root; they sign another one once so many others refused the first that it can never count.
They sign nothing that they refused, and refuse nothing that they signed. The hostile one refuses what it likes, and
signs both roots in secret. All courses are walked through; where both roots are complete in the end, the refusals that
freed the honest must tell which of the two counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import pytest

Root = Literal["first", "second"]
OTHER: dict[Root, Root] = {"first": "second", "second": "first"}
HOSTILE = 0


@dataclass(frozen=True)
class Course:
    """Who signed and refused each root so far; ``later`` are the honest who signed a root instead of the other."""

    signed: frozenset[tuple[Root, int]] = frozenset()
    refused: frozenset[tuple[Root, int]] = frozenset()
    later: frozenset[tuple[Root, int]] = frozenset()


@dataclass(frozen=True)
class Federation:
    """So many custodians, of whom so many must sign."""

    custodians: int
    threshold: int

    def is_dead(self, course: Course, root: Root) -> bool:
        """Return whether a root can never count, as the honest see it."""
        refusing = {who for what, who in course.refused if what == root and (root, who) not in course.signed}
        return self.custodians - len(refusing) < self.threshold

    def is_complete(self, course: Course, root: Root) -> bool:
        """Return whether enough signed a root, with the secret signature of the hostile one."""
        return len({who for what, who in course.signed if what == root} | {HOSTILE}) >= self.threshold

    def is_broken(self, course: Course, root: Root) -> bool:
        """Return whether the refusals prove that a root does not count: the hostile one has signed it after all."""
        refusing = {who for what, who in course.refused if what == root}
        return HOSTILE in refusing and self.custodians - len(refusing) < self.threshold

    def next(self, course: Course) -> Iterator[Course]:
        """Yield what can happen next."""
        for root, other in OTHER.items():
            for who in range(self.custodians):
                decision = (root, who)
                if decision in course.signed | course.refused:
                    continue
                yield replace(course, refused=course.refused | {decision})
                if who == HOSTILE:
                    continue
                had = (other, who) in course.signed
                if not had or self.is_dead(course, other):
                    later = course.later | ({decision} if had else set())
                    yield replace(course, signed=course.signed | {decision}, later=later)

    def forks(self) -> list[Course]:
        """Return every course after which both roots are complete."""
        begun = Course()
        seen, waiting = {begun}, [begun]
        while waiting:
            for course in self.next(waiting.pop()):
                if course not in seen:
                    seen.add(course)
                    waiting.append(course)
        return [course for course in seen if all(self.is_complete(course, root) for root in OTHER)]


@pytest.mark.parametrize(
    ("custodians", "threshold", "split", "settled", "frozen"),
    [(3, 2, 32, 20, 4), (4, 3, 0, 66, 24), (5, 3, 384, 636, 72), (5, 4, 0, 112, 80)],
)
def test_refusals_tell_which_root_counts(
    custodians: int, threshold: int, split: int, settled: int, frozen: int
) -> None:
    """Never the one that the honest gave up counts; the membership freezes only where enough refused both.

    ``split`` are the courses in which no honest custodian signed both: their two majorities had only the hostile one in
    common, which no rule about refusals can mend.
    """
    federation = Federation(custodians, threshold)
    forks = federation.forks()
    freed = [course for course in forks if course.later]
    found = {1: 0, 2: 0}
    for course in freed:
        broken = {root for root in OTHER if federation.is_broken(course, root)}
        found[len(broken)] += 1
        assert len(broken) == 2 or broken == {OTHER[root] for root, _who in course.later}
    assert (len(forks) - len(freed), found[1], found[2]) == (split, settled, frozen)
