"""Audit: whether every log is whole, who sent what to whom and whether it came, and whether an evidence file holds."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from paiza_client.evidence import evidence
from paiza_client.evidence.evidence import Evidence
from paiza_client.reconciliation import matrix as told
from paiza_client.sdk import Session, messages, trails
from paiza_client.sdk.audit_query import Matrix
from paiza_client.sdk.model import OnProgress
from paiza_client.verify.model import LogState
from paiza_client.web.language import _
from paiza_client.web.page import console_of, form_of, redirect, render, route, session_of, text_of
from paiza_client.web.pages.messages import day_of
from paiza_officer.errors import Misused, Refused
from paiza_officer.register_cache import bootstrap_root

OVERDUE_MINUTES: Final = (15, 60, 240, 1440)
MAX_EVIDENCE: Final = 64 * 1024 * 1024
_OVERSEERS: Final = frozenset({"coordinator", "auditor"})


async def audit(request: Request) -> Response:
    """Show the logs."""
    return await _page(request)


async def count(request: Request) -> Response:
    """Ask every member for its counts."""
    session = session_of(request)
    since, until = day_of(text_of(request, "since")), day_of(text_of(request, "until"))
    minutes = text_of(request, "overdue")
    overdue = int(minutes) if minutes.isdecimal() and int(minutes) in OVERDUE_MINUTES else 60

    async def work(_on_progress: OnProgress) -> Any:
        end = None if until is None else until + timedelta(days=1)
        return await session.audit_query.matrix(since, end, overdue * 60), text_of(request, "since"), overdue

    job = console_of(request).jobs.start(_("Who sent what to whom"), "/audit", work, result)
    return redirect(f"/jobs/{job.id}")


async def result(request: Request, found: Any) -> Response:
    """Show the matrix."""
    return await _page(request, *found)


async def verify(request: Request) -> Response:
    """Verify an evidence file; it needs neither the node nor the network."""
    console = console_of(request)
    session_of(request)
    file = form_of(request).get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Misused("usage", _("evidence file"), _("choose a file"))
    data = await file.read(MAX_EVIDENCE + 1)
    if len(data) > MAX_EVIDENCE:
        raise Refused("too_large", file.filename)
    proven = await asyncio.to_thread(_verify, data, console.opened.new_folder(), console.profile.root)
    return await render(
        request,
        "evidence.html",
        title=_("Evidence"),
        place="audit",
        evidence=proven,
        header=proven.message.header,
        file_name=file.filename,
    )


def _verify(data: bytes, folder: Path, root: Path) -> Evidence:
    try:
        path = folder / "evidence"
        path.write_bytes(data)
        return evidence.verify_path(path, bootstrap_root(root))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def trail(request: Request) -> Response:
    """Show what all logs say of one message."""
    session = session_of(request)
    message = await messages.find(session, request.path_params["id"])
    found = await trails.find(session, message.id)
    return await render(request, "trail.html", title=_("Trail"), place="audit", message=message, trail=found)


async def make(request: Request) -> Response:
    """Return the evidence file of a message, to be saved."""
    session = session_of(request)
    message = await messages.find(session, request.path_params["id"])
    made = await session.evidence_files.make(message.digest)
    name = f"{message.thread_name}-{message.id[:16]}.evidence"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made.data, media_type="application/octet-stream", headers=headers)


async def _page(request: Request, found: Matrix | None = None, since: str = "", overdue: int = 60) -> Response:
    session = session_of(request)
    states = await session.log_status()
    may_ask = bool(_OVERSEERS & set((await session.whoami()).roles))
    return await render(
        request,
        "audit.html",
        title=_("Audit"),
        place="audit",
        states=states,
        verdict=_verdict(states),
        now=datetime.now(UTC),
        may_ask=may_ask,
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
    route("/audit/verify", verify, post=True, files=True),
    route("/audit/trail/{id}", trail),
    route("/audit/evidence/{id}", make, post=True),
)
