"""Arrival of a notified consignment, confirmed by the importing state; or that it did not arrive."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from paiza.content.v1.pre_export_pb2 import PreExportArrival
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import CLOCK_TOLERANCE, DAY_SPREAD
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import DAY, moment_start, write_moment
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape
from paiza_domain.schema.trade import CHEMICAL, MAX_CHEMICALS, MAX_DOCUMENTS, TRADE_DOCUMENT

NOT_ARRIVED: Final = "not-arrived"
AS_NOTIFIED: Final = "as-notified"


def _fits_status(arrival: PreExportArrival) -> Iterator[tuple[str, Problem]]:
    if arrival.status == NOT_ARRIVED:
        if arrival.HasField("arrived_at"):
            yield "arrived_at", ("not_allowed_here", {})
        if arrival.consignee_confirmed:
            yield "consignee_confirmed", ("not_allowed_here", {})
    elif arrival.status and not arrival.HasField("arrived_at"):
        yield "arrived_at", ("missing", {})
    if arrival.status not in {"", AS_NOTIFIED, NOT_ARRIVED} and not arrival.difference:
        yield "difference", ("difference_missing", {})


SHAPE: Final = Shape(
    PreExportArrival,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("status", N_("Arrival"), FieldType.CODE, required=True, codes="arrival_status"),
        Field(
            "arrived_at",
            N_("Date and time of the arrival"),
            FieldType.MOMENT,
            opened=True,
            hint=N_("mandatory unless it did not arrive; 2026-11-23T14:30+05:00, or the day alone"),
        ),
        Field("entry_point", N_("Point of entry"), term="place"),
        Field("chemicals", N_("Chemical as found"), FieldType.GROUP, most=MAX_CHEMICALS, shape=CHEMICAL),
        Field("consignee_confirmed", N_("Consignee confirmed the receipt"), FieldType.FLAG),
        Field("difference", N_("What differs from the notification"), FieldType.LINES, max_length=4_000),
        Field("documents", N_("Documents"), FieldType.GROUP, most=MAX_DOCUMENTS, shape=TRADE_DOCUMENT),
    ),
    related=_fits_status,
)


def _check(content: PreExportArrival, _annex: Any, now: datetime) -> list[FieldError]:
    if not content.HasField("arrived_at"):
        return []
    ahead = DAY_SPREAD if content.arrived_at.precision == DAY else CLOCK_TOLERANCE
    return [FieldError("arrived_at", "in_future")] if moment_start(content.arrived_at) > now + ahead else []


def _summary(content: PreExportArrival, lang: str) -> str:
    status = f"{content.reference}: {code_text('arrival_status', content.status, lang)}"
    return f"{status}; {write_moment(content.arrived_at)}" if content.HasField("arrived_at") else status


KIND: Final = Kind(
    name="pre-export-arrival",
    version=1,
    title=N_("Arrival of a notified consignment"),
    shape=SHAPE,
    summarise=_summary,
    subject=("status", "chemicals.quantity"),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    needs_parent=True,
    check=_check,
)
