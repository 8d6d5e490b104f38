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

LEAST_SOUNDING: Final = 5
"""Characters of a name that is found by its sound: shorter ones, mostly abbreviations, sound like each other."""

_LIKENESS: Final = 0.72  # of `difflib`: three letters of ten may be wrong

_GREEK: Final = str.maketrans(
    {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "delta", "Α": "alpha", "Β": "beta", "ω": "omega"}
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a name means: ``substances`` (several where a street name is used for several), else what it may mean."""

    substances: tuple[Substance, ...] = ()
    suggestions: tuple[str, ...] = ()


class NameIndex:
    """The names of all substances of one reference, folded once."""

    def __init__(self, reference: Reference) -> None:
        self._substances = reference.substances
        self._written: dict[str, dict[str, None]] = {}
        self._sounding: dict[str, dict[str, None]] = {}
        self._shown: dict[str, str] = {}
        for substance in reference.substances.values():
            for word in _words(substance):
                self._written.setdefault(written(word), {})[substance.id] = None
                if len(written(word)) >= LEAST_SOUNDING:
                    self._sounding.setdefault(sounding(word), {})[substance.id] = None
                self._shown.setdefault(written(word), word)

    def find(self, text: str) -> Found:
        """Look a name up; nothing is found, and nothing suggested, for an empty or endless one."""
        query = text.strip()
        if len(query) > MAX_QUERY or not written(query):
            return Found()
        named = self.meant_by(query)
        return Found(named) if named else Found(suggestions=self._like(query))

    def meant_by(self, text: str) -> tuple[Substance, ...]:
        """Return the substances that a name means, without looking for what it is like."""
        query = text.strip()
        if len(query) > MAX_QUERY or not written(query):
            return ()
        if exact := self._substances.get(query):
            return (exact,)
        for key in (written(query), folding.marks(query)):  # the second: Cyrillic letters taken for Latin ones (4-ММС)
            if key in self._written:
                return tuple(self._substances[each] for each in self._written[key])
        alike = self._sounding.get(sounding(query), {})
        return tuple(self._substances[each] for each in alike) if len(alike) == 1 else ()

    def _like(self, query: str) -> tuple[str, ...]:
        offered = {each: each for each in self._sounding.get(sounding(query), {})}
        # A few more than are shown: one substance is offered once, by the likest of its names.
        near = get_close_matches(written(query), self._written, n=4 * MAX_SUGGESTIONS, cutoff=_LIKENESS)
        for key in near:
            for each in self._written[key]:
                offered.setdefault(each, self._shown[key])
        return tuple(dict.fromkeys(offered.values()))[:MAX_SUGGESTIONS]


def written(text: str) -> str:
    """Fold a name to the Latin letters and digits it is written with."""
    return folding.latin(text.translate(_GREEK)).replace(" ", "")


def sounding(text: str) -> str:
    """Fold a name to how it sounds, numbers kept apart: metamfetamin, methamphetamine and метамфетамин are one."""
    latin = written(text).replace("TH", "T").replace("AE", "E").replace("OE", "E")
    digits = "".join(each for each in latin if each.isdigit())
    return f"{digits}|{folding.word(''.join(each for each in latin if not each.isdigit()))}"


def _words(substance: Substance) -> Iterator[str]:
    yield from (word for word in (*substance.all_names(), *substance.cas) if written(word))
