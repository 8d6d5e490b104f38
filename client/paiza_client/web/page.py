"""What every page is made of: its route with form token and errors, the menu with counts, strip, bar and foot."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import compare_digest
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from paiza_client import error_help
from paiza_client.language import _ as of_the_client
from paiza_client.sdk import Session
from paiza_client.web import counts, defects, form_body, refusals, rendering, texts
from paiza_client.web.advice import ADVICE
from paiza_client.web.console import KEEP_MINUTES, Console, LockedError, Login, Secret
from paiza_client.web.form_body import UnreadableFormError
from paiza_client.web.language import N_, _, language
from paiza_client.web.roles import may_write
from paiza_domain import policy_rules
from paiza_officer.errors import Misused, Refused, Unreachable
from paiza_wire.errors import PaizaError, Unavailable

Handler = Callable[[Request], Awaitable[Response]]

SEE_OTHER: Final = 303

SAVED: Final = N_(
    "The message is signed, sealed and safe in the outbox. It is sent when the node answers again; Settings shows it."
)


@dataclass(frozen=True, slots=True)
class Place:
    """One line of the menu; ``counted`` names the count behind it, ``opens``: nothing for roles that open nothing."""

    path: str
    label: str
    name: str
    counted: str = ""
    opens: bool = False


NAVIGATION: Final[tuple[tuple[str, tuple[Place, ...]], ...]] = (
    (
        "",
        (
            Place("/tasks", N_("My tasks"), "tasks", "tasks"),
            Place("/inbox", N_("Inbox"), "inbox", "unread"),
            Place("/sent", N_("Sent"), "sent"),
            Place("/all", N_("All messages"), "all"),
            Place("/approve", N_("To sign"), "approve", "to_sign"),
            Place("/deliveries", N_("Deliveries"), "deliveries", "deliveries"),
            Place("/operations", N_("Operations"), "operations", opens=True),
        ),
    ),
    (
        N_("Find out"),
        (
            Place("/search", N_("Search"), "search"),
            Place("/statistics", N_("Statistics"), "statistics"),
            Place("/directory", N_("Directory"), "directory"),
            Place("/substances", N_("Substances"), "substances"),
            Place("/law", N_("Law"), "law"),
        ),
    ),
    (
        N_("Files"),
        (
            Place("/export", N_("Export"), "export", opens=True),
            Place("/import", N_("Import"), "import", opens=True),
        ),
    ),
    (
        N_("Oversight"),
        (
            Place("/audit", N_("Audit"), "audit"),
            Place("/retention", N_("Retention"), "retention"),
            Place("/settings", N_("Settings"), "settings"),
        ),
    ),
)


def route(path: str, handler: Handler, *, post: bool = False, files: bool = False) -> Route:
    """Return the route of a page; with ``post``, of a form, which is handed on only with this login's token.

    ``files``: the form may bring files.
    """

    async def checked(request: Request) -> Response:
        console = console_of(request)
        console.touch()
        was_open = not console.is_locked
        if post:
            try:
                fields = await form_body.read(request, files=files)
            except UnreadableFormError as error:
                status, reason = (413, "form_too_large") if error.is_too_large else (400, "form_unreadable")
                return refusals.answer(request, status, reason)
            request.state.form = fields
        try:
            if post and not _is_of_this_login(request):
                return refusals.answer(request, 403, "form_token")
            answer = await handler(request)
        finally:
            if post:
                await form_of(request).close()
        if was_open and console.is_locked and answer.status_code != SEE_OTHER:
            return redirect("/unlock")  # locked meanwhile: what was read before is not shown any more
        return answer

    return Route(path, checked, methods=["POST"] if post else ["GET"], name=f"{'post' if post else 'get'} {path}")


def _is_of_this_login(request: Request) -> bool:
    """Return whether a form carries the token of the login that sends it."""
    shown = str(form_of(request).get("form_token", ""))
    return compare_digest(shown.encode(), login_of(request).form_token.encode())


def console_of(request: Request) -> Console:
    """Return the console."""
    found: Console = request.app.state.console
    return found


def session_of(request: Request) -> Session:
    """Return the session with the node; LockedError leads to the page that unlocks, and back."""
    return console_of(request).session


def login_of(request: Request) -> Login:
    """Return who is signed in."""
    found: Login = request.scope["login"]
    return found


def form_of(request: Request) -> FormData:
    """Return the fields of a form whose token was checked."""
    found: FormData = request.state.form
    return found


def text_of(request: Request, name: str) -> str:
    """Return one text field of the form, without blanks around it; empty where it is missing."""
    value = form_of(request).get(name, "")
    return value.strip() if isinstance(value, str) else ""


def number_of(text: object, most: int) -> int | None:
    """Return the whole number from 0 to ``most`` that a text of a form or an address names; None for any other."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > len(str(most)):
        return None
    return found if (found := int(text)) <= most else None


def offered(text: str, numbers: Sequence[int], otherwise: int) -> int:
    """Return the number that a form offers and a text names; ``otherwise`` for a text that names none of them."""
    return next((each for each in numbers if str(each) == text), otherwise)


def secret_of(request: Request) -> Secret:
    """Return what was typed into `sign.html`, for `Console.signing`."""
    value = form_of(request).get("secret", "")
    return Secret(value if isinstance(value, str) else "", offered(text_of(request, "keep_minutes"), KEEP_MINUTES, 0))


def redirect(path: str) -> Response:
    """Return the answer to a form: the page to look at next."""
    return RedirectResponse(path, status_code=SEE_OTHER)


def note(request: Request, text: str) -> None:
    """Have the next page show a sentence about what was done."""
    login_of(request).notes.append(text)


def local_path(wanted: str, otherwise: str = "/tasks") -> str:
    """Return a path on this console as it is, and ``otherwise`` for anything that leads away."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return otherwise
    leads_away = parts.scheme or parts.netloc or not wanted.startswith("/") or wanted.startswith("//")
    if leads_away or "\\" in wanted or not wanted.isprintable():  # browsers leave some characters out
        return otherwise
    return wanted


async def render(
    request: Request, name: str, *, title: str, place: str = "", status: int = 200, **values: Any
) -> Response:
    """Return a page with bar, menu and foot; ``place`` is the name of its line in the menu.

    ``title`` names the page in the window's title; the template shows its own heading.
    """
    around = await _surroundings(request)
    values["exercise"] = around["exercise"] or values.get("exercise", False)
    values = {"title": title, "place": place, **around, **values}
    return rendering.page(name, status, **values)


async def _surroundings(request: Request) -> dict[str, Any]:
    console, login = console_of(request), login_of(request)
    notes, login.notes = login.notes, []
    found: dict[str, Any] = {
        "request": request,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "now": datetime.now(UTC),
        "day_example": "28.11.2026" if language() == "ru" else "2026-11-28",
        "navigation": NAVIGATION,
        "form_token": login.form_token,
        "notes": notes,
        "console": console,
        "profile": console.profile,
        "counts": await counts.of(console),
        "waiting": counts.waiting_in_outbox(console),
        "may_write": True,
        "member_name": texts.member_name,
        "exercise": False,
    }
    if not console.is_locked:
        found["may_write"] = await may_write(console.session)
        if not found["may_write"]:
            found["navigation"] = _without_opening()
        found["exercise"] = console.session.register().exercise
    return found


def _without_opening() -> list[tuple[str, tuple[Place, ...]]]:
    """Return the menu of a role that opens no message."""
    left = [(heading, tuple(each for each in places if not each.opens)) for heading, places in NAVIGATION]
    return [(heading, places) for heading, places in left if places]


# Errors.


async def locked(request: Request, _error: Exception) -> Response:
    """Lead to the page that unlocks; a form that was sent meanwhile is lost, and the page says so."""
    if request.method == "POST":
        note(request, _("The console was locked: the form was not sent."))
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return redirect(f"/unlock?{urlencode({'back': back if request.method == 'GET' else '/tasks'})}")


async def not_found(request: Request, _error: Exception) -> Response:
    """Answer a path that no page has."""
    return refusals.answer(request, 404, "not_found")


async def refused(request: Request, error: Exception) -> Response:
    """Return the page of an error of ours: what happened, where, and what to do."""
    assert isinstance(error, PaizaError)
    status = 503 if isinstance(error, Unavailable) else 400
    return await render(request, "error.html", title=_("Not done"), status=status, error=problem(error))


async def defect(_request: Request, error: Exception) -> Response:
    """Return the page of a defect: its place in the program, and nothing that was being worked on."""
    return rendering.page("defect.html", 500, title=_("Not done"), error=problem(defects.found(error)))


def problem(error: PaizaError) -> Mapping[str, Any]:
    """Return an error in words: ``what``, ``where``, ``remedy``, ``reason``, ``detail``, ``problems``."""
    told = error_help.remedy(error.reason, error.detail)
    saved = isinstance(error, Unreachable) and error.saved
    here = ADVICE.get(error.reason, "") if told.remedy != error_help.OF_THE_MESSAGE else ""
    advice = _(SAVED) if saved else _(here) if here else of_the_client(told.remedy)
    problems: Sequence[Any] = error.problems if isinstance(error, Refused) else ()
    rules = () if problems else policy_rules.told(error.detail, language())
    return {
        "what": " ".join([of_the_client(told.what), *rules]),
        "remedy": advice,
        "where": error.where if isinstance(error, (Refused, Unreachable)) else "",
        "of_draft": isinstance(error, Misused) or (isinstance(error, Refused) and bool(error.problems)),
        "reason": error.reason,
        "detail": error.detail,
        "problems": problems,
        "temporary": isinstance(error, Unavailable),
    }


HANDLERS: Final[Mapping[Any, Any]] = {
    LockedError: locked,
    404: not_found,
    405: not_found,
    PaizaError: refused,
    Exception: defect,
}
