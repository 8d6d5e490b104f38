"""Texts of others on a terminal: no message, file or peer may steer it."""

import unicodedata
from typing import Final

UNSEEN: Final = frozenset({"Cc", "Cf", "Cs"})  # controls, marks of direction, halves of characters
_BREAKS: Final = frozenset({"Zl", "Zp"})  # what ends a line without being a control


def plain(text: str) -> str:
    """Return text without characters that steer a terminal or turn the direction of writing.

    New lines and tabs stay.
    """
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in UNSEEN
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def plain_line(text: str) -> str:
    """Return text as `plain` does, on one line: a cell of a table, or a value beside its name."""
    return "".join(
        character if unicodedata.category(character) not in UNSEEN | _BREAKS else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
