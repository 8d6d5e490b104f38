"""A short form for customs that names nobody: codes, amounts, dates and numbers with a check digit, and no free text.

A free text (place, note, name of a ship, plate) may hold a person or an address, so none has a column here.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza_client.data.exports.precursors import ORIGIN
from paiza_client.data.exports.records import Record
from paiza_client.data.exports.tables import Cell, Sheet, amount
from paiza_client.language import N_, _, language
from paiza_domain.reference import cas_text, hs_text
from paiza_domain.schema.partial_times import write_partial_time
from paiza_domain.schema.reading import code_text

KIND: Final = "seizure-notice"
COLUMNS: Final = (
    N_("Message"), N_("Version"), N_("Status"), N_("Date"), N_("Country"), N_("Type of place"), N_("Direction"),
    N_("Drug group"), N_("Drug type"), N_("CAS number"), N_("HS code"), N_("Form"), N_("Quantity"), N_("Unit"),
    N_("Kilograms"), N_("Concealment"), N_("Mode of transport"), N_("Means of transport"), N_("Container numbers"),
    N_("IMO numbers"), N_("Origin"), N_("Departure"), N_("Transit"), N_("Destination"), N_("Method of detection"),
    N_("Persons arrested"),
)  # fmt: skip


def _columns() -> tuple[str, ...]:
    return tuple(map(_, COLUMNS))


def _rows(record: Record) -> Iterator[tuple[Cell, ...]]:
    notice: Any = record.content
    for substance in notice.substances:
        kilograms = substance.kg_equivalent.kilograms.millionths
        yield (
            record.id,
            notice.notice_version,
            _words("seizure_status", [notice.status]),
            write_partial_time(notice.seized_at),
            _words("country", [notice.place.country]),
            _words("place_type", [notice.place.place_type]),
            _words("routing", [notice.routing]),
            _words("drug_group", [substance.drug_group]),
            _words("drug_type", [substance.drug_type]),
            cas_text(record.reference, substance.substance_id, language()),
            hs_text(record.reference, substance.substance_id, language()),
            _words("form", [substance.form]),
            amount(substance.quantity.millionths),
            _words("unit", [substance.quantity.unit]),
            amount(kilograms) if substance.HasField("kg_equivalent") else "",
            _words("concealment", [each.method for each in notice.concealment]),
            _words("transport_mode", [each.mode for each in notice.transport]),
            _words("transport_means", [each.means for each in notice.transport]),
            ", ".join(each.container_number for each in notice.transport if each.container_number),
            ", ".join(each.imo_number for each in notice.transport if each.imo_number),
            *(_legs(notice, roles) for roles in (ORIGIN, ("departure",), ("transit",), ("destination",))),
            _words("detection", [notice.detection.method]),
            notice.counts.arrested if notice.counts.HasField("arrested") else "",
        )


def _legs(notice: pb.SeizureNotice, roles: tuple[str, ...]) -> str:
    legs = sorted((leg for leg in notice.route if leg.role in roles), key=lambda leg: leg.order)
    return _words("country", [leg.country for leg in legs])


def _words(list_name: str, given: Iterable[str]) -> str:
    """Return codes in words, in the language in use."""
    return ", ".join(code_text(list_name, code, language()) for code in given if code)


SHEET: Final = Sheet(KIND, "customs", N_("Seizures, short form"), _columns, _rows)
