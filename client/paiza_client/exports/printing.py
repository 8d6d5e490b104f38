"""Messages as pages to be printed: one HTML file that loads nothing, with the mark at head and foot of every page.

The mark stands in the head and foot of one table round the pages' text, which every browser repeats on each printed
page. It is the strictest of all messages in the file; each message shows its own besides.
"""

import html
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from paiza_client.exports import marks
from paiza_client.exports.records import Record
from paiza_client.language import _, language

Rows = Sequence[tuple[str, str]]

_STYLE: Final = """
@page { size: A4; margin: 14mm 16mm; }
body { font: 10.5pt/1.4 "Liberation Serif", "PT Serif", Georgia, serif; color: #000; background: #fff; margin: 0; }
table.sheet { width: 100%; border-collapse: collapse; }
table.sheet > thead { display: table-header-group; }
table.sheet > tfoot { display: table-footer-group; }
.mark { text-align: center; font-weight: bold; border: 1pt solid #000; padding: 2pt 4pt; }
article { break-before: page; padding: 8pt 0; }
article:first-of-type { break-before: auto; }
h1 { font-size: 14pt; margin: 0 0 6pt; } h2 { font-size: 11.5pt; margin: 10pt 0 3pt; break-after: avoid; }
dl { display: grid; grid-template-columns: 32% 1fr; gap: 2pt 8pt; margin: 0; }
dt { color: #333; break-after: avoid; } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def page(records: Sequence[Record], header_rows: Callable[[Record], Rows]) -> str:
    """Write the whole file; ``header_rows`` describes a header for reading, in the language in use."""
    mark = _text(marks.text(marks.strictest(records)))
    title = _text(_("Paiza: messages for printing"))
    articles = "\n".join(_article(record, header_rows(record)) for record in records)
    return (
        f'<!DOCTYPE html>\n<html lang="{language()}">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<table class="sheet">\n<thead><tr><td><div class="mark">{mark}</div></td></tr></thead>\n'
        f'<tfoot><tr><td><div class="mark">{mark}</div></td></tr></tfoot>\n<tbody><tr><td>\n{articles}\n'
        "</td></tr></tbody>\n</table>\n</body>\n</html>\n"
    )


def _article(record: Record, header: Rows) -> str:
    lang = language()
    content = [*record.kind.show(record.content, lang)]
    content += [("!", remark) for remark in record.kind.remarks(record.content, record.written, lang)]
    sections = [_list(header), f"<h2>{_text(_('Content'))}</h2>", _list(content)]
    if record.annex is not None:
        sections += [f"<h2>{_text(_('Nominal annex'))}</h2>", _list(record.kind.show_annex(record.annex, lang))]
    if record.proofs:
        sections += [f"<h2>{_text(_('Proven'))}</h2>", _list(record.proofs)]
    summary = _text(record.kind.summary(record.content, lang))
    return (
        f"<article>\n<h1>{_text(record.kind.titles[lang])}</h1>\n<p>{summary}</p>\n"
        + "\n".join(sections)
        + "\n</article>"
    )


def _list(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{_text(label)}</dt><dd>{_text(value)}</dd>" for label, value in rows) + "</dl>"


def _text(text: str) -> str:
    """Give a text for HTML: nothing in it is markup, and nothing in it turns the direction of writing."""
    plain = "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
    return html.escape(plain)
