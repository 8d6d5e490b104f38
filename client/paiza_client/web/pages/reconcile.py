"""Reconcile two members: their logs compared entry by entry, each difference with its proof and who has to do what.

The result stays with the long work of this process, so that it can be packed into a file and the period be closed.
"""

import asyncio
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from paiza_client.evidence import container
from paiza_client.reconciliation import file as comparison_file
from paiza_client.reconciliation.compare import Difference
from paiza_client.sdk import comparison_words, comparisons
from paiza_client.sdk.audit_query import Closed
from paiza_client.sdk.comparison_words import Duty
from paiza_client.sdk.comparisons import Reconciliation
from paiza_client.sdk.model import OnProgress
from paiza_client.web import refusals, texts, writing
from paiza_client.web.language import _
from paiza_client.web.page import (
    console_of,
    form_of,
    note,
    offered,
    problem,
    redirect,
    render,
    route,
    session_of,
    text_of,
)
from paiza_client.web.pages.messages import day_of
from paiza_officer.errors import Misused, Refused
from paiza_officer.register_cache import bootstrap_root
from paiza_wire.errors import PaizaError

OVERDUE_MINUTES: Final = (15, 60, 240, 1440)
USUAL_MINUTES: Final = 60
MAX_FILE: Final = 128 * 1024 * 1024  # bytes of a comparison, as it is packed
_FIELDS: Final = ("one", "other", "since", "until", "overdue", "keep")


@dataclass
class Compared:
    """A comparison that was made or read from a file; ``closed`` once the period was closed."""

    found: Reconciliation
    closed: Closed | None = None
    from_file: str = ""
    job: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One difference in words."""

    difference: Difference
    kind: str
    remark: str
    duty: Duty


async def page(request: Request) -> Response:
    """Show the form."""
    return await _form(request, {name: request.query_params.get(name, "") for name in _FIELDS})


async def compare(request: Request) -> Response:
    """Start the comparison."""
    session, wanted = session_of(request), {name: text_of(request, name) for name in _FIELDS}
    allowed = timedelta(minutes=offered(wanted["overdue"], OVERDUE_MINUTES, USUAL_MINUTES))
    try:
        until = day_of(wanted["until"])
        until = None if until is None else min(until + timedelta(days=1), datetime.now(UTC))
        plan = comparisons.plan(
            wanted["one"], wanted["other"], since=day_of(wanted["since"]), until=until, allowed=allowed
        )
    except PaizaError as error:
        return await _form(request, wanted, error)

    async def work(on_progress: OnProgress) -> Compared:
        found = await comparisons.compare(
            session, plan, keep_answers=bool(wanted["keep"]), on_entries=lambda count: on_progress(count, 0)
        )
        return Compared(found)

    job = console_of(request).jobs.start(_("Reconciliation"), "/audit/reconcile", work, shown)
    return redirect(f"/jobs/{job.id}")


async def shown(request: Request, compared: Compared) -> Response:
    """Show what agrees, what differs, and who has to do what."""
    if not compared.from_file:
        compared.job = request.path_params["id"]
    found = compared.found
    return await render(
        request,
        "reconciled.html",
        title=_("Reconciliation"),
        place="audit",
        compared=compared,
        found=found,
        comparison=found.comparison,
        result=found.result,
        rows=[_row(each) for each in found.result.differences],
    )


async def close(request: Request) -> Response:
    """Close the period: both logs get an entry over what they agree on."""
    compared = _compared(request)
    if compared is None:
        return refusals.answer(request, 404, "not_found")
    compared.closed = await comparisons.close(session_of(request), compared.found)
    note(request, _("The period is closed: both logs say so."))
    return redirect(f"/jobs/{request.path_params['id']}")


async def pack(request: Request) -> Response:
    """Return a file from which anybody compares again, to be saved."""
    compared = _compared(request)
    if compared is None:
        return refusals.answer(request, 404, "not_found")
    data = await comparisons.pack(session_of(request), compared.found)
    plan = compared.found.comparison
    name = f"{plan.one}-{plan.other}-{plan.since:%Y%m%d}-{plan.until:%Y%m%d}.comparison"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


async def check(request: Request) -> Response:
    """Compare again from a file; it needs neither the node nor the network."""
    console, file = console_of(request), form_of(request).get("file")
    session_of(request)
    if not isinstance(file, UploadFile) or not file.filename:
        raise Misused("usage", _("Comparison"), _("choose a file"))
    data = await file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Refused("too_large", file.filename)
    found = await asyncio.to_thread(_check, data, console.opened.new_folder(), console.profile.root)
    return await shown(request, Compared(found, from_file=file.filename))


def _check(data: bytes, folder: Path, root: Path) -> Reconciliation:
    try:
        path = folder / "comparison"
        path.write_bytes(data)
        return Reconciliation(*comparison_file.check(container.read_file(path), bootstrap_root(root)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compared(request: Request) -> Compared | None:
    """Return the comparison of a finished job; None where this process does not have it."""
    session_of(request)
    job = console_of(request).jobs.find(request.path_params["id"])
    result: Any = None if job is None else job.result
    return result if isinstance(result, Compared) else None


def _row(each: Difference) -> Row:
    remark = comparison_words.remark(each, texts.member_name(each.sender), texts.member_name(each.recipient))
    return Row(each, comparison_words.kind(each), remark, comparison_words.duty(each))


async def _form(request: Request, wanted: dict[str, str], error: PaizaError | None = None) -> Response:
    session = session_of(request)
    return await render(
        request,
        "reconcile.html",
        title=_("Reconciliation"),
        place="audit",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        wanted=wanted,
        own=session.profile.member,
        members=writing.members(session),
        choices=OVERDUE_MINUTES,
        usual=str(USUAL_MINUTES),
        may_compare="coordinator" in (await session.whoami()).roles,
    )


ROUTES: Final = (
    route("/audit/reconcile", page),
    route("/audit/reconcile", compare, post=True),
    route("/audit/reconcile/check", check, post=True, files=True),
    route("/audit/reconcile/{id}/close", close, post=True),
    route("/audit/reconcile/{id}/file", pack, post=True),
)
