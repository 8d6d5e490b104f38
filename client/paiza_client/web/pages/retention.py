"""Review dates, legal holds and erasures: what is to be decided, what was, and who has not answered."""

from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk import Session, messages
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.retention import Hold
from paiza_client.web import refusals, subjects
from paiza_client.web.language import N_, _
from paiza_client.web.page import console_of, note, offered, problem, redirect, render, route, session_of, text_of
from paiza_client.web.pages.messages import day_of
from paiza_domain.threads import thread
from paiza_officer.errors import Refused, misused
from paiza_wire.errors import PaizaError

AHEAD: Final = (0, 30, 90, 365)  # days
STATES: Final = {
    "asked": N_("no answer yet"),
    "erased": N_("erased"),
    "held": N_("under legal hold"),
    "not_held": N_("never held it"),
    "unknown": N_("unknown"),
}
_HOLDERS: Final = frozenset({"duty", "authoriser", "coordinator"})
"""Roles that place and lift legal holds."""


async def reviews(request: Request) -> Response:
    """List the messages whose review date has come, or comes soon."""
    session, days = session_of(request), offered(request.query_params.get("days", ""), AHEAD, 0)
    return await render(
        request,
        "retention_reviews.html",
        title=_("Retention"),
        place="retention",
        reviews=await session.retention.reviews(days),
        days=days,
        ahead=AHEAD,
    )


async def holds(request: Request) -> Response:
    """List what is under legal hold."""
    found = await session_of(request).retention.holds()
    return await render(request, "retention_holds.html", title=_("Retention"), place="retention", holds=found)


async def erasures(request: Request) -> Response:
    """List how erasures stand, by holder."""
    overdue = request.query_params.get("overdue") == "1"
    found = await session_of(request).retention.erasures(overdue_only=overdue)
    found.sort(key=lambda each: (each.state != "asked", each.due_time))
    return await render(
        request,
        "retention_erasures.html",
        title=_("Retention"),
        place="retention",
        erasures=found,
        overdue=overdue,
        states={name: _(text) for name, text in STATES.items()},
    )


async def one(request: Request) -> Response:
    """Show what can be decided about one message."""
    return await _page(request, await _message(request))


async def decide(request: Request) -> Response:
    """Keep a message until a day, erase the own copy, place or lift a legal hold."""
    session, message = session_of(request), await _message(request)
    act, reason = text_of(request, "act"), text_of(request, "reason")
    try:
        if not reason:
            raise misused(_("Why"), _("Say why: it stands beside the log."))
        match act:
            case "keep":
                await session.retention.keep(message.digest, reason, _future(text_of(request, "until")))
                told = _("The message is kept.")
            case "erase":
                await session.retention.erase_own_copy(message.digest, reason)
                told = _("Our copy was erased.")
            case "hold":
                await session.retention.place_hold(message.digest, reason)
                told = _("The message is under legal hold.")
            case "lift":
                await session.retention.release_hold(message.digest, reason)
                told = _("The legal hold was lifted.")
            case _:
                return refusals.answer(request, 404, "not_found")
    except PaizaError as error:
        return await _page(request, message, error)
    console_of(request).changes += 1
    note(request, told)
    return redirect(f"/retention/message/{message.id}")


def _future(text: str) -> datetime:
    day = day_of(text)
    if day is None:
        raise misused(_("Keep it until"), _("Name the day."))
    if day <= datetime.now(UTC):
        raise misused(_("Keep it until"), _("That day is past."))
    return day


async def _message(request: Request) -> MessageSummary:
    return await messages.find(session_of(request), request.path_params["id"])


async def _held(session: Session, message: MessageSummary) -> Hold | None:
    """Return the legal hold on a message; None where there is none, or the role does not see it."""
    try:
        found = await session.retention.holds()
    except Refused as error:
        if error.reason != "policy_denied":
            raise
        return None
    return next((each for each in found if each.digest == message.digest), None)


async def _page(request: Request, message: MessageSummary, error: PaizaError | None = None) -> Response:
    session, header = session_of(request), message.header
    (named,) = await subjects.named(console_of(request), [message])
    own = session.profile.member
    return await render(
        request,
        "retention_one.html",
        title=_("Retention"),
        place="retention",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        message=named,
        exercise=header.exercise,
        held=await _held(session, message),
        may_hold=bool(_HOLDERS & set((await session.whoami()).roles)),
        may_ask=not message.received and thread.erases(own, header.author, header.kind) and not message.erased,
    )


ROUTES: Final = (
    route("/retention", reviews),
    route("/retention/holds", holds),
    route("/retention/erasures", erasures),
    route("/retention/message/{id}", one),
    route("/retention/message/{id}", decide, post=True),
)
