"""Inbox, Sent and All: one line a message that says what it is. All filters stand in the address; none is hidden."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk import messages
from paiza_client.sdk.model import Box
from paiza_client.web.language import N_, _, language
from paiza_client.web.page import render, route, session_of
from paiza_client.web.texts import member_name, short_date
from paiza_domain import kinds
from paiza_officer.errors import misused

PAGE: Final = 50
_BOXES: Final[dict[str, tuple[Box, str]]] = {
    "inbox": ("inbox", N_("Inbox")),
    "sent": ("sent", N_("Sent")),
    "all": ("both", N_("All messages")),
}


def day_of(text: str) -> datetime | None:
    """Return the beginning of a day here, from ``2026-11-28`` or ``28.11.2026``; None for an empty text.

    Misused for anything else: a filter that is not understood must not be left out in silence.
    """
    if not text.strip():
        return None
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        with suppress(ValueError):
            return datetime.strptime(text.strip(), form).astimezone()
    raise misused(text, _("Write the day as 28.11.2026 or 2026-11-28."))


def address(path: str, wanted: dict[str, str]) -> str:
    """Return an address with the filters that are set."""
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"{path}?{query}" if query else path


async def listing(request: Request) -> Response:
    """List messages, a page at a time."""
    place = request.url.path.strip("/")
    box, heading = _BOXES[place]
    session, given = session_of(request), request.query_params
    wanted = {name: given.get(name, "").strip() for name in ("kind", "from", "since", "until", "unread")}
    until = day_of(wanted["until"])
    page = await messages.first_page(
        session,
        PAGE,
        token=given.get("page", ""),
        box=box,
        unread_only=bool(wanted["unread"]),
        kind=wanted["kind"],
        author=wanted["from"],
        since=day_of(wanted["since"]),
        until=None if until is None else until + timedelta(days=1),
        subjects=True,
    )
    here = {**wanted, "page": given.get("page", "")}
    return await render(
        request,
        "messages.html",
        title=_(heading),
        place=place,
        messages=page.messages,
        received=box == "inbox",
        wanted=wanted,
        chosen=_chosen(request.url.path, wanted),
        kinds=sorted((each.titles[language()], name) for name, each in kinds.all_kinds().items()),
        members=sorted(session.register().members, key=member_name),
        tabs=[(name, _(label), address(f"/{name}", wanted)) for name, (_box, label) in _BOXES.items()],
        is_first=not given.get("page"),
        first=address(request.url.path, wanted),
        older=address(request.url.path, {**here, "page": page.next_token}) if page.has_more else "",
    )


def _chosen(path: str, wanted: dict[str, str]) -> list[tuple[str, str]]:
    """Return each filter in words, with the address without it."""
    told = []
    for name, text in wanted.items():
        if not text:
            continue
        match name:
            case "kind":
                known = kinds.all_kinds().get(text)
                words = text if known is None else known.titles[language()]
            case "from":
                words = _("from {member}").format(member=member_name(text))
            case "since":
                words = _("since {day}").format(day=_day_text(text))
            case "until":
                words = _("until {day}").format(day=_day_text(text))
            case other:
                assert other == "unread"
                words = _("only unread")
        told.append((words, address(path, {**wanted, name: ""})))
    return told


def _day_text(text: str) -> str:
    day = day_of(text)
    return text if day is None else short_date(day, 0)


ROUTES: Final = tuple(route(f"/{name}", listing) for name in _BOXES)
