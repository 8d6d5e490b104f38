"""The file as rows: bounded, in any declared encoding, robust against any content.

A row is never lost. What cannot be taken apart (too long, wrong bytes, an open quotation mark, too few or too many
cells) comes out as a row with its problem. Memory does not grow with the file: one line, and at most
`MAX_RECORD_LINES` of them where a quotation mark is open.
"""

import codecs
import csv
import hashlib
import re
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from paiza_client.data.imports import layouts
from paiza_client.data.imports.maps import ImportMap
from paiza_client.data.imports.values import clean
from paiza_client.language import N_, _
from paiza_officer.errors import FieldProblem, Refused

MAX_LINE: Final = 65_536  # characters of a line, and of a row of several lines; a row of the known files has 250
MAX_RECORD_LINES: Final = 50  # lines that one row may span inside quotation marks
MAX_COLUMNS: Final = 500  # of a header
ROW_COLUMN: Final = "paiza_row"  # the two columns that a rejects file has before the original ones
REASON_COLUMN: Final = "paiza_reason"

UNSPLIT: Final = frozenset({"quote_open", "line_too_long"})
"""Problems with which a row is one cell that holds the whole line."""

EXERCISE_COLUMN: Final = "PAIZA_EXERCISE"  # a file with this column holds exercises
EXPORT_COLUMN: Final = "PAIZA_HANDLING"  # a file with this column was written by an export, which guards its cells

# What a spreadsheet may take for a formula, in halfwidth and fullwidth characters; and numbers, which are none.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_NUMBER: Final = re.compile(r"[+-]?\d[\d., ]*(?:[eE][+-]?\d+)?", re.ASCII)

_CHUNK: Final = 65_536  # bytes read at a time
_DIGEST_TAG: Final = b"paiza import row v1\n"
_COPY_TAG: Final = b"paiza import equal row v1\n"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row as it came: `number` counts rows with the header as 1; `values` are by column, uncleaned.

    `cells` is the row as it stood, for the rejects file. `problem` is a key of `mapping.REASONS` where the row could
    not be taken apart; then `values` is empty.
    """

    number: int
    cells: tuple[str, ...]
    values: Mapping[str, str]
    problem: str = ""


class RowReader:
    """Reads rows from a binary file by a map; iterate once. The header is read, and checked, at the start."""

    def __init__(self, file: BinaryIO, layout: ImportMap) -> None:
        """Read the header; Refused("bad_map") if encoding, separator or columns are not those of the map."""
        self.layout = layout
        self.blank_lines = 0
        sample = file.read(layouts.SAMPLE_BYTES)
        self._records = _Records(_lines(file, layout.encoding, sample), layout)
        header = self._read_header(sample)
        # The old row number and reason are of no use in the new file: both are left out, wherever they stand.
        self._mended = header[:2] == (ROW_COLUMN, REASON_COLUMN)
        self.columns = header[2:] if self._mended else header
        self._guarded = EXPORT_COLUMN in self.columns

    def _read_header(self, sample: bytes) -> tuple[str, ...]:
        columns: tuple[str, ...] = ()
        wrong = list(self._file_faults(sample))
        if not wrong:  # else the columns cannot be told apart
            cells, problem = next(self._records, ((), "empty"))
            columns = tuple(clean(cell)[0] for cell in cells)
            wrong = list(self._column_faults(columns, problem))
        if wrong:
            problems = [FieldProblem(f"{self.layout.name}: {key}", each, "bad_map") for key, each in wrong]
            raise Refused("bad_map", self.layout.name, wrong[0][1], problems)
        return columns

    def _column_faults(self, columns: tuple[str, ...], problem: str) -> Iterator[tuple[str, str]]:
        """Name what makes the first line no header, or the columns that it lacks."""
        if problem or len(columns) > MAX_COLUMNS:
            yield "columns", _("the first line is not a header in the encoding and with the separators of the map")
            return
        if EXERCISE_COLUMN in columns:
            yield "columns", _("the file holds exercises, which are not imported")
        for column in sorted(self.layout.used()):
            if column not in columns:
                yield "columns", _("the file has no column “{column}”").format(column=column)
            elif columns.count(column) > 1:
                yield "columns", _("the file has the column “{column}” twice").format(column=column)

    def _file_faults(self, sample: bytes) -> Iterator[tuple[str, str]]:
        """Name an encoding or a separator other than the map's."""
        layout = self.layout
        # In a rejects file most rows may be those that cannot be read.
        mended = sample.startswith(ROW_COLUMN.encode())
        encoding = "" if mended else layouts.wrong_encoding(sample, layout.encoding)
        if encoding:
            what = _(N_("the table is written in {found}; the map says {stated}"))
            yield "file.encoding", what.format(found=encoding, stated=layout.encoding)
        lines = layouts.first_lines(sample, encoding or layout.encoding)
        if separator := layouts.wrong_separator(lines, layout.separator, layout.quote, layout.used()):
            what = _(N_("the cells are separated by {found}; the map says {stated}"))
            shown = {
                mark: "TAB" if mark == "\t" else _("“{text}”").format(text=mark)
                for mark in (separator, layout.separator)
            }
            yield "file.separator", what.format(found=shown[separator], stated=shown[layout.separator])

    def __iter__(self) -> Iterator[SourceRow]:
        """Yield every row after the header; blank lines between rows are counted in `blank_lines`."""
        number = 1
        for cells, problem in self._records:
            if not cells and not problem:
                self.blank_lines += 1
                continue
            number += 1
            kept = self._original(cells, problem)
            if problem:
                yield SourceRow(number, kept, {}, problem)
            elif len(kept) != len(self.columns):
                yield SourceRow(number, kept, {}, "ragged")
            else:
                yield SourceRow(number, kept, dict(zip(self.columns, kept, strict=True)))

    def _original(self, cells: tuple[str, ...], problem: str) -> tuple[str, ...]:
        """Remove the additions of a rejects file or an export before and in the original cells."""
        if not self._mended:
            return tuple(disarmed(cell) for cell in cells) if self._guarded and problem not in UNSPLIT else cells
        if problem in UNSPLIT:
            return (cells[0].split(self.layout.separator, 2)[-1],)
        return tuple(disarmed(cell) for cell in cells[2:])


def read_rows(file: BinaryIO, layout: ImportMap) -> Iterator[SourceRow]:
    """Return every row of `file` in order; Refused("bad_map") before the first if the file does not fit the map."""
    return iter(RowReader(file, layout))


def row_digest(values: Mapping[str, str], layout: ImportMap) -> bytes:
    r"""Return the 32 bytes a row is known by: SHA-256 over its cleaned cells, in any order of the file's columns.

    tag "paiza import row v1\n", then per column of the map's identity, in the map's order: length of the name and the
    name, length of the cleaned cell and the cell; lengths as 32 bits, big-endian, texts in UTF-8.
    """
    digest = hashlib.sha256(_DIGEST_TAG)
    for column in layout.identity:
        for text in (column, clean(values[column])[0]):
            data = text.encode()
            digest.update(struct.pack(">I", len(data)) + data)
    return digest.digest()


def copy_digest(digest: bytes, copies: int) -> bytes:
    r"""Return the 32 bytes of a row that `copies` rows before it are equal to, where each counts for itself.

    SHA-256 over the tag "paiza import equal row v1\n", the digest of the row, and `copies` as 32 bits, big-endian.
    """
    return hashlib.sha256(_COPY_TAG + digest + struct.pack(">I", copies)).digest()


def _lines(file: BinaryIO, encoding: str, begun: bytes = b"") -> Iterator[tuple[str, bool]]:
    """Yield each line without its end, and whether it is whole; of a line that is too long the beginning is given.

    `begun` was read from the file before.

    Bytes that are none in this encoding come as lone surrogates (in UTF-16 as U+FFFD), for the row to be refused by.
    """
    errors = "replace" if encoding.startswith("utf-16") else "surrogateescape"
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)(errors)
    pending, too_long, at_start, more = "", False, True, True
    while more:
        data, begun = begun or file.read(_CHUNK), b""
        more = bool(data)
        text = decoder.decode(data, final=not more)
        if at_start and text:
            text, at_start = text.removeprefix("\ufeff"), False
        *whole, rest = text.split("\n")
        for line in whole:
            yield _bounded(pending + line, too_long)
            pending, too_long = "", False
        pending += rest
        if len(pending) > MAX_LINE:
            pending, too_long = pending[:MAX_LINE], True
    if pending:
        yield _bounded(pending, too_long)


def _bounded(line: str, too_long: bool) -> tuple[str, bool]:  # noqa: FBT001 - the pair it continues
    line = line.removesuffix("\r")
    return line[:MAX_LINE], not too_long and len(line) <= MAX_LINE


class _Records:
    """Lines put together where a quotation mark is open, and taken apart into cells.

    If the mark is never closed, or the lines together are no row of the header's width, only the first line is refused
    and reading goes on with the second: one stray mark costs one row.
    """

    def __init__(self, lines: Iterator[tuple[str, bool]], layout: ImportMap) -> None:
        self._lines = lines
        self._waiting: deque[tuple[str, bool]] = deque()
        self._separator = layout.separator
        self._quote = layout.quote
        self._utf16 = layout.encoding.startswith("utf-16")
        self._width = 0

    def __iter__(self) -> "_Records":
        return self

    def __next__(self) -> tuple[tuple[str, ...], str]:
        """Return the cells of the next row, and what is wrong with it."""
        line, whole = self._take()
        if not whole:
            return (line,), "line_too_long"
        if not line:
            return (), ""
        taken: list[tuple[str, bool]] = [(line, whole)]
        text = line
        cells = self._split(text)
        while cells is None and text.count(self._quote) % 2:
            following = self._following(len(taken), len(text))
            if following is None:
                break
            taken.append(following)
            text = f"{text}\n{following[0]}"
            cells = self._split(text)
        if cells is None or (len(taken) > 1 and self._width and len(cells) != self._width):
            self._waiting.extendleft(reversed(taken[1:]))
            return (line,), "quote_open"
        self._width = self._width or len(cells)
        return cells, "" if text.isascii() or not self._damage(text) else "bad_bytes"

    def _take(self) -> tuple[str, bool]:
        return self._waiting.popleft() if self._waiting else next(self._lines)

    def _following(self, taken: int, length: int) -> tuple[str, bool] | None:
        """Return the next line of a row that is not closed yet, or None if it cannot belong to it."""
        if taken >= MAX_RECORD_LINES:
            return None
        try:
            line, whole = self._take()
        except StopIteration:
            return None
        if not whole or length + len(line) > MAX_LINE:
            self._waiting.appendleft((line, whole))
            return None
        return line, whole

    def _split(self, text: str) -> tuple[str, ...] | None:
        """Split one row into cells; None if a quotation mark in it is open or misplaced."""
        try:
            return tuple(next(csv.reader([text], delimiter=self._separator, quotechar=self._quote, strict=True)))
        except csv.Error:
            return None

    def _damage(self, text: str) -> bool:
        """Return whether bytes were met that are none in the encoding of the map."""
        return (self._utf16 and "\ufffd" in text) or any("\ud800" <= character <= "\udfff" for character in text)


def armed(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would take for a formula; numbers stay as they are."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def disarmed(cell: str) -> str:
    """Remove the apostrophe that `armed` added."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
