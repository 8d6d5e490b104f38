"""How a search understands a word for a substance, a country or a drug group; the node is not asked.

A word that names none has near spellings, a word that is spelled in another way than the lists do has readings.
"""

from collections.abc import Sequence
from typing import Final

from paiza_client.language import language
from paiza_client.local import reference_data
from paiza_client.sdk.search import Criterion
from paiza_domain import codes
from paiza_domain.codes import lookup
from paiza_domain.schema.field_errors import entry_text
from paiza_domain.terms.query_terms import CODE_LISTS, codes_meant
from paiza_register import Register

MAX_SUGGESTED: Final = 3  # spellings of one criterion
MAX_READINGS: Final = 5  # names that one criterion is read as


def suggest(register: Register | None, criteria: Sequence[Criterion]) -> tuple[tuple[Criterion, tuple[str, ...]], ...]:
    """Return each criterion whose text no list knows, with the names nearest to it; criteria without any are left out.

    Texts of persons, plates and places are in no list: nothing is suggested for them.
    """
    found = [(each, _near(register, *each)) for each in criteria if each[0] in CODE_LISTS]
    return tuple((criterion, near) for criterion, near in found if near)


def readings(register: Register | None, criteria: Sequence[Criterion]) -> tuple[tuple[Criterion, tuple[str, ...]], ...]:
    """Return each criterion that a search reads as other names than the one written, with the first `MAX_READINGS`.

    Such a word is spelled by its sound ("metamfetamin"), or is a part of several names ("Korea").
    """
    found = [(each, _read_as(register, *each)) for each in criteria if each[0] in CODE_LISTS]
    return tuple((criterion, names[:MAX_READINGS]) for criterion, names in found if names)


def _read_as(register: Register | None, field: str, text: str) -> tuple[str, ...]:
    word = text.partition(" ")[2] if field == "route" else text
    written, list_name = lookup.name_key(word), CODE_LISTS[field]
    entries = codes.load(list_name)
    named = bool(lookup.find(list_name, word))
    names = [entries.text(each, language()) for each in codes_meant("country" if field == "route" else field, word)]
    if field == "substance" and register is not None:
        for each in reference_data.of(register).index.exact_matches(word):
            named = named or written in map(lookup.name_key, each.all_names())
            names.append(each.name(language()))
    return () if named else tuple(dict.fromkeys(names))


def _near(register: Register | None, field: str, text: str) -> tuple[str, ...]:
    list_name = CODE_LISTS[field]
    word = text.partition(" ")[2] if field == "route" else text
    if not word or lookup.find(list_name, word):
        return ()
    names: list[str] = []
    if field == "substance" and register is not None:
        match = reference_data.of(register).index.find(word)
        if match.substances:
            return ()
        names += match.suggestions
    entries = codes.load(list_name)
    names += [entry_text(code, entries.text(code, language())) for code in lookup.nearest(list_name, word)]
    return tuple(dict.fromkeys(names))[:MAX_SUGGESTED]
