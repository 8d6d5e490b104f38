"""Information answer: per question number full, partial, negative, interim, refused or forwarded."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.common_pb2 import Answer
from paiza.content.v1.information_pb2 import InformationAnswer
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.information_request import MAX_QUESTIONS
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _fits_status(answer: Answer) -> Iterator[tuple[str, Problem]]:
    if answer.status in {"full", "partial"} and not answer.text:
        yield "text", ("answer_text_missing", {})
    if answer.status == "refused" and not answer.refusal:
        yield "refusal", ("refusal_missing", {})
    if answer.refusal and answer.status != "refused":
        yield "refusal", ("not_allowed_here", {})
    if answer.status == "forwarded" and not answer.forwarded_to:
        yield "forwarded_to", ("forwarded_to_missing", {})
    if answer.forwarded_to and answer.status != "forwarded":
        yield "forwarded_to", ("not_allowed_here", {})
    if answer.HasField("expected_time") and answer.status not in {"interim", "forwarded"}:
        yield "expected", ("not_allowed_here", {})


def _numbers_once(content: InformationAnswer) -> Iterator[tuple[str, Problem]]:
    seen = set()
    for index, answer in enumerate(content.answers):
        if answer.question_number in seen:
            yield f"answers[{index}].question_number", ("number_repeated", {"value": answer.question_number})
        seen.add(answer.question_number)


ANSWER: Final = Shape(
    Answer,
    (
        Field(
            "question_number", N_("Question number"), FieldType.INTEGER, required=True, least=1, greatest=MAX_QUESTIONS
        ),
        Field("status", N_("Status of the answer"), FieldType.CODE, required=True, codes="answer_status"),
        Field("text", N_("Answer"), FieldType.LINES, opened=True, hint=N_("mandatory with full and partial")),
        Field("refusal", N_("Reason of the refusal"), FieldType.CODE, codes="refusal"),
        Field("forwarded_to", N_("Forwarded to")),
        Field("expected_time", N_("More can be expected by"), FieldType.TIME, key="expected"),
    ),
    related=_fits_status,
)
SHAPE: Final = Shape(
    InformationAnswer,
    (
        Field("reference", N_("Own reference"), required=True),
        Field("answers", N_("Answers"), FieldType.GROUP, required=True, most=MAX_QUESTIONS, shape=ANSWER),
        Field("remarks", N_("Remarks"), FieldType.LINES),
        Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
    ),
    related=_numbers_once,
)


def _summary(content: InformationAnswer, lang: str) -> str:
    number = translate(N_("No. {number}"), lang)
    states = (
        f"{number.format(number=each.question_number)} – {code_text('answer_status', each.status, lang)}"
        for each in content.answers
    )
    return f"{content.reference}: {'; '.join(states)}"


KIND: Final = Kind(
    name="information-answer",
    version=1,
    title=N_("Answer to an information request"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("answers.status",),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    needs_parent=True,
)
