"""The rejects file: rejected rows in the layout and encoding of the original, with their number and reason in front.

The same map reads it back after mending; the two columns in front are then left out. A cell that a spreadsheet would
take for a formula gets an apostrophe in front, which is taken away again when the file is read back. Lines that could
not be taken apart stand as they were.
"""

import codecs
import csv
import io
from collections.abc import Callable, Sequence
from typing import BinaryIO

from paiza_client.data.imports.mapping import REASONS
from paiza_client.data.imports.plan import Outcome, Planned
from paiza_client.data.imports.rows import REASON_COLUMN, ROW_COLUMN, UNSPLIT, RowReader, armed
from paiza_client.language import _


class RejectsWriter:
    """Writes rejected rows to `file`, which the caller opens and closes; the header comes with the first of them."""

    def __init__(self, file: BinaryIO, reader: RowReader, translate: Callable[[str], str] = _) -> None:
        """Store layout and columns from the reader of the original."""
        self.written = 0
        self._file = file
        self._columns = reader.columns
        self._layout = reader.layout
        self._say = translate
        utf16 = self._layout.encoding.startswith("utf-16")
        # Bytes that were no characters are written back as they came; in UTF-16 they are already lost.
        self._encoder = codecs.getincrementalencoder(self._layout.encoding)("replace" if utf16 else "surrogateescape")

    def add(self, planned: Planned) -> None:
        """Write the row if it is rejected; do nothing otherwise."""
        if planned.outcome is not Outcome.REJECTED or not planned.rejections:
            return
        if not self.written:
            self._write(self._line((ROW_COLUMN, REASON_COLUMN, *self._columns)))
        row = planned.row
        reasons = ((each.column, self._say(REASONS[each.reason])) for each in planned.rejections)
        told = ". ".join(f"{column}: {reason}" if column else reason for column, reason in reasons)
        front = (str(row.number), self._plain(told))
        if row.problem in UNSPLIT:
            self._write(self._line(front) + self._layout.separator + row.cells[0])
        else:
            self._write(self._line((*front, *(armed(cell) for cell in row.cells))))
        self.written += 1

    def _plain(self, reason: str) -> str:
        """Return the reason without the marks of the layout and in characters of its encoding."""
        for mark in (self._layout.separator, self._layout.quote):
            reason = reason.replace(mark, " ")
        return reason.encode(self._layout.encoding, "replace").decode(self._layout.encoding)

    def _line(self, cells: Sequence[str]) -> str:
        line = io.StringIO()
        csv.writer(line, delimiter=self._layout.separator, quotechar=self._layout.quote, lineterminator="").writerow(
            cells
        )
        return line.getvalue()

    def _write(self, line: str) -> None:
        self._file.write(self._encoder.encode(line + "\n"))
