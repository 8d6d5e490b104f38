"""What a new directory changes of an old one, in words: what a data officer reads before it is published."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from paiza_domain.directory import times
from paiza_domain.directory.model import Confirmation, Directory, LiaisonOfficer, Shift, WorkingHours
from paiza_domain.formatting import date_text, time_text
from paiza_domain.i18n import N_, translate

_FIELDS: Final = {
    "name": N_("name"),
    "posted_in": N_("posted in"),
    "posting": N_("place"),
    "accredited_to": N_("accredited to"),
    "covers": N_("covers"),
    "kinds": N_("kinds"),
    "languages": N_("languages"),
    "contacts": N_("contacts"),
    "hours": N_("hours"),
    "expiry": N_("posted until"),
}
_NOTHING: Final = N_("nothing")


def differences(old: Directory, new: Directory, lang: str) -> tuple[str, ...]:
    """Return the differences of two directories, one a line; nothing if they say the same."""
    return (*_officers(old, new, lang), *_duty(old, new, lang), *_confirmed(old, new, lang))


def _officers(old: Directory, new: Directory, lang: str) -> Iterator[str]:
    before, after = ({each.id: each for each in directory.officers} for directory in (old, new))
    for each in before:
        if each not in after:
            yield _said(N_("officer removed: {name}"), lang, name=_name(before[each]))
    for each, officer in after.items():
        if each not in before:
            yield _said(N_("officer added: {name}"), lang, name=_name(officer))
            continue
        for field, label in _FIELDS.items():
            was, now = (_text(getattr(one, field), lang) for one in (before[each], officer))
            if was != now:
                yield f"{_name(officer)}: {_change(translate(label, lang), was, now, lang)}"


def _duty(old: Directory, new: Directory, lang: str) -> Iterator[str]:
    before, after = old.duty, new.duty
    if before is not None and after is not None:
        for label, one, other in (
            (N_("time zone of the roster"), before.time_zone, after.time_zone),
            (N_("contacts of the duty desk"), before.contacts, after.contacts),
        ):
            if one != other:
                yield _change(translate(label, lang), _text(one, lang), _text(other, lang), lang)
    elif after is not None:
        yield _said(N_("duty roster added, {zone}: {contacts}"), lang, zone=after.time_zone,
                    contacts=_text(after.contacts, lang))  # fmt: skip
    elif before is not None:
        yield _said(N_("duty roster removed"), lang)
    zone = after.time_zone if after is not None else before.time_zone if before is not None else "UTC"
    was, now = ({_key(each): each for each in ([] if duty is None else duty.shifts)} for duty in (before, after))
    for text, shifts in (
        (N_("shift removed: {shift}"), [each for key, each in was.items() if key not in now]),
        (N_("shift added: {shift}"), [each for key, each in now.items() if key not in was]),
    ):
        for shift in shifts:
            yield _said(text, lang, shift=shift_text(shift, zone, lang))


def _confirmed(old: Directory, new: Directory, lang: str) -> Iterator[str]:
    yield from _listed(N_("no longer confirmed: {officer}"), set(old.confirmed) - set(new.confirmed), lang)
    yield from _listed(N_("accreditation confirmed: {officer}"), set(new.confirmed) - set(old.confirmed), lang)


def _listed(text: str, confirmed: Iterable[Confirmation], lang: str) -> Iterator[str]:
    for each in sorted(confirmed, key=lambda each: (each.member, each.officer)):
        yield _said(text, lang, officer=f"{each.name} ({each.member}/{each.officer})")


def shift_text(shift: Shift, zone: str, lang: str) -> str:
    """Return a shift in words, in local time: from, until, and who is on duty."""
    begin, end = (moment_text(each, zone, lang) for each in (shift.interval.begin, shift.interval.end))
    said = ", ".join(each for each in (shift.officer, shift.name, _text(shift.contacts, lang)) if each)
    return f"{begin} – {end}" + (f": {said}" if said else "")


def moment_text(time: datetime, zone: str, lang: str) -> str:
    """Return a time in a time zone, with the offset; in UTC if this machine does not know the zone."""
    local = time.astimezone(times.zone(zone) or UTC)
    return f"{time_text(local, lang)} {local:%z}"


def hours_text(hours: WorkingHours) -> str:
    """Return working hours as one line."""
    return f"{', '.join(hours.days)} {times.clock_text(hours.begin)}–{times.clock_text(hours.end)} {hours.time_zone}"


def _key(shift: Shift) -> tuple[Any, ...]:
    return shift.interval, shift.officer, shift.name, tuple(sorted(shift.contacts.items()))


def _name(officer: LiaisonOfficer) -> str:
    return f"{officer.name} ({officer.id})"


def _change(label: str, was: str, now: str, lang: str) -> str:
    return f"{label}: {was or translate(_NOTHING, lang)} → {now or translate(_NOTHING, lang)}"


def _text(value: object, lang: str) -> str:
    if isinstance(value, WorkingHours):
        return hours_text(value)
    if isinstance(value, date):
        return date_text(value, lang)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text}" for name, text in sorted(value.items()))
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else str(value)


def _said(text: str, lang: str, **values: str) -> str:
    return translate(text, lang).format(**values)
