"""Observations counted by one or two dimensions, with totals; small cells and what would give them away are hidden."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports.tables import Cell as TableCell
from paiza_client.data.exports.tables import Table, amount
from paiza_client.data.statistics import suppression
from paiza_client.data.statistics.observations import DIMENSIONS, Observation
from paiza_client.language import _
from paiza_officer.errors import Refused

Measure = Literal["count", "kg"]

HIDDEN: Final = "*"
MAX_CELLS: Final = 6_000  # of one table: more tell persons apart more than they tell states anything

_ROW_TOTAL, _COLUMN_TOTAL = ("total", "row"), ("total", "column")


@dataclass(frozen=True, slots=True)
class Figure:
    """One cell: how many observations, and their kilograms in millionths; None in both where it is hidden."""

    count: int | None
    milligrams: int | None


@dataclass(frozen=True, slots=True)
class Tabulation:
    """Figures by row and column, the last of each being the total; ``columns`` is empty for one dimension."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    figures: Sequence[Sequence[Figure]]

    @property
    def hidden(self) -> int:
        """Count the hidden cells."""
        return sum(figure.count is None for line in self.figures for figure in line)


class _Sum:
    """The sums of one cell."""

    def __init__(self) -> None:
        self.count, self.milligrams = 0, 0
        self.notices: set[tuple[str, str]] = set()

    def add(self, seen: Observation) -> None:
        self.count += seen.content.event_count or 1
        self.milligrams += seen.milligrams
        self.notices.add(seen.notice)


def tabulate(observations: Iterable[Observation], by: str, across: str = "") -> Tabulation:
    """Count observations by the dimension ``by``, and by ``across`` in columns; Refused for too large a table."""
    sums: defaultdict[tuple[str | None, str | None], _Sum] = defaultdict(_Sum)
    for seen in observations:
        row = DIMENSIONS[by].value(seen)
        column = DIMENSIONS[across].value(seen) if across else None
        # Without columns there is one total, not two of the same.
        for place in {(row, column), (row, None), (None, column), (None, None)}:
            sums[place].add(seen)
    rows = sorted({row for row, _column in sums if row is not None})
    columns = sorted({column for _row, column in sums if column is not None})
    if (len(rows) + 1) * (len(columns) + 1) > MAX_CELLS:
        what = _("a table of {rows} rows and {columns} columns").format(rows=len(rows), columns=len(columns))
        raise Refused("too_large", f"{by} {across}".strip(), what)
    places = [(row, column) for row in [*rows, None] for column in [*columns, None]]
    kept = [place for place in places if place in sums]
    cells = [_cell(place, sums[place], across=bool(across)) for place in kept]
    hidden = {kept[each] for each in suppression.hidden(cells)}
    empty = _Sum()

    def figure(place: tuple[str | None, str | None]) -> Figure:
        if place in hidden:
            return Figure(None, None)
        found = sums.get(place, empty)
        return Figure(found.count, found.milligrams)

    lines = [[figure((row, column)) for column in [*columns, None]] for row in [*rows, None]]
    return Tabulation(tuple(rows), tuple(columns), lines)


def _cell(place: tuple[str | None, str | None], found: _Sum, *, across: bool) -> suppression.Cell:
    """Return a cell as a flow from its row to its column; totals close the ring."""
    row, column = place
    if not across:
        tail, head = (_COLUMN_TOTAL, _ROW_TOTAL) if row is not None else (_ROW_TOTAL, _COLUMN_TOTAL)
    elif row is None and column is None:
        tail, head = _ROW_TOTAL, _COLUMN_TOTAL
    elif row is None:
        tail, head = ("column", str(column)), _ROW_TOTAL
    elif column is None:
        tail, head = _COLUMN_TOTAL, ("row", row)
    else:
        tail, head = ("row", row), ("column", column)
    return suppression.Cell(tail, head, found.count, len(found.notices), found.milligrams)


def as_table(tabulation: Tabulation, by: str, across: str, measure: Measure, mark: Handling) -> Table:
    """Return the figures as a table, hidden ones as an asterisk, with the notes a reader needs."""
    total = _("Total")
    figures = [[_shown(figure, measure) for figure in line] for line in tabulation.figures]
    names = [*tabulation.rows, total]
    columns = [_(DIMENSIONS[by].title), *tabulation.columns, total]
    rows: list[tuple[TableCell, ...]] = [(name, *line) for name, line in zip(names, figures, strict=True)]
    unit = _("Seizures by substance") if measure == "count" else _("Kilograms, where known")
    title = f"{unit}: {columns[0]}" + (f" × {_(DIMENSIONS[across].title)}" if across else "")
    return Table("statistics", title, tuple(columns), rows, mark, _notes(tabulation))


def _notes(tabulation: Tabulation) -> tuple[str, ...]:
    if not tabulation.hidden:
        return ()
    text = _(
        "{mark}: hidden, because fewer than {least} notices are behind it, or because it would give such a number away"
    )
    return (text.format(mark=HIDDEN, least=suppression.THRESHOLD),)


def _shown(figure: Figure, measure: Measure) -> TableCell:
    if figure.count is None or figure.milligrams is None:
        return HIDDEN
    return figure.count if measure == "count" else amount(figure.milligrams)
