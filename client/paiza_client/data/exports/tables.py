"""A table for another program: columns, rows of text and exact amounts, and the mark it carries.

No cell can become a formula. In CSV a cell that a spreadsheet would take for one gets an apostrophe in front, which
`paiza import` takes away again; in XLSX texts are written as texts, whatever they begin with.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from typing_extensions import override

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.imports.rows import EXPORT_COLUMN
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


@dataclass(frozen=True, slots=True)
class Table:
    """One table. ``name`` is short and plain: it names the sheet."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    mark: Handling
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the width: a row of another width is an internal error."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise AssertionError(f"{self.name}: {len(row)} cells in a row of {len(self.columns)} columns")


MARK_COLUMN: Final = EXPORT_COLUMN
"""The last column of every file: the mark of the whole, in each row, so that no part of the file goes without it."""


def amount(millionths: int) -> Amount:
    """Return an amount in millionths as a number of a table."""
    return Amount(Fraction(millionths, MILLION))


def fit(text: str) -> str:
    """Return a text as a cell may hold it."""
    clean = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
    return clean if len(clean) <= MAX_CELL else clean[: MAX_CELL - 1] + "…"
