"""What I must do, by when; the notes that one shift leaves to the next; who acts for whom."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk import Session, draft_store, handed_in, wording
from paiza_client.sdk.approvals import WaitingSummary
from paiza_client.sdk.deputies import Deputy
from paiza_client.sdk.handed_in import HandedIn
from paiza_client.sdk.tasks import Scope, TaskItem
from paiza_client.web.language import N_, _, language
from paiza_client.web.page import problem, render, route, session_of
from paiza_client.web.roles import may_write
from paiza_officer.errors import Refused

SOON: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Todo:
    """One line of the list: a task of a message, a message that waits for my signature, or a draft that was handed in.

    ``why`` says why it is due at that time. Exactly one of the other three is set.
    """

    due: datetime | None = None
    is_late: bool = False
    why: str = ""
    task: TaskItem | None = None
    signature: WaitingSummary | None = None
    draft: HandedIn | None = None
    title: str = ""


async def tasks(request: Request) -> Response:
    """List tasks, with the notes of the shift beside them."""
    session = session_of(request)
    scope: Scope = "mine" if request.query_params.get("scope") == "mine" else "unit"
    writes = await may_write(session)
    listed = await _listed(session, scope) if writes else None
    found, error = list[Todo](), None
    if writes:
        found = [*await signatures(session), *(listed or ())]
        try:
            found += await asyncio.to_thread(drafts, session)
        except Refused as damaged:  # a file of theirs; the rest of the list is shown all the same
            error = damaged
    notes = await session.tasks.notes()
    deputies = await _deputies(session)
    return await render(
        request,
        "tasks.html",
        title=_("My tasks"),
        place="tasks",
        error=None if error is None else problem(error),
        groups=_groups(found, datetime.now(UTC)),
        all=found,
        has_tasks=listed is not None,
        scope=scope,
        shift_notes=notes[::-1],
        deputies=deputies,
        own=str(session.profile.id),
    )


async def signatures(session: Session) -> list[Todo]:
    """Return what waits for this officer's signature; each is dropped when its time is over."""
    own = str(session.profile.id)
    return [
        Todo(each.expires_time, signature=each) for each in await session.approvals.waiting() if own in each.missing
    ]


def drafts(session: Session) -> list[Todo]:
    """Return the drafts that another program handed in for this officer to complete and sign."""
    found = []
    for each in handed_in.unsent(session.profile):
        kind = draft_store.find(session.profile, each.draft).kind
        found.append(Todo(draft=each, title=kind.titles[language()] if kind else each.draft))
    return found


async def _listed(session: Session, scope: Scope) -> list[Todo] | None:
    """Return the tasks; None for a role that has none."""
    try:
        found = await session.tasks.list_tasks(scope, subjects=True)
    except Refused as error:
        if error.reason != "policy_denied":
            raise
        return None
    return [_of_task(each) for each in found]


def _of_task(item: TaskItem) -> Todo:
    task, message = item.task, item.message
    why = "" if task.due_time is None else wording.why_due(message.header, task.due_time, message.stored_time)
    return Todo(task.due_time or task.acknowledge_time, task.overdue, why, task=item)


async def _deputies(session: Session) -> list[Deputy]:
    """Return the appointments of this officer and for this officer."""
    own = str(session.profile.id)
    return [each for each in await session.deputies.listed() if own in {each.officer, each.deputy}]


def _groups(found: Sequence[Todo], now: datetime) -> list[tuple[str, bool, list[Todo]]]:
    """Return tasks by when they are due, each group with its heading and whether it is late; none is empty."""
    late = [each for each in found if each.is_late]
    soon = [each for each in found if not each.is_late and each.due is not None and each.due <= now + SOON]
    later = [each for each in found if not each.is_late and (each.due is None or each.due > now + SOON)]
    groups = [(N_("Overdue"), True, late), (N_("Within 12 hours"), False, soon), (N_("Later"), False, later)]
    return [(_(heading), is_late, sorted(items, key=_order)) for heading, is_late, items in groups if items]


def _order(item: Todo) -> datetime:
    return item.due or datetime.max.replace(tzinfo=UTC)


ROUTES: Final = (route("/tasks", tasks),)
