"""Pre-export notification of chemicals in trade (1988 Convention, Article 12, paragraph 10), its reply, the arrival.

No reply is not consent. The shapes of companies, chemicals and documents serve the precursor incident too.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from paiza.content.v1 import pre_export_pb2 as pb
from paiza.content.v1.trade_pb2 import Chemical, TradeDocument, Trader
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import MAX_ENTRIES, MAX_LEGS, NAMES, PACKAGING, TRANSPORT, named
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.identifiers import cas_problem, hs_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import partial_time_text
from paiza_domain.schema.reading import code_text, more, quantity_text
from paiza_domain.schema.rules import has_passed, not_in_future, not_in_past
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_CHEMICALS: Final = 30  # of one consignment or incident
MAX_COMPANIES: Final = 30  # named in its papers
MAX_DOCUMENTS: Final = 50
MAX_GROUNDS: Final = 9  # as many as the list has
NO_REPLY: Final = "none"  # the displayed code of a missing reply; it is never sent and never means consent
NOT_ARRIVED: Final = "not-arrived"
AS_NOTIFIED: Final = "as-notified"

_ANSWER_DEADLINE: Final = timedelta(days=21)  # fifteen working days, the default
_PERCENT: Final = 100_000_000  # a hundred, in millionths
_NOTE: Final = 2_000  # characters
_SENDERS: Final = frozenset({"liaison", "duty", "coordinator"})

TRADER: Final = Shape(
    Trader,
    (
        Field("role", N_("Role in the trade"), FieldType.CODE, codes="trade_role"),
        Field("name", N_("Name"), required=True, term="company"),
        Field("country", N_("Country"), FieldType.CODE, required=True, codes="country", term="country"),
        Field("address", N_("Address")),
        Field("registration_number", N_("Registration number"), term="registration"),
        Field("licence_number", N_("Number of the licence"), term="registration"),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
)
CHEMICAL: Final = Shape(
    Chemical,
    (
        *NAMES,
        Field("cas_number", N_("CAS number"), check=cas_problem, term="substance"),
        Field("hs_code", N_("HS code"), check=hs_problem),
        Field("control", N_("International control"), FieldType.CODE, codes="precursor_control"),
        Field(
            "quantity",
            N_("Quantity"),
            FieldType.QUANTITY,
            opened=True,
            hint=N_("mandatory where there was something to measure"),
        ),
        Field("quantity_basis", N_("Weighed or estimated"), FieldType.CODE, codes="quantity_basis"),
        Field("concentration_percent", N_("Concentration, %"), FieldType.DECIMAL, least=0, greatest=_PERCENT),
        Field("batch_number", N_("Batch number"), term="reference"),
        Field("label", N_("Label and marks"), term="logo"),
        Field("packaging", N_("Packaging"), FieldType.GROUP, most=MAX_ENTRIES, shape=PACKAGING),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
    related=named,
)


def _demanding(shape: Shape, name: str) -> Shape:
    """Return a shape in which the field of this name is mandatory."""
    fields = (replace(each, required=True, hint="") if each.name == name else each for each in shape.fields)
    return replace(shape, fields=tuple(fields))


# The 1988 Convention, Article 12, paragraph 10 (a): names and addresses (i), quantity (iii).
_NOTIFIED: Final = _demanding(TRADER, "address")
_EXPORTED: Final = _demanding(CHEMICAL, "quantity")
TRADE_DOCUMENT: Final = Shape(
    TradeDocument,
    (
        Field("type", N_("Type of document"), FieldType.CODE, required=True, codes="trade_document"),
        Field("number", N_("Number"), term="document"),
        Field("date", N_("Date"), FieldType.DATE),
        Field("issuer", N_("Issued by")),
    ),
)


def measured(content: Any) -> Iterator[tuple[str, Problem]]:
    """Return errors of chemicals without a quantity."""
    for index, chemical in enumerate(content.chemicals):
        if not chemical.HasField("quantity"):
            yield f"chemicals[{index}].quantity", ("missing", {})


def _notification_in_time(content: pb.PreExportNotification, annex: object, now: datetime) -> list[FieldError]:
    past = [FieldError("dispatch_date", "in_past")] if has_passed(content.dispatch_date, now) else []
    return past + not_in_past("reply_by")(content, annex, now)


def _states_told(content: pb.PreExportNotification) -> Iterator[tuple[str, str]]:
    """Yield the states of importer, consignee and transit, each with the path of the field that names it."""
    yield "importer.country", content.importer.country
    yield "consignee.country", content.consignee.country
    for index, country in enumerate(content.transit_countries):
        yield f"transit_countries[{index}]", country


def _silence_is_no_consent(_content: pb.PreExportNotification, _reported: datetime, lang: str) -> tuple[str, ...]:
    return (translate(N_("Without a reply there is silence, and silence is not consent"), lang),)


def _notification_summary(content: pb.PreExportNotification, lang: str) -> str:
    first = content.chemicals[0]
    way = " → ".join(code_text("country", each.country, lang) for each in (content.exporter, content.importer))
    what = first.as_named or first.substance_id
    amount = quantity_text(first.quantity, lang) + more(content.chemicals)
    return f"{content.reference}: {what}, {amount}; {way}; {content.dispatch_date}"


def _fits_reply(reply: pb.PreExportReply) -> Iterator[tuple[str, Problem]]:
    if reply.reply == NO_REPLY:
        yield "reply", ("silence_not_sent", {})
    if reply.reply == "objection" and not reply.grounds:
        yield "grounds", ("grounds_missing", {})
    if reply.grounds and reply.reply != "objection":
        yield "grounds", ("not_allowed_here", {})
    if reply.reply == "more-time" and not reply.HasField("until_time"):
        yield "until", ("until_missing", {})
    if reply.HasField("until_time") and reply.reply != "more-time":
        yield "until", ("not_allowed_here", {})


def _reply_summary(content: pb.PreExportReply, lang: str) -> str:
    reply = f"{content.reference}: {code_text('pre_export_reply', content.reply, lang)}"
    grounds = ", ".join(code_text("objection_ground", each, lang) for each in content.grounds)
    return f"{reply}: {grounds}" if grounds else reply


def _fits_status(arrival: pb.PreExportArrival) -> Iterator[tuple[str, Problem]]:
    if arrival.status == NOT_ARRIVED:
        if arrival.HasField("arrived_at"):
            yield "arrived_at", ("not_allowed_here", {})
        if arrival.consignee_confirmed:
            yield "consignee_confirmed", ("not_allowed_here", {})
    elif arrival.status and not arrival.HasField("arrived_at"):
        yield "arrived_at", ("missing", {})
    if arrival.status not in {"", AS_NOTIFIED, NOT_ARRIVED} and not arrival.difference:
        yield "difference", ("difference_missing", {})


def _arrival_summary(content: pb.PreExportArrival, lang: str) -> str:
    status = f"{content.reference}: {code_text('arrival_status', content.status, lang)}"
    return f"{status}; {partial_time_text(content.arrived_at, lang)}" if content.HasField("arrived_at") else status


KINDS: Final[tuple[Kind, ...]] = (
    # Before chemicals are exported; no reply is not consent.
    Kind(
        name="pre-export-notification",
        version=1,
        title=N_("Pre-export notification"),
        shape=Shape(
            pb.PreExportNotification,
            (
                Field("reference", N_("Number of the notification"), required=True, max_length=64, term="reference"),
                Field("authority", N_("Notifying authority"), required=True, known="agency"),
                Field("exporter", N_("Exporter"), FieldType.GROUP, required=True, shape=_NOTIFIED),
                Field("importer", N_("Importer"), FieldType.GROUP, required=True, shape=_NOTIFIED),
                Field("consignee", N_("Ultimate consignee"), FieldType.GROUP, shape=_NOTIFIED),
                Field("chemicals", N_("Chemical"), FieldType.GROUP, required=True, most=MAX_CHEMICALS, shape=_EXPORTED),
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
        ),
        summarise=_notification_summary,
        subject=("chemicals.quantity", ("exporter.country", "importer.country")),
        sender_roles=_SENDERS,
        answered_by=("pre-export-reply",),
        answer_deadline=_ANSWER_DEADLINE,
        check=_notification_in_time,
        remark=_silence_is_no_consent,
        precursors_only=True,
        states_told=_states_told,
    ),
    # No objection, objection or more time.
    Kind(
        name="pre-export-reply",
        version=1,
        title=N_("Reply to a pre-export notification"),
        shape=Shape(
            pb.PreExportReply,
            (
                Field("reference", N_("Own reference"), required=True, term="reference"),
                Field("reply", N_("Reply"), FieldType.CODE, required=True, codes="pre_export_reply"),
                Field(
                    "grounds",
                    N_("Grounds of the objection"),
                    FieldType.CODE,
                    codes="objection_ground",
                    most=MAX_GROUNDS,
                    hint=N_("mandatory with an objection"),
                ),
                Field("text", N_("Grounds or conditions, in words"), FieldType.LINES, max_length=4_000),
                Field(
                    "until_time",
                    N_("Time needed until"),
                    FieldType.TIME,
                    key="until",
                    hint=N_("mandatory with more time"),
                ),
                Field("import_permit", N_("Import authorisation"), term="document"),
            ),
            related=_fits_reply,
        ),
        summarise=_reply_summary,
        subject=("reply", "grounds"),
        sender_roles=_SENDERS,
        needs_parent=True,
        leaves_open=lambda content: content.reply == "more-time",
        check=not_in_past("until"),
    ),
    # Confirmed by the importing state; or that the consignment did not arrive.
    Kind(
        name="pre-export-arrival",
        version=1,
        title=N_("Arrival of a notified consignment"),
        shape=Shape(
            pb.PreExportArrival,
            (
                Field("reference", N_("Own reference"), required=True, term="reference"),
                Field("status", N_("Arrival"), FieldType.CODE, required=True, codes="arrival_status"),
                Field(
                    "arrived_at",
                    N_("Date and time of the arrival"),
                    FieldType.PARTIAL_TIME,
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
        ),
        summarise=_arrival_summary,
        subject=("status", "chemicals.quantity"),
        sender_roles=_SENDERS,
        needs_parent=True,
        follows=("pre-export-notification", "pre-export-reply"),
        check=not_in_future("arrived_at"),
    ),
)
