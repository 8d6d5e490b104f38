"""The differences between international and national lists, as a liaison officer needs them before a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from paiza_domain.i18n import N_, translate
from paiza_domain.reference.control_status import ControlStatus, Listing, in_force, is_complete, status
from paiza_domain.reference.model import SURVEILLANCE, Reference, Regime, Standing


class Difference(StrEnum):
    """The kind of a difference."""

    NOT_IN_STATE = "not-in-state"
    """Controlled internationally, and the state's complete lists do not have it."""
    NOT_RECORDED = "not-recorded"
    """Controlled internationally, and nothing is recorded about it for the state, whose lists are not complete."""
    NATIONAL_ONLY = "national-only"
    """In a national list and in no international schedule."""
    DIFFERENT_REGIME = "different-regime"
    """Under different regimes in the states asked about."""

    def text(self, lang: str) -> str:
        """Return its text in `lang`."""
        return translate(_TEXTS[self], lang)


_TEXTS: Final = {
    Difference.NOT_IN_STATE: N_("controlled internationally, not listed in the state"),
    Difference.NOT_RECORDED: N_("controlled internationally, nothing recorded for the state"),
    Difference.NATIONAL_ONLY: N_("listed in the state, not controlled internationally"),
    Difference.DIFFERENT_REGIME: N_("listed under different regimes"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: the substance, the states, its schedules, and each state's regimes."""

    difference: Difference
    substance: str
    states: tuple[str, ...]
    schedules: tuple[str, ...]
    regimes: tuple[tuple[str, tuple[Regime, ...]], ...]


@dataclass(frozen=True, slots=True)
class Consistency:
    """The report; ``incomplete`` names the states whose lists are only partly recorded.

    Of the ``records`` compared, ``unverified`` are not verified, or doubtful.
    """

    on: date
    known_at: date | None
    states: tuple[str, ...]
    incomplete: tuple[str, ...]
    records: int
    unverified: int
    findings: tuple[Finding, ...]


def consistency(reference: Reference, states: Sequence[str], on: date, known_at: date | None = None) -> Consistency:
    """Compare the schedules with the lists of some states, and these lists with each other."""
    schedules: dict[str, list[str]] = {}
    standings: list[Standing] = []
    for each in reference.international:
        if each.schedule != SURVEILLANCE and in_force(each, on, known_at):
            schedules.setdefault(each.substance, []).append(each.schedule)
            standings.append(each.evidence.standing)
    findings: list[Finding] = []
    for substance in reference.substances:
        found = [status(reference, substance, state, on, known_at) for state in states]
        findings += _compare(substance, tuple(schedules.get(substance, ())), found)
        standings += [control.evidence.standing for each in found for control, _ in each.controls]
    incomplete = tuple(state for state in states if not is_complete(reference, state, on))
    unverified = len(standings) - standings.count(Standing.VERIFIED)
    return Consistency(on, known_at, tuple(states), incomplete, len(standings), unverified, tuple(findings))


def _compare(substance: str, schedules: tuple[str, ...], found: Sequence[ControlStatus]) -> list[Finding]:
    regimes = tuple((each.state, _regimes(each)) for each in found if each.controls)

    def finding(difference: Difference, states: Sequence[str]) -> list[Finding]:
        return [Finding(difference, substance, tuple(states), schedules, regimes)] if states else []

    findings: list[Finding] = []
    if schedules:
        listing = {each.state: each.listing for each in found}
        missing = [state for state, each in listing.items() if each is Listing.NOT_LISTED]
        unknown = [state for state, each in listing.items() if each is Listing.NOT_RECORDED]
        findings += finding(Difference.NOT_IN_STATE, missing) + finding(Difference.NOT_RECORDED, unknown)
    else:
        findings += finding(Difference.NATIONAL_ONLY, [state for state, _ in regimes])
    if len({each for _, each in regimes}) > 1:
        findings += finding(Difference.DIFFERENT_REGIME, [state for state, _ in regimes])
    return findings


def _regimes(found: ControlStatus) -> tuple[Regime, ...]:
    """Return the regimes of a state's lists, the strictest first."""
    order = list(Regime)
    return tuple(sorted({listed.regime for _, listed in found.controls}, key=order.index))
