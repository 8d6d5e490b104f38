"""Financial answer: per question number, and per onward use a consent of its own."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from paiza.content.v1.financial_pb2 import FinancialAnswer
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.information_answer import ANSWER
from paiza_domain.kinds.information_request import MAX_QUESTIONS
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.onward_use import HANDLING_CODES, MAX_USES, ONWARD_DECISION, remark
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _numbers_once(content: FinancialAnswer) -> Iterator[tuple[str, Problem]]:
    seen = set()
    for index, answer in enumerate(content.answers):
        if answer.question_number in seen:
            yield f"answers[{index}].question_number", ("number_repeated", {"value": answer.question_number})
        seen.add(answer.question_number)


SHAPE: Final = Shape(
    FinancialAnswer,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("answers", N_("Answers"), FieldType.GROUP, required=True, most=MAX_QUESTIONS, shape=ANSWER),
        Field("onward_decisions", N_("Consents"), FieldType.GROUP, most=MAX_USES, shape=ONWARD_DECISION),
        Field("remarks", N_("Remarks"), FieldType.LINES),
        Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
    ),
    related=_numbers_once,
)


def _check(content: FinancialAnswer, _annex: Any, now: datetime) -> list[FieldError]:
    return [
        FieldError(f"onward_decisions[{index}].until", "in_past")
        for index, each in enumerate(content.onward_decisions)
        if each.HasField("until_time") and to_datetime(each.until_time) <= now
    ]


def _summary(content: FinancialAnswer, lang: str) -> str:
    number = translate(N_("No. {number}"), lang)
    states = (
        f"{number.format(number=each.question_number)} – {code_text('answer_status', each.status, lang)}"
        for each in content.answers
    )
    return f"{content.reference}: {'; '.join(states)}"


KIND: Final = Kind(
    name="financial-answer",
    version=1,
    title=N_("Answer to a financial request"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("answers.status",),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    handling_codes=HANDLING_CODES,
    needs_parent=True,
    check=_check,
    remark=remark,
)
