"""Tables as files: CSV, XLSX, JSON, written row by row.

XLSX is written by XlsxWriter: it only writes, so that no parser of foreign files comes along, needs no other package,
and writes texts as texts when told so.
"""

import csv
import io
import json
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from paiza_client.data.exports.tables import MARK_COLUMN, Amount, Cell, Table, fit
from paiza_client.data.imports.rows import EXERCISE_COLUMN, armed
from paiza_client.language import _, language
from paiza_client.sdk import wording
from paiza_domain import exercise
from paiza_officer.errors import Refused

EXACT_DIGITS: Final = 15  # of a number in a spreadsheet; a longer one is written as a text, so that no digit is lost
MAX_ROWS: Final = 1_000_000  # of a sheet, with room for its head
_WIDTHS: Final = (8, 60)  # characters of a column, at least and at most
_MOST_HEADER: Final = 240  # characters of the mark in a page's head; the format allows 255

# Nothing is turned into a formula, a link or a number but what is written as such.
_OPTIONS: Final = {
    "constant_memory": True,  # each row goes to a file as soon as the next one begins
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def as_csv(table: Table, file: BinaryIO) -> None:
    """Write UTF-8 with a byte-order mark, commas and line feeds; the last column is the mark of the whole table.

    A file of exercises says so in the column before it.
    """
    stream = io.TextIOWrapper(file, "utf-8-sig", newline="")
    writer = csv.writer(stream, lineterminator="\n")
    columns, marks = _marks(table)
    writer.writerow([armed(fit(each)) for each in (*table.columns, *columns)])
    armed_marks = [armed(fit(each)) for each in marks]
    for row in table.rows:
        writer.writerow([*(armed(fit(str(each))) for each in row), *armed_marks])
    stream.flush()
    stream.detach()


def as_json(table: Table, file: BinaryIO) -> None:
    """Write one object: title, mark, notes, and the rows by column."""
    head = {
        "title": _title(table),
        "exercise": table.exercise,
        "handling": wording.handling(table.mark),
        "notes": list(table.notes),
        "rows": [],
    }
    text = json.dumps(head, ensure_ascii=False, indent=2)
    file.write(text.removesuffix("]\n}").encode())
    before = "\n"
    for row in table.rows:
        cells = {
            column: str(cell) if isinstance(cell, Amount) else cell
            for column, cell in zip(table.columns, row, strict=True)
        }
        written = textwrap.indent(json.dumps(cells, ensure_ascii=False, indent=2), "    ")
        file.write((before + written).encode())
        before = ",\n"
    file.write(b"]\n}\n" if before == "\n" else b"\n  ]\n}\n")


def as_xlsx(table: Table, file: BinaryIO) -> None:
    """Write one sheet, its mark in the last column and in the head and foot of every printed page.

    Refused("too_large") for more rows than a sheet has room for.
    """
    import xlsxwriter  # noqa: PLC0415 - of the extra `data`; CSV and JSON need nothing

    with tempfile.TemporaryDirectory() as folder, xlsxwriter.Workbook(file, {**_OPTIONS, "tmpdir": folder}) as book:
        book.set_properties(
            {"title": fit(_title(table)), "comments": fit(wording.handling(table.mark)), "author": "Paiza"}
        )
        sheet = book.add_worksheet(table.name)
        bold = book.add_format({"bold": True})
        columns, marks = _marks(table)
        mark = fit(" · ".join(marks))
        widths = [_WIDTHS[0]] * (len(table.columns) + len(columns))
        lines: Iterable[Sequence[Cell]] = chain([table.columns], table.rows)
        for place, line in enumerate(lines):
            if place > MAX_ROWS:
                raise Refused("too_large", table.title, _("a sheet has room for {n} rows: use CSV").format(n=MAX_ROWS))
            for column, cell in enumerate((*line, *(marks if place else columns))):
                _write(sheet, place, column, cell, None if place else bold)
                widths[column] = min(max(widths[column], len(str(cell)) + 1), _WIDTHS[1])
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        sheet.set_paper(_A4)
        printed = mark[:_MOST_HEADER].replace("&", "&&")
        sheet.set_header(f"&C{printed}")
        sheet.set_footer(f"&C{printed[: _MOST_HEADER - 12]}&R&P/&N")
        if table.notes:
            notes = book.add_worksheet(_("Notes"))
            for place, note in enumerate((_title(table), mark, *table.notes)):
                _write(notes, place, 0, note, None)
            notes.set_header(f"&C{printed}")


def _marks(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of the marks of a table, and what stands in every row of them."""
    handling = wording.handling(table.mark)
    if not table.exercise:
        return (MARK_COLUMN,), (handling,)
    return (EXERCISE_COLUMN, MARK_COLUMN), (exercise.mark(language()), handling)


def _title(table: Table) -> str:
    return exercise.marked(table.title, language(), exercise=table.exercise)


_A4: Final = 9  # the format's number of the paper


def _write(sheet: Any, row: int, column: int, cell: Cell, style: Any) -> None:
    """Write one cell: a text as a text, a number as a number where no digit is lost."""
    if isinstance(cell, int):
        sheet.write_number(row, column, cell, style)
        return
    text = str(cell)
    if isinstance(cell, Amount) and len(text.replace(".", "").lstrip("0")) <= EXACT_DIGITS:
        sheet.write_number(row, column, float(text), style)
    else:
        sheet.write_string(row, column, fit(text), style)


WRITERS: Final[Mapping[str, Callable[[Table, BinaryIO], None]]] = MappingProxyType(
    {"csv": as_csv, "xlsx": as_xlsx, "json": as_json}
)
"""Format → writer."""
