"""Reference data as frozen records: substances, their control, border points, legal bases, profiles, liaison officers.

Every statement of law carries where it was taken from and whether somebody compared it with the source. It holds in two
times: ``valid`` is when the law says so, ``recorded`` is when this federation's data said so.
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
"""How one passes a border crossing point."""

_FIRST_OF: Final = "0000-01-01"  # completes a year or a month to its first day


class Regime(StrEnum):
    """What a national list means for circulation, in the order of strictness."""

    PROHIBITED = "prohibited"
    RESTRICTED = "restricted"
    LIMITED = "limited"
    PRECURSOR = "precursor"
    POTENT = "potent"

    def text(self, lang: str) -> str:
        """Name it."""
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
    """A half-open span of days; ``begin`` and ``end`` are YYYY, YYYY-MM or YYYY-MM-DD, empty where not known or open.

    A year or a month stands for its first day: what is known to the year only is taken to hold from its beginning.
    """

    begin: str = ""
    end: str = ""

    def covers(self, day: date) -> bool:
        """Return whether the day lies in the span."""
        at = day.isoformat()
        return self._first(self.begin) <= at and (not self.end or at < self._first(self.end))

    @property
    def is_open(self) -> bool:
        """Whether nothing has ended it."""
        return not self.end

    @property
    def is_reversed(self) -> bool:
        """Whether it ends before it begins."""
        return bool(self.begin and self.end) and self._first(self.end) < self._first(self.begin)

    @staticmethod
    def _first(text: str) -> str:
        return text + _FIRST_OF[len(text) :]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a record comes from; ``verified``: somebody compared it with that source."""

    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Substance:
    """A substance, plant or product; ``names`` by language, ``inn`` where it has an international name."""

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
        """Name it in a language; where there is no name in that, in English."""
        return self.names.get(lang) or self.names["en"]

    def all_names(self) -> tuple[str, ...]:
        """Return every word it goes by, its id first."""
        words = (self.id, *self.names.values(), self.inn, *self.synonyms, *self.street)
        return tuple(dict.fromkeys(word for word in words if word))


@dataclass(frozen=True, slots=True)
class InternationalControl:
    """A substance stands in a schedule or table."""

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
    """One list of an act; ``complete``: every entry of it is in these data, so that absence means something."""

    id: str
    state: str
    act: str
    titles: Texts
    regime: Regime
    complete: bool
    valid: Period


@dataclass(frozen=True, slots=True)
class Threshold:
    """An amount from which the law speaks of a larger scale; ``code`` is the law's word, the amount in milligrams."""

    code: str
    milligrams: int


@dataclass(frozen=True, slots=True)
class NationalControl:
    """A substance stands in a national list; ``concentration_percent`` 0 means any."""

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
        """Name it by both sides."""
        return " – ".join(dict.fromkeys(side[lang] for side in self.sides))


@dataclass(frozen=True, slots=True)
class Provision:
    """What one article of a legal basis says about a subject such as ``controlled-delivery``."""

    subject: str
    article: str
    requires: Texts


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """A treaty or agreement with its parties (and since when, where known)."""

    id: str
    titles: Texts
    valid: Period
    parties: Mapping[str, Period]
    provisions: tuple[Provision, ...]
    evidence: Evidence

    def about(self, subject: str) -> tuple[Provision, ...]:
        """Return its provisions about a subject, all of them where none is named."""
        return tuple(each for each in self.provisions if subject in {"", each.subject})


@dataclass(frozen=True, slots=True)
class Profile:
    """What a member says about its own practice; ``classification`` maps levels to national names."""

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
class LiaisonOfficer:
    """A liaison officer of a member: where posted, for whom, reached how, and until when this holds."""

    member: str
    name: str
    posting: str
    coverage: tuple[str, ...]
    languages: tuple[str, ...]
    contacts: Mapping[str, str]
    expiry: date


@dataclass(frozen=True, slots=True)
class Reference:
    """All reference data of one version of the register, and what of it could not be used."""

    substances: Mapping[str, Substance] = field(default_factory=dict)
    international: tuple[InternationalControl, ...] = ()
    acts: Mapping[str, Act] = field(default_factory=dict)
    lists: Mapping[str, NationalList] = field(default_factory=dict)
    national: tuple[NationalControl, ...] = ()
    border_points: tuple[BorderPoint, ...] = ()
    legal_bases: tuple[LegalBasis, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    liaison: Mapping[str, tuple[LiaisonOfficer, ...]] = field(default_factory=dict)
    problems: tuple[FieldError, ...] = ()

    def states(self) -> tuple[str, ...]:
        """Name the states whose lists are recorded at all."""
        return tuple(sorted({each.state for each in self.lists.values()}))
