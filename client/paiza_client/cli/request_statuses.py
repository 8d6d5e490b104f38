"""The status of a thread's requests, for reading and as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from paiza_client.cli import display
from paiza_client.cli.terminal import Terminal, lang
from paiza_client.language import N_, _
from paiza_client.sdk import wording
from paiza_domain import kinds
from paiza_domain.threads import thread
from paiza_domain.threads.request_status import AnswerState, RequestStatus
from paiza_domain.threads.thread import ThreadMessage

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
_RECALL_STATES: Final = {
    **_STATES,
    AnswerState.NO_ANSWER: N_("not acknowledged"),
    AnswerState.ANSWERED: N_("acknowledged"),
}


def tell(
    terminal: Terminal,
    found: Sequence[RequestStatus],
    messages: Sequence[ThreadMessage],
    ids: Mapping[bytes, str],
    now: datetime,
) -> None:
    """Print how requests stand: by question and addressee what was said, since when, and what is overdue and why.

    ``messages`` are those of the thread, ``ids`` the message ids, 32 hex digits, by the digest of the request.
    """
    by_digest = {each.digest: each for each in messages}
    for status in found:
        terminal.say()
        headline = _headline(status, by_digest[status.digest], ids[status.digest], now)
        terminal.say(headline, "bold red" if status.overdue(now) else "bold")
        states = _RECALL_STATES if status.kind == thread.RECALL else _STATES
        rows = [
            (
                addressee.member,
                str(question.number or ""),
                question.text,
                _(states[question.state]) + (" ✔" if addressee.acknowledged and not question.answer else ""),
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


def _headline(status: RequestStatus, request: ThreadMessage, message_id: str, now: datetime) -> str:
    parts = [f"{kinds.all_kinds()[status.kind].titles[lang()]} {message_id[: display.SHORT_ID]}"]
    parts.append(_("asked {time}").format(time=display.when(status.asked)))
    if status.withdrawn:
        parts.append(_("WITHDRAWN"))
    elif status.due is not None:
        why = wording.why_due(request.header, status.due, status.asked, is_known=request.content is not None)
        parts.append(_("due {time}").format(time=display.when(status.due)) + (f" ({why})" if why else ""))
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
