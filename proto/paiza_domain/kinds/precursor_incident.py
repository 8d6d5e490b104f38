"""Precursor incident: a chemical seized, stopped, ordered suspiciously, diverted or stolen, and its origin."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.precursor_incident_pb2 import PrecursorIncident
from paiza_domain.i18n import N_
from paiza_domain.kinds.pre_export import (
    CHEMICAL,
    MAX_CHEMICALS,
    MAX_COMPANIES,
    MAX_DOCUMENTS,
    TRADE_DOCUMENT,
    TRADER,
    measured,
)
from paiza_domain.kinds.seizure_notice import (
    CONCEALMENT,
    DETECTION,
    MAX_ENTRIES,
    MAX_LEGS,
    PLACE,
    ROUTE_LEG,
    TRANSPORT,
)
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import partial_time_text
from paiza_domain.schema.reading import code_text, more, quantity_text
from paiza_domain.schema.rules import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

LABORATORY: Final = "laboratory"
"""The type of incident that may be without chemicals: a laboratory found empty, with equipment or products alone."""
MEASURED: Final = frozenset({"seizure", "stopped-shipment", "diversion", "theft"})
"""Types of incident in which there was a chemical to be measured; an order or a laboratory may have none."""


def _related(incident: PrecursorIncident) -> Iterator[tuple[str, Problem]]:
    if not incident.chemicals and incident.incident_type != LABORATORY:
        yield "chemicals", ("missing", {})
    if incident.incident_type in MEASURED:
        yield from measured(incident)
    if not incident.backtracking_wanted:
        if incident.backtracking_request:
            yield "backtracking_request", ("not_allowed_here", {})
        return
    if not incident.backtracking_request:
        yield "backtracking_request", ("missing", {})
    named = any(each.batch_number or each.label for each in incident.chemicals)
    if not (named or incident.companies or incident.documents):
        yield "backtracking_wanted", ("backtracking_source", {})


SHAPE: Final = Shape(
    PrecursorIncident,
    (
        Field("incident_id", N_("Number of the incident"), required=True, max_length=64, term="reference"),
        Field(
            "incident_version",
            N_("Version of the report"),
            FieldType.INTEGER,
            required=True,
            least=1,
            greatest=1_000,
            default="1",
        ),
        Field("status", N_("Status"), FieldType.CODE, required=True, codes="seizure_status", default="initial"),
        Field("incident_type", N_("Type of incident"), FieldType.CODE, required=True, codes="precursor_incident_type"),
        Field(
            "occurred_at",
            N_("Date and time of the incident"),
            FieldType.PARTIAL_TIME,
            required=True,
            known="today",
        ),
        Field("reporting_agency", N_("Reporting agency"), required=True, known="agency"),
        Field("place", N_("Place of the incident"), FieldType.GROUP, required=True, shape=PLACE, known="place"),
        Field(
            "chemicals",
            N_("Chemical"),
            FieldType.GROUP,
            opened=True,
            most=MAX_CHEMICALS,
            shape=CHEMICAL,
            hint=N_("mandatory, except for a laboratory"),
        ),
        Field("companies", N_("Companies in the papers"), FieldType.GROUP, most=MAX_COMPANIES, shape=TRADER),
        Field("documents", N_("Documents"), FieldType.GROUP, most=MAX_DOCUMENTS, shape=TRADE_DOCUMENT),
        Field("route", N_("Route"), FieldType.GROUP, most=MAX_LEGS, shape=ROUTE_LEG),
        Field("concealment", N_("Concealment"), FieldType.GROUP, most=MAX_ENTRIES, shape=CONCEALMENT),
        Field("transport", N_("Transport"), FieldType.GROUP, most=MAX_ENTRIES, shape=TRANSPORT),
        Field("detection", N_("Detection"), FieldType.GROUP, shape=DETECTION),
        Field("intended_product", N_("Meant for the making of"), FieldType.CODE, codes="drug_type"),
        Field("backtracking_wanted", N_("To be traced back to the source"), FieldType.FLAG),
        Field(
            "backtracking_request",
            N_("What is to be traced"),
            FieldType.LINES,
            max_length=4_000,
            hint=N_("only where it is to be traced back"),
        ),
        Field("notification_number", N_("Number of the pre-export notification"), max_length=64, term="reference"),
        Field("links", N_("Related notices and cases"), most=MAX_ENTRIES, term="reference"),
        Field("circumstances", N_("Circumstances"), FieldType.LINES),
    ),
    related=_related,
)


def _summary(content: PrecursorIncident, lang: str) -> str:
    what = code_text("precursor_incident_type", content.incident_type, lang)
    for first in content.chemicals[:1]:
        what += f": {first.as_named or first.substance_id}"
        if first.HasField("quantity"):
            what += f", {quantity_text(first.quantity, lang)}"
        what += more(content.chemicals)
    where = code_text("country", content.place.country, lang)
    return f"{content.incident_id}: {what}; {where}; {partial_time_text(content.occurred_at, lang)}"


KIND: Final = Kind(
    name="precursor-incident",
    version=1,
    title=N_("Precursor incident"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("incident_type", "chemicals.quantity", "place.country"),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    check=not_in_future("occurred_at"),
)
