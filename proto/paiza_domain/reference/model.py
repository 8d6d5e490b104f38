"""Reference data as frozen records: substances, their control, border points, legal bases, profiles.

Every record of law carries its source and whether somebody verified it. It has two periods: ``valid`` is when the law
is in force, ``recorded`` is when the federation's data contained the record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final, Literal

from paiza_domain.i18n import N_, translate
from paiza_domain.schema.field_errors import FieldError

Texts = Mapping[str, str]
"""One text by language."""

SCHEDULES: Final = (
    "1961-I", "1961-II", "1961-III", "1961-IV", "1971-I", "1971-II", "1971-III", "1971-IV", "1988-I", "1988-II",
)  # fmt: skip
"""Schedules of the Conventions of 1961 and 1971, tables of the Convention of 1988."""

CROSSING_KINDS: Final = ("road", "rail", "river", "sea", "air")
"""The kinds of border crossing points."""

_FIRST_OF: Final = "0000-01-01"  # completes a year or a month to its first day


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

    A year or a month stands for its first day.
    """

    begin: str = ""
    end: str = ""

    def covers(self, day: date) -> bool:
        """Return whether the period contains the day."""
        at = day.isoformat()
        return self._first(self.begin) <= at and (not self.end or at < self._first(self.end))

    @property
    def is_open(self) -> bool:
        """Return whether the period has no end."""
        return not self.end

    @property
    def is_reversed(self) -> bool:
        """Return whether the period ends before it begins."""
        return bool(self.begin and self.end) and self._first(self.end) < self._first(self.begin)

    @staticmethod
    def _first(text: str) -> str:
        return text + _FIRST_OF[len(text) :]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The source of a record; ``verified``: somebody compared the record with it."""

    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Substance:
    """A substance, plant or product; ``names`` by language, ``inn`` is the international name, if any."""

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

    def name(self, lang: str) -> str:
        """Return its name in `lang`, or in English if there is none."""
        return self.names.get(lang) or self.names["en"]

    def all_names(self) -> tuple[str, ...]:
        """Return all its names, the id first."""
        words = (self.id, *self.names.values(), self.inn, *self.synonyms, *self.street)
        return tuple(dict.fromkeys(word for word in words if word))


@dataclass(frozen=True, slots=True)
class InternationalControl:
    """The entry of a substance in a schedule or table."""

    substance: str
    schedule: str
    valid: Period
    recorded: Period
    evidence: Evidence


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
    """The entry of a substance in a national list; ``concentration_percent`` 0 means any."""

    substance: str
    state: str
    list: str
    valid: Period
    recorded: Period
    evidence: Evidence
    concentration_percent: int = 0
    thresholds: tuple[Threshold, ...] = ()
    thresholds_act: str = ""


@dataclass(frozen=True, slots=True)
class BorderPoint:
    """A border crossing point: ``countries`` and ``sides`` in one order, each side by its own name."""

    id: str
    countries: tuple[str, str]
    sides: tuple[Texts, Texts]
    kind: str
    note: str

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
class LegalBasis:
    """A treaty or agreement with its parties, and the dates of accession if known."""

    id: str
    titles: Texts
    valid: Period
    parties: Mapping[str, Period]
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
    problems: tuple[FieldError, ...] = ()

    def states(self) -> tuple[str, ...]:
        """Return the states with recorded lists."""
        return tuple(sorted({each.state for each in self.lists.values()}))
