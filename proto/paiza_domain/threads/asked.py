"""Answers to what was asked: a message of a kind that answers follows from a request, and answers its questions."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from google.protobuf.message import Message

from paiza.core.v1.message_pb2 import Header
from paiza_domain import kinds
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.threads.request_status import ACKNOWLEDGEMENT

UNASKED: Final = frozenset({ACKNOWLEDGEMENT, "release-grant"})
"""Kinds that answer and may also come of their own accord: a receipt confirmed, the author's consent to pass it on."""


def is_answer(kind: str) -> bool:
    """Return whether messages of a kind answer others, and nothing but others (`UNASKED`)."""
    return kind in _answers()


def errors(
    kind: str, author: str, content: Message, parents: Sequence[tuple[Header, Message | None]]
) -> list[FieldError]:
    """Return what an answer answers although it was not asked; paths are those of a draft.

    ``author`` is the member that answers: nobody is asked by their own request.
    ``parents`` are the messages that it follows from, as far as they are known: header, and content if it was opened.
    The numbers of questions are checked only if the content of every request is there.
    """
    if not parents or not is_answer(kind):
        return []
    requests = [content for header, content in parents if kind in _answered_by(header.kind)]
    if not requests:
        return [FieldError("in_reply_to", "nothing_asked")]
    if all(header.author == author for header, _content in parents if kind in _answered_by(header.kind)):
        return [FieldError("in_reply_to", "own_request")]
    if any(each is None for each in requests):
        return []
    asked: Any = requests
    numbers = {question.number for request in asked for question in getattr(request, "questions", ())}
    return [
        FieldError(f"answers[{place}].question_number", "question_unknown", {"value": number})
        for place, number in enumerate(numbers_answered(content))
        if number not in numbers
    ]


def numbers_answered(content: Any) -> list[int]:
    """Return the numbers of the questions that an answer answers, in its order; none if its kind has no numbers."""
    answers = getattr(content, "answers", ())
    return [each.question_number for each in answers if "question_number" in each.DESCRIPTOR.fields_by_name]


def _answered_by(kind: str) -> tuple[str, ...]:
    known = kinds.all_kinds().get(kind)
    return () if known is None else known.answered_by


@cache
def _answers() -> frozenset[str]:
    found = {name for kind in kinds.all_kinds().values() if not kind.workflow for name in kind.answered_by}
    return frozenset(found - UNASKED)
