"""Messages as pages to be printed: one HTML file that loads nothing, with the mark at head and foot of every page.

Each message is a table of its own, beginning on a new page: browsers repeat a table's head and foot on every printed
page, and break it between rows. The mark there is the strictest of all messages in the file; each message shows its own
besides.
"""

import html
import unicodedata
from collections.abc import Iterable, Sequence
from typing import BinaryIO, Final

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports.records import Record
from paiza_client.language import _, language
from paiza_client.sdk import wording
from paiza_domain import exercise

Rows = Sequence[tuple[str, str]]

_STYLE: Final = """
@page { size: A4; margin: 14mm 16mm; }
body { font: 10.5pt/1.4 "Liberation Serif", "PT Serif", Georgia, serif; color: #000; background: #fff; margin: 0; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; margin-bottom: 12pt; }
table + table { break-before: page; }
col.label { width: 32%; }
thead { display: table-header-group; }
tfoot { display: table-footer-group; }
.mark { text-align: center; font-weight: bold; border: 1pt solid #000; padding: 2pt 4pt; overflow-wrap: anywhere; }
th, td { text-align: left; vertical-align: top; padding: 1pt 8pt 1pt 0; }
th, td { overflow-wrap: anywhere; white-space: pre-wrap; }
th[scope="row"] { font-weight: normal; color: #333; }
h1 { font-size: 14pt; margin: 6pt 0; } h2 { font-size: 11.5pt; margin: 10pt 0 3pt; } h1, h2 { break-after: avoid; }
"""


def write(articles: Iterable[tuple[str, bool]], mark: Handling, file: BinaryIO) -> None:
    """Write the whole file, with the mark of all messages in it; ``articles`` are made by `article`.

    Every page of an exercise has its mark before that.
    """
    title, marked = _text(_("Paiza: messages for printing")), _text(wording.handling(mark))
    file.write(
        (
            f'<!DOCTYPE html>\n<html lang="{language()}">\n<head>\n<meta charset="utf-8">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n'
            f"<style>{_STYLE}</style>\n</head>\n<body>\n"
        ).encode()
    )
    drill = f"{_text(exercise.mark(language()))} · {marked}"
    file.writelines((_table(body, drill if is_drill else marked) + "\n").encode() for body, is_drill in articles)
    file.write(b"</body>\n</html>\n")


def article(record: Record, header: Rows) -> tuple[str, bool]:
    """Return the rows of one message's table, in the language in use, and whether it is an exercise.

    ``header`` describes its header for reading.
    """
    lang = language()
    content = [*record.kind.show(record.content, lang)]
    content += [("!", remark) for remark in record.kind.remarks(record.content, record.written, lang)]
    rows = [
        _across(
            f"<h1>{_text(wording.kind_title(record.header))}</h1>{_text(record.kind.summary(record.content, lang))}"
        )
    ]
    rows += [*_rows(header), _section(_("Content")), *_rows(content)]
    if record.annex is not None:
        rows += [_section(_("Nominal annex")), *_rows(record.kind.show_annex(record.annex, lang))]
    if record.proofs:
        rows += [_section(_("Proven")), *_rows(record.proofs)]
    return "\n".join(rows), record.header.exercise


def _table(body: str, mark: str) -> str:
    marked = f'<tr><td colspan="2" class="mark">{mark}</td></tr>'
    columns = '<colgroup><col class="label"/><col/></colgroup>'
    return f"<table>\n{columns}\n<thead>{marked}</thead>\n<tfoot>{marked}</tfoot>\n<tbody>\n{body}\n</tbody>\n</table>"


def _across(markup: str) -> str:
    return f'<tr><td colspan="2">{markup}</td></tr>'


def _section(title: str) -> str:
    return _across(f"<h2>{_text(title)}</h2>")


def _rows(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f'<tr><th scope="row">{_text(label)}</th><td>{_text(value)}</td></tr>' for label, value in rows]


def _text(text: str) -> str:
    """Return a text for HTML: nothing in it is markup, and nothing in it turns the direction of writing."""
    plain = "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
    return html.escape(plain)
