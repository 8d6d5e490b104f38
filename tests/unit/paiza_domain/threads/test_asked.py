"""An answer follows from a request, and answers the questions that it asks."""

import pytest
from google.protobuf.message import Message

from paiza.content.v1.common_pb2 import Answer, Question
from paiza.content.v1.information_pb2 import InformationAnswer, InformationRequest
from paiza.content.v1.pre_export_pb2 import PreExportReply
from paiza.core.v1.message_pb2 import Header
from paiza_domain import kinds
from paiza_domain.threads import asked

REQUEST = InformationRequest(questions=[Question(number=1, text="Who?"), Question(number=2, text="When?")])


def answer(*numbers: int) -> InformationAnswer:
    """Return an answer to the questions with these numbers."""
    return InformationAnswer(answers=[Answer(question_number=each, status="full") for each in numbers])


@pytest.mark.parametrize(
    ("kind", "content", "parents", "expected"),
    [
        ("information-answer", answer(1, 2), [("information-request", REQUEST)], []),
        (
            "information-answer",
            answer(2, 3, 7),
            [("information-request", REQUEST)],
            ["answers[1].question_number", "answers[2].question_number"],
        ),
        ("information-answer", answer(1), [("free-message", None)], ["in_reply_to"]),
        ("information-answer", answer(1), [("financial-request", None)], ["in_reply_to"]),
        ("information-answer", answer(3), [("free-message", None), ("information-request", None)], []),
        ("information-answer", answer(3), [], []),
        ("pre-export-reply", PreExportReply(), [("pre-export-notification", None)], []),
        ("pre-export-reply", PreExportReply(), [("seizure-notice", None)], ["in_reply_to"]),
        ("acknowledgement", answer(), [("free-message", None)], []),
        ("free-message", answer(), [("information-request", None)], []),
    ],
)
def test_an_answer_is_compared_with_what_was_asked(
    kind: str, content: Message, parents: list[tuple[str, Message | None]], expected: list[str]
) -> None:
    """Every wrong number is named; a request that was not opened leaves the numbers to the node."""
    found = asked.errors(kind, "tjk", content, [(Header(kind=name, author="kaz"), opened) for name, opened in parents])
    assert [each.path for each in found] == expected


def test_nobody_is_asked_by_their_own_request() -> None:
    """Who asked cannot answer in the place of those who were asked."""
    own = Header(kind="information-request", author="kaz")
    assert [each.code for each in asked.errors("information-answer", "kaz", answer(1), [(own, None)])] == [
        "own_request"
    ]
    foreign = Header(kind="information-request", author="uzb")
    assert asked.errors("information-answer", "kaz", answer(1), [(own, None), (foreign, None)]) == []


def test_every_answer_of_a_kind_is_compared() -> None:
    """Kinds declare what answers them; the steps of a workflow have rules of their own."""
    answers = {name for name in kinds.all_kinds() if asked.is_answer(name)}
    assert {"information-answer", "financial-answer", "pre-export-reply", "release-denial", "sample-receipt"} <= answers
    assert not {"acknowledgement", "release-grant", "cd-authorisation", "free-message"} & answers
