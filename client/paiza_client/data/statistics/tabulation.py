"""Observations counted by one or two dimensions, with totals; small cells and what would give them away are hidden."""

import hashlib
import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports.records import Record
from paiza_client.data.exports.tables import Cell as TableCell
from paiza_client.data.exports.tables import Table, amount
from paiza_client.data.statistics import suppression
from paiza_client.data.statistics.observations import DIMENSIONS, KIND, Period, Within, observations
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


Place = tuple[str | None, str | None]
"""A cell by its row and column; None is the total."""

_HEAD: Final = struct.Struct(">Qq")  # version of a notice, and when it was written in microseconds
_SHARE: Final = struct.Struct(">IQq")  # what a notice adds to a cell: number of the cell, observations, milligrams
_KEY_BYTES: Final = 16  # of the digest that names a notice


@dataclass(slots=True)
class _Sum:
    """The sums of one cell: observations, kilograms in millionths, and the notices behind them."""

    count: int = 0
    milligrams: int = 0
    notices: int = 0


class Tally:
    """Counts seizure notices as they come, each in its newest version, by one dimension or two.

    Of a notice it stores some 200 bytes: what it added to which cells, to be taken back when a newer version comes.
    """

    def __init__(self, by: str, across: str = "", period: Period | None = None) -> None:
        """Count the seizures of a period by these keys of `DIMENSIONS`; ``across`` may be empty."""
        self._by, self._across = by, across
        self._period = period or Period()
        self._unsure: set[bytes] = set()
        self._sums: defaultdict[Place, _Sum] = defaultdict(_Sum)
        self._cells: dict[Place, int] = {}
        self._places: list[Place] = []
        self._newest: dict[bytes, bytes] = {}

    @property
    def unsure(self) -> int:
        """Return how many notices are left out because their dates reach over an end of the period."""
        return len(self._unsure)

    def add(self, record: Record) -> bool:
        """Count a notice, unless a newer version of it was counted; other kinds are passed over.

        Return whether it lies in the period. Refused("too_large") where the table has more than `MAX_CELLS` cells.
        """
        if record.kind.name != KIND:
            return False
        content: Any = record.content
        name = f"{record.header.author}\n{content.notice_id}".encode()
        key = hashlib.blake2b(name, digest_size=_KEY_BYTES).digest()
        age = _HEAD.pack(content.notice_version, record.header.author_time.ToMicroseconds())
        known = self._newest.get(key)
        if known is not None:
            if _HEAD.unpack_from(known) >= _HEAD.unpack(age):
                return self._period.holds(content) is Within.YES
            self._change(known, -1)
        # A version outside the period replaces one within it as well.
        within = self._period.holds(content)
        (self._unsure.add if within is Within.UNSURE else self._unsure.discard)(key)
        shares: defaultdict[Place, list[int]] = defaultdict(lambda: [0, 0])
        for seen in observations(record) if within is Within.YES else ():
            column = DIMENSIONS[self._across].value(seen) if self._across else None
            share = shares[DIMENSIONS[self._by].value(seen), column]
            share[0] += seen.content.event_count or 1
            share[1] += seen.milligrams
        stored = age + b"".join(_SHARE.pack(self._cell(place), *share) for place, share in shares.items())
        self._newest[key] = stored
        self._change(stored, 1)
        if len(self._cells) > MAX_CELLS:
            self._check_size()
        return within is Within.YES

    def _cell(self, place: Place) -> int:
        """Return the number of a cell."""
        number = self._cells.setdefault(place, len(self._places))
        if number == len(self._places):
            self._places.append(place)
        return number

    def _change(self, stored: bytes, sign: int) -> None:
        """Add what a notice adds to its cells and their totals, or take it back; it stands behind each once."""
        changed: defaultdict[Place, list[int]] = defaultdict(lambda: [0, 0])
        for number, count, milligrams in _SHARE.iter_unpack(stored[_HEAD.size :]):
            row, column = self._places[number]
            # Without columns there is one total, not two of the same.
            for place in {(row, column), (row, None), (None, column), (None, None)}:
                changed[place][0] += count
                changed[place][1] += milligrams
        for place, (count, milligrams) in changed.items():
            total = self._sums[place]
            total.count += sign * count
            total.milligrams += sign * milligrams
            total.notices += sign

    def _check_size(self) -> tuple[list[str], list[str]]:
        """Return the rows and columns behind which notices stand; Refused where they are too many."""
        filled = [place for place, total in self._sums.items() if total.notices]
        rows = sorted({row for row, _column in filled if row is not None})
        columns = sorted({column for _row, column in filled if column is not None})
        if (len(rows) + 1) * (len(columns) + 1) > MAX_CELLS:
            what = _("a table of {rows} rows and {columns} columns").format(rows=len(rows), columns=len(columns))
            raise Refused("too_large", f"{self._by} {self._across}".strip(), what)
        return rows, columns

    def tabulation(self) -> Tabulation:
        """Return the figures counted so far, small ones and what would give them away hidden."""
        rows, columns = self._check_size()
        places = [(row, column) for row in [*rows, None] for column in [*columns, None]]
        kept = [place for place in places if place in self._sums and self._sums[place].notices]
        cells = [_cell(place, self._sums[place], across=bool(self._across)) for place in kept]
        hidden = {kept[each] for each in suppression.hidden(cells)}
        empty = _Sum()

        def figure(place: Place) -> Figure:
            if place in hidden:
                return Figure(None, None)
            found = self._sums.get(place, empty)
            return Figure(found.count, found.milligrams)

        lines = [[figure((row, column)) for column in [*columns, None]] for row in [*rows, None]]
        return Tabulation(tuple(rows), tuple(columns), lines)


def _cell(place: Place, found: _Sum, *, across: bool) -> suppression.Cell:
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
    return suppression.Cell(tail, head, found.count, found.notices, found.milligrams)


def as_table(
    tabulation: Tabulation, by: str, across: str, measure: Measure, mark: Handling, notes: Sequence[str] = ()
) -> Table:
    """Return the figures as a table, hidden ones as an asterisk, with the notes a reader needs besides ``notes``."""
    total = _("Total")
    figures = [[_shown(figure, measure) for figure in line] for line in tabulation.figures]
    names = [*tabulation.rows, total]
    columns = [_(DIMENSIONS[by].title), *tabulation.columns, total]
    rows: list[tuple[TableCell, ...]] = [(name, *line) for name, line in zip(names, figures, strict=True)]
    unit = _("Seizures by substance") if measure == "count" else _("Kilograms, where known")
    title = f"{unit}: {columns[0]}" + (f" × {_(DIMENSIONS[across].title)}" if across else "")
    return Table("statistics", title, tuple(columns), rows, mark, (*_notes(tabulation), *notes))


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
