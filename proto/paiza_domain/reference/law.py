"""Queries of legal bases that states share, their requirements, ratification, and border crossing points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from paiza_domain.i18n import N_, translate
from paiza_domain.reference.model import BorderPoint, LegalBasis, Participation, Provision, Reference


@dataclass(frozen=True, slots=True)
class SharedBasis:
    """A legal basis in force between states, with its provisions on the requested subject."""

    basis: LegalBasis
    provisions: tuple[Provision, ...]


class Standpoint(StrEnum):
    """The position of a state towards a treaty on a day."""

    BOUND = "bound"
    SIGNED = "signed"
    """Signed, and not bound."""
    NOT_PARTY = "not-party"
    """Neither signed nor bound, by a list of participants."""
    NOT_RECORDED = "not-recorded"
    """Nothing is recorded of the state for the day."""

    def text(self, lang: str) -> str:
        """Return its text in `lang`."""
        return translate(_TEXTS[self], lang)


_TEXTS: Final = {
    Standpoint.BOUND: N_("bound"),
    Standpoint.SIGNED: N_("signed, not ratified"),
    Standpoint.NOT_PARTY: N_("not a party"),
    Standpoint.NOT_RECORDED: N_("not recorded"),
}


@dataclass(frozen=True, slots=True)
class Ratification:
    """The position of one state towards one treaty on a day; ``record`` is None if there is none."""

    basis: LegalBasis
    state: str
    standpoint: Standpoint
    record: Participation | None

    @property
    def is_gap(self) -> bool:
        """Return whether the state is known not to be bound."""
        return self.standpoint in {Standpoint.SIGNED, Standpoint.NOT_PARTY}


def ratifications(reference: Reference, states: Sequence[str], on: date) -> tuple[Ratification, ...]:
    """Return the position of each state towards each treaty on a day."""
    return tuple(
        Ratification(basis, state, _standpoint(basis, state, on), basis.parties.get(state))
        for basis in reference.legal_bases
        for state in states
    )


def participants(reference: Reference) -> tuple[str, ...]:
    """Return all states whose position towards a treaty is recorded."""
    return tuple(sorted({state for basis in reference.legal_bases for state in basis.parties}))


def _standpoint(basis: LegalBasis, state: str, on: date) -> Standpoint:
    record = basis.parties.get(state)
    if record is None:
        return Standpoint.NOT_RECORDED
    if record.act:
        return Standpoint.BOUND if _binds(basis, state, on) else Standpoint.NOT_RECORDED
    return Standpoint.SIGNED if record.signed else Standpoint.NOT_PARTY


def _binds(basis: LegalBasis, state: str, on: date) -> bool:
    """Return whether a basis is known to bind a state on a day; without a day of entry, from when it was recorded."""
    record, since = basis.parties.get(state), basis.recorded.begin
    if record is None or not record.act:
        return False
    return basis.valid.covers(on, since) and record.valid.covers(on, since)


def shared_bases(reference: Reference, states: tuple[str, ...], subject: str, on: date) -> tuple[SharedBasis, ...]:
    """Return the bases that bind all the states on a day and have provisions on the subject ("": any)."""
    return tuple(_shared(reference, states, subject, on))


def _shared(reference: Reference, states: tuple[str, ...], subject: str, on: date) -> Iterator[SharedBasis]:
    for basis in reference.legal_bases:
        provisions = basis.about(subject)
        if provisions and all(_binds(basis, state, on) for state in states):
            yield SharedBasis(basis, provisions)


def subjects(reference: Reference) -> tuple[str, ...]:
    """Return all subjects of provisions."""
    return tuple(sorted({each.subject for basis in reference.legal_bases for each in basis.provisions}))


def crossings(reference: Reference, first: str, second: str = "") -> tuple[BorderPoint, ...]:
    """Return the border crossing points of a state, or those between two."""
    wanted = {first, second} - {""}
    return tuple(each for each in reference.border_points if wanted <= set(each.countries))
