"""A target of fuzzing: what is run on changed inputs, the valid inputs it starts from, and how they are changed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from paiza_domain.directory import DirectoryError
from paiza_domain.drafts.drafts import DraftError
from paiza_node.core.errors import NodeStopped
from paiza_trust.errors import TrustError
from paiza_wire.errors import PaizaError
from tests.fuzz.mutating import mutate_bytes

HANG_SECONDS: Final = 10.0  # of one input; the machines of tests are shared
REFUSALS: Final = (PaizaError, NodeStopped, TrustError, DraftError, DirectoryError)
"""The declared families of errors: whatever else comes out is a defect."""

Mutate = Callable[[Random, bytes], bytes]


class DefectError(AssertionError):
    """An input shows a defect: another exception, a hang, or two implementations that disagree."""


@dataclass
class Counted:
    """How many inputs a target ran, and how many of them were accepted."""

    ran: int = 0
    accepted: int = 0
    changed_accepted: int = 0
    slowest: float = 0.0


@dataclass(frozen=True)
class Target:
    """One target.

    ``run`` returns whether the input was accepted, and raises what is not a declared refusal; it also demands what an
    acceptance implies. Each of ``seeds`` is accepted, if ``seeds_accepted``. ``executions`` are those of `make test`.
    """

    name: str
    run: Callable[[bytes], bool]
    seeds: Sequence[bytes]
    mutate: Mutate = mutate_bytes
    executions: int = 1000
    max_bytes: int = 1 << 20
    seeds_accepted: bool = True
    counted: Counted = field(default_factory=Counted)

    def check(self, data: bytes, *, changed: bool = True) -> bool:
        """Run one input; DefectError if it shows a defect."""
        began = time.monotonic()
        try:
            accepted = self.run(data)
        except REFUSALS:
            accepted = False
        except DefectError:
            raise
        except Exception as error:
            raise DefectError(f"{self.name}: {type(error).__name__}: {error}") from error
        took = time.monotonic() - began
        if took > HANG_SECONDS:
            raise DefectError(f"{self.name}: one input took {took:.1f} s, accepted: {accepted}")
        self.counted.ran += 1
        self.counted.accepted += accepted
        self.counted.changed_accepted += accepted and changed
        self.counted.slowest = max(self.counted.slowest, took)
        return accepted

    def check_seeds(self) -> None:
        """Demand that every seed is accepted: else changes of it would meet the first refusal only."""
        for number, seed in enumerate(self.seeds if self.seeds_accepted else ()):
            try:
                accepted = self.run(seed)
            except REFUSALS as error:
                raise DefectError(f"{self.name}: seed {number} is refused: {error}") from error
            if not accepted:
                raise DefectError(f"{self.name}: seed {number} is refused")

    def drive(self, random: Random, executions: int) -> None:
        """Run so many changed seeds."""
        for _ in range(executions):
            data = random.choice(self.seeds)
            for _ in range(random.choice((1, 1, 2, 3))):
                data = self.mutate(random, data)
            self.check(data[: self.max_bytes])


def demand(holds: object, what: str) -> None:
    """Raise DefectError unless something holds."""
    if not holds:
        raise DefectError(what)
