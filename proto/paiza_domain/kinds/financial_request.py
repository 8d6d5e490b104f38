"""Financial request: facts, the predicate offence, and what links the money to it; accounts stand in the annex."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from paiza.content.v1.financial_pb2 import FinancialRequest
from paiza_domain.i18n import N_
from paiza_domain.kinds.information_request import (
    EARLIER,
    MAX_EARLIER,
    MAX_PURPOSES,
    MAX_QUESTIONS,
    QUESTION,
)
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.onward_use import HANDLING_CODES, MAX_USES, ONWARD_USE, remark
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.shapes import Field, FieldType, Shape
from paiza_domain.schema.trade import date_end, date_start

_ANSWER_DEADLINE: Final = timedelta(days=30)  # what units of financial intelligence give each other


def _related(request: FinancialRequest) -> Iterator[tuple[str, Problem]]:
    for index, question in enumerate(request.questions):
        if question.number != index + 1:
            yield f"questions[{index}].number", ("number_order", {})


SHAPE: Final = Shape(
    FinancialRequest,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("subject", N_("Subject"), required=True, term="subject"),
        Field("purposes", N_("Purposes"), FieldType.CODE, required=True, codes="purpose", most=MAX_PURPOSES),
        Field("facts", N_("Facts"), FieldType.LINES, required=True),
        Field("predicate_offence", N_("Predicate offence"), required=True),
        Field("predicate_link", N_("What links the money to it"), FieldType.LINES, required=True, max_length=4_000),
        Field("questions", N_("Questions"), FieldType.GROUP, required=True, most=MAX_QUESTIONS, shape=QUESTION),
        Field("period_from", N_("Transactions from"), FieldType.DATE),
        Field("period_to", N_("Transactions until"), FieldType.DATE),
        Field("onward_uses", N_("Onward use asked for"), FieldType.GROUP, most=MAX_USES, shape=ONWARD_USE),
        Field("deadline_time", N_("Answer needed by"), FieldType.TIME, key="deadline"),
        Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
        Field("earlier_requests", N_("Earlier requests elsewhere"), FieldType.GROUP, most=MAX_EARLIER, shape=EARLIER),
    ),
    related=_related,
)


def _check(content: FinancialRequest, _annex: Any, now: datetime) -> list[FieldError]:
    found = []
    if content.HasField("deadline_time") and to_datetime(content.deadline_time) <= now:
        found.append(FieldError("deadline", "in_past"))
    if content.period_from and content.period_to and date_end(content.period_to) <= date_start(content.period_from):
        found.append(FieldError("period_to", "period_order"))
    return found


def _summary(content: FinancialRequest, _lang: str) -> str:
    return f"{content.reference}: {content.subject}"


KIND: Final = Kind(
    name="financial-request",
    version=1,
    title=N_("Financial request"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("purposes",),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    handling_codes=HANDLING_CODES,
    answered_by=("financial-answer",),
    answer_deadline=_ANSWER_DEADLINE,
    check=_check,
    remark=remark,
)
