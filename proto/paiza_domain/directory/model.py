"""The content of a directory as frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

ALL: Final = "all"
"""Stands for every member in the coverage of an officer."""

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week, Monday first, as `datetime.weekday` numbers them."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open interval of time, in UTC."""

    begin: datetime
    end: datetime

    def contains(self, at: datetime) -> bool:
        """Return whether a time is in it."""
        return self.begin <= at < self.end


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """The hours of a week in which an officer can be reached: on these ``days``, in minutes of the local day."""

    time_zone: str
    days: tuple[str, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class LiaisonOfficer:
    """A liaison officer of ``member``, posted in a state or at a member, accredited to members.

    ``covers`` are the members that the officer works with, or `ALL`; ``kinds`` the kinds of messages, all if empty.
    Without ``hours`` the officer can be reached at any time. The posting ends with the day ``expiry``.
    """

    member: str
    id: str
    name: str
    posted_in: str
    posting: str
    accredited_to: tuple[str, ...]
    covers: tuple[str, ...]
    kinds: tuple[str, ...]
    languages: tuple[str, ...]
    contacts: Mapping[str, str]
    hours: WorkingHours | None
    expiry: date

    def is_expired(self, on: date) -> bool:
        """Return whether the posting has ended on a day; on its last day it has not."""
        return self.expiry < on

    def works_with(self, member: str, kind: str) -> bool:
        """Return whether the officer covers messages of a kind with a member."""
        return (ALL in self.covers or member in self.covers) and (not self.kinds or kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Shift:
    """An interval in which somebody is on duty: an officer of the directory by id, or a name; both may be empty.

    ``contacts`` are those of this shift; empty if the officer's, or the roster's, are meant.
    """

    interval: Interval
    officer: str
    name: str
    contacts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DutyRoster:
    """A duty roster: shifts by time, and how the duty desk is reached. People read and write it in ``time_zone``."""

    time_zone: str
    contacts: Mapping[str, str]
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The statement of a host that an officer of another member, of this id and name, is accredited to it."""

    member: str
    officer: str
    name: str


@dataclass(frozen=True, slots=True)
class Directory:
    """The directory of one member."""

    member: str
    officers: tuple[LiaisonOfficer, ...] = ()
    duty: DutyRoster | None = None
    confirmed: tuple[Confirmation, ...] = ()

    def officer(self, officer_id: str) -> LiaisonOfficer | None:
        """Return an officer by id; None if there is none."""
        return next((each for each in self.officers if each.id == officer_id), None)

    def contacts_of(self, shift: Shift) -> Mapping[str, str]:
        """Return how somebody on duty is reached: the contacts of the shift, of its officer, or of the roster."""
        officer = self.officer(shift.officer)
        roster = {} if self.duty is None else self.duty.contacts
        return shift.contacts or (officer.contacts if officer is not None else {}) or roster
