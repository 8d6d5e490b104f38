"""The forms of export: which kinds each takes, the formats it is written in, and the writing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports import customs, precursors, printing, unodc, whole
from paiza_client.data.exports.records import Record
from paiza_client.data.exports.tables import Sheet, as_json, from_json
from paiza_client.language import _
from paiza_client.sdk.exports import Intent
from paiza_client.sdk.open_many import OpenedMessage


@dataclass(frozen=True, slots=True)
class Form:
    """One form of export: its formats with the usual one first, and its table; without one it takes every kind."""

    formats: tuple[str, ...]
    sheet: Sheet | None = None

    @property
    def kind(self) -> str:
        """The kind of message that it takes; empty for all."""
        return self.sheet.kind if self.sheet is not None else ""


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "full": Form(("json", "yaml")),
        "unodc": Form(("csv", "xlsx", "json"), unodc.SHEET),
        "customs": Form(("csv", "xlsx", "json"), customs.SHEET),
        "precursors": Form(("csv", "xlsx", "json"), precursors.SHEET),
        "print": Form(("html",)),
    }
)
"""By name."""
OWN_UNIT: Final = "own-unit"
FORMATS: Final = ("json", "yaml", "csv", "xlsx", "html")


def misfit(form: str, file_format: str, kind: str, *, annex: bool) -> tuple[str, str] | None:
    """Return what does not go with a form, as (format, kind or annex; why); None where all does.

    ``form`` is a key of `FORMS`, ``file_format`` one of `FORMATS`; an empty ``kind`` goes with every form.
    """
    chosen = FORMS[form]
    if file_format not in chosen.formats:
        what = _("the form {form} is written as: {formats}")
        return "format", what.format(form=form, formats=", ".join(chosen.formats))
    if missing := missing_package(file_format):
        return "format", missing
    if kind and chosen.kind and kind != chosen.kind:
        return "kind", _("the form {form} takes {kind}").format(form=form, kind=chosen.kind)
    if annex and chosen.sheet is not None:
        return "annex", _("the form {form} has no place for persons").format(form=form)
    return None


def lacks(intent: Intent) -> str:
    """Return what an intent lacks that the node's log must hold: "reason", "purpose", "recipient", or nothing."""
    if not intent.reason.strip():
        return "reason"
    if not intent.purpose:
        return "purpose"
    return "recipient" if intent.audience != OWN_UNIT and not intent.recipient.strip() else ""


def missing_package(file_format: str) -> str:
    """Return what to install for this format; empty where nothing is missing."""
    if file_format == "xlsx" and find_spec("xlsxwriter") is None:
        return _("XLSX needs one more package: pip install 'paiza[data]'")
    return ""


def pieces(
    form: str, opened: OpenedMessage, record: Record, header_rows: Callable[[Record], printing.Rows]
) -> list[Any]:
    """Return what one message adds to a file of this form, as JSON holds it; `write` makes the file of all of them.

    ``record`` is made of ``opened``; ``header_rows`` describes a header for reading.
    """
    sheet = FORMS[form].sheet
    if sheet is not None:
        return [[as_json(cell) for cell in row] for row in sheet.rows_of(record)]
    if form == "print":
        return [printing.article(record, header_rows(record))]
    return [whole.described(opened, record)]


def write(
    form: str, file_format: str, found: Iterable[Any], mark: Handling, file: BinaryIO, *, exercise: bool = False
) -> None:
    """Write a file of `pieces`, one after the other, with the mark of all of them; ``exercise``: all are exercises.

    Text is UTF-8; CSV begins with a byte-order mark, as spreadsheets want it. Refused("too_large") for more rows than
    a spreadsheet has room for.
    """
    sheet = FORMS[form].sheet
    if sheet is not None:
        from paiza_client.data.exports.writing import WRITERS  # noqa: PLC0415 - only tables need the writer of spreadsheets

        rows = (tuple(from_json(cell) for cell in row) for row in found)
        WRITERS[file_format](sheet.table(rows, mark, exercise=exercise), file)
    elif form == "print":
        printing.write(found, mark, file)
    else:
        whole.write(found, file_format, file)
