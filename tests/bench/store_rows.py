"""Rows "start" and "verify": a node with many messages stored comes up, and re-hashes its whole log."""

import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Took:
    """Seconds on the clock, and of processor time."""

    clock: float
    processor: float


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Fill one node's store, start it some times, stop it and verify it."""
    federation = run.federation
    federation.stop()
    federation.forget()
    node = federation.node(SENDER)
    officers = [Officer(federation.folder, f"{member}-liaison") for member in (SENDER, RECEIVER)]
    # A first start without messages: it makes the store, and shows what of the start is the program itself.
    empty = starts(node)
    fixed = verify_times(node)
    begun = time.perf_counter()
    filled = fill(node, officers[0], officers[1], run.sizes.stored, run.say)
    run.say(f"{filled.messages:,} messages, {filled.entries:,} entries in {time.perf_counter() - begun:.0f} s")
    yield start_figure(f"{filled.messages:,} messages stored", starts(node), empty, _fewer(run))
    yield from verify(node, filled.entries, fixed)


def starts(node: NodeProcess) -> list[Took]:
    """Start and stop a node some times; gives what each took from starting the process to serving."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        node.start()
        times.append(Took(time.perf_counter() - begun, machine.cpu_seconds(node.pid)))
        node.stop()
    return times


def start_figure(what: str, times: Sequence[Took], empty: Sequence[Took], notes: tuple[str, ...] = ()) -> Figure:
    """Return the figure of the starts of a store, beside those of an empty one."""
    clock = tuple(each.clock for each in times)
    return Figure(
        name=f"start, {what}",
        samples=clock,
        unit="s",
        beside=f"{statistics.median(each.processor for each in times):.2f} s of processor time; with an empty store "
        f"{statistics.median(each.clock for each in empty):.2f} s and "
        f"{statistics.median(each.processor for each in empty):.2f} s",
        aims=(at_most(statistics.median(clock), MOST_START_SECONDS, f"≤ {MOST_START_SECONDS:g}"),),
        notes=notes,
    )


class VerifyFailedError(Exception):
    """`paiza-node verify` did not find the log whole; the text is what it said."""


def verify_times(node: NodeProcess) -> Took:
    """Run `paiza-node verify --log-only` on the stopped node's store once, program start included."""
    command = [*node.program, "verify", "--log-only", "--config", str(node.config)]
    begun, used = time.perf_counter(), machine.children_seconds()
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_SECONDS, check=False)
    if done.returncode:
        raise VerifyFailedError(f"verify ended with {done.returncode}: {(done.stderr + done.stdout).strip()[-300:]}")
    return Took(time.perf_counter() - begun, machine.children_seconds() - used)


def verify(node: NodeProcess, entries: int, fixed: Took) -> Iterator[Figure | Missing]:
    """Verify a log some times; ``fixed`` is what an empty one takes.

    The time of a million entries is that of the processor, which one thread uses throughout: it does not depend on what
    else the machine does.
    """
    name = f"verify, log of {entries:,} entries"
    try:
        measured = [verify_times(node) for _ in range(REPEATS)]
    except VerifyFailedError as error:
        yield Missing(name, str(error))
        return
    processor = statistics.median(each.processor for each in measured)
    million = fixed.processor + max(0.0, processor - fixed.processor) * MILLION / entries
    yield Figure(
        name=name,
        samples=tuple(each.clock for each in measured),
        unit="s",
        beside=f"{processor:.1f} s of processor time, {fixed.processor:.1f} s with an empty log; "
        f"so {million:.1f} s with a million entries",
        aims=(at_most(million, MOST_VERIFY_SECONDS, f"≤ {MOST_VERIFY_SECONDS:g} with a million"),),
        notes=() if entries >= MILLION else ("the aim is for a million entries; the row `log` has so many",),
    )


def _fewer(run: Run) -> tuple[str, ...]:
    if run.sizes.stored >= MILLION:
        return ()
    return ("the aim is for a million messages; `make bench-growth` stores so many",)
