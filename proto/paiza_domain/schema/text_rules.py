"""The permitted characters of a text.

Invisible characters that change the display are refused: control characters, and those that reorder text (bidirectional
embeddings, overrides and isolates), so that a plate or a name would be displayed differently from its stored form.
"""

import re
from typing import Final

from paiza_domain.schema.field_errors import Problem

MAX_LINE: Final = 200  # characters of a one-line text: an agency's full name fits
MAX_TEXT: Final = 20_000  # characters of a text of several lines: about eight typed pages

# C0 and C1 controls, bidirectional embeddings, overrides and isolates, line and paragraph separators, byte-order mark,
# interlinear annotation, noncharacters, lone surrogates, language tags.
_REFUSED: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_REFUSED_IN_LINES: Final = re.compile(f"[{_REFUSED}]")
_REFUSED_IN_LINE: Final = re.compile(f"[{_REFUSED}\t\n]")


def unencodable_problem(text: str) -> Problem | None:
    """Return a problem if the text has a lone surrogate, which no message can hold."""
    found = _SURROGATE.search(text)
    return ("text_character", {"character": f"U+{ord(found.group()):04X}"}) if found else None


def line_problem(text: str, most: int) -> Problem | None:
    """Return the problem of a one-line text, or None."""
    if len(text) > most:
        return "text_too_long", {"most": most}
    # `isprintable` is fast and strict; only texts that it refuses are checked in detail.
    if not text.isprintable() and (found := _REFUSED_IN_LINE.search(text)):
        return "text_character", {"character": f"U+{ord(found.group()):04X}"}
    if text[:1] == " " or text[-1:] == " ":
        return "text_edges", {}
    return None


def lines_problem(text: str, most: int) -> Problem | None:
    """Return the problem of a text of several lines, separated by a line feed, or None."""
    if len(text) > most:
        return "text_too_long", {"most": most}
    if not text.replace("\n", "").isprintable() and (found := _REFUSED_IN_LINES.search(text)):
        return "text_character", {"character": f"U+{ord(found.group()):04X}"}
    if text[:1] in {" ", "\n"} or text[-1:] in {" ", "\n"}:
        return "text_edges", {}
    return None
