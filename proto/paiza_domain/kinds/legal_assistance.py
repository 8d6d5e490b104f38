"""Notice of a request for legal assistance, 1988 Convention, Article 7; the original travels between authorities."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from paiza.content.v1.legal_assistance_pb2 import LegalAssistanceNotice, Original
from paiza_domain.handling import MAX_PURPOSES
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.rules import is_to_come, not_in_past
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_ASSISTANCE: Final = 13  # as many as the list has
NOT_SENT: Final = "not-sent"


def _sent_or_not(original: Original) -> Iterator[tuple[str, Problem]]:
    if original.way == NOT_SENT:
        if original.sent_date:
            yield "sent_date", ("not_allowed_here", {})
    elif original.way and not original.sent_date:
        yield "sent_date", ("missing", {})


ORIGINAL: Final = Shape(
    Original,
    (
        Field("way", N_("How it travels"), FieldType.CODE, required=True, codes="transmission"),
        Field(
            "sent_date",
            N_("Date it was sent"),
            FieldType.DATE,
            opened=True,
            hint=N_("2026-11-23; mandatory once it was sent"),
        ),
        Field("number", N_("Number of the letter"), term="reference"),
        Field("languages", N_("Language and translation")),
    ),
    related=_sent_or_not,
)


def _limit_with_reason(notice: LegalAssistanceNotice) -> Iterator[tuple[str, Problem]]:
    if notice.time_limit_reason and not notice.HasField("time_limit_time"):
        yield "time_limit", ("missing", {})


SHAPE: Final = Shape(
    LegalAssistanceNotice,
    (
        Field("reference", N_("Number of the request"), required=True, term="reference"),
        Field("requesting_authority", N_("Requesting authority"), required=True, known="agency"),
        Field("central_authority", N_("Central authority that sends the original")),
        Field("addressed_authority", N_("Addressed authority"), required=True),
        Field("subject", N_("Subject"), required=True, term="subject"),
        Field("offence", N_("Offence and provisions of law"), FieldType.LINES, required=True, max_length=4_000),
        Field("facts", N_("Facts"), FieldType.LINES, required=True),
        Field(
            "assistance",
            N_("Assistance sought"),
            FieldType.CODE,
            required=True,
            codes="assistance_type",
            most=MAX_ASSISTANCE,
        ),
        Field("assistance_text", N_("Assistance sought, in words"), FieldType.LINES, required=True),
        Field("purposes", N_("Purposes"), FieldType.CODE, required=True, codes="purpose", most=MAX_PURPOSES),
        Field("confidentiality", N_("Confidentiality"), FieldType.CODE, required=True, codes="confidentiality"),
        Field("time_limit_time", N_("Wanted by"), FieldType.TIME, key="time_limit"),
        Field("time_limit_reason", N_("Why by then"), FieldType.LINES, max_length=2_000),
        Field("original", N_("Original of the request"), FieldType.GROUP, required=True, shape=ORIGINAL),
    ),
    related=_limit_with_reason,
)


def _check(content: LegalAssistanceNotice, annex: object, now: datetime) -> list[FieldError]:
    found = not_in_past("time_limit")(content, annex, now)
    if content.original.sent_date and is_to_come(content.original.sent_date, now):
        found.append(FieldError("original.sent_date", "in_future"))
    return found


def _remarks(content: LegalAssistanceNotice, _reported: datetime, lang: str) -> tuple[str, ...]:
    if content.original.way == NOT_SENT:
        return (translate(N_("The original was not sent yet: this notice does not replace it"), lang),)
    return (translate(N_("This notice does not replace the original, which travels apart"), lang),)


def _summary(content: LegalAssistanceNotice, _lang: str) -> str:
    return f"{content.reference}: {content.subject}"


KIND: Final = Kind(
    name="legal-assistance",
    version=1,
    title=N_("Notice of a request for legal assistance"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("assistance",),
    sender_roles=frozenset({"liaison", "authoriser", "coordinator"}),
    answered_by=("legal-assistance-status",),
    check=_check,
    remark=_remarks,
)
