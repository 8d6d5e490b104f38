"""The control status of a substance in a state on a day, as known on a day.

A missing record does not mean no control: only if every entry of every list of a state is recorded does absence mean
that the substance is not listed there.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Protocol

from paiza_domain.i18n import N_, translate
from paiza_domain.reference.model import (
    InternationalControl,
    NationalControl,
    NationalList,
    Period,
    Reference,
)


class Listing(StrEnum):
    """The listing of a substance in a state."""

    LISTED = "listed"
    NOT_LISTED = "not-listed"
    NOT_RECORDED = "not-recorded"

    def text(self, lang: str) -> str:
        """Return its text in `lang`."""
        return translate(_TEXTS[self], lang)


_TEXTS: Final = {
    Listing.LISTED: N_("controlled"),
    Listing.NOT_LISTED: N_("not in the national lists"),
    Listing.NOT_RECORDED: N_("no record: ask the state"),
}
_UNVERIFIED: Final = N_("not verified")
_CONCENTRATION: Final = N_("from {n} %")


@dataclass(frozen=True, slots=True)
class ControlStatus:
    """The status of a substance in a state on a day; ``controls`` are the records with their lists."""

    substance: str
    state: str
    on: date
    known_at: date | None
    listing: Listing
    controls: tuple[tuple[NationalControl, NationalList], ...]

    def text(self, lang: str) -> str:
        """Return the status as one line in `lang`."""
        if not self.controls:
            return self.listing.text(lang)
        return "; ".join(_control_text(control, listed, lang) for control, listed in self.controls)


class _DatedRecord(Protocol):
    @property
    def valid(self) -> Period: ...

    @property
    def recorded(self) -> Period: ...


def in_force(record: _DatedRecord, on: date, known_at: date | None) -> bool:
    """Return whether a record is in force on a day, as known on a day (None: as known now)."""
    known = record.recorded.is_open if known_at is None else record.recorded.covers(known_at)
    return known and record.valid.covers(on)


def international(
    reference: Reference, substance: str, on: date, known_at: date | None = None
) -> tuple[InternationalControl, ...]:
    """Return the schedules and tables that list a substance."""
    return tuple(
        each for each in reference.international if each.substance == substance and in_force(each, on, known_at)
    )


def status(reference: Reference, substance: str, state: str, on: date, known_at: date | None = None) -> ControlStatus:
    """Return the status of a substance in a state on a day, as known on a day (None: as known now)."""
    controls = tuple(
        (each, reference.lists[each.list])
        for each in reference.national
        if each.substance == substance and each.state == state and in_force(each, on, known_at)
    )
    if controls:
        listing = Listing.LISTED
    else:
        listing = Listing.NOT_LISTED if is_complete(reference, state, on) else Listing.NOT_RECORDED
    return ControlStatus(substance, state, on, known_at, listing, controls)


def is_complete(reference: Reference, state: str, on: date) -> bool:
    """Return whether every list of a state in force on a day is completely recorded."""
    lists = [each for each in reference.lists.values() if each.state == state and each.valid.covers(on)]
    return bool(lists) and all(each.complete for each in lists)


def _control_text(control: NationalControl, listed: NationalList, lang: str) -> str:
    parts = [listed.titles[lang], listed.regime.text(lang)]
    if control.concentration_percent:
        parts.append(translate(_CONCENTRATION, lang).format(n=control.concentration_percent))
    if not control.evidence.verified:
        parts.append(translate(_UNVERIFIED, lang))
    return ", ".join(parts)
