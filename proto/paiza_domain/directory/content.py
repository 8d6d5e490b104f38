"""The content of a directory from its fields: one set of rules for the published file and for the draft."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from paiza_domain import codes
from paiza_domain.directory import times
from paiza_domain.directory.fields import Faults, Fields
from paiza_domain.directory.model import (
    ALL,
    DAYS,
    Confirmation,
    Directory,
    DutyRoster,
    Interval,
    LiaisonOfficer,
    Shift,
    WorkingHours,
)
from paiza_domain.schema.field_checks import nearest
from paiza_domain.schema.field_errors import Problem

MAX_OFFICERS: Final = 200
"""Liaison officers of one member; the largest services have about a hundred."""
MAX_SHIFTS: Final = 1_000
"""Shifts of one roster: three a day for eleven months."""
MAX_CONFIRMED: Final = 500
"""Officers of others that are accredited to one member."""
MAX_CONTACTS: Final = 12
"""Ways to reach one officer or desk."""
MAX_MEMBERS: Final = 80
"""Members or kinds that one officer is accredited to or covers: more than a federation has."""
MAX_LANGUAGES: Final = 12
"""Languages of one officer."""
MAX_SHIFT_DAYS: Final = 366
"""A desk that is always manned is one shift of a year."""

TOP: Final = ("officers", "duty", "confirmed")
"""The fields of a directory; the published file also has its format."""

OFFICER: Final = (
    "id", "name", "posted_in", "posting", "accredited_to", "covers", "kinds", "languages", "contacts", "hours",
    "expires",
)  # fmt: skip
HOURS: Final = ("time_zone", "days", "from", "until")
DUTY: Final = ("time_zone", "contacts", "shifts")
SHIFT: Final = ("from", "until", "officer", "name", "contacts")
CONFIRMED: Final = ("member", "officer", "name")

_MEMBER: Final = re.compile(r"[a-z][a-z0-9-]{1,15}", re.ASCII)
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,30}[a-z0-9])?", re.ASCII)
_WORD: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_DATE: Final = re.compile(r"(?:(\d{4})-(\d\d)-(\d\d)|(\d\d)\.(\d\d)\.(\d{4}))", re.ASCII)

Clock = Callable[[str, str], datetime]
"""Parses a time, given the time zone of the roster; raises `times.TimeError`."""


@dataclass(frozen=True, slots=True)
class Known:
    """The kinds of messages and the ids of members that a draft may name, beside the codes of states."""

    kinds: frozenset[str]
    members: frozenset[str]


def parse(member: str, values: object, faults: Faults, clock: Clock, known: Known | None = None) -> Directory:
    """Parse the directory of a member; what is wrong is added to ``faults``, and the result counts only without any.

    Without ``known`` any kind and member is one: a newer program or a later register may know more.
    """
    top = Fields(values, "", faults, (*TOP, "format"))
    officers = [_officer(member, each, known) for each in top.each("officers", MAX_OFFICERS, OFFICER)]
    ids = _once([each.id for each in officers], "officers", faults)
    duty = top.inner("duty", DUTY)
    confirmed = [_confirmation(each, known) for each in top.each("confirmed", MAX_CONFIRMED, CONFIRMED)]
    _once([f"{each.member}/{each.officer}" for each in confirmed], "confirmed", faults)
    return Directory(
        member=member,
        officers=tuple(officers),
        duty=None if duty is None else _roster(duty, ids, clock),
        confirmed=tuple(confirmed),
    )


def parse_date(text: str) -> date | None:
    """Parse a day, 2026-11-23 or 23.11.2026; None if it is none."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
    try:
        return date(int(year), int(month), int(day)) if int(year) in times.YEARS else None
    except ValueError:
        return None


def _once(names: list[str], path: str, faults: Faults) -> frozenset[str]:
    seen: set[str] = set()
    for at, name in enumerate(names):
        if name and name in seen:
            faults.add(f"{path}[{at}]", "value_repeated", value=name)
        seen.add(name)
    return frozenset(seen - {""})


def _formed(pattern: re.Pattern[str], expected: str) -> Callable[[str], Problem | None]:
    return lambda text: None if pattern.fullmatch(text) else ("code_malformed", {"expected": expected})


_is_id: Final = _formed(_ID, "petrov, a.petrov")
_is_language: Final = _formed(_WORD, "ru")


def _is_day(text: str) -> Problem | None:
    return None if text in DAYS else ("code_malformed", {"expected": ", ".join(DAYS)})


def _is_date(text: str) -> Problem | None:
    return ("day_malformed", {}) if parse_date(text) is None else None


def _is_zone(text: str) -> Problem | None:
    return None if times.TIME_ZONE.fullmatch(text) else ("time_zone_unknown", {"value": text})


def _contacts(fields: Fields) -> Mapping[str, str]:
    return fields.pairs("contacts", _WORD, "telephone, email", MAX_CONTACTS)


def _is_kind(known: Known | None) -> Callable[[str], Problem | None]:
    def check(text: str) -> Problem | None:
        if known is not None and text not in known.kinds:
            return "kind_unknown", {"value": text, "suggestion": nearest(text, known.kinds)}
        return _formed(_WORD, "seizure-notice")(text)

    return check


def _is_member(known: Known | None, *words: str) -> Callable[[str], Problem | None]:
    """Return the check of a member's id, or the code of a state in small letters, or one of these words."""

    def check(text: str) -> Problem | None:
        problem = _formed(_MEMBER, "kaz")(text)
        if problem or known is None or text in {*known.members, *words} or text.upper() in codes.load("country"):
            return problem
        return "member_unknown", {"value": text, "suggestion": nearest(text, known.members)}

    return check


def _officer(member: str, fields: Fields, known: Known | None) -> LiaisonOfficer:
    is_member = _is_member(known)
    covers = fields.texts("covers", _is_member(known, ALL), MAX_MEMBERS, needed=True)
    if ALL in covers and len(covers) > 1:
        fields.fault("covers", ("not_allowed_here", {}))
    contacts = _contacts(fields)
    if not contacts and not fields.has("contacts"):
        fields.fault("contacts", ("missing", {}))
    return LiaisonOfficer(
        member=member,
        id=fields.text("id", _is_id),
        name=fields.text("name"),
        posted_in=fields.text("posted_in", is_member),
        posting=fields.text("posting", needed=False),
        accredited_to=fields.texts("accredited_to", is_member, MAX_MEMBERS, needed=False),
        covers=covers,
        kinds=fields.texts("kinds", _is_kind(known), MAX_MEMBERS, needed=False),
        languages=fields.texts("languages", _is_language, MAX_LANGUAGES, needed=True),
        contacts=contacts,
        hours=_hours(fields.inner("hours", HOURS)),
        expiry=parse_date(fields.text("expires", _is_date)) or date.max,
    )


def _hours(fields: Fields | None) -> WorkingHours | None:
    if fields is None:
        return None
    begin, end = _clock(fields, "from"), _clock(fields, "until")
    if begin is not None and end is not None and end <= begin:
        fields.fault("until", ("period_order", {}))
    return WorkingHours(
        time_zone=fields.text("time_zone", _is_zone),
        days=fields.texts("days", _is_day, len(DAYS), needed=True),
        begin=begin or 0,
        end=end or 0,
    )


def _clock(fields: Fields, name: str) -> int | None:
    if not (text := fields.text(name)):
        return None
    try:
        return times.parse_clock(text)
    except times.TimeError as error:
        fields.fault(name, error.problem)
        return None


def _roster(fields: Fields, officers: frozenset[str], clock: Clock) -> DutyRoster:
    zone = fields.text("time_zone", _is_zone)
    contacts = _contacts(fields)
    shifts: list[tuple[Shift, Fields]] = []
    for each in fields.each("shifts", MAX_SHIFTS, SHIFT):
        begin, end = (_time(each, name, zone, clock) for name in ("from", "until"))
        if begin is not None and end is not None:
            if end <= begin:
                each.fault("until", ("period_order", {}))
            elif end - begin > timedelta(days=MAX_SHIFT_DAYS):
                each.fault("until", ("shift_too_long", {"most": MAX_SHIFT_DAYS}))
        shift = Shift(
            interval=Interval(begin or datetime.max, end or datetime.max),  # noqa: DTZ901 - never used: a fault is there
            officer=each.text("officer", _is_id, needed=False),
            name=each.text("name", needed=False),
            contacts=_contacts(each),
        )
        if shift.officer and shift.officer not in officers:
            suggestion = nearest(shift.officer, officers)
            each.fault("officer", ("officer_unknown", {"value": shift.officer, "suggestion": suggestion}))
        if not (shift.contacts or shift.officer or contacts):
            each.fault("contacts", ("missing", {}))
        if begin is not None and end is not None:
            shifts.append((shift, each))
    shifts.sort(key=lambda pair: pair[0].interval)
    _refuse_overlaps(shifts)
    return DutyRoster(zone, contacts, tuple(shift for shift, _ in shifts))


def _time(fields: Fields, name: str, zone: str, clock: Clock) -> datetime | None:
    if not (text := fields.text(name)):
        return None
    try:
        return clock(text, zone)
    except times.TimeError as error:
        fields.fault(name, error.problem)
        return None


def _refuse_overlaps(shifts: list[tuple[Shift, Fields]]) -> None:
    """Refuse that one person is on duty twice at one time: most likely one of the times is wrong."""
    until: dict[tuple[str, str], datetime] = {}
    for shift, fields in shifts:
        who = shift.officer, shift.name
        if who in until and shift.interval.begin < until[who]:
            fields.fault("from", ("shift_overlaps", {}))
        until[who] = max(until.get(who, shift.interval.end), shift.interval.end)


def _confirmation(fields: Fields, known: Known | None) -> Confirmation:
    return Confirmation(
        member=fields.text("member", _is_member(known)),
        officer=fields.text("officer", _is_id),
        name=fields.text("name"),
    )
