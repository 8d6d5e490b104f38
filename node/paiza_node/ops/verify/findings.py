"""The result of a verification: how much was read, and everything that failed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from paiza_node.core.errors import NodeStopped

MAX_FINDINGS: Final = 100  # reported one by one; further ones are counted
_MASK: Final = (1 << 128) - 1

Step = Callable[[int], None]
"""Called with the number of further rows read."""


@dataclass
class Part:
    """One part of a verification: its counts, duration and findings."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    findings: list[NodeStopped] = field(default_factory=list)
    more: int = 0

    def find(self, reason: str, what: str, where: str, **values: Any) -> None:
        """Add a finding: templates, as in NodeStopped."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(NodeStopped(reason, what=what, where=where, remedy="", **values))
        else:
            self.more += 1

    @property
    def holds(self) -> bool:
        """Return whether there are no findings."""
        return not self.findings


@dataclass
class Tally:
    """A count and sum over rows that does not depend on their order: compares two large sets without storing them.

    The sum is of 128 bits of each row's SHA-256: another set of rows with the same sum does not occur by chance.
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
