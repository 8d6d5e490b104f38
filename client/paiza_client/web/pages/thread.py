"""One thread: its requests question by question, with silence shown, and its messages, the oldest first."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza.content.v1 import information_pb2
from paiza_client.sdk import threads
from paiza_client.web.language import N_, _
from paiza_client.web.page import redirect, render, route, session_of
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
    known = await threads.open_messages(session, found, threads.is_of_requests if opened else threads.nothing)
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
        standings=[(each, _questions(each), each.overdue(datetime.now(UTC))) for each in standings],
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


def _questions(status: RequestStatus) -> list[tuple[int, str, list[tuple[str, object, bool]]]]:
    """Return the questions in order: number, text, and the status of each addressee with whether it acknowledged."""
    by_number: dict[int, tuple[str, list[tuple[str, object, bool]]]] = {}
    for addressee in status.addressees:
        for each in addressee.questions:
            _text, answers = by_number.setdefault(each.number, (each.text, []))
            answers.append((addressee.member, each, bool(addressee.acknowledged)))
    return [(number, text, answers) for number, (text, answers) in sorted(by_number.items())]


ROUTES: Final = (route("/thread/{thread}", thread), route("/thread/{thread}/print", thread))
