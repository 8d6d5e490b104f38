"""`make bench`: measures, prints one table, writes JSON. BENCH=pipeline,latency measures those rows only."""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from tests.bench import (
    against_as2,
    bare_grpc,
    console,
    fairness,
    figures,
    floor,
    imports,
    latency,
    log_rows,
    machine,
    many_members,
    matrix,
    opening,
    pipeline,
    store_rows,
    watchers,
    workers,
)
from tests.bench.figures import Figure, Missing
from tests.bench.run import Run, Sizes

RESULTS: Final = Path(__file__).resolve().parents[2] / "bench-results"  # git-ignored

ROWS: Final[Mapping[str, Callable[[Run], Iterator[Figure | Missing]]]] = {
    "as2": against_as2.measure,
    "grpc": bare_grpc.measure,
    "floor": floor.measure,
    "pipeline": pipeline.measure_sqlite,
    "postgresql": pipeline.measure_postgresql,
    "members": many_members.measure,
    "latency": latency.measure,
    "fairness": fairness.measure,
    "store": store_rows.measure,
    "log": log_rows.measure,
    "matrix": matrix.measure,
    "import": imports.measure,
    "opening": opening.measure,
    "console": console.measure,
    "watchers": watchers.measure,
    "workers": workers.measure,
}
"""In the order they run: what others are compared with comes first."""

LONG: Final = frozenset({"log", "matrix", "import", "console"})
"""Rows that are measured only by name, so that all others together take under six minutes on two quiet cores."""

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "pipeline": ("as2", "grpc", "floor"),
    "postgresql": ("as2", "grpc", "floor"),
    "members": ("pipeline",),
}
"""Rows that a row is compared with."""


def main() -> int:
    """Run the rows asked for; 0 even where a figure falls short: the machines are shared, the reader judges."""
    options = _options()
    rows = _chosen(options.rows, alone=options.alone)
    RESULTS.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, _stop)
    begun = time.monotonic()
    facts = dict(machine.describe())
    # Beside the results, not in the system's temporary folder, which may not be on a disk.
    with tempfile.TemporaryDirectory(prefix="work-", dir=RESULTS) as folder:
        median, longest = machine.fsync_seconds(Path(folder))
        facts["fsync"] = (
            f"median {median * 1000:.2f} ms, longest {longest * 1000:.1f} ms (4 KiB appended, {RESULTS.name}/)"
        )
        for name, fact in facts.items():
            print(f"{name:14} {fact}")
        run = Run(Path(folder), RESULTS, options.sizes, _say, rows)
        try:
            for row in rows:
                _say(f"{row} ...")
                others = machine.Others()
                run.figures += ROWS[row](run)
                run.others[row] = others.cores()
        finally:
            run.close()
    conclude(run, facts, time.monotonic() - begun)
    return 0


def conclude(run: Run, facts: Mapping[str, str], seconds: float) -> None:
    """Print the table and what is to be said about it, and write it all as JSON."""
    print(*figures.lines(run.figures), "", *figures.remarks(run.figures), sep="\n")
    if run.others:
        used = ", ".join(f"{row} {cores:.1f}" for row, cores in run.others.items())
        print(f"cores that others kept busy meanwhile, of {os.cpu_count()}: {used}")
    print(f"{seconds:.0f} s in all")
    path = _write(run, facts, seconds)
    print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--rows",
        default="",
        help=f"separated by commas, of: {', '.join(ROWS)}; all but {', '.join(sorted(LONG))} where not given",
    )
    parser.add_argument("--alone", action="store_true", help="without the rows that those asked for are compared with")
    for name, field in Sizes.__dataclass_fields__.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=field.default)
    options = parser.parse_args()
    options.sizes = Sizes(**{name: getattr(options, name) for name in Sizes.__dataclass_fields__})
    return options


def _chosen(text: str, *, alone: bool) -> list[str]:
    asked = [row.strip() for row in text.split(",") if row.strip()] or [row for row in ROWS if row not in LONG]
    unknown = [row for row in asked if row not in ROWS]
    if unknown:
        sys.exit(f"bench: no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    wanted = {*asked, *(need for row in asked if not alone for need in NEEDS.get(row, ()))}
    return [row for row in ROWS if row in wanted]


def _write(run: Run, facts: Mapping[str, str], seconds: float) -> Path:
    now = datetime.now(UTC)
    path = run.results / f"{now:%Y%m%dT%H%M%SZ}.json"
    document = {
        "time": now.isoformat(timespec="seconds"),
        "facts": facts,
        "sizes": vars(run.sizes),
        "seconds": round(seconds, 1),
        "cores_used_by_others": run.others,
        "figures": [each.as_json() for each in run.figures if isinstance(each, Figure)],
        "missing": {each.name: each.why for each in run.figures if isinstance(each, Missing)},
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path


def _say(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)


def _stop(_signal: int, _frame: object) -> NoReturn:
    # Unwinds, so that what was started is ended and the folder removed.
    sys.exit("bench: interrupted")


if __name__ == "__main__":
    sys.exit(main())
