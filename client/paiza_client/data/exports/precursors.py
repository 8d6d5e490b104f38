"""Precursor incidents as rows, one per chemical, with the fields that an incident form of the INCB's kind asks for."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from paiza.content.v1 import trade_pb2
from paiza_client.data.exports.records import Record
from paiza_client.data.exports.tables import Cell, Sheet, amount
from paiza_client.language import N_, _, language
from paiza_domain.reference import Reference, cas_text, hs_text
from paiza_domain.schema.partial_times import write_partial_time
from paiza_domain.schema.reading import code_text

KIND: Final = "precursor-incident"
COLUMNS: Final = (
    N_("Incident"), N_("Version"), N_("Status"), N_("Type of incident"), N_("Date"), N_("Reported by"), N_("Country"),
    N_("Place"), N_("Type of place"), N_("Substance"), N_("Reference id"), N_("CAS number"), N_("HS code"),
    N_("International control"), N_("Quantity"), N_("Unit"), N_("Concentration, %"), N_("Packages"), N_("Batch number"),
    N_("Label"), N_("Companies"), N_("Documents"), N_("Origin"), N_("Departure"), N_("Transit"),
    N_("Destination"), N_("Mode of transport"), N_("Concealment"), N_("Method of detection"),
    N_("Meant for the making of"), N_("To be traced back"), N_("What is to be traced"), N_("Pre-export notification"),
    N_("Circumstances"),
)  # fmt: skip

ORIGIN: Final = ("production", "obtained")
"""Roles of the legs where a substance comes from; where the journey began is a column of its own."""


def _columns() -> tuple[str, ...]:
    return tuple(map(_, COLUMNS))


def _rows(record: Record) -> Iterator[tuple[Cell, ...]]:
    incident: Any = record.content
    place = incident.place
    where = ", ".join(filter(None, (place.admin_area, place.town, place.border_point, place.as_reported)))
    for chemical in incident.chemicals or [trade_pb2.Chemical()]:  # a laboratory may have none, and is a row as well
        yield (
            incident.incident_id,
            incident.incident_version,
            _words("seizure_status", [incident.status]),
            _words("precursor_incident_type", [incident.incident_type]),
            write_partial_time(incident.occurred_at),
            incident.reporting_agency,
            _words("country", [place.country]),
            where,
            _words("place_type", [place.place_type]),
            *_chemical(chemical, record.reference),
            "; ".join(_company(each) for each in incident.companies),
            "; ".join(_document(each) for each in incident.documents),
            *(_legs(incident, roles) for roles in (ORIGIN, ("departure",), ("transit",), ("destination",))),
            _words("transport_mode", [each.mode for each in incident.transport]),
            _words("concealment", [each.method for each in incident.concealment]),
            _words("detection", [incident.detection.method]),
            _words("drug_type", [incident.intended_product]),
            _("yes") if incident.backtracking_wanted else "",
            incident.backtracking_request,
            incident.notification_number,
            incident.circumstances,
        )


def _chemical(chemical: trade_pb2.Chemical, reference: Reference) -> tuple[Cell, ...]:
    measured = chemical.HasField("quantity")
    packages = (
        f"{each.count or ''} {_words('packaging', [each.type]) or each.as_reported}".strip()
        for each in chemical.packaging
    )
    return (
        chemical.as_named,
        chemical.substance_id,
        chemical.cas_number or cas_text(reference, chemical.substance_id, language()),
        chemical.hs_code or hs_text(reference, chemical.substance_id, language()),
        _words("precursor_control", [chemical.control]),
        amount(chemical.quantity.millionths) if measured else "",
        _words("unit", [chemical.quantity.unit]),
        amount(chemical.concentration_percent.millionths) if chemical.HasField("concentration_percent") else "",
        ", ".join(packages),
        chemical.batch_number,
        chemical.label,
    )


def _company(company: trade_pb2.Trader) -> str:
    details = (_words("trade_role", [company.role]), company.country, company.address, company.registration_number)
    return f"{company.name} ({', '.join(filter(None, details))})"


def _document(document: trade_pb2.TradeDocument) -> str:
    return " ".join(filter(None, (_words("trade_document", [document.type]), document.number, document.date)))


def _legs(incident: Any, roles: tuple[str, ...]) -> str:
    legs = sorted((leg for leg in incident.route if leg.role in roles), key=lambda leg: leg.order)
    return _words("country", [leg.country for leg in legs])


def _words(list_name: str, given: Iterable[str]) -> str:
    """Return codes in words, in the language in use."""
    return ", ".join(code_text(list_name, code, language()) for code in given if code)


SHEET: Final = Sheet(KIND, "precursors", N_("Precursor incidents"), _columns, _rows)
