"""Verification of stored rows: how much was read, everything that failed, and the interface of a check.

Each package that owns tables checks them in its module `checks`; `paiza_node.ops.verify` composes them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_, NodeStopped
from paiza_wire.errors import PaizaError

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

    @contextmanager
    def refusals(self, reason: str, where: str, **values: Any) -> Iterator[None]:
        """Add a finding if the block ends with a refusal, which is not raised any further."""
        try:
            yield
        except PaizaError as error:
            self.find(reason, "{code}: {detail}", where, code=error.reason, detail=error.detail, **values)

    def compare(self, pair: str, in_log: "Tally", in_rows: "Tally") -> None:
        """Add a finding unless the log and the rows agree; ``pair`` names both."""
        if not in_log.same(in_rows):
            self.find(
                "log_damaged",
                N_("Both must agree, but one has {one} and the other {other}."),
                "{pair}",
                one=in_log.count,
                other=in_rows.count,
                pair=pair,
            )

    @property
    def passed(self) -> bool:
        """Return whether there are no findings."""
        return not self.findings


@dataclass
class Tally:
    """A count and sum over rows that does not depend on their order: compares two large sets without storing them.

    The sum is of 128 bits of each row's SHA-256: another set of rows with the same sum does not occur by chance.
    """

    count: int = 0
    total: int = 0

    def add(self, *fields: bytes, times: int = 1) -> None:
        """Count one row, given as its fields, or as many equal ones."""
        self.count += times
        self.total += times * int.from_bytes(sha256(b"\x00".join(fields)).digest()[:16])

    def same(self, other: "Tally") -> bool:
        """Return whether both counted the same rows."""
        return self.count == other.count and (self.total - other.total) & _MASK == 0


class Check(ABC):
    """Verifies tables of one package against the log."""

    events: Collection[int] = ()
    """The events of the log that `read_entry` is called with."""

    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        """Note an entry of one of these events, in the order of the log."""
        raise NotImplementedError

    @abstractmethod
    def verify(self, part: Part, step: Step) -> None:
        """Read the rows and add findings; called once, after the last entry."""
