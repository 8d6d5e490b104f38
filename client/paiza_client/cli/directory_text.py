"""Directories in words and as objects, for `paiza contacts` and `paiza directory`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from paiza_client.cli.terminal import Terminal, lang
from paiza_client.language import N_, _, date_text
from paiza_client.sdk.directories import Directories, Warnings
from paiza_domain import kinds
from paiza_domain.directory import (
    ALL,
    Directory,
    Hole,
    Interval,
    LiaisonOfficer,
    Published,
    Shift,
    State,
    hours_text,
    moment_text,
)
from paiza_domain.directory.times import utc_text

MAX_SHOWN: Final = 10  # faults of another member's directory; that member sees them all

_CONTACTS: Final = {"email": N_("email"), "telephone": N_("telephone")}  # other kinds stand as they are published
_UTC: Final = "UTC"


def contacts_text(contacts: Mapping[str, str]) -> str:
    """Return ways to reach somebody on one line."""
    return ", ".join(f"{_(_CONTACTS.get(kind, kind))}: {value}" for kind, value in contacts.items())


def officers_table(terminal: Terminal, known: Directories, officers: Sequence[LiaisonOfficer], today: date) -> None:
    """Print liaison officers as a table; nothing where there are none."""
    columns = (
        _("Member"),
        _("Liaison officer"),
        _("Posted in"),
        _("Accredited to"),
        _("Covers"),
        _("Languages"),
        _("Hours"),
        _("Contacts"),
        _("Posted until"),
    )
    rows = [
        (
            each.member,
            each.name,
            ", ".join(filter(None, (each.posted_in, each.posting))),
            ", ".join(_accredited(known, each)),
            ", ".join((*(_("all members") if covered == ALL else covered for covered in each.covers), *each.kinds)),
            ", ".join(each.languages),
            _("at any time") if each.hours is None else hours_text(each.hours),
            contacts_text(each.contacts),
            _("expired {day}").format(day=date_text(each.expiry)) if each.is_expired(today) else date_text(each.expiry),
        )
        for each in officers
    ]
    if rows:
        terminal.section(columns, rows)


def _accredited(known: Directories, officer: LiaisonOfficer) -> Iterable[str]:
    for each in known.accreditations:
        if each.officer == officer:
            text = _("{host} (confirmed by both)") if each.confirmed else _("{host} (stated by {member} only)")
            yield text.format(host=each.host, member=officer.member)


def duty_table(terminal: Terminal, known: Directories, members: Sequence[str], now: datetime) -> None:
    """Print who is on duty now at these members; of one without a roster, nothing."""
    rows = []
    for member in members:
        directory = known.published[member].directory
        duty = directory.duty
        if duty is None:
            continue
        shifts = known.on_duty(member, now)
        rows += [
            (
                member,
                who_text(directory, each),
                moment_text(each.interval.end, duty.time_zone, lang()),
                contacts_text(directory.contacts_of(each)),
            )
            for each in shifts
        ]
        if not shifts:
            rows.append((member, _("nobody, by the roster"), "", contacts_text(duty.contacts)))
    if rows:
        terminal.section((_("Member"), _("On duty now"), _("On duty until"), _("Contacts")), rows)


def who_text(directory: Directory, shift: Shift) -> str:
    """Return who is on duty."""
    officer = directory.officer(shift.officer)
    return ", ".join(filter(None, (officer.name if officer is not None else "", shift.name))) or _("duty desk")


def warn_unusable(terminal: Terminal, found: Mapping[str, Published]) -> None:
    """Warn of directories that cannot be used, and say why."""
    for member, each in found.items():
        if each.state is State.UNUSABLE:
            terminal.warn(_("The directory of {member} cannot be used:").format(member=member))
            for error in each.errors[:MAX_SHOWN]:
                terminal.warn("  " + ": ".join(filter(None, (error.path, error.message(lang())))))


def warning_texts(directory: Directory, found: Warnings) -> list[str]:
    """Return what is to be mended in a directory, one sentence each."""
    zone = _UTC if directory.duty is None else directory.duty.time_zone
    texts = [
        _("The posting of {name} ended on {day}.").format(name=each.name, day=date_text(each.expiry))
        for each in found.expired
    ]
    if directory.duty is None:
        texts.append(_("There is no duty roster."))
    else:
        texts += [
            _("Nobody is on duty {interval}.").format(interval=_interval_text(each, zone)) for each in found.roster_gaps
        ]
    texts += [_hole_text(each, zone) for each in found.holes]
    texts += [
        _("{host} has not confirmed the accreditation of {name}.").format(host=each.host, name=each.officer.name)
        for each in found.unconfirmed
    ]
    texts += [
        _("You confirm {name} ({member}/{officer}), whom {member} does not name.").format(
            name=each.name, member=each.member, officer=each.officer
        )
        for each in found.unmatched
    ]
    return texts


def _hole_text(hole: Hole, zone: str) -> str:
    what = _kinds_text(hole.kinds)
    if not hole.intervals:
        return _("No officer covers {member}: {what}.").format(member=hole.member, what=what)
    intervals = "; ".join(_interval_text(each, zone) for each in hole.intervals)
    return _("Nobody can be reached for {member} ({what}) {interval}.").format(
        member=hole.member, what=what, interval=intervals
    )


def _kinds_text(named: Sequence[str]) -> str:
    """Return kinds of messages on one line; of most of them, those that are not meant. None stand for all."""
    others = [each for each in kinds.all_kinds() if each not in named]
    if not named:
        return _("all kinds of messages")
    if len(others) < len(named):
        return _("all kinds of messages but {kinds}").format(kinds=", ".join(others))
    return ", ".join(named)


def _interval_text(interval: Interval, zone: str) -> str:
    begin, end = (moment_text(each, zone, lang()) for each in (interval.begin, interval.end))
    return _("from {begin} until {end}").format(begin=begin, end=end)


def published_object(known: Directories, member: str, now: datetime) -> dict[str, Any]:
    """Return a member's directory for JSON."""
    found = known.published[member]
    return {
        "state": found.state.value,
        "problems": [{"field": each.path, "code": each.code, "what": each.message(lang())} for each in found.errors],
        "officers": [_officer_object(known, each, now.date()) for each in found.directory.officers],
        "duty": _duty_object(found.directory),
        "on_duty": [shift_object(found.directory, each) for each in known.on_duty(member, now)],
        "confirmed": [
            {"member": each.member, "officer": each.officer, "name": each.name} for each in found.directory.confirmed
        ],
    }


def _officer_object(known: Directories, officer: LiaisonOfficer, today: date) -> dict[str, Any]:
    return {
        "id": officer.id,
        "name": officer.name,
        "posted_in": officer.posted_in,
        "posting": officer.posting,
        "accredited_to": [
            {"member": each.host, "confirmed": each.confirmed, "posted_elsewhere": each.is_from_elsewhere}
            for each in known.accreditations
            if each.officer == officer
        ],
        "covers": list(officer.covers),
        "kinds": list(officer.kinds),
        "languages": list(officer.languages),
        "contacts": dict(officer.contacts),
        "hours": None if officer.hours is None else hours_text(officer.hours),
        "expires": officer.expiry.isoformat(),
        "expired": officer.is_expired(today),
    }


def _duty_object(directory: Directory) -> dict[str, Any] | None:
    duty = directory.duty
    if duty is None:
        return None
    return {
        "time_zone": duty.time_zone,
        "contacts": dict(duty.contacts),
        "shifts": [shift_object(directory, each) for each in duty.shifts],
    }


def shift_object(directory: Directory, shift: Shift) -> dict[str, Any]:
    """Return a shift for JSON, with the contacts that count in it."""
    return {
        **interval_object(shift.interval),
        "officer": shift.officer,
        "who": who_text(directory, shift),
        "contacts": dict(directory.contacts_of(shift)),
    }


def interval_object(interval: Interval) -> dict[str, str]:
    """Return an interval for JSON, in UTC."""
    return {"from": utc_text(interval.begin), "until": utc_text(interval.end)}


def warnings_object(found: Warnings) -> dict[str, Any]:
    """Return what is to be mended, for JSON."""
    return {
        "expired": [each.id for each in found.expired],
        "roster_gaps": [interval_object(each) for each in found.roster_gaps],
        "holes": [
            {
                "member": each.member,
                "kinds": list(each.kinds),
                "nobody": not each.intervals,
                "intervals": [interval_object(interval) for interval in each.intervals],
            }
            for each in found.holes
        ],
        "unconfirmed": [{"officer": each.officer.id, "host": each.host} for each in found.unconfirmed],
        "unmatched": [{"member": each.member, "officer": each.officer} for each in found.unmatched],
    }
