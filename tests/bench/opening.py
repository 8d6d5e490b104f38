"""Row "opening": the time that `paiza statistics` and `paiza export` take for each notice they open, end to end.

The receiver's officer runs them as programs of their own, on notices that the sender imported just before. The time of
statistics with nothing to open is taken off both: what is left is the notices'.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench import machine
from tests.bench.figures import Figure, Missing, at_most
from tests.bench.imports import write
from tests.bench.pipeline import MICROSECONDS
from tests.bench.run import RECEIVER, SENDER, Run
from tests.system import importing

COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "statistics": ("statistics", "--by", "month"),
    "export": (
        *("export", "--form", "unodc", "--since", "1d", "--kind", "seizure-notice"),
        *("--purpose", "statistics", "--reason", "exercise"),
    ),
}
REPEATS: Final = 2
SECONDS: Final = 600.0  # of one run; a limit, not a measure
MOST_MICROSECONDS: Final = 1_500.0
SEED: Final = 1


@dataclass(frozen=True)
class Took:
    """Seconds on the clock of one run, and of processor time of the program and of the node meanwhile."""

    clock: float
    client: float
    node: float


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Run each command with nothing to open and then with all notices."""
    federation = run.federation
    federation.stop()
    federation.forget()
    federation.start()
    empty = _runs(run, COMMANDS["statistics"])  # an export of nothing is refused
    table = write(run.folder / "opened.csv", run.sizes.opened, seed=SEED)
    ran = importing.Program(federation, run.folder / "opening", table, [f"{SENDER}-liaison"], "--json").ended()
    assert ran.json["sent"] == run.sizes.opened, ran.err
    importing.settle(federation)
    for name, arguments in COMMANDS.items():
        yield _figure(run, name, _runs(run, arguments), empty)
    federation.stop()


def _figure(run: Run, name: str, runs: Sequence[Took], empty: Sequence[Took]) -> Figure:
    fixed = Took(*(statistics.median(getattr(each, field) for each in empty) for field in Took.__dataclass_fields__))

    def of_each(seconds: float, nothing: float) -> float:
        return max(0.0, seconds - nothing) / run.sizes.opened * MICROSECONDS

    samples = tuple(of_each(each.clock, fixed.clock) for each in runs)
    client = of_each(statistics.median(each.client for each in runs), fixed.client)
    node = of_each(statistics.median(each.node for each in runs), fixed.node)
    return Figure(
        name=f"opening {run.sizes.opened:,} notices: {name}",
        samples=samples,
        unit="µs/notice",
        beside=f"of it processor time: client {client:,.0f}, node {node:,.0f} µs; "
        f"nothing to open takes {fixed.clock:.1f} s",
        aims=(at_most(statistics.median(samples), MOST_MICROSECONDS, f"≤ {MOST_MICROSECONDS:,.0f}"),),
    )


def _runs(run: Run, arguments: Sequence[str]) -> list[Took]:
    return [_run(run, arguments) for _ in range(REPEATS)]


def _run(run: Run, arguments: Sequence[str]) -> Took:
    """Run the client once as an officer of the receiver."""
    command = [sys.executable, "-m", "paiza_client", "--profile", f"{RECEIVER}-liaison", *arguments]
    environment = os.environ | {"PAIZA_HOME": str(run.federation.home), "LANGUAGE": "en"}
    node = run.federation.node(RECEIVER)
    begun, client, serving = time.perf_counter(), machine.children_seconds(), machine.cpu_seconds(node.pid)
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    clock = time.perf_counter() - begun
    return Took(clock, machine.children_seconds() - client, machine.cpu_seconds(node.pid) - serving)
