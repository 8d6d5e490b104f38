"""Pre-export notification: the 1988 Convention, Article 12, paragraph 10. Silence is no consent to it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from paiza.content.v1.pre_export_pb2 import PreExportNotification
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import MAX_ENTRIES, MAX_LEGS, TRANSPORT
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.quantity import format_amount
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape
from paiza_domain.schema.trade import CHEMICAL, MAX_CHEMICALS, TRADER, has_passed

_ANSWER_DEADLINE: Final = timedelta(days=21)  # fifteen working days, where the notification names no other time


def _measured(notification: PreExportNotification) -> Iterator[tuple[str, Problem]]:
    for index, chemical in enumerate(notification.chemicals):
        if not chemical.HasField("quantity"):
            yield f"chemicals[{index}].quantity", ("missing", {})


SHAPE: Final = Shape(
    PreExportNotification,
    (
        Field("reference", N_("Number of the notification"), required=True, max_length=64, term="reference"),
        Field("authority", N_("Notifying authority"), required=True),
        Field("exporter", N_("Exporter"), FieldType.GROUP, required=True, shape=TRADER),
        Field("importer", N_("Importer"), FieldType.GROUP, required=True, shape=TRADER),
        Field("consignee", N_("Ultimate consignee"), FieldType.GROUP, shape=TRADER),
        Field("chemicals", N_("Chemical"), FieldType.GROUP, required=True, most=MAX_CHEMICALS, shape=CHEMICAL),
        Field("dispatch_date", N_("Expected date of dispatch"), FieldType.DATE, required=True),
        Field("entry_point", N_("Expected point of entry"), required=True, term="place"),
        Field("transit_countries", N_("States of transit"), FieldType.CODE, codes="country", most=MAX_LEGS),
        Field("transport", N_("Transport"), FieldType.GROUP, most=MAX_ENTRIES, shape=TRANSPORT),
        Field("export_permit", N_("Export authorisation"), term="document"),
        Field("import_permit", N_("Import authorisation"), term="document"),
        Field("intended_use", N_("Intended use"), FieldType.LINES, max_length=4_000),
        Field("reply_by_time", N_("Reply needed by"), FieldType.TIME, key="reply_by"),
        Field("remarks", N_("Remarks"), FieldType.LINES, max_length=4_000),
    ),
    related=_measured,
)


def _check(content: PreExportNotification, _annex: Any, now: datetime) -> list[FieldError]:
    found = []
    if has_passed(content.dispatch_date, now):
        found.append(FieldError("dispatch_date", "in_past"))
    if content.HasField("reply_by_time") and to_datetime(content.reply_by_time) <= now:
        found.append(FieldError("reply_by", "in_past"))
    return found


def _remarks(_content: PreExportNotification, _reported: datetime, lang: str) -> tuple[str, ...]:
    return (translate(N_("Without a reply there is silence, and silence is not consent"), lang),)


def _summary(content: PreExportNotification, lang: str) -> str:
    first = content.chemicals[0]
    amount = f"{format_amount(first.quantity.millionths)} {code_text('unit', first.quantity.unit, lang)}"
    more = f" (+{len(content.chemicals) - 1})" if len(content.chemicals) > 1 else ""
    way = " → ".join(code_text("country", each.country, lang) for each in (content.exporter, content.importer))
    what = first.as_named or first.substance_id
    return f"{content.reference}: {what}, {amount}{more}; {way}; {content.dispatch_date}"


KIND: Final = Kind(
    name="pre-export-notification",
    version=1,
    title=N_("Pre-export notification"),
    shape=SHAPE,
    summarise=_summary,
    subject=("chemicals.quantity", ("exporter.country", "importer.country")),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    answered_by=("pre-export-reply",),
    answer_deadline=_ANSWER_DEADLINE,
    check=_check,
    remark=_remarks,
)
