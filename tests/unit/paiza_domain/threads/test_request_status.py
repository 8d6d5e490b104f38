"""Request states: answers tie to question numbers across messages, and no answer stays no answer."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from paiza.content.v1.common_pb2 import Answer, Question
from paiza.content.v1.information_pb2 import InformationAnswer, InformationRequest
from paiza.content.v1.pre_export_pb2 import PreExportReply
from paiza.core.v1.message_pb2 import (
    URGENCY_FLASH,
    URGENCY_INFORMATION,
    URGENCY_PRIORITY,
    URGENCY_ROUTINE,
    URGENCY_URGENT,
)
from paiza_domain.threads import request_status
from paiza_domain.threads.request_status import AnswerState, RequestStatus
from paiza_domain.threads.thread import ThreadMessage
from tests.unit.paiza_domain.threads.making import at, name, said

QUESTIONS = [Question(number=1, text="Кто?"), Question(number=2, text="Когда?")]
REQUEST = said(
    "request", "information-request", "kaz", to="tjk uzb", content=InformationRequest(questions=QUESTIONS), opens=True
)


def answer(text: str, author: str, hours: float, *parts: Answer, to: str = "request") -> ThreadMessage:
    """Make an answer with these parts."""
    content = InformationAnswer(reference=text, answers=parts)
    return said(text, "information-answer", author, to, hours=hours, content=content)


def stands(thread: list[ThreadMessage]) -> RequestStatus:
    """Return the status of the request."""
    found = request_status.of_request(REQUEST, thread)
    assert found is not None
    return found


def states(status: RequestStatus) -> dict[str, list[str]]:
    """Return the states of the questions by addressee."""
    return {each.member: [question.state.value for question in each.questions] for each in status.addressees}


def test_silence_is_shown_as_silence_however_long_it_lasts() -> None:
    """Nobody who said nothing is ever shown as having agreed, answered or refused; since when is said."""
    status = stands([REQUEST])
    assert states(status) == {"tjk": ["no-answer", "no-answer"], "uzb": ["no-answer", "no-answer"]}
    assert status.without_answer == ("tjk", "uzb")
    assert {question.since for each in status.addressees for question in each.questions} == {at(0)}
    assert not status.overdue(at(24 * 7))
    assert status.overdue(at(24 * 7) + timedelta(seconds=1))
    assert states(stands([REQUEST])) == states(status)


def test_answers_tie_to_numbers_across_messages() -> None:
    """Each question shows the latest word of each addressee, whichever of its messages said it."""
    first = answer("first", "tjk", 1, Answer(question_number=1, status="full", text="А"))
    interim = answer("interim", "tjk", 2, Answer(question_number=2, status="interim"))
    last = answer("last", "tjk", 3, Answer(question_number=2, status="refused", refusal="resources"))
    other = answer("other", "uzb", 1, Answer(question_number=2, status="forwarded", forwarded_to="МВД"))
    assert states(stands([REQUEST, first, interim])) == {"tjk": ["full", "interim"], "uzb": ["no-answer", "no-answer"]}
    thread = [REQUEST, first, interim, last, other]
    expected = {"tjk": ["full", "refused"], "uzb": ["no-answer", "forwarded"]}
    assert all(states(stands(list(order))) == expected for order in itertools.permutations(thread))
    status = stands(thread)
    assert [each.member for each in status.addressees if each.still_open] == ["uzb"]
    assert status.without_answer == ()
    assert status.addressees[0].questions[1].answer == last.digest
    assert status.addressees[0].questions[1].since == at(3)


def test_a_recalled_answer_was_never_said() -> None:
    """The question is open again, with the word that stood before."""
    interim = answer("interim", "tjk", 1, Answer(question_number=1, status="interim"))
    full = answer("full", "tjk", 2, Answer(question_number=1, status="full", text="А"))
    recall = said("recall", "recall", "tjk", "full", hours=3)
    assert states(stands([REQUEST, interim, full]))["tjk"] == ["full", "no-answer"]
    assert states(stands([REQUEST, interim, full, recall]))["tjk"] == ["interim", "no-answer"]
    assert states(stands([REQUEST, interim, replace(full, recalled=True)]))["tjk"] == ["interim", "no-answer"]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_an_interim_answer_is_overtaken_by_what_answers_its_questions(order: tuple[int, ...]) -> None:
    """Whatever the order of arrival; not by an earlier answer, one to another question, or a recalled one."""
    interim = answer("interim", "tjk", 1, Answer(question_number=1, status="interim"))
    full = answer("full", "tjk", 2, Answer(question_number=1, status="full"))
    second = answer("second", "tjk", 3, Answer(question_number=2, status="interim"))
    arrived = [(interim, full, second)[place] for place in order]
    assert request_status.overtaken(REQUEST, arrived, "tjk") == {interim.digest}
    assert request_status.overtaken(REQUEST, [interim, second], "tjk") == frozenset()
    assert request_status.overtaken(REQUEST, [interim, replace(full, recalled=True)], "tjk") == frozenset()
    assert request_status.overtaken(REQUEST, arrived, "uzb") == frozenset()
    unknown = answer("unknown", "tjk", 4, Answer(question_number=9, status="interim"))
    assert request_status.overtaken(REQUEST, [unknown, full], "tjk") == frozenset()


def test_a_replaced_answer_is_said_by_what_replaces_it() -> None:
    """A correction with a replacement moves the word to the new message."""
    wrong = answer("wrong", "tjk", 1, Answer(question_number=1, status="negative"))
    content = InformationAnswer(reference="right", answers=[Answer(question_number=1, status="full", text="А")])
    right = said("right", "information-answer", "tjk", "wrong", "request", hours=2, content=content)
    correction = said("correction", "correction", "tjk", "wrong", "right", hours=2)
    question = stands([REQUEST, wrong, right, correction]).addressees[0].questions[0]
    assert (question.state, question.answer) == (AnswerState.FULL, right.digest)


def test_an_answer_that_was_not_opened_is_neither_silence_nor_an_answer() -> None:
    """Headers alone show that there is an answer, not its content."""
    sealed = said("sealed", "information-answer", "tjk", "request", hours=1)
    status = stands([REQUEST, sealed])
    assert states(status)["tjk"] == ["unread", "unread"]
    assert status.without_answer == ("uzb",)


def test_a_stranger_and_an_unknown_number_answer_nothing() -> None:
    """Only addressees answer, only numbers that were asked, and only this request."""
    thread = [
        REQUEST,
        answer("stranger", "centre", 1, Answer(question_number=1, status="negative")),
        answer("number", "tjk", 1, Answer(question_number=9, status="negative")),
        answer("elsewhere", "uzb", 1, Answer(question_number=1, status="negative"), to="another"),
    ]
    assert states(stands(thread)) == {"tjk": ["no-answer", "no-answer"], "uzb": ["no-answer", "no-answer"]}


def test_an_acknowledgement_is_no_answer() -> None:
    """Taking note leaves every question open."""
    noted = said("noted", "acknowledgement", "tjk", "request", hours=1)
    status = stands([REQUEST, noted])
    assert status.addressees[0].acknowledged == noted.digest
    assert states(status)["tjk"] == ["no-answer", "no-answer"]


def test_every_holder_owes_an_acknowledgement_of_a_recall() -> None:
    """Those to whom the recalled message was passed on are asked like its recipients."""
    recall = said("recall", "recall", "kaz", "note", to="tjk", hours=1, urgency=URGENCY_PRIORITY)
    noted = said("noted", "acknowledgement", "tjk", "recall", hours=2)
    status = request_status.of_request(recall, [recall, noted], holders=["tjk", "uzb", "kaz"])
    assert status is not None
    assert states(status) == {"tjk": ["answered"], "uzb": ["no-answer"]}
    assert status.without_answer == ("uzb",)


def test_a_request_that_was_taken_back_is_owed_nothing() -> None:
    """A recalled request is marked so and never overdue."""
    recall = said("recall", "recall", "kaz", "request", hours=1)
    status = stands([REQUEST, recall])
    assert status.withdrawn
    assert not status.overdue(at(1000))


def test_a_kind_that_wants_no_answer_has_no_standing() -> None:
    """A free message is owed nothing; a thread lists what wants answers."""
    note = said("note", "free-message", "tjk", "request", hours=1)
    assert request_status.of_request(note, [REQUEST, note]) is None
    assert [each.digest for each in request_status.requests([note, REQUEST])] == [name("request")]


@pytest.mark.parametrize(
    ("urgency", "due"),
    [
        (URGENCY_FLASH, timedelta(hours=1)),
        (URGENCY_URGENT, timedelta(hours=8)),
        (URGENCY_PRIORITY, timedelta(days=3)),
        (URGENCY_ROUTINE, timedelta(days=7)),
        (URGENCY_INFORMATION, None),
    ],
)
def test_an_answer_is_due_by_urgency(urgency: int, due: timedelta | None) -> None:
    """A request without a deadline is due by its urgency; one for information never is."""
    request = said("r", "information-request", "kaz", to="tjk", urgency=urgency)  # type: ignore[arg-type]
    found = request_status.of_request(request, [request])
    assert found is not None
    assert found.due == (None if due is None else at(0) + due)


def test_a_deadline_of_its_own_goes_before_urgency() -> None:
    """The deadline in the request counts once it is opened."""
    content = InformationRequest(questions=QUESTIONS)
    content.deadline_time.FromDatetime(at(5))
    request = said("r", "information-request", "kaz", to="tjk", urgency=URGENCY_FLASH, content=content)
    found = request_status.of_request(request, [request])
    assert found is not None
    assert found.due == at(5)


def test_what_settles_nothing_leaves_the_question_open() -> None:
    """An answer of a kind that only asks for more time is interim."""
    reply = PreExportReply(reply="more-time")
    request = said("r", "pre-export-notification", "kaz", to="tjk")
    more = said("more", "pre-export-reply", "tjk", "r", hours=1, content=reply)
    found = request_status.of_request(request, [request, more])
    assert found is not None
    assert states(found) == {"tjk": ["interim"]}
    objection = said("no", "pre-export-reply", "tjk", "r", hours=2, content=PreExportReply(reply="objection"))
    found = request_status.of_request(request, [request, more, objection])
    assert found is not None
    assert states(found) == {"tjk": ["answered"]}
