"""The writer of drafts: a directory as commented YAML that `draft` reads to the same directory."""

from collections.abc import Iterator, Mapping
from typing import Final

from paiza_domain.directory import times
from paiza_domain.directory.draft import REPLACES
from paiza_domain.directory.model import Directory, DutyRoster, LiaisonOfficer, Shift
from paiza_domain.drafts.writing import scalar
from paiza_domain.i18n import N_, translate

_HEAD: Final = (
    N_("The directory of your member: liaison officers, duty roster, confirmed accreditations."),
    N_("All members read it, and it stays in their archives: write official contacts only, nothing private."),
    N_("Then run: paiza directory check FILE, and paiza directory publish FILE"),
)
_OFFICERS: Final = (
    N_("Liaison officers. id is your own short name for one, such as petrov."),
    N_("posted_in: state or member, such as kaz. accredited_to: members that the officer is accredited to."),
    N_("covers: members that the officer works with, or all. kinds: kinds of messages; left out: all of them."),
    N_("hours: when the officer can be reached, with time_zone, days, from, until; left out: at any time."),
    N_("expires: last day of the posting."),
)
_DUTY: Final = (
    N_("Duty roster. Times are local times of time_zone, such as 2026-11-30 08:00."),
    N_("A shift has from and until, and an officer of the list above, or a name, or contacts of its own."),
)
_CONFIRMED: Final = (
    N_("Officers of other members who are accredited to you: member, officer and name as that member publishes them."),
)
_EXAMPLE: Final = """\
  # - id: petrov
  #   name: Петров Пётр
  #   posted_in: kaz
  #   posting: Astana
  #   accredited_to: [kaz, kgz]
  #   covers: [kaz, kgz]
  #   kinds: [seizure-notice]
  #   languages: [ru, en]
  #   contacts:
  #     telephone: "+7 000 000 00 00"
  #     email: liaison@example.org
  #   hours:
  #     time_zone: Asia/Almaty
  #     days: [mon, tue, wed, thu, fri]
  #     from: "09:00"
  #     until: "18:00"
  #   expires: 2027-12-31
"""
_DUTY_EXAMPLE: Final = """\
# duty:
#   time_zone: Asia/Almaty
#   contacts:
#     telephone: "+7 000 000 00 00"
#   shifts:
#     - from: 2026-11-30 08:00
#       until: 2026-12-01 08:00
#       officer: petrov
"""
_CONFIRMED_EXAMPLE: Final = """\
# confirmed:
#   - member: uzb
#     officer: karimov
#     name: Каримов Карим
"""


def write_draft(directory: Directory, replaces: str, lang: str) -> str:
    """Write a directory as a draft; ``replaces`` is the beginning of the SHA-256 of the published file."""
    return "".join(f"{line}\n" for line in _lines(directory, replaces, lang))


def _lines(directory: Directory, replaces: str, lang: str) -> Iterator[str]:
    yield from _comment(_HEAD, lang)
    yield f"{REPLACES}: {scalar(replaces)}"
    yield ""
    yield from _comment(_OFFICERS, lang)
    yield "officers:" if directory.officers else "officers: []"
    yield from _EXAMPLE.splitlines()
    for officer in directory.officers:
        yield from _entry(_officer(officer))
    yield ""
    yield from _comment(_DUTY, lang)
    yield from _DUTY_EXAMPLE.splitlines() if directory.duty is None else _duty(directory.duty)
    yield ""
    yield from _comment(_CONFIRMED, lang)
    if not directory.confirmed:
        yield from _CONFIRMED_EXAMPLE.splitlines()
        return
    yield "confirmed:"
    for each in directory.confirmed:
        yield from _entry(_pairs({"member": each.member, "officer": each.officer, "name": each.name}))


def _comment(texts: tuple[str, ...], lang: str) -> Iterator[str]:
    return (f"# {translate(text, lang)}" for text in texts)


def _entry(lines: Iterator[str]) -> Iterator[str]:
    for at, line in enumerate(lines):
        yield f"  {'  ' if at else '- '}{line}"


def _pairs(values: Mapping[str, str]) -> Iterator[str]:
    return (f"{name}: {scalar(value)}" for name, value in values.items() if value)


def _contacts(contacts: Mapping[str, str]) -> Iterator[str]:
    if contacts:
        yield "contacts:"
        yield from (f"  {line}" for line in _pairs(contacts))


def _officer(officer: LiaisonOfficer) -> Iterator[str]:
    yield from _pairs(
        {"id": officer.id, "name": officer.name, "posted_in": officer.posted_in, "posting": officer.posting}
    )
    for name in ("accredited_to", "covers", "kinds", "languages"):
        if values := getattr(officer, name):
            yield f"{name}: [{', '.join(values)}]"
    yield from _contacts(officer.contacts)
    if (hours := officer.hours) is not None:
        yield "hours:"
        yield f"  time_zone: {hours.time_zone}"
        yield f"  days: [{', '.join(hours.days)}]"
        yield f'  from: "{times.clock_text(hours.begin)}"'
        yield f'  until: "{times.clock_text(hours.end)}"'
    yield f"expires: {officer.expiry.isoformat()}"


def _duty(duty: DutyRoster) -> Iterator[str]:
    yield "duty:"
    yield f"  time_zone: {duty.time_zone}"
    yield from (f"  {line}" for line in _contacts(duty.contacts))
    yield "  shifts:" if duty.shifts else "  shifts: []"
    for shift in duty.shifts:
        yield from (f"  {line}" for line in _entry(_shift(shift, duty.time_zone)))


def _shift(shift: Shift, zone: str) -> Iterator[str]:
    local = times.zone(zone)
    yield f"from: {times.written_text(shift.interval.begin, local)}"
    yield f"until: {times.written_text(shift.interval.end, local)}"
    yield from _pairs({"officer": shift.officer, "name": shift.name})
    yield from _contacts(shift.contacts)
