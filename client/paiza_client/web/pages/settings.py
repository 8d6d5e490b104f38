"""Settings: language, key and certificates, what waits in the outbox, the keyboard, and what the console is."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.sdk import Session, notifications, wording
from paiza_client.web import refusals
from paiza_client.web.console import IDLE_SECONDS, Secret
from paiza_client.web.language import _, ngettext
from paiza_client.web.page import (
    console_of,
    local_path,
    note,
    number_of,
    problem,
    redirect,
    render,
    route,
    secret_of,
    session_of,
    text_of,
)
from paiza_officer.profiles import read_certificate
from paiza_wire.errors import PaizaError
from paiza_wire.identity import load_certificate

KEEP: Final = 15


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate of the profile, and until when it is valid."""

    use: str
    expires: datetime
    soon: bool


async def settings(request: Request) -> Response:
    """Show the settings."""
    return await _page(request)


async def open_key(request: Request) -> Response:
    """Have the agent hold the keys for a while."""
    session_of(request)  # not while the console is locked
    console, secret = console_of(request), secret_of(request)
    try:
        await console.keep_keys_open(Secret(secret.text, secret.keep_minutes or KEEP))
    except PaizaError as error:
        return await _page(request, error)
    note(request, _("Your keys are open."))
    return redirect("/settings#key")


async def flush(request: Request) -> Response:
    """Send what waits in the outbox."""
    outcomes = await session_of(request).flush()
    sent = sum(each.state == "released" for each in outcomes)
    note(request, ngettext("{n} message was sent.", "{n} messages were sent.", sent).format(n=sent))
    console_of(request).changes += 1
    return redirect("/settings#outbox")


async def drop(request: Request) -> Response:
    """Remove a waiting message from the outbox."""
    wanted = text_of(request, "message")
    session = session_of(request)
    for each in await asyncio.to_thread(session.outbox.listing):
        if each.header.message_id.hex() == wanted:
            await asyncio.to_thread(session.outbox.drop, each.header.message_id)
            note(request, _("The message was given up."))
            return redirect("/settings#outbox")
    return refusals.answer(request, 404, "not_found")


async def notify(request: Request) -> Response:
    """Store how the officer is notified outside the window."""
    console = console_of(request)
    minutes = number_of(text_of(request, "repeat_minutes"), notifications.MAX_REPEAT_MINUTES)
    wanted = notifications.Settings(
        bell=bool(text_of(request, "bell")),
        desktop=bool(text_of(request, "desktop")),
        command=tuple(text_of(request, "command").splitlines()),
        email=text_of(request, "email"),
        repeat_minutes=0 if minutes is None else minutes,
    )
    try:
        notifications.write(console.profile, wanted)
    except PaizaError as error:
        return await _page(request, error)
    await console.watch_anew()
    note(request, _("You are notified like this from now on."))
    return redirect("/settings#notify")


async def acknowledge(request: Request) -> Response:
    """Acknowledge the FLASH messages that ring."""
    console = console_of(request)
    session_of(request)
    if console.notified is not None:
        console.notified.acknowledge()
    return redirect(local_path(text_of(request, "back")))


async def _page(request: Request, error: PaizaError | None = None) -> Response:
    session = session_of(request)
    who = await session.whoami()
    return await render(
        request,
        "settings.html",
        title=_("Settings"),
        place="settings",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        who=who,
        officer_roles=[wording.role(each) for each in who.roles],
        certificates=_certificates(session),
        notify=notifications.read(session.profile),
        waiting_messages=await asyncio.to_thread(session.outbox.listing),
        idle_minutes=round(IDLE_SECONDS / 60),
        version=version("paiza"),
    )


def _certificates(session: Session) -> list[Certificate]:
    found = []
    for use, path in (
        (_("Signatures"), session.profile.signing_certificate),
        (_("Connection with the node"), session.profile.authentication_certificate),
    ):
        _pem, der = read_certificate(path)
        expires = load_certificate(der).not_valid_after_utc
        found.append(Certificate(use, expires, expires - datetime.now(UTC) < timedelta(days=31)))
    return found


ROUTES: Final = (
    route("/settings", settings),
    route("/settings/key", open_key, post=True),
    route("/settings/notify", notify, post=True),
    route("/flash/acknowledge", acknowledge, post=True),
    route("/settings/outbox/flush", flush, post=True),
    route("/settings/outbox/drop", drop, post=True),
)
