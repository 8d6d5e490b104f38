"""Financial request and answer: facts, the predicate offence, the link of the money to it; accounts are in the annex.

Onward use only by prior consent, case by case (FATF Recommendation 40, Egmont): each use has a consent of its own.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from paiza.content.v1.financial_pb2 import FinancialAnswer, FinancialRequest, OnwardDecision, OnwardUse
from paiza_domain.handling import MAX_PURPOSES
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds import information
from paiza_domain.kinds.information import ANSWER, EARLIER, MAX_EARLIER, MAX_QUESTIONS, QUESTION
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.rules import date_end, date_start, not_in_past
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_USES: Final = 20  # of one request or answer
_HANDLING_CODES: Final = frozenset({"H2"})  # no forwarding without permission
_ANSWER_DEADLINE: Final = timedelta(days=30)  # the exchange of financial intelligence units

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


def _consent_case_by_case(_content: object, _reported: datetime, lang: str) -> tuple[str, ...]:
    return (translate(N_("Onward use only by prior consent of the author, case by case"), lang),)


def _request_in_time(content: FinancialRequest, annex: object, now: datetime) -> list[FieldError]:
    found = not_in_past("deadline")(content, annex, now)
    if content.period_from and content.period_to and date_end(content.period_to) <= date_start(content.period_from):
        found.append(FieldError("period_to", "period_order"))
    return found


def _consents_to_come(content: FinancialAnswer, _annex: object, now: datetime) -> list[FieldError]:
    return [
        FieldError(f"onward_decisions[{index}].until", "in_past")
        for index, each in enumerate(content.onward_decisions)
        if each.HasField("until_time") and to_datetime(each.until_time) <= now
    ]


KINDS: Final[tuple[Kind, ...]] = (
    # Facts, the predicate offence, and the link of the money to it.
    Kind(
        name="financial-request",
        version=1,
        title=N_("Financial request"),
        shape=Shape(
            FinancialRequest,
            (
                Field("reference", N_("Own reference"), required=True, term="reference"),
                Field("subject", N_("Subject"), required=True, term="subject"),
                Field("purposes", N_("Purposes"), FieldType.CODE, required=True, codes="purpose", most=MAX_PURPOSES),
                Field("facts", N_("Facts"), FieldType.LINES, required=True),
                Field("predicate_offence", N_("Predicate offence"), required=True),
                Field(
                    "predicate_link", N_("What links the money to it"), FieldType.LINES, required=True, max_length=4_000
                ),
                Field("questions", N_("Questions"), FieldType.GROUP, required=True, most=MAX_QUESTIONS, shape=QUESTION),
                Field("period_from", N_("Transactions from"), FieldType.DATE),
                Field("period_to", N_("Transactions until"), FieldType.DATE),
                Field("onward_uses", N_("Onward use asked for"), FieldType.GROUP, most=MAX_USES, shape=ONWARD_USE),
                Field("deadline_time", N_("Answer needed by"), FieldType.TIME, key="deadline"),
                Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
                Field(
                    "earlier_requests",
                    N_("Earlier requests elsewhere"),
                    FieldType.GROUP,
                    most=MAX_EARLIER,
                    shape=EARLIER,
                ),
            ),
            related=information.QUESTIONS_NUMBERED,
        ),
        annex_shape=ANNEX,
        summarise=information.request_summary,
        subject=("purposes",),
        sender_roles=information.SENDERS,
        handling_codes=_HANDLING_CODES,
        answered_by=("financial-answer",),
        answer_deadline=_ANSWER_DEADLINE,
        check=_request_in_time,
        remark=_consent_case_by_case,
    ),
    # Per question number, and per onward use a consent of its own.
    Kind(
        name="financial-answer",
        version=1,
        title=N_("Answer to a financial request"),
        shape=Shape(
            FinancialAnswer,
            (
                Field("reference", N_("Own reference"), required=True, term="reference"),
                Field("answers", N_("Answers"), FieldType.GROUP, required=True, most=MAX_QUESTIONS, shape=ANSWER),
                Field("onward_decisions", N_("Consents"), FieldType.GROUP, most=MAX_USES, shape=ONWARD_DECISION),
                Field("remarks", N_("Remarks"), FieldType.LINES),
                Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
            ),
            related=information.ANSWERED_ONCE,
        ),
        annex_shape=ANNEX,
        summarise=information.answer_summary,
        subject=("answers.status",),
        sender_roles=information.SENDERS,
        handling_codes=_HANDLING_CODES,
        needs_parent=True,
        check=_consents_to_come,
        remark=_consent_case_by_case,
    ),
)
