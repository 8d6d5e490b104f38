"""The forms of export: which kinds each takes, the formats it is written in, and the writing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from paiza_client.data.exports import customs, precursors, printing, unodc, whole
from paiza_client.data.exports.records import Record
from paiza_client.data.exports.tables import Table
from paiza_client.language import _
from paiza_client.sdk.open_many import OpenedMessage


@dataclass(frozen=True, slots=True)
class Form:
    """One form of export: the kind it takes (empty: all), its formats with the usual one first, its table if any."""

    kind: str
    formats: tuple[str, ...]
    table: Callable[[Sequence[Record]], Table] | None = None


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "full": Form("", ("json", "yaml")),
        "unodc": Form(unodc.KIND, ("csv", "xlsx", "json"), unodc.table),
        "customs": Form(customs.KIND, ("csv", "xlsx", "json"), customs.table),
        "precursors": Form(precursors.KIND, ("csv", "xlsx", "json"), precursors.table),
        "print": Form("", ("html",)),
    }
)
"""By name."""
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
    if annex and chosen.table is not None:
        return "annex", _("the form {form} has no place for persons").format(form=form)
    return None


def missing_package(file_format: str) -> str:
    """Return what to install for this format; empty where nothing is missing."""
    if file_format == "xlsx" and find_spec("xlsxwriter") is None:
        return _("XLSX needs one more package: pip install 'paiza[data]'")
    return ""


def write(
    form: str,
    file_format: str,
    opened: Sequence[OpenedMessage],
    records: Sequence[Record],
    header_rows: Callable[[Record], printing.Rows],
) -> bytes:
    """Write opened messages, and the records made of them, as a file; ``header_rows`` describes a header for reading.

    Text is UTF-8; CSV begins with a byte-order mark, as spreadsheets want it.
    """
    table = FORMS[form].table
    if table is not None:
        from paiza_client.data.exports.writing import WRITERS  # noqa: PLC0415 - only tables need the writer of spreadsheets

        return WRITERS[file_format](table(records))
    if form == "print":
        return printing.page(records, header_rows).encode()
    return whole.write(opened, records, file_format).encode()
