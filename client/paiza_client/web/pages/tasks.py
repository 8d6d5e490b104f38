"""What I must do, by when; the notes that one shift leaves to the next; who acts for whom."""

from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk import Session
from paiza_client.sdk.deputies import Deputy
from paiza_client.sdk.tasks import Scope, TaskItem
from paiza_client.web.language import N_, _
from paiza_client.web.page import render, route, session_of
from paiza_client.web.roles import may_write
from paiza_officer.errors import Refused

SOON: Final = timedelta(hours=12)


async def tasks(request: Request) -> Response:
    """List tasks, with the notes of the shift beside them."""
    session = session_of(request)
    scope: Scope = "mine" if request.query_params.get("scope") == "mine" else "unit"
    found = await _listed(session, scope) if await may_write(session) else None
    notes = await session.tasks.notes()
    deputies = await _deputies(session)
    return await render(
        request,
        "tasks.html",
        title=_("My tasks"),
        place="tasks",
        groups=_groups(found or [], datetime.now(UTC)),
        all=found or [],
        has_tasks=found is not None,
        scope=scope,
        shift_notes=notes[::-1],
        deputies=deputies,
        own=str(session.profile.id),
    )


async def _listed(session: Session, scope: Scope) -> list[TaskItem] | None:
    """Return the tasks; None for a role that has none."""
    try:
        return await session.tasks.list_tasks(scope, subjects=True)
    except Refused as error:
        if error.reason != "policy_denied":
            raise
        return None


async def _deputies(session: Session) -> list[Deputy]:
    """Return the appointments of this officer and for this officer."""
    own = str(session.profile.id)
    return [each for each in await session.deputies.listed() if own in {each.officer, each.deputy}]


def _due(item: TaskItem) -> datetime | None:
    return item.task.due_time or item.task.acknowledge_time


def _groups(found: list[TaskItem], now: datetime) -> list[tuple[str, bool, list[TaskItem]]]:
    """Return tasks by when they are due, each group with its heading and whether it is late; none is empty."""
    late = [each for each in found if each.task.overdue]
    soon = [each for each in found if not each.task.overdue and (time := _due(each)) is not None and time <= now + SOON]
    later = [each for each in found if each not in late and each not in soon]
    groups = [(N_("Overdue"), True, late), (N_("Within 12 hours"), False, soon), (N_("Later"), False, later)]
    return [(_(heading), is_late, sorted(items, key=_order)) for heading, is_late, items in groups if items]


def _order(item: TaskItem) -> datetime:
    return _due(item) or datetime.max.replace(tzinfo=UTC)


ROUTES: Final = (route("/tasks", tasks),)
