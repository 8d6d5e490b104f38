"""What I must do, by when: overdue, before tomorrow, later; and what we wait for from others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk.tasks import Scope, TaskItem
from paiza_client.web import subjects
from paiza_client.web.language import N_, _
from paiza_client.web.page import console_of, render, route, session_of

SOON: Final = timedelta(hours=12)


async def tasks(request: Request) -> Response:
    """List tasks."""
    session = session_of(request)
    scope: Scope = "mine" if request.query_params.get("scope") == "mine" else "unit"
    found = [each for each in await session.tasks.list_tasks(scope) if each.task.state != "done"]
    listed = await subjects.named(console_of(request), [each.message for each in found])
    found = [replace(each, message=message) for each, message in zip(found, listed, strict=True)]
    groups = _groups(found, datetime.now(UTC))
    return await render(
        request, "tasks.html", title=_("My tasks"), place="tasks", groups=groups, all=found, scope=scope
    )


def due(item: TaskItem) -> datetime | None:
    """Return by when something is to be done; None without a time."""
    return item.task.due_time or item.task.acknowledge_time


def _groups(found: list[TaskItem], now: datetime) -> list[tuple[str, bool, list[TaskItem]]]:
    """Return tasks by when they are due, each group with its heading and whether it is late; none is empty."""
    late = [each for each in found if each.task.overdue]
    soon = [each for each in found if not each.task.overdue and (time := due(each)) is not None and time <= now + SOON]
    later = [each for each in found if each not in late and each not in soon]
    groups = [(N_("Overdue"), True, late), (N_("Within 12 hours"), False, soon), (N_("Later"), False, later)]
    return [(_(heading), is_late, items) for heading, is_late, items in groups if items]


ROUTES: Final = (route("/tasks", tasks),)
