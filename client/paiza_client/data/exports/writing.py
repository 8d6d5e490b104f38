"""Tables as bytes: CSV, XLSX, JSON.

XLSX is written by XlsxWriter: it only writes, so that no parser of foreign files comes along, needs no other package,
and writes texts as texts when told so.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from paiza_client.data.exports.tables import MARK_COLUMN, Amount, Cell, Table, fit
from paiza_client.data.imports.rows import armed
from paiza_client.language import _
from paiza_client.sdk import wording

EXACT_DIGITS: Final = 15  # of a number in a spreadsheet; a longer one is written as a text, so that no digit is lost
MAX_ROWS: Final = 1_000_000  # of a sheet, with room for its head
_WIDTHS: Final = (8, 60)  # characters of a column, at least and at most
_MOST_HEADER: Final = 240  # characters of the mark in a page's head; the format allows 255

# Nothing is turned into a formula, a link or a number but what is written as such.
_OPTIONS: Final = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def as_csv(table: Table) -> bytes:
    """Write UTF-8 with a byte-order mark, commas and line feeds; the last column is the mark of the whole table."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    mark = fit(wording.handling(table.mark))
    writer.writerow([armed(fit(each)) for each in (*table.columns, MARK_COLUMN)])
    for row in table.rows:
        writer.writerow([*(armed(fit(str(each))) for each in row), armed(mark)])
    return stream.getvalue().encode("utf-8-sig")


def as_json(table: Table) -> bytes:
    """Write one object: title, mark, notes, and the rows by column."""
    rows = [
        {
            column: str(cell) if isinstance(cell, Amount) else cell
            for column, cell in zip(table.columns, row, strict=True)
        }
        for row in table.rows
    ]
    whole = {"title": table.title, "handling": wording.handling(table.mark), "notes": list(table.notes), "rows": rows}
    return (json.dumps(whole, ensure_ascii=False, indent=2) + "\n").encode()


def as_xlsx(table: Table) -> bytes:
    """Write one sheet, its mark in the last column and in the head and foot of every printed page."""
    import xlsxwriter  # noqa: PLC0415 - of the extra `data`; CSV and JSON need nothing

    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, _OPTIONS) as book:
        book.set_properties(
            {"title": fit(table.title), "comments": fit(wording.handling(table.mark)), "author": "Paiza"}
        )
        sheet = book.add_worksheet(table.name)
        bold = book.add_format({"bold": True})
        mark = fit(wording.handling(table.mark))
        lines = [(*table.columns, MARK_COLUMN), *((*row, mark) for row in table.rows[:MAX_ROWS])]
        widths = [_WIDTHS[0]] * len(lines[0])
        for place, line in enumerate(lines):
            for column, cell in enumerate(line):
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
            for place, note in enumerate((table.title, mark, *table.notes)):
                _write(notes, place, 0, note, None)
            notes.set_header(f"&C{printed}")
    return stream.getvalue()


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


WRITERS: Final[Mapping[str, Callable[[Table], bytes]]] = MappingProxyType(
    {"csv": as_csv, "xlsx": as_xlsx, "json": as_json}
)
"""Format → writer."""
