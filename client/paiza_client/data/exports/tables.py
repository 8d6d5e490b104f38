"""A table for another program: columns, rows of text and exact amounts, and the mark it carries.

No cell can become a formula. In CSV a cell that a spreadsheet would take for one gets an apostrophe in front, which
`paiza import` takes away again; in XLSX texts are written as texts, whatever they begin with.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from typing_extensions import override

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports.records import Record
from paiza_client.data.imports.rows import EXPORT_COLUMN
from paiza_client.language import _
from paiza_domain.schema.quantity import MILLION

MAX_CELL: Final = 32_767  # characters of a cell of a spreadsheet; a longer text is cut there, and says so

# What no spreadsheet and no reader should get: controls but line feed, bidirectional marks, half characters.
_UNFIT: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact number in a table."""

    value: Fraction

    @override
    def __str__(self) -> str:
        """Write it as the shortest decimal text that is exact; a fraction that has none to twelve places."""
        whole, rest = divmod(round(self.value * 10**12), 10**12)
        return f"{whole}.{rest:012d}".rstrip("0").rstrip(".")


Cell = str | int | Amount


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table. ``name`` is short and plain: it names the sheet. ``rows`` may be read once only.

    ``exercise``: every row is of an exercise.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Iterable[Row]
    mark: Handling
    notes: tuple[str, ...] = ()
    exercise: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A kind of table that is made of messages: the kind of message it takes, and the rows that one gives.

    ``title`` is a marked text, ``columns`` returns the names in the language in use.
    """

    kind: str
    name: str
    title: str
    columns: Callable[[], tuple[str, ...]]
    rows: Callable[[Record], Iterable[Row]]

    def rows_of(self, record: Record) -> list[Row]:
        """Return the rows of a message, none of one of another kind; a row of another width is an internal error."""
        if record.kind.name != self.kind:
            return []
        rows = [tuple(row) for row in self.rows(record)]
        width = len(self.columns())
        for row in rows:
            if len(row) != width:
                raise AssertionError(f"{self.name}: {len(row)} cells in a row of {width} columns")
        return rows

    def table(self, rows: Iterable[Row], mark: Handling, *, exercise: bool = False) -> Table:
        """Return rows of messages as a table that carries this mark; ``exercise``: all are exercises."""
        return Table(self.name, _(self.title), self.columns(), rows, mark, exercise=exercise)


MARK_COLUMN: Final = EXPORT_COLUMN
"""The last column of every file: the mark of the whole, in each row, so that no part of the file goes without it.

The column before it, in a file of exercises alone, is `EXERCISE_COLUMN`.
"""


def amount(millionths: int) -> Amount:
    """Return an amount in millionths as a number of a table."""
    return Amount(Fraction(millionths, MILLION))


def fit(text: str) -> str:
    """Return a text as a cell may hold it."""
    clean = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
    return clean if len(clean) <= MAX_CELL else clean[: MAX_CELL - 1] + "…"


def as_json(cell: Cell) -> str | int | list[str]:
    """Return a cell as JSON holds it, an amount told apart from a text."""
    return [str(cell)] if isinstance(cell, Amount) else cell


def from_json(cell: str | int | list[str]) -> Cell:
    """Return a cell that `as_json` wrote."""
    return Amount(Fraction(cell[0])) if isinstance(cell, list) else cell
