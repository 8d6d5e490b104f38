"""Reference data as frozen records: substances, their control, border points, legal bases, profiles.

Every record carries its source, the day on which somebody compared it with the source, and any doubt about it. A record
of law has two periods: ``valid`` is when the law is in force, ``recorded`` is when the federation's data contained the
record.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final, Literal

from paiza_domain.i18n import N_, translate
from paiza_domain.schema.field_errors import FieldError

Texts = Mapping[str, str]
"""One text by language."""

SURVEILLANCE: Final = "ISSL"
"""The limited international special surveillance list of the INCB: chemicals to watch, under no control in law."""

SCHEDULES: Final = (
    "1961-I", "1961-II", "1961-III", "1961-IV", "1971-I", "1971-II", "1971-III", "1971-IV", "1988-I", "1988-II",
    SURVEILLANCE,
)  # fmt: skip
"""Schedules of the Conventions of 1961 and 1971, tables of the Convention of 1988, and the surveillance list."""

BINDING_ACTS: Final = ("ratification", "accession", "acceptance", "approval", "succession", "signature", "party")
"""The acts by which a state becomes a party to a treaty; ``party`` if the act is not recorded."""

CROSSING_KINDS: Final = ("road", "rail", "river", "sea", "air")
"""The kinds of border crossing points."""


class Regime(StrEnum):
    """The regime of circulation of a national list, in the order of strictness."""

    PROHIBITED = "prohibited"
    RESTRICTED = "restricted"
    LIMITED = "limited"
    PRECURSOR = "precursor"
    POTENT = "potent"

    def text(self, lang: str) -> str:
        """Return its name in `lang`."""
        return translate(_REGIMES[self], lang)


_REGIMES: Final = {
    Regime.PROHIBITED: N_("circulation prohibited"),
    Regime.RESTRICTED: N_("circulation restricted, strict control"),
    Regime.LIMITED: N_("circulation restricted, some measures lifted"),
    Regime.PRECURSOR: N_("controlled precursor"),
    Regime.POTENT: N_("potent substance"),
}


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open period of days; ``begin`` and ``end`` are YYYY, YYYY-MM or YYYY-MM-DD, empty where not known or open.

    A year or a month says that the day lies somewhere in it, not that it is the first.
    """

    begin: str = ""
    end: str = ""

    def covers(self, day: date, default_begin: str = "") -> bool:
        """Return whether the period is known to contain the day.

        It is not known on a day in the year or month that a begin or an end names. ``default_begin`` stands for a
        begin that is not recorded; if both are empty, the period has no begin.
        """
        at, begin = day.isoformat(), self.begin or default_begin
        return last_day(begin) <= at and (not self.end or at < first_day(self.end))

    def may_cover(self, day: date, earliest: str = "") -> bool:
        """Return whether the period may contain the day; ``earliest`` bounds a begin that is not recorded."""
        at, begin = day.isoformat(), self.begin or earliest
        return first_day(begin) <= at and (not self.end or at < last_day(self.end))

    @property
    def is_open(self) -> bool:
        """Return whether the period has no end."""
        return not self.end

    @property
    def is_reversed(self) -> bool:
        """Return whether the period ends before it begins."""
        return bool(self.begin and self.end) and last_day(self.end) < first_day(self.begin)


def first_day(text: str) -> str:
    """Return the first day of a year, month or day; empty for an empty text."""
    return text and text + "0000-01-01"[len(text) :]


def last_day(text: str) -> str:
    """Return the last day of a year, month or day; empty for an empty text."""
    if len(text) == len("2026-11"):
        return f"{text}-{monthrange(int(text[:4]), int(text[5:]))[1]:02}"
    return text and text + "0000-12-31"[len(text) :]


class Standing(StrEnum):
    """How far a record can be believed."""

    VERIFIED = "verified"
    """Somebody compared it with its source, and nothing contradicts it."""
    UNVERIFIED = "unverified"
    """Nobody compared it with its source."""
    DOUBTFUL = "doubtful"
    """Sources contradict each other."""

    def text(self, lang: str) -> str:
        """Return its name in `lang`."""
        return translate(_STANDINGS[self], lang)


_STANDINGS: Final = {
    Standing.VERIFIED: N_("verified"),
    Standing.UNVERIFIED: N_("not verified"),
    Standing.DOUBTFUL: N_("doubtful"),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """The source of a record.

    ``compared`` is the day (YYYY-MM-DD) on which somebody compared the record with the source, empty if nobody did.
    ``doubt`` says what contradicts the record, by language; empty if nothing does.
    """

    source: str
    compared: str = ""
    doubt: Texts = field(default_factory=dict)

    @property
    def standing(self) -> Standing:
        """Return how far the record can be believed."""
        if self.doubt:
            return Standing.DOUBTFUL
        return Standing.VERIFIED if self.compared else Standing.UNVERIFIED


@dataclass(frozen=True, slots=True)
class Substance:
    """A substance, plant or product; ``names`` by language, ``inn`` is the international name, if any.

    ``evidence`` is that of its names and CAS numbers, ``hs_evidence`` that of its HS codes.
    """

    id: str
    names: Texts
    inn: str
    synonyms: tuple[str, ...]
    street: tuple[str, ...]
    cas: tuple[str, ...]
    hs: tuple[str, ...]
    drug_group: str
    drug_type: str
    note: Texts
    evidence: Evidence
    hs_evidence: Evidence

    def name(self, lang: str) -> str:
        """Return its name in `lang`, or in English if there is none."""
        return self.names.get(lang) or self.names["en"]

    def all_names(self) -> tuple[str, ...]:
        """Return all its names, the id first."""
        words = (self.id, *self.names.values(), self.inn, *self.synonyms, *self.street)
        return tuple(dict.fromkeys(word for word in words if word))


@dataclass(frozen=True, slots=True)
class InternationalControl:
    """The entry of a substance in a schedule or table.

    ``decided`` is when the Commission on Narcotic Drugs decided, ``communicated`` when the Secretary-General
    communicated the decision, ``valid`` begins on the day of effect; each is YYYY, YYYY-MM, YYYY-MM-DD or empty.
    ``attested`` is the earliest day for which the source shows the entry in effect; it counts where the day of effect
    is not recorded.
    """

    substance: str
    schedule: str
    decided: str
    communicated: str
    attested: str
    valid: Period
    recorded: Period
    evidence: Evidence

    def schedule_name(self, lang: str) -> str:
        """Return the name of the schedule or table, with its convention."""
        if self.schedule == SURVEILLANCE:
            return translate(N_("surveillance list of the INCB"), lang)
        year, _dash, number = self.schedule.partition("-")
        text = N_("Convention of {year}, Schedule {number}")
        if year == "1988":
            text = N_("Convention of {year}, Table {number}")
        return translate(text, lang).format(number=number, year=year)


@dataclass(frozen=True, slots=True)
class Act:
    """A national act that lists substances or sets amounts."""

    id: str
    state: str
    titles: Texts
    valid: Period
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class NationalList:
    """One list of an act; ``complete``: these data have every entry of the list, so that absence is meaningful."""

    id: str
    state: str
    act: str
    titles: Texts
    regime: Regime
    complete: bool
    valid: Period


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold amount in milligrams; ``code`` is the legal term, such as a large scale."""

    code: str
    milligrams: int


@dataclass(frozen=True, slots=True)
class NationalControl:
    """The entry of a substance in a national list; ``concentration_percent`` 0 means any.

    ``attested`` is as in `InternationalControl`.
    """

    substance: str
    state: str
    list: str
    attested: str
    valid: Period
    recorded: Period
    evidence: Evidence
    concentration_percent: int = 0
    thresholds: tuple[Threshold, ...] = ()
    thresholds_act: str = ""


@dataclass(frozen=True, slots=True)
class BorderPoint:
    """A border crossing point: ``countries``, ``sides`` (its names) and UN/LOCODEs, or "", in one order."""

    id: str
    countries: tuple[str, str]
    sides: tuple[Texts, Texts]
    locodes: tuple[str, str]
    kind: str
    note: str
    evidence: Evidence

    def name(self, lang: str) -> str:
        """Return its name in `lang`, from both sides."""
        return " – ".join(dict.fromkeys(side[lang] for side in self.sides))


@dataclass(frozen=True, slots=True)
class Provision:
    """The provision of one article of a legal basis on a subject such as ``controlled-delivery``."""

    subject: str
    article: str
    requires: Texts


@dataclass(frozen=True, slots=True)
class Participation:
    """The position of a state towards a treaty, by the days of its signature and of the deposit of its instrument.

    ``act`` is one of `BINDING_ACTS`, or "" if the state is not bound. ``reservations`` is empty if nothing is recorded
    about them; a state without any is recorded as such.
    """

    state: str
    signed: str
    act: str
    deposited: str
    valid: Period
    reservations: Texts
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """A treaty or agreement with the position of each recorded state; ``parties`` by state."""

    id: str
    titles: Texts
    valid: Period
    recorded: Period
    parties: Mapping[str, Participation]
    provisions: tuple[Provision, ...]
    evidence: Evidence

    def about(self, subject: str) -> tuple[Provision, ...]:
        """Return its provisions on a subject, or all if the subject is empty."""
        return tuple(each for each in self.provisions if subject in {"", each.subject})


@dataclass(frozen=True, slots=True)
class Profile:
    """The practice of a member, in its own words; ``classification`` maps levels to national names."""

    member: str
    authority: Texts
    hours: Texts
    languages: tuple[str, ...]
    authorised_by: Texts
    substitution: Literal["lawful", "unlawful", "case-by-case", "unknown"]
    notice_hours: int
    conditions: Texts
    classification: Mapping[int, Texts]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Ceiling:
    """An amount above which a seizure is probably a slip of the pen; a warning, never a rule.

    ``drug_type`` and ``form`` are empty where it holds for all; ``millionths`` is in ``unit``. ``note`` names the
    seizure and the data compared, by language.
    """

    drug_type: str
    form: str
    unit: str
    millionths: int
    note: Texts
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Reference:
    """All reference data of one version of the register, and the problems of unusable records."""

    substances: Mapping[str, Substance] = field(default_factory=dict)
    international: tuple[InternationalControl, ...] = ()
    acts: Mapping[str, Act] = field(default_factory=dict)
    lists: Mapping[str, NationalList] = field(default_factory=dict)
    national: tuple[NationalControl, ...] = ()
    border_points: tuple[BorderPoint, ...] = ()
    legal_bases: tuple[LegalBasis, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    ceilings: tuple[Ceiling, ...] = ()
    problems: tuple[FieldError, ...] = ()

    def states(self) -> tuple[str, ...]:
        """Return the states with recorded lists."""
        return tuple(sorted({each.state for each in self.lists.values()}))
