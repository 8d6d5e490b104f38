"""Near spellings for a search that found nothing: of substances, countries and drug groups; the node is not asked."""

from collections.abc import Sequence
from typing import Final

from paiza_client.language import language
from paiza_client.local import reference_data
from paiza_client.sdk.search import Criterion
from paiza_domain import codes
from paiza_domain.codes import lookup
from paiza_domain.schema.field_errors import entry_text
from paiza_domain.terms.query_terms import CODE_LISTS
from paiza_register import Register

MAX_SUGGESTED: Final = 3  # spellings of one criterion


def suggest(register: Register | None, criteria: Sequence[Criterion]) -> tuple[tuple[Criterion, tuple[str, ...]], ...]:
    """Return each criterion whose text no list knows, with the names nearest to it; criteria without any are left out.

    Texts of persons, plates and places are in no list: nothing is suggested for them.
    """
    found = [(each, _near(register, *each)) for each in criteria if each[0] in CODE_LISTS]
    return tuple((criterion, near) for criterion, near in found if near)


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
