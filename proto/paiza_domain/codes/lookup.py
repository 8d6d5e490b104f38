"""The entry of a code list that a person's words mean: by code, by name in either language, or by another name.

Case, accents, punctuation and the order of the words do not count: "Bolivia, Plurinational State of" is "Bolivia
(Plurinational State of)". Only an equal name finds an entry; words that fit two entries of a list find none.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from paiza_domain.codes import Code, load

MAX_TEXT: Final = 200  # characters of a text that is looked up; the longest name has fewer
_NO_LETTER: Final = re.compile(r"[\W_]+")
_LITTLE: Final = frozenset({"the", "of", "and", "и"})  # words that tell no names apart


def find(list_name: str, text: str) -> str:
    """Return the code of the one entry that ``text`` names; empty if no entry, or more than one, has that name."""
    if len(text) > MAX_TEXT:
        return ""
    if text in load(list_name):
        return text
    return _by_name(list_name).get(name_key(text), "")


def name_key(text: str) -> str:
    """Return the form in which names are compared; empty for a text without a letter or digit."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    words = _NO_LETTER.sub(" ", bare.replace("'", " ")).split()
    return " ".join(sorted(set(words) - _LITTLE) or words)


@cache
def _by_name(list_name: str) -> Mapping[str, str]:
    codes_of: dict[str, set[str]] = {}
    for entry in load(list_name).values():
        for name in _names(entry):
            codes_of.setdefault(name_key(name), set()).add(entry.code)
    return MappingProxyType({key: next(iter(found)) for key, found in codes_of.items() if key and len(found) == 1})


def _names(entry: Code) -> Iterator[str]:
    yield entry.code
    yield from entry.names.values()
    yield from entry.also
    if entry.alpha2:
        yield entry.alpha2
