"""The control status of a substance in a state on a day, as known on a day.

A missing record does not mean no control: only if every entry of every list of a state is recorded does absence mean
that the substance is not listed there. A record answers no question for a day before its begin; if its begin is not
recorded, it answers from the day for which its source attests it, else from the day on which it was recorded.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Protocol

from paiza_domain.i18n import N_, translate
from paiza_domain.reference.model import (
    SURVEILLANCE,
    InternationalControl,
    NationalControl,
    NationalList,
    Period,
    Reference,
    Standing,
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
_CONCENTRATION: Final = N_("from {n} %")


@dataclass(frozen=True, slots=True)
class InternationalStatus:
    """The schedules and tables that list a substance on a day.

    ``entries`` are in effect. ``undated`` may be: the day of effect is not recorded, or only its year or month. Both
    hold an entry of the surveillance list too, which lists nothing under control.
    """

    listing: Listing
    entries: tuple[InternationalControl, ...]
    undated: tuple[InternationalControl, ...]


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
    def attested(self) -> str: ...

    @property
    def valid(self) -> Period: ...

    @property
    def recorded(self) -> Period: ...


def in_force(record: _DatedRecord, on: date, known_at: date | None) -> bool:
    """Return whether a record is in force on a day, as known on a day (None: as known now)."""
    return _is_known(record, known_at) and record.valid.covers(on, record.attested or record.recorded.begin)


def _is_known(record: _DatedRecord, known_at: date | None) -> bool:
    return record.recorded.is_open if known_at is None else record.recorded.covers(known_at)


def international(reference: Reference, substance: str, on: date, known_at: date | None = None) -> InternationalStatus:
    """Return the schedules and tables that list a substance on a day, as known on a day (None: as known now)."""
    known = [each for each in reference.international if each.substance == substance and _is_known(each, known_at)]
    entries = tuple(each for each in known if in_force(each, on, known_at))
    undated = tuple(
        each for each in known if each not in entries and each.valid.may_cover(on, each.communicated or each.decided)
    )
    if any(each.schedule != SURVEILLANCE for each in entries):
        return InternationalStatus(Listing.LISTED, entries, undated)
    since = min((each.recorded.begin for each in reference.international if each.recorded.begin), default="")
    absent = not undated and since and since <= on.isoformat()
    return InternationalStatus(Listing.NOT_LISTED if absent else Listing.NOT_RECORDED, entries, undated)


def status(reference: Reference, substance: str, state: str, on: date, known_at: date | None = None) -> ControlStatus:
    """Return the status of a substance in a state on a day, as known on a day (None: as known now)."""
    known = [
        (each, reference.lists[each.list])
        for each in reference.national
        if each.substance == substance and each.state == state and _is_known(each, known_at)
    ]
    controls = tuple(
        (control, listed)
        for control, listed in known
        if in_force(control, on, known_at) and _list_covers(reference, listed, on)
    )
    if controls:
        listing = Listing.LISTED
    elif is_complete(reference, state, on) and not any(control.valid.may_cover(on) for control, _ in known):
        listing = Listing.NOT_LISTED
    else:
        listing = Listing.NOT_RECORDED
    return ControlStatus(substance, state, on, known_at, listing, controls)


def is_complete(reference: Reference, state: str, on: date) -> bool:
    """Return whether every list of a state in force on a day is completely recorded."""
    lists = [each for each in reference.lists.values() if each.state == state and _list_covers(reference, each, on)]
    return bool(lists) and all(each.complete for each in lists)


def _list_covers(reference: Reference, listed: NationalList, on: date) -> bool:
    """Return whether a list and its act are in force; a list without a begin begins with its act."""
    act = reference.acts[listed.act]
    return act.valid.covers(on) and listed.valid.covers(on, act.valid.begin)


def _control_text(control: NationalControl, listed: NationalList, lang: str) -> str:
    parts = [listed.titles[lang], listed.regime.text(lang)]
    if control.concentration_percent:
        parts.append(translate(_CONCENTRATION, lang).format(n=control.concentration_percent))
    if control.evidence.standing is not Standing.VERIFIED:
        parts.append(control.evidence.standing.text(lang))
    return ", ".join(parts)
