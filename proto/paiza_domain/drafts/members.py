"""The members of a federation as people name them: by id, by name in either language, by code or name of a state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from paiza_domain import codes
from paiza_domain.codes import lookup
from paiza_domain.schema.field_errors import Problem, entry_text
from paiza_domain.schema.identifiers import member_problem

MAX_WORD: Final = 64  # characters of a name that an error repeats


@dataclass(frozen=True)
class Members:
    """The names of the members, by id and language; empty where the register is not known.

    A state's member has the code of the state in small letters as its id.
    """

    names: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, text: str) -> str:
        """Return the id of the member that ``text`` names; ``text`` itself if it names none or several."""
        if text in self.names or (not self.names and member_problem(text) is None):
            return text
        wanted = lookup.name_key(text)
        named = [each for each in self.names if wanted and wanted in map(lookup.name_key, self._words(each))]
        if len(named) == 1:
            return named[0]
        state = lookup.find("country", text).lower()
        return state if state and (state in self.names or not self.names) else text

    def problem(self, member: str, lang: str) -> Problem | None:
        """Return the problem of an id that no member has, with the nearest members named in ``lang``."""
        if problem := member_problem(member):
            if not self.names:
                return problem
        elif member in self.names or not self.names:
            return None
        words = {each: self._words(each) for each in self.names}
        near = ", ".join(entry_text(each, self.name(each, lang)) for each in lookup.nearest_names(member, words))
        known = ", ".join(entry_text(each, self.name(each, lang)) for each in self.names)
        return "member_unknown", {"value": member[:MAX_WORD], "suggestion": near, "known": known}

    def name(self, member: str, lang: str) -> str:
        """Return the name of a member in ``lang``; its id where it has none."""
        return self.names.get(member, {}).get(lang, member)

    def _words(self, member: str) -> tuple[str, ...]:
        """Return all names by which a member is found or suggested."""
        state = codes.load("country").codes.get(member.upper())
        return (member, *self.names[member].values(), *(state.names.values() if state else ()))


UNKNOWN: Final = Members()
"""The members where no register is known: an id is believed, and the name of a state means its member."""
