"""What the words of a row mean: by a code column, by the tables of the map, or by the name of a code."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from paiza_client.data.imports.map_checks import LEGS
from paiza_client.data.imports.maps import Entry, ImportMap
from paiza_client.language import N_
from paiza_domain import codes
from paiza_domain.codes import lookup

CONTRADICTION: Final = N_("the code and the text mean different things; the code counts")

UNKNOWN_COUNTRY: Final = "XXX"
NOTHING_KNOWN: Final = N_("states that the country is not known")

Unmapped = tuple[str, str, str]
"""(column, text, why): a text without a certain code; `why` is empty for a text that the table does not know."""

NAMED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = MappingProxyType({
    "drug": (("type", "drug_type"), ("group", "drug_group")),
    "unit": (("unit", "unit"),),
    "concealment": (("concealment", "concealment"), ("packaging", "packaging")),
    "place_type": (("place_type", "place_type"),),
    "transport": (("mode", "transport_mode"), ("means", "transport_means")),
    "country": (("country", "country"),),
    "routing": (("routing", "routing"),),
})  # fmt: skip
"""Table → keys and code lists whose names a text may have; the first list that has it counts."""


def look_up(
    texts: Mapping[str, str], own_codes: Mapping[str, str], layout: ImportMap
) -> tuple[dict[str, Entry], list[Unmapped]]:
    """Look every mapped field up; the second are the texts and codes without a certain meaning."""
    entries: dict[str, Entry] = {}
    unmapped: list[Unmapped] = []
    for name in ("drug", "unit", "concealment", "place_type", "transport", *LEGS, "routing"):
        by_code = by_text = None
        if code := own_codes.get(name, ""):
            by_code = entry_of(name, code, layout)
            if by_code is None:
                unmapped.append((layout.code_columns[name], code, ""))
        if text := texts.get(name, ""):
            by_text = entry_of(name, text, layout)
            if by_code is None and text != code and (by_text is None or by_text.unmapped):
                unmapped.append((layout.column(name), text, by_text.unmapped if by_text else ""))
        if by_code and by_text and by_code.codes and by_text.codes and _differ(by_code.codes, by_text.codes):
            unmapped.append((layout.code_columns[name], f"{code}: {text}", CONTRADICTION))
        if entry := by_code or by_text:
            entries[name] = entry
    return entries, unmapped


def _differ(first: Mapping[str, str], second: Mapping[str, str]) -> bool:
    """Return whether two meanings give one key different codes; one may be more precise than the other."""
    return any(first[key] != second[key] for key in first.keys() & second.keys() - {"substance"})


def entry_of(name: str, text: str, layout: ImportMap) -> Entry | None:
    """Return what the map says of a word, or else the code that has this very name in its list."""
    entry = layout.table(name).get(text)
    return entry if entry is not None else named_entry("country" if name in LEGS else name, text)


@lru_cache(maxsize=4096)  # spellings of a file; the known files have 100 each
def named_entry(table: str, text: str) -> Entry | None:
    """Return the entry for a text that is a code or a code's name in either language; None if it is neither."""
    for key, list_name in NAMED.get(table, ()):
        if code := lookup.find(list_name, text):
            if code == UNKNOWN_COUNTRY:
                return Entry({}, nothing=NOTHING_KNOWN)
            group = {"group": codes.load(list_name)[code].group} if list_name == "drug_type" else {}
            return Entry({key: code, **group})
    return None
