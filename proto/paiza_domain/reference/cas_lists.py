"""The verification of CAS numbers in a list: form and check digit.

Numbers are searched in the columns whose heading mentions CAS, or everywhere if there is none. Nothing is corrected:
the wrong digit may be the check digit or any other.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.identifiers import cas_problem

MAX_CELL: Final = 2_000
"""Characters of a cell that are searched; a longer cell holds no numbers."""

_HEADING: Final = re.compile(r"(?<![a-z])cas(?![a-z])", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(?<![\d-])[1-9]\d{1,6}-\d{2}-\d(?![\d-])", re.ASCII)
_ALMOST: Final = re.compile(r"(?<![\d-])\d{2,7}\s*[-–—]+\s*\d{1,2}\s*[-–—]+\s*\d(?![\d-])", re.ASCII)


@dataclass(frozen=True, slots=True)
class InvalidNumber:
    """An invalid number; ``line`` counts from 1, ``row`` is the rest of its row."""

    line: int
    number: str
    error: FieldError
    row: str


@dataclass(frozen=True, slots=True)
class CasReport:
    """The report: how many numbers and rows were checked, and the invalid numbers."""

    numbers: int
    rows: int
    wrong: tuple[InvalidNumber, ...]


def verify(text: str) -> CasReport:
    """Verify every CAS number of a list in CSV (commas, semicolons or tabs)."""
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=_delimiter(text))
    numbers, rows = 0, 0
    wrong: list[InvalidNumber] = []
    columns: list[int] | None = None
    for row in _rows(reader):
        rows += 1
        headed = [at for at, cell in enumerate(row) if _HEADING.search(cell[:MAX_CELL]) and not _NUMBER.search(cell)]
        if headed:  # a list may hold several tables below one another
            columns = headed
            continue
        cells = row if columns is None else [row[at] for at in columns if at < len(row)]
        for cell in cells:
            for number in _numbers(cell[:MAX_CELL], headed=columns is not None):
                numbers += 1
                if problem := cas_problem(number):
                    wrong.append(InvalidNumber(reader.line_num, number, FieldError("cas", *problem), _rest(row, cell)))
    return CasReport(numbers, rows, tuple(wrong))


def _numbers(cell: str, *, headed: bool) -> Iterator[str]:
    """Yield the numbers of a cell; in a column of CAS numbers, also malformed ones."""
    pattern = _ALMOST if headed else _NUMBER
    yield from (found.group() for found in pattern.finditer(cell))


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error:  # a cell beyond the reader's limit: the rest of such a file is no list
        return


def _rest(row: list[str], cell: str) -> str:
    return " | ".join(each for each in row if each and each is not cell)[:MAX_CELL]


def _delimiter(text: str) -> str:
    head = text[:MAX_CELL]
    return max(",;\t", key=head.count)
