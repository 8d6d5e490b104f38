"""`paiza release`: leave to pass a message on, asked of its originator, granted by two officers, or denied."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

from paiza_client.cli import sending
from paiza_client.cli.options import CodeParameter, MembersParameter, shared, split
from paiza_client.cli.recalls import SECOND, overrides, written
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.language import N_, _
from paiza_client.sdk import fitting, messages, releases
from paiza_client.sdk.drafts import Prepared
from paiza_domain.schema import partial_times
from paiza_officer.errors import misused

if TYPE_CHECKING:
    from paiza_client.sdk import Session


@click.group(help=N_("Leave to pass a message on to others: ask the originator for it, grant it, or deny it."))
@shared
def release() -> None:
    """Ask for releases and decide on them."""


@release.command("request", help=N_("Ask the author of a message for leave to pass it on."))
@click.argument("message", metavar="ID")
@click.option(
    "--to",
    type=MembersParameter(),
    required=True,
    multiple=True,
    metavar="MEMBERS",
    help=N_("To whom it is to be passed on."),
)
@click.option(
    "--scope",
    type=CodeParameter("release_scope"),
    default="without-annex",
    metavar="CODE",
    help=N_("whole, without-annex or extract."),
)
@click.option("--extract", default="", help=N_("Which extract."))
@click.option(
    "--purpose",
    type=CodeParameter("purpose", several=True),
    required=True,
    multiple=True,
    metavar="CODES",
    help=N_("What they are to use it for."),
)
@click.option("--reason", required=True, help=N_("Why they need it."))
@click.option("--until", default="", metavar="TIME", help=N_("Until when: 2026-12-31."))
@click.option("--reference", default="", help=N_("Your own reference; else the thread's name."))
@written
def ask(
    *,
    message: str,
    to: tuple[str, ...],
    scope: str,
    extract: str,
    purpose: tuple[str, ...],
    reason: str,
    until: str,
    reference: str,
    urgency: str | None,
    reason_code: str,
    dry_run: bool,
) -> None:
    """Ask for a release."""
    wanted_until, chosen = _time(until), overrides(urgency, reason_code)

    async def prepare(session: "Session") -> Prepared:
        return releases.request(
            session,
            await messages.find(session, message, fitting.received),
            recipients=split(to),
            purposes=split(purpose),
            reason=reason,
            scope=scope,
            extract=extract,
            until=wanted_until,
            reference=reference,
            overrides=chosen,
        )

    _send(prepare, dry_run=dry_run)


@release.command(
    help=N_("Grant a release request: as it asks, or less. Opens the request, which is logged; two officers sign.")
)
@click.argument("request", metavar="ID")
@click.option("--until", default="", metavar="TIME", help=N_("Until when; else as asked for."))
@click.option("--to", type=MembersParameter(), multiple=True, metavar="MEMBERS", help=N_("To whom; else as asked for."))
@click.option(
    "--scope",
    type=CodeParameter("release_scope"),
    default="",
    metavar="CODE",
    help=N_("whole, without-annex or extract; else as asked for."),
)
@click.option("--extract", default="", help=N_("Which extract; else as asked for."))
@click.option(
    "--purpose",
    type=CodeParameter("purpose", several=True),
    multiple=True,
    metavar="CODES",
    help=N_("What for; else as asked for."),
)
@click.option("--conditions", default="", help=N_("Conditions that go with it."))
@click.option("--reference", default="", help=N_("Your own reference; else the thread's name."))
@SECOND
@written
def grant(
    *,
    request: str,
    until: str,
    to: tuple[str, ...],
    scope: str,
    extract: str,
    purpose: tuple[str, ...],
    conditions: str,
    reference: str,
    second: str,
    urgency: str | None,
    reason_code: str,
    dry_run: bool,
) -> None:
    """Grant a release."""
    wanted_until, chosen = _time(until), overrides(urgency, reason_code, second)

    async def prepare(session: "Session") -> Prepared:
        return await releases.grant(
            session,
            await messages.find(session, request, fitting.of_kind(releases.REQUEST)),
            until=wanted_until,
            recipients=split(to),
            scope=scope,
            extract=extract,
            purposes=split(purpose),
            conditions=conditions,
            reference=reference,
            overrides=chosen,
        )

    _send(prepare, dry_run=dry_run)


@release.command(help=N_("Deny a release request, with the reason code."))
@click.argument("request", metavar="ID")
@click.option(
    "--refusal",
    type=CodeParameter("refusal"),
    required=True,
    metavar="CODE",
    help=N_("Reason code: essential-interests …"),
)
@click.option("--note", default="", help=N_("Explanation."))
@click.option("--reference", default="", help=N_("Your own reference; else the thread's name."))
@written
def deny(
    *, request: str, refusal: str, note: str, reference: str, urgency: str | None, reason_code: str, dry_run: bool
) -> None:
    """Deny a release."""
    chosen = overrides(urgency, reason_code)

    async def prepare(session: "Session") -> Prepared:
        asked = await messages.find(session, request, fitting.of_kind(releases.REQUEST))
        return releases.denial(asked, refusal=refusal, note=note, reference=reference, overrides=chosen)

    _send(prepare, dry_run=dry_run)


def _send(prepare: Callable[["Session"], Awaitable[Prepared]], *, dry_run: bool) -> None:
    terminal = current_terminal()

    async def look() -> Prepared:
        async with terminal.session() as session:
            return await prepare(session)

    sending.finish(terminal, run(look()), None, dry_run=dry_run)


def _time(text: str) -> datetime | None:
    time = partial_times.parse_time(text) if text else None
    if text and time is None:
        raise misused(
            "--until", _("{value!r} is not a time such as 2026-12-31 or 2026-12-31T14:30+05:00").format(value=text)
        )
    return time
