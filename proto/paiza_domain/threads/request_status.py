"""The status of a request: who has answered which of its questions, and since when an answer is missing.

No answer is a state of its own and never consent, however late it is. The latest answer to a question counts; a
recalled answer does not count, and a replaced one is superseded by its replacement.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from paiza_domain import kinds
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.threads import deadlines
from paiza_domain.threads.thread import UNAMENDED, Amendments, ThreadMessage, amendments, in_order, is_recalled
from paiza_wire.errors import Rejected

ACKNOWLEDGEMENT: Final = "acknowledgement"


class AnswerState(StrEnum):
    """The state of one question at one addressee: a code of the list "answer_status", or one of these three.

    NO_ANSWER: there is no answer.

    UNREAD: there is an answer whose content was not opened. Which questions it leaves open is unknown; the question
    counts as not open.

    ANSWERED: there is an answer to the request as a whole, which names no questions or was given to a request that was
    not opened, and which leaves nothing open.

    Of the codes, INTERIM and FORWARDED leave the question open. FULL, PARTIAL, NEGATIVE and REFUSED do not: NEGATIVE
    says that the addressee looked and found nothing, REFUSED that it does not answer.
    """

    NO_ANSWER = "no-answer"
    UNREAD = "unread"
    INTERIM = "interim"
    FORWARDED = "forwarded"
    PARTIAL = "partial"
    FULL = "full"
    NEGATIVE = "negative"
    REFUSED = "refused"
    ANSWERED = "answered"


_STATES: Final[Mapping[str, AnswerState]] = {each.value: each for each in AnswerState}
STILL_OPEN: Final = frozenset({AnswerState.NO_ANSWER, AnswerState.INTERIM, AnswerState.FORWARDED})


@dataclass(frozen=True, slots=True)
class QuestionStatus:
    """The status of one question at one addressee.

    ``number`` is its number in the request, from 1. It is 0 for the request as a whole: its kind has no numbered
    questions, or it was not opened. ``text`` is the question, empty with the number 0. ``since`` is the time of the
    answer that counts, or of the request if there is none. ``answer`` is the digest of that answer, 32 bytes, or empty.
    ``expected`` is when that answer says that more can be expected.
    """

    number: int
    state: AnswerState
    since: datetime
    answer: bytes = b""
    text: str = ""
    expected: datetime | None = None

    @property
    def still_open(self) -> bool:
        """Return whether the addressee still has to answer this question."""
        return self.state in STILL_OPEN


@dataclass(frozen=True, slots=True)
class AddresseeStatus:
    """The answers of one addressee. ``acknowledged`` is the digest of its officer's acknowledgement of the request."""

    member: str
    questions: tuple[QuestionStatus, ...]
    acknowledged: bytes = b""

    @property
    def still_open(self) -> bool:
        """Return whether the addressee still has to answer."""
        return any(each.still_open for each in self.questions)


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """The status of a request, as far as the messages of its thread show it: only what was released counts.

    ``digest`` is that of the request, ``asked`` the time of its release (of its storing here if it was not opened),
    ``due`` is None if there is no deadline, and ``withdrawn`` says that it was recalled.
    """

    digest: bytes
    kind: str
    author: str
    asked: datetime
    due: datetime | None
    withdrawn: bool
    addressees: tuple[AddresseeStatus, ...]

    @property
    def without_answer(self) -> tuple[str, ...]:
        """Return the member ids of the addressees that answered no question; an UNREAD answer is an answer."""
        return tuple(
            each.member
            for each in self.addressees
            if all(question.state is AnswerState.NO_ANSWER for question in each.questions)
        )

    @property
    def still_open(self) -> bool:
        """Return whether an answer is still missing; never for a withdrawn request."""
        return not self.withdrawn and any(each.still_open for each in self.addressees)

    def overdue(self, now: datetime) -> bool:
        """Return whether an answer is missing after the deadline."""
        return self.still_open and self.due is not None and self.due < now


def of_request(
    request: ThreadMessage, thread: Iterable[ThreadMessage], holders: Iterable[str] | None = None
) -> RequestStatus | None:
    """Return the status of a message at its addressees; None if its kind expects no answer.

    ``holders`` are additional addressees: the holders of a recalled message.
    """
    kind = _kind(request)
    if kind is None or not kind.answered_by:
        return None
    ordered = in_order(thread)
    known = amendments([*ordered, request])
    replies = [each for each in ordered if _answers(each, request, known)]
    answers = [each for each in replies if each.header.kind in kind.answered_by]
    addressees = dict.fromkeys([recipient.member for recipient in request.header.recipients])
    addressees.update(dict.fromkeys(holders or ()))
    addressees.pop(request.author, None)
    return RequestStatus(
        digest=request.digest,
        kind=kind.name,
        author=request.author,
        asked=request.time,
        due=deadlines.answer_due(request.header, kind, request.content, request.time),
        withdrawn=is_recalled(request, known),
        addressees=tuple(
            AddresseeStatus(
                member=member,
                questions=_questions(request, [each for each in answers if each.author == member]),
                acknowledged=_acknowledged(replies, member),
            )
            for member in addressees
        ),
    )


def requests(thread: Iterable[ThreadMessage]) -> list[RequestStatus]:
    """Return the status of every message of a thread that expects an answer, in order."""
    ordered = in_order(thread)
    found = (of_request(each, ordered) for each in ordered)
    return [each for each in found if each is not None]


def overtaken(request: ThreadMessage, thread: Iterable[ThreadMessage], member: str) -> frozenset[bytes]:
    """Return the digests of a member's interim answers of which nothing counts any more: later ones said it all."""
    answers = [each for each in thread if each.author == member]
    status = of_request(request, answers, [member])
    if status is None:
        return frozenset()
    questions = next(each.questions for each in status.addressees if each.member == member)
    counting = {each.number: each.answer for each in questions}
    found = set()
    for each in answers:
        said = dict(_numbered(each, counting))
        if said and all(
            state is AnswerState.INTERIM and counting[number] not in {b"", each.digest}
            for number, state in said.items()
        ):
            found.add(each.digest)
    return frozenset(found)


def _numbered(answer: ThreadMessage, numbers: Mapping[int, object]) -> Iterator[tuple[int, AnswerState]]:
    texts = dict.fromkeys(numbers, "")
    return ((number, state) for number, state, _expected in _answers_by_question(answer, texts))


def _kind(message: ThreadMessage) -> Kind | None:
    try:
        return kinds.get(message.header.kind, message.header.kind_version)
    except Rejected:  # of a newer version than ours
        return None


def _answers(message: ThreadMessage, request: ThreadMessage, known: Mapping[bytes, Amendments]) -> bool:
    return (
        request.digest in message.header.parent_digests
        and not is_recalled(message, known)
        and not known.get(message.digest, UNAMENDED).replaced_by
    )


def _acknowledged(replies: Iterable[ThreadMessage], member: str) -> bytes:
    return next((each.digest for each in replies if each.author == member and each.header.kind == ACKNOWLEDGEMENT), b"")


def _questions(request: ThreadMessage, answers: list[ThreadMessage]) -> tuple[QuestionStatus, ...]:
    content: Any = request.content
    texts = {each.number: each.text for each in getattr(content, "questions", ())} or {0: ""}
    without_answer = {
        number: QuestionStatus(number, AnswerState.NO_ANSWER, request.time, text=text) for number, text in texts.items()
    }
    latest = dict(without_answer)
    for answer in answers:
        for number, state, expected in _answers_by_question(answer, texts):
            if state is AnswerState.UNREAD and latest[number].state is not AnswerState.NO_ANSWER:
                continue
            latest[number] = QuestionStatus(number, state, answer.time, answer.digest, texts[number], expected)
    return tuple(latest.values())


def _answers_by_question(
    answer: ThreadMessage, texts: Mapping[int, str]
) -> Iterator[tuple[int, AnswerState, datetime | None]]:
    """Yield the states in an answer, by question number; numbers that the request does not have are ignored."""
    by_number: Any = getattr(answer.content, "answers", None)
    if answer.header.kind == ACKNOWLEDGEMENT:  # its presence is the answer
        yield from ((number, AnswerState.ANSWERED, None) for number in texts)
    elif answer.content is None:
        yield from ((number, AnswerState.UNREAD, None) for number in texts)
    elif by_number is None or 0 in texts:
        # The request was not opened, or has no questions: the answer applies to the whole.
        yield from ((number, _whole_answer(answer), None) for number in texts)
    else:
        for each in by_number:
            if each.question_number in texts:
                expected = to_datetime(each.expected_time) if each.HasField("expected_time") else None
                yield each.question_number, _STATES.get(each.status, AnswerState.ANSWERED), expected


def _whole_answer(answer: ThreadMessage) -> AnswerState:
    kind, content = _kind(answer), answer.content
    states = {_STATES.get(each.status) for each in getattr(content, "answers", ())}
    if states & STILL_OPEN or (kind is not None and kind.leaves_open(content)):
        return AnswerState.INTERIM
    return AnswerState.ANSWERED
