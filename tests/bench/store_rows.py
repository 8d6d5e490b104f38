"""Rows "start" and "verify": a node with many messages stored comes up, and re-hashes its whole log."""

import statistics
import subprocess
import time
from collections.abc import Iterator
from typing import Final

from tests.bench import machine
from tests.bench.figures import Figure, Missing, at_most
from tests.bench.run import RECEIVER, SENDER, Run
from tests.bench.stored import fill
from tests.federation import NodeProcess
from tests.officer import Officer

REPEATS: Final = 3
VERIFY_SECONDS: Final = 300
MILLION: Final = 1_000_000
MOST_START_SECONDS: Final = 2.0
MOST_VERIFY_SECONDS: Final = 5.0  # for a million entries


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Fill one node's store, start it some times, stop it and verify it."""
    federation = run.federation
    federation.stop()
    federation.forget()
    node = federation.node(SENDER)
    officers = [Officer(federation.folder, f"{member}-liaison") for member in (SENDER, RECEIVER)]
    # A first start without messages: it makes the store, and shows what of the start is the program itself.
    empty = starts(node)
    fixed = verify_seconds(node)
    begun = time.perf_counter()
    filled = fill(node, officers[0], officers[1], run.sizes.stored, run.say)
    run.say(f"{filled.messages:,} messages, {filled.entries:,} entries in {time.perf_counter() - begun:.0f} s")
    yield start_figure(run, starts(node), empty, filled.messages)
    yield from verify(node, filled.entries, fixed)


def starts(node: NodeProcess) -> tuple[float, ...]:
    """Start and stop a node some times; gives the seconds from starting the process to serving."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        node.start()
        times.append(time.perf_counter() - begun)
        node.stop()
    return tuple(times)


def start_figure(run: Run, times: tuple[float, ...], empty: tuple[float, ...], messages: int) -> Figure:
    """Return the figure of the starts of a store with this many messages, beside those of an empty one."""
    return Figure(
        name=f"start, {messages:,} messages stored",
        samples=times,
        unit="s",
        beside=f"{statistics.median(empty):.2f} s with an empty store",
        aims=(at_most(statistics.median(times), MOST_START_SECONDS, f"≤ {MOST_START_SECONDS:g}"),),
        notes=_fewer(run),
    )


class VerifyFailedError(Exception):
    """`paiza-node verify` did not find the log whole; the text is what it said."""


def verify_seconds(node: NodeProcess) -> float:
    """Run `paiza-node verify --log-only` on the stopped node's store once, program start included."""
    return verify_times(node)[0]


def verify_times(node: NodeProcess) -> tuple[float, float]:
    """Do so; gives the seconds on the clock, and those of processor time."""
    command = [*node.program, "verify", "--log-only", "--config", str(node.config)]
    begun, used = time.perf_counter(), machine.children_seconds()
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_SECONDS, check=False)
    if done.returncode:
        raise VerifyFailedError(f"verify ended with {done.returncode}: {(done.stderr + done.stdout).strip()[-300:]}")
    return time.perf_counter() - begun, machine.children_seconds() - used


def verify(node: NodeProcess, entries: int, fixed: float) -> Iterator[Figure | Missing]:
    """Verify a log some times; ``fixed`` are the seconds that an empty one takes."""
    name = f"verify, log of {entries:,} entries"
    try:
        measured = [verify_times(node) for _ in range(REPEATS)]
    except VerifyFailedError as error:
        yield Missing(name, str(error))
        return
    times = [seconds for seconds, _ in measured]
    processor = statistics.median(used for _, used in measured)
    per_million = fixed + max(0.0, statistics.median(times) - fixed) * MILLION / entries
    yield Figure(
        name=name,
        samples=tuple(times),
        unit="s",
        beside=f"{processor:.1f} s of processor time; {fixed:.1f} s with an empty log; "
        f"so {per_million:.1f} s with a million entries",
        aims=(at_most(per_million, MOST_VERIFY_SECONDS, f"≤ {MOST_VERIFY_SECONDS:g} with a million"),),
        notes=() if entries >= MILLION else ("the aim is for a million entries; the row `log` has so many",),
    )


def _fewer(run: Run) -> tuple[str, ...]:
    if run.sizes.stored >= MILLION:
        return ()
    return ("the aim is for a million messages; `make bench-growth` stores so many",)
