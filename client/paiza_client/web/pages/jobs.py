"""The page of a piece of long work: how far it is, how long it takes, and that one may leave it."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.web import refusals
from paiza_client.web.language import _
from paiza_client.web.page import console_of, note, problem, redirect, render, route, session_of


async def listing(request: Request) -> Response:
    """List what is under way, and what came of the last ones."""
    session_of(request)
    return await render(request, "jobs.html", title=_("Long work"), jobs=console_of(request).jobs.listed)


async def job(request: Request) -> Response:
    """Show how far a job is, or what came of it."""
    session_of(request)
    found = console_of(request).jobs.find(request.path_params["id"])
    if found is None:
        return refusals.answer(request, 404, "not_found")
    if found.error is not None:
        return await render(request, "error.html", title=found.title, status=400, error=problem(found.error))
    if not found.done:
        return await render(request, "job.html", title=found.title, job=found)
    if found.cancelled:
        note(request, _("It was cancelled."))
        return redirect(found.back)
    return await found.show(request, found.result)


async def cancel(request: Request) -> Response:
    """Cancel a job."""
    session_of(request)
    found = console_of(request).jobs.find(request.path_params["id"])
    if found is not None and found.task is not None and not found.done:
        found.task.cancel()
        note(request, _("It was cancelled."))
    return redirect("/tasks" if found is None else found.back)


ROUTES: Final = (route("/jobs", listing), route("/jobs/{id}", job), route("/jobs/{id}/cancel", cancel, post=True))
