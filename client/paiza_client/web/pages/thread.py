"""One thread: its requests question by question, with silence shown, and its messages, the oldest first."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza.content.v1 import information_pb2
from paiza.core.v1 import message_pb2
from paiza_client.sdk import threads, wording
from paiza_client.web.language import N_, _
from paiza_client.web.page import console_of, redirect, render, route, session_of
from paiza_domain import handling
from paiza_domain.threads.request_status import AnswerState, RequestStatus
from paiza_domain.threads.thread import ThreadMessage

STATES: Final = {
    AnswerState.NO_ANSWER: (N_("No answer"), "clock", "danger"),
    AnswerState.UNREAD: (N_("Answered, not opened"), "check", ""),
    AnswerState.INTERIM: (N_("Interim answer"), "clock", "warn"),
    AnswerState.FORWARDED: (N_("Passed on"), "clock", "warn"),
    AnswerState.PARTIAL: (N_("Partial answer"), "check", ""),
    AnswerState.FULL: (N_("Full answer"), "check", "ok"),
    AnswerState.NEGATIVE: (N_("Nothing found"), "check", ""),
    AnswerState.REFUSED: (N_("Declined"), "cross", ""),
    AnswerState.ANSWERED: (N_("Answered"), "check", "ok"),
}


async def thread(request: Request) -> Response:
    """Show a thread; nothing is opened unless the officer asks for the answers."""
    session = session_of(request)
    found = await threads.list_messages(
        session, await threads.find(session, request.path_params["thread"]), subjects=True
    )
    if any(threads.in_workflow(each.header) for each in found):
        return redirect(f"/deliveries/{found[0].thread_name}")
    opened = request.query_params.get("open") == "1"
    kept = console_of(request).opened  # what was opened before is not opened, and logged, once more

    here = {each.header.message_id for each in found if kept.known(each) is not None}

    def wanted(header: message_pb2.Header) -> bool:
        return threads.is_of_requests(header) and (opened or header.message_id in here)

    known = await threads.open_messages(session, found, wanted, open_part=partial(kept.open, session))
    standings = await threads.request_statuses(session, known)
    return await render(
        request,
        "thread.html",
        title=_("Thread {thread}").format(thread=found[0].thread_name),
        place="inbox",
        exercise=any(each.header.exercise for each in found),
        paper=handling.merge(each.header.handling for each in found),
        printing=request.url.path.endswith("/print"),
        messages=found,
        first=found[0],
        ids={each.digest: each.id for each in found},
        standings=[
            (each, _questions(each), each.overdue(datetime.now(UTC)), _why_due(each, known)) for each in standings
        ],
        states=STATES,
        words=_answers(known),
        opened=opened,
        may_open=any(threads.is_of_requests(each.header) for each in found),
    )


def _answers(opened: Sequence[ThreadMessage]) -> dict[tuple[bytes, int], str]:
    """Return the words of the answers that were opened, by the digest of the answer and the number of the question."""
    return {
        (message.digest, each.question_number): each.text
        for message in opened
        if isinstance(message.content, information_pb2.InformationAnswer)
        for each in message.content.answers
        if each.text
    }


def _why_due(status: RequestStatus, thread: Sequence[ThreadMessage]) -> str:
    """Return why a request is due when it is; empty where it has no deadline."""
    request = next(each for each in thread if each.digest == status.digest)
    if status.due is None:
        return ""
    return wording.why_due(request.header, status.due, status.asked, is_known=request.content is not None)


def _questions(status: RequestStatus) -> list[tuple[int, str, list[tuple[str, object, bool]]]]:
    """Return the questions in order: number, text, and the status of each addressee with whether it acknowledged."""
    by_number: dict[int, tuple[str, list[tuple[str, object, bool]]]] = {}
    for addressee in status.addressees:
        for each in addressee.questions:
            _text, answers = by_number.setdefault(each.number, (each.text, []))
            answers.append((addressee.member, each, bool(addressee.acknowledged)))
    return [(number, text, answers) for number, (text, answers) in sorted(by_number.items())]


ROUTES: Final = (route("/thread/{thread}", thread), route("/thread/{thread}/print", thread))
