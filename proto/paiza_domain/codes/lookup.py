"""The entry of a code list that a person's words mean: by code, by name in either language, or by another name.

Case, accents, punctuation and the order of the words do not count: "Bolivia, Plurinational State of" is "Bolivia
(Plurinational State of)". Only an equal name finds an entry; words that fit two entries of a list find none.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from difflib import SequenceMatcher
from functools import cache
from types import MappingProxyType
from typing import Final

from paiza_domain.codes import Code, load

MAX_TEXT: Final = 200  # characters of a text that is looked up; the longest name has fewer
MAX_NEAREST: Final = 3  # entries that are suggested for a word that names none
MIN_SIMILARITY: Final = 0.6  # of `difflib`: four letters of ten may be wrong
_SPREAD: Final = 0.2  # of a suggestion below the most alike one
_MIN_BEGINNING: Final = 3  # letters of a name by which it is suggested
_OF_A_WORD: Final = 0.9  # how much a word of a name counts
_NO_LETTER: Final = re.compile(r"[\W_]+")
_LITTLE: Final = frozenset({"the", "of", "and", "и"})  # words that tell no names apart


def find(list_name: str, text: str) -> str:
    """Return the code of the one entry that ``text`` names; empty if no entry, or more than one, has that name."""
    if len(text) > MAX_TEXT:
        return ""
    if text in load(list_name):
        return text
    return _by_name(list_name).get(name_key(text), "")


def nearest(list_name: str, text: str, least: float = MIN_SIMILARITY) -> tuple[str, ...]:
    """Return the codes of the entries whose names are most like ``text``, the most alike first, at most `MAX_NEAREST`.

    ``least`` is how alike a name must be, from `MIN_SIMILARITY` to 1.

    Words that fit several entries ("Korea") suggest all of them. Empty if no name is alike, or the text is overlong.
    """
    return nearest_names(text, {entry.code: tuple(_names(entry)) for entry in load(list_name).values()}, least)


def nearest_names(text: str, names: Mapping[str, Collection[str]], least: float = MIN_SIMILARITY) -> tuple[str, ...]:
    """Return the keys of ``names`` that `nearest` would return for entries with these names."""
    wanted = name_key(text)
    if not wanted or len(text) > MAX_TEXT:
        return ()
    # A matcher caches what it finds out about its second text.
    matchers = {each: SequenceMatcher(None, "", each) for each in (wanted, *wanted.split())}
    best = {key: _likeness(matchers, wanted, [name_key(name) for name in each]) for key, each in names.items()}
    least = max(least, max(best.values(), default=0.0) - _SPREAD)
    near = sorted((key for key, likeness in best.items() if likeness >= least), key=lambda key: -best[key])
    return tuple(near[:MAX_NEAREST])


def _likeness(matchers: Mapping[str, SequenceMatcher[str]], wanted: str, names: Collection[str]) -> float:
    """Return how alike an entry with these names is to what is wanted, from 0 to 1.

    Words count a little less than a whole name, and of several each counts: one of two that many entries have
    ("exercise agreement") makes none of them alike.
    """
    words = {word for name in names for word in name.split()}
    by_word = [_likeness_of_a_word(matchers[each], each, words) for each in wanted.split()]
    return max(_OF_A_WORD * sum(by_word) / len(by_word), *(_ratio(matchers[wanted], name) for name in names))


def _likeness_of_a_word(matcher: SequenceMatcher[str], wanted: str, words: Collection[str]) -> float:
    """Return how alike the most alike of these words is; a short one must be a word, or begin one."""
    if wanted in words or (len(wanted) >= _MIN_BEGINNING and any(word.startswith(wanted) for word in words)):
        return 1.0
    if len(wanted) <= _MIN_BEGINNING:
        return 0.0
    return max((_ratio(matcher, word) for word in words if len(word) > _MIN_BEGINNING), default=0.0)


def _ratio(matcher: SequenceMatcher[str], name: str) -> float:
    matcher.set_seq1(name)
    if matcher.real_quick_ratio() < MIN_SIMILARITY or matcher.quick_ratio() < MIN_SIMILARITY:
        return 0.0
    return matcher.ratio()


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
