"""HS codes, schedules, groups and days of the reference data against each other."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations
from typing import Final

from paiza_domain.reference import Reference, Substance
from paiza_domain.reference.model import SURVEILLANCE, InternationalControl, Participation
from paiza_domain.schema.identifiers import cas_problem

AFTER_COMMUNICATION: Final = timedelta(days=180)
"""1971 Convention, Article 2 (7); 1988 Convention, Article 12 (6). One under that of 1961 binds on receipt (3 (7))."""

AFTER_DEPOSIT: Final = {"un-1961": 30, "un-1971": 90, "un-1988": 90, "untoc": 30}
"""Days from the deposit of an instrument to its effect: Articles 41 (2), 26 (2), 29 (2) and 38 (2)."""

_HEADINGS: Final = {
    "barbiturate": r"2933\.5[34]",
    "cocaine-base": r"2939\.72",
    "coca-leaf": r"1211\.30",
    "fentanyls": r"2933\.3[34]|2934\.92",
    "heroin": r"2939\.11",
    "poppy-straw": r"1211\.40",
}
"""The HS subheadings that a type of drug can have; of other types, any of chapters 28 and 29."""

_UNLISTED_TYPES: Final = {"precursor-other", "precursor-watch-list"}
_PRECURSOR_TYPES: Final = {"1988-I": "precursor-table-i", "1988-II": "precursor-table-ii"}


def problems(known: Reference) -> Iterator[str]:
    """Yield what contradicts itself."""
    listed: dict[str, set[str]] = {}
    for entry in known.international:
        if entry.valid.is_open:
            listed.setdefault(entry.substance, set()).add(entry.schedule)
        yield from _entry(entry)
    for substance in known.substances.values():
        for wrong in _substance(substance, listed.get(substance.id, set())):
            yield f"{substance.id}: {wrong}"
    for basis in known.legal_bases:
        for party in basis.parties.values():
            for wrong in _party(party, basis.valid.begin, AFTER_DEPOSIT.get(basis.id)):
                yield f"{basis.id}, {party.state}: {wrong}"


def _entry(entry: InternationalControl) -> Iterator[str]:
    days = [each for each in (entry.decided, entry.communicated, entry.valid.begin, entry.valid.end) if each]
    for earlier, later in combinations(days, 2):
        if earlier > later:
            yield f"{entry.substance}, {entry.schedule}: {earlier} is after {later}"
    full = len(entry.communicated) == len(entry.valid.begin) == len("2026-11-30")
    if full and not entry.schedule.startswith("1961"):
        effect = date.fromisoformat(entry.communicated) + AFTER_COMMUNICATION
        if effect.isoformat() != entry.valid.begin:
            yield f"{entry.substance}, {entry.schedule}: a decision communicated on that day binds from {effect}"


def _substance(substance: Substance, schedules: set[str]) -> Iterator[str]:
    yield from (f"{number} has a wrong check digit" for number in substance.cas if cas_problem(number))
    if (SURVEILLANCE in schedules) != (substance.drug_type == "precursor-watch-list"):
        yield f"type {substance.drug_type}, but lists {sorted(schedules)}"
    schedules = schedules - {SURVEILLANCE}
    tables = {each for each in schedules if each.startswith("1988")}
    unlisted = substance.drug_group != "precursors" or substance.drug_type in _UNLISTED_TYPES
    if unlisted == bool(tables):
        yield f"group {substance.drug_group}, type {substance.drug_type}, but tables {sorted(tables)}"
    for table in tables:
        if substance.drug_type != _PRECURSOR_TYPES[table]:
            yield f"type {substance.drug_type} in table {table}"
    if "1961-IV" in schedules and "1961-I" not in schedules:
        yield "in Schedule IV of 1961 and not in Schedule I"
    if len({each[:4] for each in schedules}) > 1:
        yield f"under two Conventions: {sorted(schedules)}"
    if len({each for each in schedules if each != "1961-IV"}) > 1:
        yield f"in two schedules of one Convention: {sorted(schedules)}"
    pattern = _HEADINGS.get(substance.drug_type, r"28\d\d\.\d\d|29\d\d\.\d\d")
    yield from (
        f"HS {code} does not fit type {substance.drug_type}"
        for code in substance.hs
        if not re.match(pattern, code) and substance.id not in _OTHER_CHAPTERS
    )


_OTHER_CHAPTERS: Final = {"opium", "concentrate-of-poppy-straw"}
"""Extracts of plants: chapter 13 and heading 2939."""


def _party(party: Participation, general: str, after: int | None) -> Iterator[str]:
    if party.signed and party.deposited and party.signed > party.deposited:
        yield "deposited before it was signed"
    if after is not None and party.deposited:
        effect = max((date.fromisoformat(party.deposited) + timedelta(days=after)).isoformat(), general)
        if effect != party.valid.begin:
            yield f"in force from {party.valid.begin}, and by the treaty from {effect}"
