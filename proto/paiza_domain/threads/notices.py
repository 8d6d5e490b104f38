"""The texts of notices to officers, in either language."""

from datetime import datetime
from typing import Final

from paiza_domain.i18n import N_, translate
from paiza_domain.schema.reading import code_text

DEADLINE_CODES: Final = "cd_deadline"  # code list of deadlines
OVERLAP: Final = "overlap"  # code of a notice: another operation is concerned

SHORT_ID: Final = 18  # hex digits of an id that find a message
MAX_QUOTED: Final = 300  # characters of an officer's text that are quoted

_APPROVALS: Final = {
    "approval_asked": N_("{kind} {id} waits for your signature ({said}): paiza approve {id}"),
    "approval_given": N_("{kind} {id} was signed by a second officer."),
    "approval_declined": N_("{kind} {id} was declined by a second officer: {said}"),
    "approval_withdrawn": N_("{kind} {id} was taken back."),
    "approval_expired": N_("{kind} {id} was given up: no second officer decided in time."),
}
_TASKS: Final = {
    "task_assigned": N_("{kind} {id} was given to you."),
    "task_escalated": N_("{kind} {id} was not acknowledged in time and was passed on: act now."),
    "review_due": N_("The review date of {kind} {id} has come: paiza review {id} --keep-until DATE, or --erase."),
    "search_match": N_("{kind} {id} matches one of your saved searches."),
    "task_overdue": N_("{kind} {id} should have been answered by now: act now."),
}
_DUE: Final = N_("{thread}: {what} ({member}) is due by {time}.")
_OVERDUE: Final = N_("{thread}: {what} ({member}) was due by {time} and is overdue.")
_OVERLAP: Final = N_("{thread} overlaps with another operation under way: {others}.")


def due_text(thread: str, code: str, member: str, due_time: datetime, *, overdue: bool, lang: str) -> str:
    """Return the text of a deadline: thread, subject, member, and whether it is overdue."""
    return translate(_OVERDUE if overdue else _DUE, lang).format(
        thread=thread, what=code_text(DEADLINE_CODES, code, lang), member=member, time=f"{due_time:%Y-%m-%d %H:%M} UTC"
    )


def approval_text(code: str, kind: str, short_id: str, said: str, lang: str) -> str:
    """Return the text about a message that needs a second officer."""
    return translate(_APPROVALS[code], lang).format(kind=kind, id=short_id, said=said[:MAX_QUOTED])


def work_text(code: str, kind: str, short_id: str, lang: str) -> str:
    """Return the text about a task."""
    return translate(_TASKS[code], lang).format(kind=kind, id=short_id)


def overlap_text(thread: str, others: list[str], lang: str) -> str:
    """Return the text that an operation overlaps with others, by their threads' short names."""
    return translate(_OVERLAP, lang).format(thread=thread, others=", ".join(others))
