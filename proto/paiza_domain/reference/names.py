"""Finds a substance by whatever an officer calls it: any name or synonym in either alphabet, CAS number, street name.

Words are compared in three steps: as they are written (in Latin letters, without blanks and dashes), as they sound, and
at last by their likeness. Only the first, and a sound that one substance alone has, find a substance; what is merely
like it is offered as a suggestion, never taken.
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
"""Characters of a name that is found by its sound: shorter ones, mostly abbreviations, sound like each other."""

_MIN_SIMILARITY: Final = 0.72  # of `difflib`: three letters of ten may be wrong

_GREEK: Final = str.maketrans(
    {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "delta", "Α": "alpha", "Β": "beta", "ω": "omega"}
)


@dataclass(frozen=True, slots=True)
class NameMatch:
    """What a name means: ``substances`` (several where a street name is used for several), else what it may mean."""

    substances: tuple[Substance, ...] = ()
    suggestions: tuple[str, ...] = ()


class NameIndex:
    """The names of all substances of one reference, folded once."""

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
        """Look a name up; nothing is found, and nothing suggested, for an empty or endless one."""
        query = text.strip()
        if len(query) > MAX_QUERY or not spelling_key(query):
            return NameMatch()
        named = self.exact_matches(query)
        return NameMatch(named) if named else NameMatch(suggestions=self._similar(query))

    def exact_matches(self, text: str) -> tuple[Substance, ...]:
        """Return the substances that a name means, without looking for what it is like."""
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
        # A few more than are shown: one substance is offered once, by the likest of its names.
        near = get_close_matches(spelling_key(query), self._by_spelling, n=4 * MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
        for key in near:
            for each in self._by_spelling[key]:
                offered.setdefault(each, self._shown[key])
        return tuple(dict.fromkeys(offered.values()))[:MAX_SUGGESTIONS]


def spelling_key(text: str) -> str:
    """Fold a name to the Latin letters and digits it is written with."""
    return folding.latin(text.translate(_GREEK)).replace(" ", "")


def sound_key(text: str) -> str:
    """Fold a name to how it sounds, numbers kept apart: metamfetamin, methamphetamine and метамфетамин are one."""
    latin = spelling_key(text).replace("TH", "T").replace("AE", "E").replace("OE", "E")
    digits = "".join(each for each in latin if each.isdigit())
    return f"{digits}|{folding.word(''.join(each for each in latin if not each.isdigit()))}"


def _words(substance: Substance) -> Iterator[str]:
    yield from (word for word in (*substance.all_names(), *substance.cas) if spelling_key(word))
