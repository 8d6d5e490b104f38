"""Queries of legal bases that states share, their requirements, and border crossing points."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from paiza_domain.reference.model import BorderPoint, LegalBasis, Provision, Reference


@dataclass(frozen=True, slots=True)
class SharedBasis:
    """A legal basis in force between states, with its provisions on the requested subject."""

    basis: LegalBasis
    provisions: tuple[Provision, ...]


def shared_bases(reference: Reference, states: tuple[str, ...], subject: str, on: date) -> tuple[SharedBasis, ...]:
    """Return the bases that bind all the states on a day and have provisions on the subject ("": any)."""
    return tuple(_shared(reference, states, subject, on))


def _shared(reference: Reference, states: tuple[str, ...], subject: str, on: date) -> Iterator[SharedBasis]:
    for basis in reference.legal_bases:
        spans = [basis.parties.get(state) for state in states]
        if not basis.valid.covers(on) or not all(span is not None and span.covers(on) for span in spans):
            continue
        provisions = basis.about(subject)
        if provisions:
            yield SharedBasis(basis, provisions)


def subjects(reference: Reference) -> tuple[str, ...]:
    """Return all subjects of provisions."""
    return tuple(sorted({each.subject for basis in reference.legal_bases for each in basis.provisions}))


def crossings(reference: Reference, first: str, second: str = "") -> tuple[BorderPoint, ...]:
    """Return the border crossing points of a state, or those between two."""
    wanted = {first, second} - {""}
    return tuple(each for each in reference.border_points if wanted <= set(each.countries))
