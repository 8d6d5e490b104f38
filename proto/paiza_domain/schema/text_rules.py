"""Which characters a text may hold.

Refused are characters that a reader does not see and that change what he sees: control characters, and those that
reorder text on the screen (bidirectional embeddings, overrides and isolates), so that a plate or a name reads otherwise
than it is stored.
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
    """Find a lone surrogate: half a character, which no message can hold."""
    found = _SURROGATE.search(text)
    return ("text_character", {"character": f"U+{ord(found.group()):04X}"}) if found else None


def line_problem(text: str, most: int) -> Problem | None:
    """Judge a text of one line."""
    if len(text) > most:
        return "text_too_long", {"most": most}
    # `isprintable` is quick and strict; only what it does not like is looked at closely.
    if not text.isprintable() and (found := _REFUSED_IN_LINE.search(text)):
        return "text_character", {"character": f"U+{ord(found.group()):04X}"}
    if text[:1] == " " or text[-1:] == " ":
        return "text_edges", {}
    return None


def lines_problem(text: str, most: int) -> Problem | None:
    """Judge a text of several lines, separated by a line feed."""
    if len(text) > most:
        return "text_too_long", {"most": most}
    if not text.replace("\n", "").isprintable() and (found := _REFUSED_IN_LINES.search(text)):
        return "text_character", {"character": f"U+{ord(found.group()):04X}"}
    if text[:1] in {" ", "\n"} or text[-1:] in {" ", "\n"}:
        return "text_edges", {}
    return None
