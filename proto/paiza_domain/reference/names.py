"""The look-up of substances by any name: names and synonyms in either alphabet, CAS numbers, street names.

Names are compared in three steps: by spelling (in Latin letters, without spaces and dashes), by sound, and by
similarity. Only an equal spelling, or a sound unique to one substance, finds a substance; similar names are only
suggested.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from paiza_domain.reference.model import Reference, Substance
from paiza_domain.terms import folding

MAX_QUERY: Final = 200
"""Characters of a name that is looked up; the longest chemical name in the schedules has fewer."""

MAX_SUGGESTIONS: Final = 5

MIN_SOUND_LENGTH: Final = 5
"""Least characters of a name for the search by sound: shorter ones, mostly abbreviations, sound alike."""

_MIN_SIMILARITY: Final = 0.72  # of `difflib`: three letters of ten may be wrong

_GREEK: Final = str.maketrans(
    {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "delta", "Α": "alpha", "Β": "beta", "ω": "omega"}
)


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The result of a look-up: ``substances`` (several for an ambiguous street name), else ``suggestions``."""

    substances: tuple[Substance, ...] = ()
    suggestions: tuple[str, ...] = ()


class NameIndex:
    """An index of the names of all substances of one reference."""

    def __init__(self, reference: Reference) -> None:
        self._substances = reference.substances
        self._by_spelling: dict[str, dict[str, None]] = {}
        self._by_sound: dict[str, dict[str, None]] = {}
        self._shown: dict[str, str] = {}
        for substance in reference.substances.values():
            for word in _words(substance):
                self._by_spelling.setdefault(spelling_key(word), {})[substance.id] = None
                if len(spelling_key(word)) >= MIN_SOUND_LENGTH:
                    self._by_sound.setdefault(sound_key(word), {})[substance.id] = None
                self._shown.setdefault(spelling_key(word), word)

    def find(self, text: str) -> NameMatch:
        """Look up a name; the result is empty for an empty or overlong name."""
        query = text.strip()
        if len(query) > MAX_QUERY or not spelling_key(query):
            return NameMatch()
        named = self.exact_matches(query)
        return NameMatch(named) if named else NameMatch(suggestions=self._similar(query))

    def exact_matches(self, text: str) -> tuple[Substance, ...]:
        """Return the substances of a name, without the search by similarity."""
        query = text.strip()
        if len(query) > MAX_QUERY or not spelling_key(query):
            return ()
        if exact := self._substances.get(query):
            return (exact,)
        for key in (
            spelling_key(query),
            folding.identifier(query),
        ):  # the second: Cyrillic letters taken for Latin ones (4-ММС)
            if key in self._by_spelling:
                return tuple(self._substances[each] for each in self._by_spelling[key])
        alike = self._by_sound.get(sound_key(query), {})
        return tuple(self._substances[each] for each in alike) if len(alike) == 1 else ()

    def _similar(self, query: str) -> tuple[str, ...]:
        offered = {each: each for each in self._by_sound.get(sound_key(query), {})}
        # A few more than are shown: a substance is suggested once, by its most similar name.
        near = get_close_matches(spelling_key(query), self._by_spelling, n=4 * MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
        for key in near:
            for each in self._by_spelling[key]:
                offered.setdefault(each, self._shown[key])
        return tuple(dict.fromkeys(offered.values()))[:MAX_SUGGESTIONS]


def spelling_key(text: str) -> str:
    """Return the Latin letters and digits of a name."""
    return folding.latin(text.translate(_GREEK)).replace(" ", "")


def sound_key(text: str) -> str:
    """Return the sound of a name, digits apart: metamfetamin, methamphetamine and метамфетамин have the same."""
    latin = spelling_key(text).replace("TH", "T").replace("AE", "E").replace("OE", "E")
    digits = "".join(each for each in latin if each.isdigit())
    return f"{digits}|{folding.word(''.join(each for each in latin if not each.isdigit()))}"


def _words(substance: Substance) -> Iterator[str]:
    yield from (word for word in (*substance.all_names(), *substance.cas) if spelling_key(word))
