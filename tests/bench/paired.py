"""Processor time a message of two checkouts, in passes of the pipeline that alternate between them.

    python -m tests.bench.paired OTHER_CHECKOUT --rounds 5

Each pass is the row "pipeline" (with --postgresql the row "postgresql") of that checkout's own benchmark in its own
virtual environment, with new stores. A round is one pass of each; the one that begins alternates. Processor time hardly
depends on what else the machine does, and a ratio within a round even less.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.bench.pipeline import MICROSECONDS, PROCESSES

HERE: Final = Path(__file__).resolve().parents[2]
ROUNDS: Final = 5
MESSAGES: Final = 3_000
SECONDS: Final = 900.0  # of one pass
WRITTEN: Final = re.compile(r"^written to (.+)$", re.MULTILINE)


def main() -> int:
    """Run the rounds and print, for each process, both medians and the median of the ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.paired", description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout in which `make setup` was run")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--messages", type=int, default=MESSAGES, help="of one pass")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL instead of SQLite")
    options = parser.parse_args()
    row = "postgresql" if options.postgresql else "pipeline"
    checkouts = [HERE, options.other.resolve()]
    passes: list[list[dict[str, float]]] = [[], []]
    for number in range(options.rounds):
        for at in (0, 1) if number % 2 == 0 else (1, 0):
            used = measure(checkouts[at], row, options.messages)
            passes[at].append(used)
            said = ", ".join(f"{words} {used[name]:.0f}" for name, words in PROCESSES.items() if name in used)
            print(f"    round {number + 1}, {checkouts[at]}: {said} µs", file=sys.stderr, flush=True)
    print(*table(passes[0], passes[1]), sep="\n")
    return 0


def measure(checkout: Path, row: str, messages: int) -> dict[str, float]:
    """Run one pass in a checkout; return the microseconds of processor time a message by process."""
    python = checkout / ".venv" / "bin" / "python"
    sizes = ["--repeats", "1", "--messages", str(messages)]
    done = subprocess.run(
        [str(python), "-m", "tests.bench", "--rows", row, "--alone", *sizes],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    written = WRITTEN.search(done.stdout)
    if done.returncode or written is None:
        sys.exit(f"paired: the pass in {checkout} failed: {done.stderr[-2000:]}")
    path = checkout / written[1]
    figures = json.loads(path.read_text())["figures"]
    path.unlink()
    if not figures:
        sys.exit(f"paired: {checkout} did not measure {row}: {done.stdout[-1000:]}")
    (passed,) = figures[0]["details"]["passes"]
    return {name: seconds / passed["messages"] * MICROSECONDS for name, seconds in passed["cpu_seconds"].items()}


def table(here: Sequence[Mapping[str, float]], other: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the lines: medians, half the distance between the extremes, and the ratios of the rounds."""
    written = [f"{'µs of processor time a message':32}{'here':>14}{'other':>14}   here / other, each round"]
    for name, words in PROCESSES.items():
        if not all(name in each for each in (*here, *other)):
            continue
        ours, theirs = ([each[name] for each in side] for side in (here, other))
        ratios = [one / two for one, two in zip(ours, theirs, strict=True)]
        written.append(
            f"{words:32}{_spread(ours):>14}{_spread(theirs):>14}   "
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        )
    return written


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f} ± {(max(values) - min(values)) / 2:.0f}"


if __name__ == "__main__":
    sys.exit(main())
