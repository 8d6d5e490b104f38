"""Search: one box for everything that leads to no person, single fields, and persons with a stated reason."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk import Session, messages, saved_searches
from paiza_client.sdk.saved_searches import SavedSearch
from paiza_client.sdk.search import FoundMessage
from paiza_client.web import subjects
from paiza_client.web.language import _, language
from paiza_client.web.page import console_of, note, problem, redirect, render, route, session_of, text_of
from paiza_client.web.pages.messages import address, day_of
from paiza_client.web.texts import member_name
from paiza_domain import kinds
from paiza_officer.errors import Refused, misused

PAGE: Final = 50
ANYWHERE: Final = ("plate", "container", "vessel", "substance", "place", "logo", "subject", "reference", "seal", "vin")
"""Where the box looks; none of these fields leads to a person."""
PERSONAL: Final = ("name", "phone", "document", "personal-number", "account", "imei", "company", "registration")
FIELDS: Final = (
    "substance", "drug-group", "logo", "place", "country", "route", "plate", "vin", "container", "vessel", "flight",
    "waybill", "carnet", "seal", "reference", "subject",
)  # fmt: skip


async def search(request: Request) -> Response:
    """Show the form and what was found; a number of a thread or message leads straight there."""
    session, given = session_of(request), request.query_params
    names = ("q", "in", "kind", "from", "since", "until", "reason")
    wanted = {name: given.get(name, "").strip() for name in names}
    if wanted["q"] and not wanted["in"] and (place := await _named(session, wanted["q"])):
        return redirect(place)
    found: dict[bytes, tuple[FoundMessage, list[str]]] = {}
    error: Refused | None = None
    cut = False
    if wanted["q"] or any(wanted[name] for name in ("kind", "from", "since", "until")):
        try:
            cut = await _find(session, wanted, found)
        except Refused as refusal:
            error = refusal
    listed = await subjects.named(console_of(request), [each.message for each, _fields in found.values()])
    found = {each.digest: (replace(found[each.digest][0], message=each), found[each.digest][1]) for each in listed}
    newest = sorted(found.values(), key=lambda each: each[0].message.sequence, reverse=True)
    return await render(
        request,
        "search.html",
        title=_("Search"),
        place="search",
        status=200 if error is None else 400,
        wanted=wanted,
        found=newest,
        asked=bool(wanted["q"] or any(wanted[name] for name in ("kind", "from", "since", "until"))),
        cut=cut,
        most=PAGE,
        error=None if error is None else problem(error),
        fields=FIELDS,
        personal=PERSONAL,
        kinds=sorted((each.titles[language()], name) for name, each in kinds.all_kinds().items()),
        members=sorted(session.register().members, key=member_name),
        link=address("/search", wanted),
        saved=[(each, _address_of(each)) for each in await saved_searches.listed(session)],
    )


async def save(request: Request) -> Response:
    """Save a search: the node rings when a new message meets it."""
    session, name = session_of(request), text_of(request, "name")
    text, field = text_of(request, "q"), text_of(request, "in")
    if text and not field:
        raise misused(_("Where to look"), _("Choose one field: a saved search looks in one."))
    await saved_searches.save(
        session,
        name,
        [(field, text)] if field else [],
        author=text_of(request, "from"),
        kind=text_of(request, "kind"),
        reason=text_of(request, "reason"),
    )
    note(request, _("The search was saved: it rings when something new matches."))
    return redirect("/search")


async def change(request: Request) -> Response:
    """Acknowledge the matches of a saved search, or remove it."""
    session = session_of(request)
    found = await saved_searches.find(session, text_of(request, "name"))
    if text_of(request, "act") == "remove":
        await saved_searches.remove(session, found.name)
        note(request, _("The search was removed."))
    else:
        await saved_searches.acknowledge(session, found)
    return redirect("/search")


def _address_of(saved: SavedSearch) -> str:
    """Return the address that searches for the same; empty where this machine does not know what was written."""
    if saved.described is None:
        return ""
    field, text = saved.described.criteria[0] if saved.described.criteria else ("", "")
    wanted = {"q": text, "in": field, "from": saved.described.author, "kind": saved.described.kind}
    return address("/search", wanted)


async def _named(session: Session, text: str) -> str:
    """Return the page of what a text names: a thread, or a message by its number; empty where it names none."""
    try:
        named = await messages.matching(session, text)
    except Refused:
        return ""
    if len({each.header.thread_id for each in named}) == 1 and text.upper() == named[0].thread_name:
        return f"/thread/{named[0].thread_name}"
    return f"/message/{named[0].id}" if len(named) == 1 else ""


async def _find(
    session: Session, wanted: Mapping[str, str], found: dict[bytes, tuple[FoundMessage, list[str]]]
) -> bool:
    """Collect what fits, with the fields in which it does; return whether there is more than is shown."""
    until = day_of(wanted["until"])
    cut = False
    fields = ("",) if not wanted["q"] else (wanted["in"],) if wanted["in"] else ANYWHERE
    for field in fields:
        try:
            page = await session.search.search(
                [(field, wanted["q"])] if field else [],
                since=day_of(wanted["since"]),
                until=None if until is None else until + timedelta(days=1),
                author=wanted["from"],
                kind=wanted["kind"],
                reason=wanted["reason"],
                page_size=PAGE,
            )
        except Refused as error:
            if wanted["in"] or error.reason != "search_empty":  # a text that is no term of one field may be of another
                raise
            continue
        cut = cut or bool(page.next_page_token)
        for each in page.messages:
            found.setdefault(each.message.digest, (each, []))[1].append(field)
    return cut


ROUTES: Final = (
    route("/search", search),
    route("/search/save", save, post=True),
    route("/search/saved", change, post=True),
)
