"""Onward use of financial information: only by prior consent, case by case (FATF Recommendation 40, Egmont)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from paiza.content.v1.financial_pb2 import OnwardDecision, OnwardUse
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_USES: Final = 20  # of one request or answer
HANDLING_CODES: Final = frozenset({"H2"})  # not passed on without permission

ONWARD_USE: Final = Shape(
    OnwardUse,
    (
        Field("authority", N_("Authority that is to receive it"), required=True),
        Field("country", N_("Country"), FieldType.CODE, required=True, codes="country", term="country"),
        Field("purpose", N_("Purpose"), FieldType.CODE, required=True, codes="purpose"),
        Field("reason", N_("Why, in words"), FieldType.LINES, max_length=2_000),
    ),
)


def _fits_decision(decision: OnwardDecision) -> Iterator[tuple[str, Problem]]:
    if decision.decision == "refused" and not decision.refusal:
        yield "refusal", ("refusal_ground_missing", {})
    if decision.decision == "granted" and decision.refusal:
        yield "refusal", ("not_allowed_here", {})
    if decision.decision == "refused" and decision.HasField("until_time"):
        yield "until", ("not_allowed_here", {})


ONWARD_DECISION: Final = Shape(
    OnwardDecision,
    (
        Field("use", N_("Onward use"), FieldType.GROUP, required=True, shape=ONWARD_USE),
        Field("decision", N_("Consent"), FieldType.CODE, required=True, codes="onward_consent"),
        Field("refusal", N_("Reason of the refusal"), FieldType.CODE, codes="refusal"),
        Field("until_time", N_("Consent holds until"), FieldType.TIME, key="until"),
        Field("conditions", N_("Conditions"), FieldType.LINES, max_length=2_000),
    ),
    related=_fits_decision,
)


def remark(_content: object, _reported: datetime, lang: str) -> tuple[str, ...]:
    """Give what a reader of financial information is told each time."""
    return (translate(N_("Onward use only by prior consent of the author, case by case"), lang),)
