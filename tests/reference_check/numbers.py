"""CAS numbers compared with the package `chemicals`, whose names and numbers come from PubChem.

It knows about half of the substances and is no authority: it lists isomers and salts under one name. A difference is
explained in the column ``chemicals`` of substances.csv after somebody examined it, or the record is marked as doubtful.
An explanation of no difference is a problem too, so that the column stays true.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from chemicals.identifiers import CAS_to_int, get_pubchem_db

from paiza_domain.reference import Reference, Standing, Substance


def explanations(folder: Path) -> dict[str, str]:
    """Return the explanations of known differences, by substance."""
    with (folder / "substances.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["id"]: row["chemicals"] for row in csv.DictReader(file) if row["chemicals"]}


def problems(known: Reference, explained: Mapping[str, str]) -> Iterator[str]:
    """Yield every difference that is not explained, and every explanation of none."""
    for substance in known.substances.values():
        found = list(differences(substance))
        if not found and substance.id in explained:
            yield f"{substance.id}: `chemicals` does not differ, and the table explains why it does"
        elif substance.id not in explained and substance.evidence.standing is not Standing.DOUBTFUL:
            yield from (f"{substance.id}: {each} by `chemicals`" for each in found)


def differences(substance: Substance) -> Iterator[str]:
    """Yield how the numbers of a substance differ from those that `chemicals` has under its names."""
    known = get_pubchem_db()
    names = {name.lower() for name in (*substance.names.values(), substance.inn, *substance.synonyms) if name}
    by_name = {found.CASs for name in names if (found := known.search_name(name))}
    for number in substance.cas:
        found = known.search_CAS(CAS_to_int(number))
        if found and not {found.common_name, found.iupac_name, *found.synonyms} & names:
            yield f"{number} is {found.common_name or found.iupac_name}"
        elif by_name and number not in by_name:
            yield f"{number} is {', '.join(sorted(by_name))}"


def count_known(substances: Iterable[Substance]) -> int:
    """Return how many of the substances have a number that `chemicals` knows."""
    known = get_pubchem_db()
    return sum(any(known.search_CAS(CAS_to_int(number)) for number in each.cas) for each in substances)
