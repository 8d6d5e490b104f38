"""The answers of the guard: one short page that says what was refused and how to come in."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.web import rendering
from paiza_client.web.language import N_, _

_TEXTS: Final = {
    "other_user": (
        N_("This console belongs to another user of this computer."),
        N_("Start your own with: paiza web"),
    ),
    "other_host": (
        N_("The console does not answer under this name."),
        N_("Use the link that this command shows: paiza web"),
    ),
    "other_origin": (
        N_("Another page asked for this, not the console itself."),
        N_("Nothing was done. Close that page, and return to the console."),
    ),
    "method": (N_("The console does not know this kind of request."), N_("Return to the console.")),
    "no_login": (
        N_("This browser is not signed in to the console."),
        N_("Open a new link with: paiza web"),
    ),
    "launch_void": (
        N_("This link was used already, or is too old. A link signs in one browser, once."),
        N_("Open a new link with: paiza web"),
    ),
    "form_token": (
        N_("The form is of an earlier start of the console, or of another page. Nothing was done."),
        N_("Go back, load the page anew, and send the form again."),
    ),
    "form_too_large": (
        N_("The form is larger than the console takes. Nothing of it was kept."),
        N_("Go back, and send less at once: longer texts and further files in another message."),
    ),
    "form_unreadable": (N_("The form cannot be read. Nothing of it was kept."), N_("Go back, and send it again.")),
    "not_found": (N_("There is no such page."), N_("Choose a page from the menu.")),
}


def answer(request: Request, status: int, reason: str) -> Response:
    """Return the page for a refusal."""
    what, remedy = _TEXTS[reason]
    return rendering.bare(request, "refusal.html", status=status, title=_(what), remedy=_(remedy), reason=reason)
