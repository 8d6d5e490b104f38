"""The terms of a query: a text for a field, in either language, as the terms that a message must have.

"Героин", "heroin" and the code are the same query; so are "Казахстан" and "KAZ". Words of names and places may stand in
any order and either alphabet.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

from paiza_domain import codes
from paiza_domain.terms.folding import FOLDS, fold
from paiza_domain.terms.index_terms import WORDWISE, Term

CODE_LISTS: Final = {"substance": "drug_type", "drug-group": "drug_group", "country": "country", "route": "country"}
"""Fields that hold codes, which a searcher may name in words."""

SEARCHABLE: Final = tuple(sorted(FOLDS))
"""Every field there is to search by."""

MAX_CRITERIA: Final = 10  # of one search
MAX_CLAUSES: Final = 24  # of one search, all words together
MAX_ALTERNATIVES: Final = 64  # of one clause

Clause = frozenset[Term]


def clauses(field: str, text: str, other_names: Iterable[str] = ()) -> list[Clause]:
    """Return the clauses of a query: a message must have at least one term of each. Empty if the folded text is empty.

    ``other_names`` are further names and codes from the reference data. A route is written as role and
    country, "transit KAZ". KeyError for a field that is not searchable.
    """
    if field == "route":
        return _route(text)
    whole = fold(field, text)
    if not whole:
        return []
    known = codes_meant(field, text)
    alternatives = {fold(field, each) for each in (*known, *other_names)} - {""}
    if field in WORDWISE and not alternatives:
        return [frozenset({Term(field, word)}) for word in whole.split()][:MAX_CLAUSES]
    alternatives.add(whole)
    return [frozenset(Term(field, each) for each in sorted(alternatives)[:MAX_ALTERNATIVES])]


def _route(text: str) -> list[Clause]:
    role, _, country = text.strip().partition(" ")
    if not country:
        found = {Term("route", fold("route", f"{each} {role}")) for each in codes.load("route_role")}
        return [frozenset(found)] if fold("route", role) else []
    countries = [*codes_meant("country", country), country]
    return [frozenset(Term("route", fold("route", f"{role} {each}")) for each in countries)]


def codes_meant(field: str, text: str) -> list[str]:
    """Return the codes of a text: by code or name, Russian or English; else those whose name has its words.

    None for a field of no code list.
    """
    if field not in CODE_LISTS:
        return []
    wanted = _words(text)
    names = _names(CODE_LISTS[field])
    exactly = [code for code, known in names.items() if wanted in known]
    return exactly or [code for code, known in names.items() if any(wanted and wanted <= each for each in known)]


@cache
def _names(code_list: str) -> Mapping[str, Sequence[frozenset[str]]]:
    """Return the words of each name of each code of a list."""
    return {
        code: [_words(name) for name in (code, entry.alpha2, *entry.names.values())]
        for code, entry in codes.load(code_list).items()
    }


def _words(text: str) -> frozenset[str]:
    return frozenset(fold("name", text).split())
