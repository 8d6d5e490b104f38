"""The own node releases no answer to a question that was not asked, whatever program its officer uses."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.message import Message

from paiza.content.v1.common_pb2 import Answer, Question
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.information_pb2 import InformationAnswer, InformationRequest
from paiza_node.features.tasks.asked import STAGE, asked_stage
from paiza_wire.message import VerifiedMessage, new_message_id
from tests.unit.paiza_node.room import MEMBER, open_room

REQUEST = InformationRequest(questions=[Question(number=1, text="Who?")])
NOTE = FreeMessage(subject="Exercise", text="Nothing of this is real.")


def answer(number: int) -> InformationAnswer:
    """Return an answer to the question with this number."""
    return InformationAnswer(reference="OUR-1", answers=[Answer(question_number=number, status="full", text="X")])


@pytest.mark.parametrize(
    ("kind", "content", "parent", "refusal"),
    [
        ("information-answer", answer(1), REQUEST, None),
        ("information-answer", answer(2), REQUEST, "answers[0].question_number: question_unknown"),
        ("information-answer", answer(1), NOTE, "in_reply_to: nothing_asked"),
        ("free-message", NOTE, REQUEST, None),
    ],
)
def test_an_answer_is_judged_against_its_request(
    tmp_path: Path, kind: str, content: Message, parent: Message, refusal: str | None
) -> None:
    """The numbers are those of the request as it is stored."""
    with open_room(tmp_path) as room:
        asked_by = "information-request" if isinstance(parent, InformationRequest) else "free-message"
        request = room.message("tjk", asked_by, parent)
        room.put(request)
        thread = request.header.thread_id
        reply = room.message(MEMBER, kind, content, thread=thread, parents=[request.digest])
        assert judged(room, reply) == refusal


def test_a_request_that_is_not_here_is_not_judged(tmp_path: Path) -> None:
    """It may have been retired; whether its thread is known is judged elsewhere."""
    with open_room(tmp_path) as room:
        thread = new_message_id(room.clock.now)
        reply = room.message(MEMBER, "information-answer", answer(9), thread=thread, parents=[bytes(32)])
        assert judged(room, reply) is None


def judged(room: Any, message: VerifiedMessage) -> str | None:
    """Return why the stage refuses a message; None if it does not."""
    stage = asked_stage(room.core.decryption_keys)
    assert stage.prepare is not None
    content = stage.prepare(message, room.clock.now)
    item: Any = SimpleNamespace(message=message, prepared={} if content is None else {STAGE: content})

    def work(tx: Any) -> Any:
        judge = stage.open(tx, SimpleNamespace(), [item]).judge  # type: ignore[arg-type]  # no officer is asked for
        assert judge is not None
        return judge(item, [])

    found = room.ledger.commit_now(work).result
    if found is None:
        return None
    assert found.reason == "not_asked"
    return str(found.detail)
