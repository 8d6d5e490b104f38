"""Information request: facts, and numbered questions that an answer can name."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from paiza.content.v1.common_pb2 import EarlierRequest, Question
from paiza.content.v1.information_pb2 import InformationRequest
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_QUESTIONS: Final = 50  # a request longer than this is several requests
MAX_PURPOSES: Final = 16  # more than the list has
MAX_EARLIER: Final = 20  # earlier requests
_ANSWER_DEADLINE: Final = timedelta(days=7)  # where the request names no other and is not urgent

QUESTION: Final = Shape(
    Question,
    (
        Field("number", N_("Number"), FieldType.INTEGER, required=True, least=1, greatest=MAX_QUESTIONS, default="1"),
        Field("text", N_("Question"), FieldType.LINES, required=True, max_length=4_000),
    ),
)
EARLIER: Final = Shape(
    EarlierRequest,
    (
        Field("addressee", N_("Addressee and channel"), required=True),
        Field("date", N_("Date"), FieldType.DATE),
        Field("outcome", N_("Outcome")),
    ),
)


def _numbered(request: InformationRequest) -> Iterator[tuple[str, Problem]]:
    for index, question in enumerate(request.questions):
        if question.number != index + 1:
            yield f"questions[{index}].number", ("number_order", {})


SHAPE: Final = Shape(
    InformationRequest,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("subject", N_("Subject"), required=True, term="subject"),
        Field("purposes", N_("Purposes"), FieldType.CODE, required=True, codes="purpose", most=MAX_PURPOSES),
        Field("facts", N_("Facts"), FieldType.LINES, required=True),
        Field("questions", N_("Questions"), FieldType.GROUP, required=True, most=MAX_QUESTIONS, shape=QUESTION),
        Field("why_addressee", N_("Why this addressee"), FieldType.LINES, required=True, max_length=4_000),
        Field("deadline_time", N_("Answer needed by"), FieldType.TIME, key="deadline"),
        Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
        Field("earlier_requests", N_("Earlier requests elsewhere"), FieldType.GROUP, most=MAX_EARLIER, shape=EARLIER),
    ),
    related=_numbered,
)


def _check(content: InformationRequest, _annex: object, now: datetime) -> list[FieldError]:
    if content.HasField("deadline_time") and to_datetime(content.deadline_time) <= now:
        return [FieldError("deadline", "in_past")]
    return []


def _summary(content: InformationRequest, _lang: str) -> str:
    return f"{content.reference}: {content.subject}"


KIND: Final = Kind(
    name="information-request",
    version=1,
    title=N_("Information request"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("purposes",),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    answer_deadline=_ANSWER_DEADLINE,
    answered_by=("information-answer",),
    check=_check,
)
