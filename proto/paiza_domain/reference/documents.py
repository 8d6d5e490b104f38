"""The parser of the reference files of the register into a `Reference`; unusable records are reported and left out.

`read` never fails: an officer whose register holds a broken list still sees the others, and is told which is broken.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from paiza_domain.reference.model import (
    BINDING_ACTS,
    CROSSING_KINDS,
    SCHEDULES,
    Act,
    BorderPoint,
    Ceiling,
    InternationalControl,
    LegalBasis,
    NationalControl,
    NationalList,
    Participation,
    Profile,
    Provision,
    Reference,
    Regime,
    Substance,
    Threshold,
)
from paiza_domain.reference.records import MAX_NOTE, MEMBER, STATE, File, Record
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.identifiers import cas_problem
from paiza_domain.schema.quantity import AmountError, parse_amount

SUBSTANCES: Final = "reference-substances.json"
CONTROLS: Final = "reference-controls.json"
BORDER_POINTS: Final = "reference-border-points.json"
LEGAL_BASES: Final = "reference-legal-bases.json"
SHARED_FILES: Final = (SUBSTANCES, CONTROLS, BORDER_POINTS, LEGAL_BASES)
"""The files that the federation publishes; each member adds its own profile."""

MAX_PARTIES: Final = 250
"""Parties of a treaty."""
MAX_PROVISIONS: Final = 60
"""Provisions of a treaty that are of use here."""
MAX_THRESHOLDS: Final = 6
"""Scales that a law tells apart."""
MAX_LEVELS: Final = 10
"""Levels of classification."""
MAX_NOTICE_HOURS: Final = 8_760
"""A year."""
MAX_MILLIGRAMS: Final = 10**15
"""A million tonnes."""

_MEMBER_FILE: Final = re.compile(r"members/([a-z][a-z0-9-]{1,15})/profile\.json", re.ASCII)
_HS: Final = re.compile(r"\d{4}(\.\d\d){0,3}( \(indicative\))?", re.ASCII)
_LOCODE: Final = re.compile(r"[A-Z]{2}[A-Z2-9]{3}", re.ASCII)
_LIST_ID: Final = re.compile(r"[a-z0-9]+(-[a-zA-Z0-9]+){0,15}", re.ASCII)
_SUBSTITUTION: Final = ("lawful", "unlawful", "case-by-case", "unknown")

_Parsed = TypeVar("_Parsed")


def read(files: Mapping[str, bytes]) -> Reference:
    """Parse the reference files of a register, by target path; other files are ignored."""
    problems: list[FieldError] = []

    def opened(path: str) -> File:
        return File(path, files.get(path), problems)

    def once(items: Iterable[_Parsed], path: str) -> Mapping[str, _Parsed]:
        return _once(items, path, problems)

    substances_file, controls_file = opened(SUBSTANCES), opened(CONTROLS)
    substances = once(substances_file.records("substances", _substance), SUBSTANCES)
    acts = once(controls_file.records("acts", _act), CONTROLS)
    lists = once(controls_file.records("lists", _listed(acts)), CONTROLS)
    profiles: dict[str, Profile] = {}
    for path in sorted(files):
        found = _MEMBER_FILE.fullmatch(path)
        if found:
            profile = opened(path).whole(_profile(found[1]))
            profiles |= {} if profile is None else {found[1]: profile}
    return Reference(
        substances=substances,
        international=substances_file.records("international", _international(substances)),
        acts=acts,
        lists=lists,
        national=controls_file.records("controls", _national(substances, acts, lists)),
        border_points=tuple(once(opened(BORDER_POINTS).records("points", _border_point), BORDER_POINTS).values()),
        legal_bases=tuple(once(opened(LEGAL_BASES).records("bases", _legal_basis), LEGAL_BASES).values()),
        profiles=MappingProxyType(profiles),
        ceilings=substances_file.records("ceilings", _ceiling),
        problems=tuple(problems),
    )


def _once(items: Iterable[Any], path: str, problems: list[FieldError]) -> Mapping[str, Any]:
    """Return records by id; of two with the same id the first is kept and the second reported."""
    found: dict[str, Any] = {}
    for item in items:
        if item.id in found:
            problems.append(FieldError(f"{path}: {item.id}", "value_repeated", {"value": item.id}))
        else:
            found[item.id] = item
    return MappingProxyType(found)


def _formed(pattern: re.Pattern[str], example: str) -> Callable[[str], Problem | None]:
    return lambda text: None if pattern.fullmatch(text) else ("code_malformed", {"expected": example})


def _substance(record: Record) -> Substance:
    return Substance(
        id=record.word("id"),
        names=record.texts("names", needed=("en",)),
        inn=record.text("inn", needed=False),
        synonyms=record.words("synonyms"),
        street=record.words("street"),
        cas=record.words("cas", cas_problem),
        hs=record.words("hs", _formed(_HS, "2915.24")),
        drug_group=record.code("group", "drug_group"),
        drug_type=record.code("type", "drug_type", needed=False),
        note=record.texts("note", MAX_NOTE, needed=()),
        evidence=record.evidence(),
        hs_evidence=record.evidence("hs_", needed=record.has("hs_compared")),
    )


def _known(record: Record, name: str, known: Mapping[str, object], *, needed: bool = True) -> str:
    """Parse the id of another record, which must exist."""
    value = record.word(name, _LIST_ID, needed=needed)
    if value and value not in known:
        raise record.wrong(name, "reference_unknown", value=value)
    return value


def _international(substances: Mapping[str, Substance]) -> Callable[[Record], InternationalControl]:
    return lambda record: InternationalControl(
        substance=_known(record, "substance", substances),
        schedule=record.one_of("schedule", SCHEDULES),
        decided=record.date("decided"),
        communicated=record.date("communicated"),
        attested=record.date("attested"),
        valid=record.span("from", "to"),
        recorded=record.span("recorded_from", "recorded_to"),
        evidence=record.evidence(),
    )


def _ceiling(record: Record) -> Ceiling:
    amount = record.text("amount")
    try:
        millionths = parse_amount(amount)
    except AmountError as wrong:
        raise record.wrong("amount", wrong.problem[0]) from None
    return Ceiling(
        drug_type=record.code("type", "drug_type", needed=False),
        form=record.code("form", "form", needed=False),
        unit=record.code("unit", "unit"),
        millionths=millionths,
        note=record.texts("note", MAX_NOTE, needed=()),
        evidence=record.evidence(),
    )


def _act(record: Record) -> Act:
    return Act(
        id=record.word("id", _LIST_ID),
        state=record.word("state", STATE),
        titles=record.texts("titles", MAX_NOTE),
        valid=record.span("from", "to"),
        evidence=record.evidence(),
    )


def _listed(acts: Mapping[str, Act]) -> Callable[[Record], NationalList]:
    return lambda record: NationalList(
        id=record.word("id", _LIST_ID),
        state=record.word("state", STATE),
        act=_known(record, "act", acts),
        titles=record.texts("titles", MAX_NOTE),
        regime=Regime(record.one_of("regime", tuple(Regime))),
        complete=record.flag("complete"),
        valid=record.span("from", "to"),
    )


def _national(
    substances: Mapping[str, Substance], acts: Mapping[str, Act], lists: Mapping[str, NationalList]
) -> Callable[[Record], NationalControl]:
    def parse(record: Record) -> NationalControl:
        listed = lists[_known(record, "list", lists)]
        if record.word("state", STATE) != listed.state:
            raise record.wrong("state", "not_allowed_here")
        return NationalControl(
            substance=_known(record, "substance", substances),
            state=listed.state,
            list=listed.id,
            attested=record.date("attested"),
            valid=record.span("from", "to"),
            recorded=record.span("recorded_from", "recorded_to"),
            evidence=record.evidence(),
            concentration_percent=record.number("concentration_percent", 0, 100),
            thresholds=tuple(
                Threshold(each.word("code"), each.number("milligrams", 1, MAX_MILLIGRAMS))
                for each in record.inner_each("thresholds", MAX_THRESHOLDS)
            ),
            thresholds_act=_known(record, "thresholds_act", acts, needed=False),
        )

    return parse


def _border_point(record: Record) -> BorderPoint:
    first, second = record.inner("first"), record.inner("second")
    countries = (first.word("country", STATE), second.word("country", STATE))
    if countries[0] == countries[1]:
        raise record.wrong("second", "value_repeated", value=countries[1])
    return BorderPoint(
        id=record.word("id"),
        countries=countries,
        sides=(first.texts("names"), second.texts("names")),
        locodes=(first.word("locode", _LOCODE, needed=False), second.word("locode", _LOCODE, needed=False)),
        kind=record.one_of("kind", CROSSING_KINDS),
        note=record.text("note", MAX_NOTE, needed=False),
        evidence=record.evidence(),
    )


def _participation(record: Record) -> Participation:
    return Participation(
        state=record.word("state", MEMBER),
        signed=record.date("signed"),
        act=record.one_of("act", BINDING_ACTS) if record.has("act") else "",
        deposited=record.date("deposited"),
        valid=record.span("from", "to"),
        reservations=record.texts("reservations", MAX_NOTE, needed=()),
        evidence=record.evidence(),
    )


def _legal_basis(record: Record) -> LegalBasis:
    parties = {each.state: each for each in map(_participation, record.inner_each("parties", MAX_PARTIES))}
    return LegalBasis(
        id=record.word("id"),
        titles=record.texts("titles", MAX_NOTE),
        valid=record.span("from", "to"),
        recorded=record.span("recorded_from", "recorded_to"),
        parties=MappingProxyType(parties),
        provisions=tuple(
            Provision(each.word("subject"), each.text("article", needed=False), each.texts("requires", MAX_NOTE))
            for each in record.inner_each("provisions", MAX_PROVISIONS)
        ),
        evidence=record.evidence(),
    )


def _profile(member: str) -> Callable[[Record], Profile]:
    def parse(record: Record) -> Profile:
        delivery = record.inner("controlled_delivery")
        return Profile(
            member=member,
            authority=record.texts("authority"),
            hours=record.texts("hours"),
            languages=record.words("languages"),
            authorised_by=delivery.texts("authorised_by", MAX_NOTE),
            substitution=delivery.one_of("substitution", _SUBSTITUTION, default="unknown"),  # type: ignore[arg-type]
            notice_hours=delivery.number("notice_hours", 0, MAX_NOTICE_HOURS),
            conditions=delivery.texts("conditions", MAX_NOTE, needed=()),
            classification=MappingProxyType(
                {
                    each.number("level", 0, MAX_LEVELS): each.texts("names")
                    for each in record.inner_each("classification", MAX_LEVELS)
                }
            ),
            evidence=record.evidence(),
        )

    return parse
