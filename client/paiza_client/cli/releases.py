"""`paiza release`: leave to pass a message on, asked of its originator, granted by two officers, or denied."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from paiza.content.v1.release_pb2 import ReleaseDenial, ReleaseGrant, ReleaseRequest
from paiza_client.cli import sending
from paiza_client.cli.options import split
from paiza_client.cli.recalls import SECOND, overrides, written
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.errors import Refused, misused
from paiza_client.language import N_, _
from paiza_client.sdk import messages, replies
from paiza_client.sdk.model import MessageSummary
from paiza_domain.schema import partial_times
from paiza_wire.message import parse_strictly

if TYPE_CHECKING:
    from paiza_client.sdk import Session

REQUEST: Final = "release-request"


@click.group(help=N_("Leave to pass a message on to others: ask the originator for it, grant it, or deny it."))
def release() -> None:
    """Ask for releases and decide on them."""


@release.command("request", help=N_("Ask the author of a message for leave to pass it on."))
@click.argument("message", metavar="ID")
@click.option("--to", required=True, multiple=True, metavar="MEMBERS", help=N_("To whom it is to be passed on."))
@click.option("--scope", default="without-annex", metavar="CODE", help=N_("whole, without-annex or extract."))
@click.option("--extract", default="", help=N_("Which extract."))
@click.option("--purpose", required=True, multiple=True, metavar="CODES", help=N_("What they are to use it for."))
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
    terminal = current_terminal()

    async def look() -> MessageSummary:
        async with terminal.session() as session:
            found = await messages.find(session, message)
            if found.header.author == session.profile.member:
                raise Refused("not_addressed", found.id, "your own member is the author")
            return found

    found = run(look())
    content = ReleaseRequest(
        reference=reference or found.thread_name,
        scope=scope,
        extract=extract,
        recipients=split(to),
        purposes=split(purpose),
        reason=reason,
    )
    if until:
        content.until_time.FromDatetime(_time(until))
    prepared = replies.prepare(
        content,
        found.header,
        [found.digest],
        [found.header.author],
        overrides(urgency, reason_code),
    )
    sending.finish(terminal, prepared, None, dry_run=dry_run)


@release.command(
    help=N_("Grant a release request: as it asks, or less. Opens the request, which is logged; two officers sign.")
)
@click.argument("request", metavar="ID")
@click.option("--until", default="", metavar="TIME", help=N_("Until when; else as asked for."))
@click.option("--to", multiple=True, metavar="MEMBERS", help=N_("To whom; else as asked for."))
@click.option("--scope", default="", metavar="CODE", help=N_("whole, without-annex or extract; else as asked for."))
@click.option("--extract", default="", help=N_("Which extract; else as asked for."))
@click.option("--purpose", multiple=True, metavar="CODES", help=N_("What for; else as asked for."))
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
    terminal = current_terminal()

    async def look() -> tuple[MessageSummary, ReleaseRequest]:
        async with terminal.session() as session:
            found = await _request(session, request)
            part = await session.open_part(found.digest)
            return found, parse_strictly(ReleaseRequest, part.plaintext, "the content")

    found, asked = run(look())
    content = ReleaseGrant(
        reference=reference or found.thread_name,
        scope=scope or asked.scope,
        extract=extract or (asked.extract if (scope or asked.scope) == "extract" else ""),
        recipients=split(to) or asked.recipients,
        purposes=split(purpose) or asked.purposes,
        conditions=conditions,
    )
    if until:
        content.until_time.FromDatetime(_time(until))
    elif asked.HasField("until_time"):
        content.until_time.CopyFrom(asked.until_time)
    else:
        raise misused("--until", _("the request names no end: say until when the release holds"))
    prepared = replies.prepare(
        content,
        found.header,
        _concerned(found),
        _told(found),
        overrides(urgency, reason_code, second),
    )
    sending.finish(terminal, prepared, None, dry_run=dry_run)


@release.command(help=N_("Deny a release request, with the reason code."))
@click.argument("request", metavar="ID")
@click.option("--refusal", required=True, metavar="CODE", help=N_("Reason code: essential-interests …"))
@click.option("--note", default="", help=N_("Explanation."))
@click.option("--reference", default="", help=N_("Your own reference; else the thread's name."))
@written
def deny(
    *, request: str, refusal: str, note: str, reference: str, urgency: str | None, reason_code: str, dry_run: bool
) -> None:
    """Deny a release."""
    terminal = current_terminal()

    async def look() -> MessageSummary:
        async with terminal.session() as session:
            return await _request(session, request)

    found = run(look())
    content = ReleaseDenial(reference=reference or found.thread_name, refusal=refusal, note=note)
    prepared = replies.prepare(
        content,
        found.header,
        _concerned(found),
        _told(found),
        overrides(urgency, reason_code),
    )
    sending.finish(terminal, prepared, None, dry_run=dry_run)


async def _request(session: "Session", text: str) -> MessageSummary:
    found = await messages.find(session, text)
    if found.header.kind != REQUEST:
        raise misused(text, _("this is no release request"))
    return found


def _concerned(request: MessageSummary) -> Sequence[bytes]:
    """Return the parents of the answer: the request, then the message concerned."""
    return [request.digest, *request.header.parent_digests[:1]]


def _told(request: MessageSummary) -> list[str]:
    return [request.header.author]


def _time(text: str) -> datetime:
    time = partial_times.parse_time(text)
    if time is None:
        raise misused(
            "--until", _("{value!r} is not a time such as 2026-12-31 or 2026-12-31T14:30+05:00").format(value=text)
        )
    return time
