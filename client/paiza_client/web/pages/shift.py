"""The shift: the notes that it leaves to the next, its hand-over, and who acts for whom until when."""

import re
from datetime import datetime, time, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk import Session
from paiza_client.sdk.approvals import Colleague
from paiza_client.sdk.deputies import Deputy
from paiza_client.web.language import _
from paiza_client.web.page import local_path, note, redirect, render, route, session_of, text_of
from paiza_client.web.pages.messages import day_of
from paiza_officer.errors import misused

_HEAD: Final = "authoriser"
"""The role that appoints deputies for the officers of its unit."""
_TIME: Final = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)\Z")


async def shift(request: Request) -> Response:
    """Show the notes and all deputies of the member."""
    session = session_of(request)
    who = await session.whoami()
    own = str(session.profile.id)
    colleagues, deputies = await colleagues_of(session), await session.deputies.listed()
    headed = who.unit if _HEAD in who.roles else None
    return await render(
        request,
        "shift.html",
        title=_("Shift and deputies"),
        place="tasks",
        shift_notes=(await session.tasks.notes())[::-1],
        deputies=deputies,
        colleagues=colleagues,
        represented=[each for each in colleagues if each.unit == headed],
        own=own,
        may_end=may_end(deputies, colleagues, own, headed),
    )


async def add_note(request: Request) -> Response:
    """Leave a note for the shift, or hand the shift over."""
    session, text = session_of(request), text_of(request, "text")
    if text_of(request, "act") == "hand_over":
        await session.tasks.hand_over(text)
        note(request, _("The shift was handed over."))
    else:
        await session.tasks.note(text)
        note(request, _("The note was left."))
    return redirect(local_path(text_of(request, "back")))


async def appoint(request: Request) -> Response:
    """Appoint a deputy until the end of a day, or until a time of it."""
    session = session_of(request)
    until = end_of(text_of(request, "until"), text_of(request, "until_time"))
    deputy = text_of(request, "deputy")
    await session.deputies.appoint(deputy, until, officer=text_of(request, "officer"))
    note(request, _("The deputy was appointed."))
    return redirect(local_path(text_of(request, "back")))


async def end_deputy(request: Request) -> Response:
    """End the appointment of a deputy."""
    await session_of(request).deputies.end(text_of(request, "officer"))
    note(request, _("The appointment was ended."))
    return redirect(local_path(text_of(request, "back")))


def end_of(day: str, at: str) -> datetime:
    """Return the end of a day here, or a time of it such as ``18:00``; Misused for what is neither."""
    found = day_of(day)
    if found is None:
        raise misused(_("Until"), _("Name the last day."))
    if not at:
        return found + timedelta(days=1)
    written = _TIME.match(at)
    if written is None:
        raise misused(at, _("Write the time as 18:00."))
    return datetime.combine(found.date(), time(int(written[1]), int(written[2]))).astimezone()


def may_end(deputies: list[Deputy], colleagues: list[Colleague], own: str, headed: str | None) -> frozenset[str]:
    """Return the officers whose appointments this officer may end: their own, and those of the unit that they head."""
    units = {each.id: each.unit for each in colleagues}
    return frozenset(
        each.officer
        for each in deputies
        if own in {each.officer, each.deputy} or (headed is not None and units.get(each.officer) == headed)
    )


async def colleagues_of(session: Session) -> list[Colleague]:
    """Return the other officers of the member."""
    own = str(session.profile.id)
    return [each for each in await session.approvals.officers() if each.id != own]


ROUTES: Final = (
    route("/tasks/shift", shift),
    route("/tasks/notes", add_note, post=True),
    route("/tasks/deputy", appoint, post=True),
    route("/tasks/deputy/end", end_deputy, post=True),
)
