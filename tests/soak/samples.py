"""Samples of running nodes over time, and how fast each quantity grows."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import machine
from tests.bench.figures import percentile
from tests.federation import NodeProcess

BLOCK_BYTES: Final = 512  # of st_blocks, whatever the file system's own block is
HALVES: Final = 2


@dataclass(frozen=True)
class Sample:
    """One node at one moment: its memory, its files on disk, its open descriptors, its processor time so far."""

    resident_bytes: int
    disk_bytes: int
    descriptors: int
    cpu_seconds: float


@dataclass(frozen=True)
class Window:
    """All nodes at the end of a window of time, and what officers waited in it.

    ``seconds`` is the time since the soak began, ``messages`` counts what was released since then. ``busy_seconds`` is
    the processor time of all processes of the machine so far, ``driver_seconds`` that of the officers' process.
    """

    seconds: float
    messages: int
    nodes: dict[str, Sample]
    released: list[float]
    delivered: list[float]
    busy_seconds: float
    driver_seconds: float

    def wait(self, share: float) -> float:
        """Return a percentile of the seconds from a message's due time to its verified receipt; 0 where none came."""
        return percentile(self.delivered, share) if self.delivered else 0.0


def foreign_cores(first: Window, last: Window) -> float:
    """Return the cores that neither the nodes nor the officers' process kept busy between two windows."""
    nodes = sum(last.nodes[member].cpu_seconds - one.cpu_seconds for member, one in first.nodes.items())
    ours = nodes + last.driver_seconds - first.driver_seconds
    return max(0.0, last.busy_seconds - first.busy_seconds - ours) / (last.seconds - first.seconds)


def sample(node: NodeProcess) -> Sample:
    """Look at a running node from outside."""
    descriptors = len(list(Path(f"/proc/{node.pid}/fd").iterdir()))
    resident, _most = machine.resident_bytes(node.pid)
    return Sample(resident, disk_bytes(node.data), descriptors, machine.cpu_seconds(node.pid))


def disk_bytes(folder: Path) -> int:
    """Return what the files of a folder take on disk; a file that goes meanwhile counts for nothing."""
    found = 0
    for path in folder.rglob("*"):
        try:
            found += path.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
        except FileNotFoundError:
            continue
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the growth of the second number by the first: the median over all pairs (Theil and Sen).

    A few outliers, as shared machines give, do not move it.
    """
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for at, earlier in enumerate(points)
        for later in points[at + 1 :]
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes) if slopes else 0.0


def halves(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the growth of the second number by the first, in the first half of the points and in the second.

    From end to end: files grow in steps, between which a slope is 0.
    """
    first, middle, last = points[0], points[len(points) // HALVES], points[-1]
    return _between(first, middle), _between(middle, last)


def _between(one: tuple[float, float], other: tuple[float, float]) -> float:
    return (other[1] - one[1]) / max(1.0, other[0] - one[0])
