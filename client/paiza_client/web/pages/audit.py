"""Audit: whether every log is whole, who sent what to whom and whether it came, what the logs say of a message."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.reconciliation import matrix as told
from paiza_client.sdk import Session, messages, trails
from paiza_client.sdk.audit_query import Matrix
from paiza_client.sdk.model import OnProgress
from paiza_client.verify.model import LogState
from paiza_client.web.language import _
from paiza_client.web.page import console_of, offered, redirect, render, route, session_of, text_of
from paiza_client.web.pages.messages import day_of

OVERDUE_MINUTES: Final = (15, 60, 240, 1440)
_OVERSEERS: Final = frozenset({"coordinator", "auditor"})


async def audit(request: Request) -> Response:
    """Show the logs."""
    return await _page(request)


async def count(request: Request) -> Response:
    """Ask every member for its counts."""
    session = session_of(request)
    since, until = day_of(text_of(request, "since")), day_of(text_of(request, "until"))
    overdue = offered(text_of(request, "overdue"), OVERDUE_MINUTES, 60)

    async def work(_on_progress: OnProgress) -> Any:
        end = None if until is None else until + timedelta(days=1)
        return await session.audit_query.matrix(since, end, overdue * 60), text_of(request, "since"), overdue

    job = console_of(request).jobs.start(_("Who sent what to whom"), "/audit", work, result)
    return redirect(f"/jobs/{job.id}")


async def result(request: Request, found: Any) -> Response:
    """Show the matrix."""
    return await _page(request, *found)


async def trail(request: Request) -> Response:
    """Show what all logs say of one message."""
    session = session_of(request)
    message = await messages.find(session, request.path_params["id"])
    found = await trails.find(session, message.id)
    return await render(request, "trail.html", title=_("Trail"), place="audit", message=message, trail=found)


async def _page(request: Request, found: Matrix | None = None, since: str = "", overdue: int = 60) -> Response:
    session = session_of(request)
    states = await session.log_status()
    roles = set((await session.whoami()).roles)
    return await render(
        request,
        "audit.html",
        title=_("Audit"),
        place="audit",
        states=states,
        verdict=_verdict(states),
        now=datetime.now(UTC),
        may_ask=bool(_OVERSEERS & roles),
        may_compare="coordinator" in roles,
        choices=OVERDUE_MINUTES,
        overdue=overdue,
        since=since,
        matrix=None if found is None else _table(session, found),
        silent=() if found is None else found.silent,
    )


def _verdict(states: list[LogState]) -> tuple[str, bool]:
    """Return one sentence on the logs, and whether all is well."""
    accused = [each.member for each in states if each.misbehaviour]
    if accused:
        return _("Something speaks against the log of: {members}.").format(members=", ".join(accused)), False
    if states and states[0].own and states[0].witnessed_size is None:
        return _("No log contradicts another; our own is not witnessed by enough members yet."), False
    return _("No log contradicts another, and our own is witnessed."), True


def _table(session: Session, found: Matrix) -> tuple[list[str], dict[tuple[str, str], told.Cell]]:
    """Return the members and the cells by sender and recipient."""
    cells = {(each.sender, each.recipient): each for each in told.cells(found.replies)}
    members = sorted({*session.register().active_ids, *(name for pair in cells for name in pair)})
    return members, cells


ROUTES: Final = (
    route("/audit", audit),
    route("/audit/matrix", count, post=True),
    route("/audit/trail/{id}", trail),
)
