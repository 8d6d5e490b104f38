"""A thread as it stands: what was recalled and corrected, who has answered which question, and who is silent.

Headers say who answered and who did not; what the answers say by question is known only of what is opened, and every
opening is logged. So nothing is opened unless the officer asks for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from paiza.core.v1 import message_pb2
from paiza_client.cli import display
from paiza_client.cli.terminal import Terminal
from paiza_client.errors import Refused
from paiza_client.language import N_, _
from paiza_client.sdk import find_messages
from paiza_client.sdk.model import MessageSummary
from paiza_domain.threads import request_status, thread
from paiza_domain.threads.request_status import AnswerState, RequestStatus
from paiza_domain.threads.thread import ThreadMessage
from paiza_wire.errors import PaizaError
from paiza_wire.message import parse_strictly

if TYPE_CHECKING:
    from paiza_client.sdk import Session

MAX_LISTED: Final = 10_000  # messages of one thread
PAGE: Final = 500  # the most the node gives at once

_STATES: Final = {
    AnswerState.NO_ANSWER: N_("no answer"),
    AnswerState.UNREAD: N_("answered, not opened"),
    AnswerState.INTERIM: N_("interim answer"),
    AnswerState.FORWARDED: N_("forwarded"),
    AnswerState.PARTIAL: N_("partial answer"),
    AnswerState.FULL: N_("full answer"),
    AnswerState.NEGATIVE: N_("nothing found"),
    AnswerState.REFUSED: N_("refused"),
    AnswerState.ANSWERED: N_("answered"),
}

Wanted = Callable[[message_pb2.Header], bool]


def nothing(_header: message_pb2.Header) -> bool:
    """Open nothing."""
    return False


async def find(session: "Session", text: str) -> bytes:
    """Find the thread an officer means, by its short name or any message of it."""
    found = await find_messages.matching(session, text)
    threads = {each.header.thread_id for each in found}
    if len(threads) > 1:
        await find_messages.one(session, text)
    return threads.pop()


async def listed(session: "Session", thread_id: bytes, *, subjects: bool = False) -> list[MessageSummary]:
    """Return the messages of a thread, oldest first; with their subjects where the list shows them."""
    found: list[MessageSummary] = []
    token = ""
    while len(found) < MAX_LISTED:
        page = await session.list_messages(
            box="both", thread_id=thread_id, page_size=PAGE, page_token=token, subjects=subjects
        )
        found += page.messages
        token = page.next_token
        if not token:
            break
    return found[::-1]


async def opened(
    session: "Session", found: Sequence[MessageSummary], wanted: Wanted = nothing, reason: str = ""
) -> list[ThreadMessage]:
    """Return a thread for folding, with the contents that are wanted and may be opened.

    The time of what was opened is that of its release by its author's log, otherwise that of its storing here.
    """
    return [await _opened(session, each, reason) if wanted(each.header) else _closed(each) for each in found]


def _closed(message: MessageSummary) -> ThreadMessage:
    return ThreadMessage(message.digest, message.header, message.stored_time, None, bool(message.recalled_by))


async def _opened(session: "Session", message: MessageSummary, reason: str) -> ThreadMessage:
    try:
        part = await session.open_part(message.digest, 0, reason)
        content = parse_strictly(display.kind_of(message.header).content, part.plaintext, "the content")
    except (Refused, PaizaError):  # recalled, erased, of an unknown kind, or not for this officer: it stays closed
        return _closed(message)
    released = min((proof.time for proof in part.released), default=message.stored_time)
    return replace(_closed(message), time=released, content=content)


def is_of_requests(header: message_pb2.Header) -> bool:
    """Return whether a message asks or answers, outside a workflow."""
    from paiza_domain import kinds  # noqa: PLC0415 - listing alone needs no kinds

    if in_workflow(header):
        return False
    known = kinds.all_kinds()
    answering = {name for kind in known.values() for name in kind.answered_by}
    kind = known.get(header.kind)
    return header.kind in answering or (kind is not None and bool(kind.answered_by))


def in_workflow(header: message_pb2.Header) -> bool:
    """Return whether a message is a step of a workflow."""
    from paiza_domain import kinds  # noqa: PLC0415 - listing alone needs no kinds

    kind = kinds.all_kinds().get(header.kind)
    return kind is not None and bool(kind.workflow)


async def standings(session: "Session", folded: Sequence[ThreadMessage]) -> list[RequestStatus]:
    """Return how every request of a thread stands; of our own recalls, with every holder of what they take back.

    Steps of a workflow are left out: who owes what there follows from the whole of it, not from the answer to one step.
    """
    found: list[RequestStatus] = []
    for message in folded:
        if in_workflow(message.header):
            continue
        holders: list[str] = []
        if message.header.kind == thread.RECALL and message.author == session.profile.member:
            for digest in thread.affected_digests(message.header):
                holders += [each.member for each in await session.forwarding.holders(digest)]
        status = request_status.of_request(message, folded, holders)
        if status is not None:
            found.append(status)
    return found


def tell(terminal: Terminal, found: Sequence[RequestStatus], now: datetime) -> None:
    """Print how requests stand: by question and addressee what was said, since when, and what is overdue."""
    for status in found:
        terminal.say()
        terminal.say(_headline(status, now), "bold red" if status.overdue(now) else "bold")
        rows = [
            (
                addressee.member,
                str(question.number or ""),
                question.text,
                _(_STATES[question.state]) + (" ✔" if addressee.acknowledged and not question.answer else ""),
                display.when(question.since),
                display.when(question.expected) if question.expected else "",
            )
            for addressee in status.addressees
            for question in addressee.questions
        ]
        columns = (_("Member"), _("No."), _("Question"), _("State"), _("Since"), _("Expected"))
        terminal.table(columns, rows)
        if status.without_answer and not status.withdrawn:
            text = (
                _("Not acknowledged by: {members}. Silence is no acknowledgement.")
                if status.kind == thread.RECALL
                else _("Silent: {members}. Silence is no consent.")
            )
            terminal.warn(text.format(members=", ".join(status.without_answer)))


def _headline(status: RequestStatus, now: datetime) -> str:
    from paiza_client.cli.terminal import lang  # noqa: PLC0415
    from paiza_domain import kinds  # noqa: PLC0415

    parts = [f"{kinds.all_kinds()[status.kind].titles[lang()]} {status.digest.hex()[: display.SHORT_ID]}"]
    parts.append(_("asked {time}").format(time=display.when(status.asked)))
    if status.withdrawn:
        parts.append(_("WITHDRAWN"))
    elif status.due is not None:
        parts.append(_("due {time}").format(time=display.when(status.due)))
        if status.overdue(now):
            parts.append(_("OVERDUE"))
    return ", ".join(parts)


def as_object(status: RequestStatus, now: datetime) -> dict[str, Any]:
    """Describe how a request stands."""
    return {
        "due": status.due,
        "overdue": status.overdue(now),
        "withdrawn": status.withdrawn,
        "without_answer": list(status.without_answer),
        "addressees": [
            {
                "member": addressee.member,
                "acknowledged": addressee.acknowledged,
                "questions": [
                    {
                        "number": question.number,
                        "state": question.state.value,
                        "since": question.since,
                        "answer": question.answer,
                        "expected": question.expected,
                    }
                    for question in addressee.questions
                ],
            }
            for addressee in status.addressees
        ],
    }


def now() -> datetime:
    """Return the time by which overdue is judged."""
    return datetime.now(UTC)
