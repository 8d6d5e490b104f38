"""What a verification found: how much was read, and everything that does not hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from paiza_node.core.errors import NodeStopped

MAX_FINDINGS: Final = 100  # told one by one; more are counted
_MASK: Final = (1 << 128) - 1

Step = Callable[[int], None]
"""Is told how many rows more were read."""


@dataclass
class Part:
    """One part of a verification: what it counted, how long it took, what it found."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    findings: list[NodeStopped] = field(default_factory=list)
    more: int = 0

    def find(self, reason: str, what: str, where: str, **values: Any) -> None:
        """Note something that does not hold: templates, as in NodeStopped."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(NodeStopped(reason, what=what, where=where, remedy="", **values))
        else:
            self.more += 1

    @property
    def holds(self) -> bool:
        """Return whether nothing was found."""
        return not self.findings


@dataclass
class Tally:
    """A count and sum over rows, the same for the same rows in whatever order: compares two large sets in no memory.

    The sum is of 128 bits of each row's SHA-256: nobody finds another set of rows with the same sum by chance.
    """

    count: int = 0
    total: int = 0

    def add(self, *fields: bytes) -> None:
        """Count one row, given as its fields."""
        self.count += 1
        self.total += int.from_bytes(sha256(b"\x00".join(fields)).digest()[:16])

    def same(self, other: "Tally") -> bool:
        """Return whether both counted the same rows."""
        return self.count == other.count and (self.total - other.total) & _MASK == 0
