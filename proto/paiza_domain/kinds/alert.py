"""Alert: a warning to other members. A link with terrorism makes its default marks stricter."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from paiza.content.v1.alert_pb2 import Alert, Analysis, NewSubstance, OfficerSafety, TerrorLink
from paiza.core.v1.message_pb2 import Handling
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import (
    CONCEALMENT,
    MAX_ENTRIES,
    MAX_LEGS,
    ROUTE_LEG,
    TRANSPORT,
    drug_type_problems,
)
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import cas_problem, inchi_key_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.rules import not_in_past
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_COUNTRIES: Final = 60  # of one alert
MAX_ANALYSES: Final = 20  # of one substance
MAX_HAZARDS: Final = 10  # as many as the list has
PRESUMPTIVE: Final = frozenset({"colour-test", "immunoassay"})
"""Techniques that point at a class of substances and identify none."""

_PERCENT: Final = 100_000_000  # a hundred, in millionths
_MAX_MASS: Final = 100_000_000_000  # a hundred thousand atomic mass units, in millionths: beyond any drug
_USUAL: Final = Handling(tlp="AMBER", code="H2", classification=1)
_WITH_TERROR_LINK: Final = Handling(tlp="AMBER+STRICT", code="H2", pap="AMBER", classification=2)

ANALYSIS: Final = Shape(
    Analysis,
    (
        Field("technique", N_("Technique"), FieldType.CODE, required=True, codes="analysis_technique"),
        Field("result", N_("Result (peaks, retention times)"), FieldType.LINES, required=True),
        Field("conditions", N_("Instrument and conditions"), FieldType.LINES, max_length=4_000),
        Field("compared_with", N_("Compared with (library, reference material)")),
        Field("match_percent", N_("Agreement, %"), FieldType.DECIMAL, least=0, greatest=_PERCENT),
    ),
)


def _identified(substance: NewSubstance) -> Iterator[tuple[str, Problem]]:
    yield from drug_type_problems(substance)
    if substance.analyses and PRESUMPTIVE.issuperset(each.technique for each in substance.analyses):
        yield "analyses", ("analysis_presumptive", {})


NEW_SUBSTANCE: Final = Shape(
    NewSubstance,
    (
        Field("name", N_("Substance as named by the laboratory"), required=True, term="substance"),
        Field("systematic_name", N_("Systematic (IUPAC) name"), max_length=1_000, term="substance"),
        Field("synonyms", N_("Other names"), most=MAX_ENTRIES, term="substance"),
        Field("substance_id", N_("Reference id of the substance"), max_length=64, term="substance"),
        Field("cas_number", N_("CAS number"), check=cas_problem, term="substance"),
        Field("inchi_key", N_("InChIKey"), check=inchi_key_problem, term="substance"),
        Field("molecular_formula", N_("Molecular formula"), max_length=100),
        Field("molecular_mass", N_("Molecular mass"), FieldType.DECIMAL, least=1, greatest=_MAX_MASS),
        Field("drug_group", N_("Drug group"), FieldType.CODE, required=True, codes="drug_group", term="drug-group"),
        Field("drug_type", N_("Drug type"), FieldType.CODE, codes="drug_type", term="substance"),
        Field("form", N_("Form"), FieldType.CODE, codes="form"),
        Field("quantity", N_("Quantity"), FieldType.QUANTITY),
        Field("analyses", N_("Analytical data"), FieldType.GROUP, required=True, most=MAX_ANALYSES, shape=ANALYSIS),
        Field("laboratory", N_("Laboratory that made the analysis"), required=True),
        Field("effects", N_("Effects and harm seen"), FieldType.LINES, max_length=4_000),
    ),
    related=_identified,
)
SAFETY: Final = Shape(
    OfficerSafety,
    (
        Field("hazards", N_("Hazards"), FieldType.CODE, required=True, codes="safety_hazard", most=MAX_HAZARDS),
        Field("protection", N_("How to protect oneself"), FieldType.LINES, required=True, max_length=4_000),
        Field("first_aid", N_("First aid, antidote"), FieldType.LINES, max_length=4_000),
    ),
)
TERROR_LINK: Final = Shape(
    TerrorLink,
    (
        Field("nature", N_("Nature of the link"), FieldType.CODE, required=True, codes="terror_link"),
        Field("organisation", N_("Organisation, as listed")),
        Field("basis", N_("What the link rests on"), FieldType.LINES, required=True, max_length=4_000),
        Field("confidence", N_("Confidence"), FieldType.CODE, codes="route_confidence"),
    ),
)

# The mandatory part of each type of alert.
_NEEDED: Final = {
    "concealment": "concealment",
    "new-substance": "new_substance",
    "officer-safety": "safety",
    "terror-link": "terror_link",
}


def _part_of_type(alert: Alert) -> Iterator[tuple[str, Problem]]:
    needed = _NEEDED.get(alert.alert_type)
    if needed and needed not in {field.name for field, _value in alert.ListFields()}:
        yield needed, ("alert_part_missing", {})


SHAPE: Final = Shape(
    Alert,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("alert_type", N_("Type of alert"), FieldType.CODE, required=True, codes="alert_type"),
        Field("subject", N_("Subject"), required=True, term="subject"),
        Field("facts", N_("Facts"), FieldType.LINES, required=True),
        Field("indicators", N_("By what it is recognised"), FieldType.LINES, max_length=4_000),
        Field("advice", N_("What to do"), FieldType.LINES, max_length=4_000),
        Field("valid_until_time", N_("To be heeded until"), FieldType.TIME, key="valid_until"),
        Field("countries", N_("Countries"), FieldType.CODE, codes="country", most=MAX_COUNTRIES, term="country"),
        Field("concealment", N_("Concealment"), FieldType.GROUP, most=MAX_ENTRIES, shape=CONCEALMENT),
        Field("transport", N_("Transport"), FieldType.GROUP, most=MAX_ENTRIES, shape=TRANSPORT),
        Field("route", N_("Route"), FieldType.GROUP, most=MAX_LEGS, shape=ROUTE_LEG),
        Field("new_substance", N_("New substance"), FieldType.GROUP, shape=NEW_SUBSTANCE),
        Field("safety", N_("Safety of officers"), FieldType.GROUP, shape=SAFETY),
        Field("terror_link", N_("Link with terrorism"), FieldType.GROUP, shape=TERROR_LINK),
        Field("links", N_("Related notices and cases"), most=MAX_ENTRIES, term="reference"),
    ),
    related=_part_of_type,
)


def handling_for(content: Alert) -> Handling:
    """Return the default marks of an alert: stricter if it states a link with terrorism."""
    speaks_of_terror = content.alert_type == "terror-link" or content.HasField("terror_link")
    return _WITH_TERROR_LINK if speaks_of_terror else _USUAL


def _remarks(content: Alert, _reported: datetime, lang: str) -> tuple[str, ...]:
    if not content.HasField("terror_link"):
        return ()
    return (translate(N_("Link with terrorism: tell only those who must act on it"), lang),)


def _summary(content: Alert, lang: str) -> str:
    return f"{content.reference}: {code_text('alert_type', content.alert_type, lang)}: {content.subject}"


KIND: Final = Kind(
    name="alert",
    version=1,
    title=N_("Alert"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=(
        "alert_type",
        "new_substance.drug_type|new_substance.drug_group",
        "new_substance.quantity",
        ("route.country",),
    ),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    handling_for=handling_for,
    check=not_in_past("valid_until"),
    remark=_remarks,
)
