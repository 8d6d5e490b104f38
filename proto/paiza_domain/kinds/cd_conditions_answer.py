"""Controlled delivery, answer to the conditions of one state: accepted, refused, or countered, by number."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import (
    ControlledDeliveryConditionAnswer,
    ControlledDeliveryConditionsAnswer,
)
from paiza_domain.i18n import N_
from paiza_domain.schema.controlled_delivery import MAX_ENTRIES, MAX_PARAGRAPH, SENDERS, WORKFLOW, member, remarks
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _text_needed(answer: ControlledDeliveryConditionAnswer) -> Iterator[tuple[str, Problem]]:
    if answer.status == "countered" and not answer.text:
        yield "text", ("missing", {})


def _numbers_once(content: ControlledDeliveryConditionsAnswer) -> Iterator[tuple[str, Problem]]:
    numbers = [each.number for each in content.answers]
    for index, number in enumerate(numbers):
        if number in numbers[:index]:
            yield f"answers[{index}].number", ("number_repeated", {"value": number})


ANSWER: Final = Shape(
    ControlledDeliveryConditionAnswer,
    (
        Field("number", N_("Number of the condition"), FieldType.INTEGER, required=True, least=1, greatest=MAX_ENTRIES),
        Field("status", N_("Answer to the condition"), FieldType.CODE, required=True, codes="cd_condition_answer"),
        Field("text", N_("Counter-condition or reason"), FieldType.LINES, max_length=MAX_PARAGRAPH, opened=True,
              hint=N_("mandatory with countered")),
    ),
    related=_text_needed,
)  # fmt: skip
SHAPE: Final = Shape(
    ControlledDeliveryConditionsAnswer,
    (
        member("member", N_("State whose conditions are answered (member id)")),
        Field("conditions_digest", N_("Digest of the conditions"), FieldType.DIGEST, required=True),
        Field("answers", N_("Answers"), FieldType.GROUP, required=True, most=MAX_ENTRIES, shape=ANSWER),
        remarks(),
    ),
    related=_numbers_once,
)


def _summary(content: ControlledDeliveryConditionsAnswer, lang: str) -> str:
    answers = (f"{each.number} – {code_text('cd_condition_answer', each.status, lang)}" for each in content.answers)
    return f"{content.member}: {'; '.join(answers)}"


KIND: Final = Kind(
    name="cd-conditions-answer",
    version=1,
    title=N_("Controlled delivery: answer to conditions"),
    shape=SHAPE,
    summarise=_summary,
    subject=("answers.status",),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
