"""Row "import": `paiza import seizures` on an invented table, from starting the program to the last receipt.

The table has the layout and the words of the shipped map `ids`, drawn from a seed; its amounts and places are invented
and every row is another. The program runs in a process of its own, as an officer runs it.
"""

import csv
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from paiza_client.data.imports.map_checks import LEGS
from paiza_client.data.imports.maps import load_map
from tests.bench import machine
from tests.bench.corpus import text
from tests.bench.figures import Figure, Missing, at_most, number
from tests.bench.pipeline import SQLITE
from tests.bench.run import RECEIVER, SENDER, Run
from tests.officer import Officer
from tests.system import importing
from tests.system.importing import Program, Ran

PASSES: Final = 2
FIRST_DAY: Final = date(2011, 1, 1)
DAYS: Final = 2000
COUNTRY: Final = "Kazakhstan"  # what the map calls SENDER
SEALED: Final = 300  # messages sealed to know what sealing alone takes
CONTENT_BYTES: Final = 250  # of a notice of such a row
MOST_CLIENT_BYTES: Final = 200 * machine.MEBIBYTE
MICROSECONDS: Final = 1e6


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Import some tables one after another, then the last one again; give rates, processor time and memory."""
    federation = run.federation
    federation.stop()
    federation.forget()
    federation.start()
    nodes = [federation.node(member) for member in (SENDER, RECEIVER)]
    before = [machine.cpu_seconds(node.pid) for node in nodes]
    tables = [write(run.folder / f"table-{seed}.csv", run.sizes.imported, seed=seed) for seed in range(PASSES)]
    passes = [_pass(run, table) for table in tables]
    used = {node.member: machine.cpu_seconds(node.pid) - cpu for node, cpu in zip(nodes, before, strict=True)}
    yield _rate(run, [seconds for _, seconds in passes], used)
    yield from _client(run, [ran for ran, _ in passes])
    again = _import(run, tables[-1])
    assert (again.json["sent"], again.json["repeated"]) == (0, run.sizes.imported), again.err
    yield Figure(
        name="import once more, nothing to send",
        samples=(run.sizes.imported / again.seconds,),
        unit="rows/s",
        beside=f"{again.seconds:.1f} s, program start included",
    )
    federation.stop()


def _pass(run: Run, table: Path) -> tuple[Ran, float]:
    begun = time.perf_counter()
    ran = _import(run, table)
    assert ran.json["sent"] == run.sizes.imported, ran.err
    importing.settle(run.federation)
    return ran, time.perf_counter() - begun


def _rate(run: Run, seconds: Sequence[float], used: Mapping[str, float]) -> Figure:
    rates = tuple(run.sizes.imported / each for each in seconds)
    notices = run.sizes.imported * PASSES
    pipeline = run.found(SQLITE)
    each = ", ".join(f"{member} {cpu / notices * MICROSECONDS:,.0f}" for member, cpu in used.items())
    return Figure(
        name=f"import of {run.sizes.imported:,} rows, to the last receipt",
        samples=rates,
        unit="rows/s",
        beside=f"{statistics.median(rates) / pipeline.median:.2f} of the pipeline" if pipeline else "",
        notes=(f"µs of processor time per notice at the nodes: {each}",),
    )


def _client(run: Run, runs: Sequence[Ran]) -> Iterator[Figure]:
    yield Figure(
        name="import: the client's processor time",
        samples=tuple(ran.cpu_seconds / run.sizes.imported * MICROSECONDS for ran in runs),
        unit="µs/row",
        beside=f"sealing and signing alone take {number(_sealing(run))} µs",
    )
    peaks = tuple(ran.peak_bytes / machine.MEBIBYTE for ran in runs)
    yield Figure(
        name="import: the client's memory, at most",
        samples=peaks,
        unit="MiB",
        beside=f"a table of {run.sizes.imported:,} rows",
        aims=(at_most(max(peaks), MOST_CLIENT_BYTES / machine.MEBIBYTE, "≤ 200"),),
    )


def write(path: Path, rows: int, *, seed: int) -> Path:
    """Write an invented table in the layout of the map `ids`, all of SENDER, no two rows the same."""
    layout = load_map("ids")
    drawn = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, layout.identity)
        writer.writeheader()
        for at in range(rows):
            row = dict.fromkeys(layout.identity, "")
            for name, column in layout.columns.items():
                words = layout.tables.get("country" if name in LEGS else name)
                if words:
                    row[column] = drawn.choice(list(words))
            day = FIRST_DAY + timedelta(days=drawn.randrange(DAYS))
            row |= {
                "COUNTRY": COUNTRY,
                "PLACE": f"Exercise {seed}-{at}",
                "SEIZURE_DATE": day.isoformat(),
                "AMOUNT": f"{drawn.uniform(0.1, 500):.{drawn.randrange(1, 9)}f}",
            }
            writer.writerow(row)
    return path


def _import(run: Run, table: Path) -> Ran:
    return Program(run.federation, run.folder / "import", table, [f"{SENDER}-liaison"], "--json").ended()


def _sealing(run: Run) -> float:
    """Seal and sign messages of a notice's size and do nothing else; gives the microseconds of one."""
    officer = Officer(run.federation.folder, f"{SENDER}-liaison")
    content = text(CONTENT_BYTES)
    begun = time.process_time()
    for _ in range(SEALED):
        officer.compose([RECEIVER], content)
    return (time.process_time() - begun) / SEALED * MICROSECONDS
