"""The results of the benchmark: figures with noise, bounds and targets, as a table and as JSON."""

import math
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

WIDTH: Final = 118  # columns of the printed table
PERCENT: Final = 100


@dataclass(frozen=True)
class Aim:
    """The target of a figure, and whether it was reached."""

    text: str
    met: bool


@dataclass(frozen=True)
class Figure:
    """One row of the table: samples of one quantity, in one unit.

    ``beside`` says what bounds it, as measured in the same run.
    ``details`` goes into the JSON only, ``notes`` are
    printed below the table.
    """

    name: str
    samples: tuple[float, ...]
    unit: str
    beside: str = ""
    processor_us: float | None = None
    aims: tuple[Aim, ...] = ()
    notes: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Half the distance between the smallest and the largest sample, as a share of the median."""
        if len(self.samples) < 2 or not self.median:
            return 0.0
        return (max(self.samples) - min(self.samples)) / 2 / abs(self.median)

    def as_json(self) -> dict[str, object]:
        """Everything, for later comparison."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "samples": list(self.samples),
            "beside": self.beside,
            "processor_us": self.processor_us,
            "aims": [{"aim": aim.text, "met": aim.met} for aim in self.aims],
            "notes": list(self.notes),
            "details": dict(self.details),
        }


@dataclass(frozen=True)
class Missing:
    """A row that could not be measured here, and why."""

    name: str
    why: str


def at_least(value: float, least: float, text: str) -> Aim:
    """Aim at a value of at least this."""
    return Aim(text, value >= least)


def at_most(value: float, most: float, text: str) -> Aim:
    """Aim at a value of at most this."""
    return Aim(text, value <= most)


def number(value: float) -> str:
    """Write a number with the digits that matter."""
    size = abs(value)
    digits: Mapping[Literal[0, 1, 2], float] = {0: 100, 1: 10, 2: 0}
    return next(f"{value:,.{places}f}" for places, least in digits.items() if size >= least)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share of all samples does not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def lines(figures: Iterable[Figure | Missing]) -> list[str]:
    """Write the table."""
    rows = [("figure", "median", "±", "n", "beside (same run)", "aim")]
    for each in figures:
        if isinstance(each, Missing):
            rows.append((each.name, "-", "", "", "not measured, see below", ""))
            continue
        spread = f"{each.spread * PERCENT:.0f}%" if len(each.samples) > 1 else ""
        aims = "; ".join(f"{aim.text} {'ok' if aim.met else 'SHORT'}" for aim in each.aims)
        count = str(len(each.samples))
        rows.append((each.name, f"{number(each.median)} {each.unit}", spread, count, each.beside, aims))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    rest = max(20, (WIDTH - sum(widths) - 2 * 5) // 2)
    written: list[str] = []
    for row in rows:
        beside = textwrap.wrap(row[4], rest) or [""]
        aims_lines = textwrap.wrap(row[5], rest) or [""]
        for at in range(max(len(beside), len(aims_lines))):
            head = row[:4] if at == 0 else ("", "", "", "")
            cells = [
                head[0].ljust(widths[0]),
                *(head[column].rjust(widths[column]) for column in (1, 2, 3)),
                (beside[at] if at < len(beside) else "").ljust(rest),
                aims_lines[at] if at < len(aims_lines) else "",
            ]
            written.append("  ".join(cells).rstrip())
        if row is rows[0]:
            written.append("-" * WIDTH)
    return written


def remarks(figures: Sequence[Figure | Missing]) -> list[str]:
    """Write the notes, what could not be measured, and last what fell short of its aim."""
    written = []
    for each in figures:
        if isinstance(each, Missing):
            written.append(f"not measured: {each.name}: {each.why}")
        else:
            written += [f"{each.name}: {note}" for note in each.notes]
    short = [
        f"SHORT of its aim: {each.name}: {number(each.median)} {each.unit}, aim {aim.text}"
        for each in figures
        if isinstance(each, Figure)
        for aim in each.aims
        if not aim.met
    ]
    return [*written, *(short or ["Every figure measured reached its aim."])]
