"""Commands that send: send and reply. A message is in the outbox before it is on the wire."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from paiza.core.v1 import message_pb2
from paiza_client.cli import breaches, display, drafting, duplicates, interactive, substance_notes
from paiza_client.cli.attachments import bars, tell_removed
from paiza_client.cli.drafting import Overrides, Prepared
from paiza_client.cli.options import shared, split
from paiza_client.cli.substance_notes import Notes
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.compose.composer import Composer, Sealed, Validated
from paiza_client.errors import Refused, Unreachable, misused
from paiza_client.language import N_, _
from paiza_client.local import register_cache
from paiza_client.local.outbox import Outbox
from paiza_client.local.profiles import open_credentials, remembered_roles
from paiza_client.sdk import as_json, messages
from paiza_client.verify.model import Outcome
from paiza_domain import kinds
from paiza_domain.drafts.drafts import Draft
from paiza_domain.schema.kind import Kind

URGENCIES = ("flash", "urgent", "priority", "routine", "information")

_Options = Callable[[Callable[..., Any]], Callable[..., Any]]


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what send and reply share."""
    for option in (
        click.option("--strip-location", is_flag=True, help=N_("Take out of attached pictures where they were taken.")),
        click.option(
            "--attach", multiple=True, metavar="FILE", help=N_("Attach a file: picture, film, scan, PDF, table, text.")
        ),
        click.option(
            "--second", default="", metavar="OFFICER", help=N_("Who must sign as well: paiza approve --officers.")
        ),
        click.option("--dry-run", is_flag=True, help=N_("Check everything, send nothing.")),
        click.option("--reason-code", default="", metavar="CODE", help=N_("Why it is URGENT or FLASH.")),
        click.option("--urgency", type=click.Choice(URGENCIES), help=N_("How soon it must be acted on.")),
        click.option("--to", multiple=True, metavar="MEMBERS", help=N_("Recipients: kaz,uzb. Instead of the draft's.")),
        click.option("--short", is_flag=True, help=N_("With --template or -i: the mandatory fields only.")),
        click.option("--template", is_flag=True, help=N_("Print an empty draft with comments, and stop.")),
        click.option("-i", "--interactive", "ask", is_flag=True, help=N_("Fill the fields in at prompts.")),
    ):
        command = option(command)
    return shared(command)


@click.command(
    help=N_("Send a message of a KIND (seizure, free-message …), written as a YAML draft (- is standard input).")
)
@click.argument("kind", metavar="KIND")
@click.argument("draft", metavar="[DRAFT]", required=False)
@_options
def send(
    *, kind: str, draft: str | None, ask: bool, template: bool, short: bool, dry_run: bool, **options: Any
) -> None:
    """Send a message."""
    chosen = drafting.find_kind(kind)
    if template:
        click.echo(chosen.template(lang(), "short" if short else "long"), nl=False)
        return
    prepared, written = _prepared(current_terminal(), chosen, draft, _overrides(options), ask=ask, short=short)
    finish(current_terminal(), prepared, written, dry_run=dry_run)


@click.command(help=N_("Answer a message, in its thread: to its author, unless --to says otherwise."))
@click.argument("message", metavar="ID")
@click.argument("draft", metavar="[DRAFT]", required=False)
@click.option(
    "--kind", default="", metavar="KIND", help=N_("Kind of the answer; else the draft's, or the customary one.")
)
@_options
def reply(
    *,
    message: str,
    draft: str | None,
    kind: str,
    ask: bool,
    template: bool,
    short: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Answer a message."""
    terminal = current_terminal()

    async def customary() -> str:
        async with terminal.session() as session:
            answered = kinds.all_kinds().get((await messages.find(session, message)).header.kind)
            return answered.answered_by[0] if answered is not None and answered.answered_by else "free-message"

    chosen = drafting.find_kind(kind) if kind else None
    if chosen is None and draft is None:
        chosen = drafting.find_kind(run(customary()))
    if template and chosen is not None:
        text = chosen.template(lang(), "short" if short else "long")
        click.echo(text.replace("in_reply_to: []", f"in_reply_to: [{message}]"), nl=False)
        return
    prepared, written = _prepared(
        terminal, chosen, draft, _overrides(options, message), ask=ask or draft is None, short=short
    )
    finish(terminal, prepared, written, dry_run=dry_run)


def _overrides(options: dict[str, Any], answered: str = "") -> Overrides:
    recipients = tuple(split(options["to"]))
    return Overrides(
        recipients,
        options["urgency"] or "",
        options["reason_code"],
        (answered,) if answered else (),
        second=options["second"],
        attach=options["attach"],
        strip_location=options["strip_location"],
    )


def _prepared(
    terminal: Terminal, kind: Kind | None, path: str | None, overrides: Overrides, *, ask: bool, short: bool
) -> tuple[Prepared, Draft | None]:
    """Read or ask for a draft; the draft itself is given where it exists nowhere else and must not be lost."""
    now = drafting.now()
    if path is not None:
        draft = drafting.read(path, now)
        if kind is not None and draft.kind.name != kind.name:
            what = _("the draft is of kind {found}, not {wanted}").format(found=draft.kind.name, wanted=kind.name)
            raise misused(path, what)
        return drafting.prepare(draft, path, overrides, now), None
    if not ask or kind is None:
        raise misused("paiza send", _("no draft: name a file, or use -i or --template"))
    draft = interactive.fill(terminal, kind, "short" if short else "long", now, overrides.recipients)
    return drafting.prepare(draft, kind.name, overrides, now), draft


def finish(
    terminal: Terminal, prepared: Prepared, written: Draft | None, *, dry_run: bool, quiet: bool = False
) -> bytes:
    """Send or only check, and tell the result; a draft that was typed in is kept where it could not be sent.

    Gives the digest of what was released; nothing after a dry run, nor where it waits for a second officer. ``quiet``:
    tell only where it was not released.
    """
    now = drafting.now()
    tell_removed(terminal, prepared.envelope.attachments)
    if not dry_run:
        substance_notes.of_draft(terminal, prepared, now).warn(terminal)
    try:
        sealed, outcome = run(_send(terminal, prepared, now, dry_run=dry_run))
    except Unreachable as error:
        if written is not None and not error.saved:
            interactive.keep(terminal, written, now)
        raise
    except BaseException:
        if written is not None:
            interactive.keep(terminal, written, now)
        raise
    if sealed is None or outcome is None:
        return b""
    if written is not None and outcome.state == "refused":
        interactive.keep(terminal, written, now)
    _tell_sent(terminal, sealed, outcome, quiet=quiet)
    return sealed.digest if outcome.state == "released" else b""


async def _send(
    terminal: Terminal, prepared: Prepared, now: datetime, *, dry_run: bool
) -> tuple[Sealed | None, Outcome | None]:
    try:
        async with terminal.session() as session:
            prepared = await drafting.follow(session, prepared)
            await duplicates.warn(terminal, session, prepared)
            composer = await session.composer()
            if dry_run:
                _validate(composer, prepared, now)
                _tell_checked(
                    terminal, prepared, substance_notes.of_prepared(session.register(), terminal, prepared, now)
                )
                return None, None
            sealed = await asyncio.to_thread(_seal, terminal, composer, prepared, now)
            with bars(terminal, _("Bringing")) as session.attachments.progress:
                return sealed, (await session.submit([sealed]))[0]
    except Unreachable as error:
        if error.saved:
            raise
        # The node is away before there is a message: make it from what is known here, and keep it.
        _seal_offline(terminal, prepared, now, error, dry_run=dry_run)
        raise Unreachable(error.reason, error.where, error.detail, saved=not dry_run) from error


def _validate(composer: Composer, prepared: Prepared, now: datetime) -> Validated:
    return composer.validate(prepared.kind, prepared.content, prepared.annex, prepared.envelope, now)


def _seal(terminal: Terminal, composer: Composer, prepared: Prepared, now: datetime) -> Sealed:
    message = _validate(composer, prepared, now)
    with bars(terminal, _("Sealing")) as told:
        return composer.seal(message, progress=told)


def _seal_offline(terminal: Terminal, prepared: Prepared, now: datetime, cause: Unreachable, *, dry_run: bool) -> None:
    """Seal and sign, by the register and roles last known, into the outbox; what needs the node stays a draft."""
    profile = terminal.profile()
    known = register_cache.cached(profile)
    roles = remembered_roles(profile)
    if known is None or not roles or prepared.parents or prepared.second:
        raise cause
    composer = Composer(profile, open_credentials(profile, terminal.passphrase), known, roles)
    if dry_run:
        _validate(composer, prepared, now)
        return
    Outbox(profile.outbox).put([_seal(terminal, composer, prepared, now).item()])


def _tell_checked(terminal: Terminal, prepared: Prepared, notes: Notes) -> None:
    if terminal.wants_json:
        terminal.json({"state": "checked", "kind": prepared.kind.name, "substances": notes.as_objects()})
        return
    terminal.say(_("The draft is complete and correct; nothing was sent."), "green")
    terminal.say(prepared.kind.summary(prepared.content, lang()))
    terminal.pairs(notes.rows())


def _tell_sent(terminal: Terminal, sealed: Sealed, outcome: Outcome, *, quiet: bool) -> None:
    if outcome.state == "refused":
        raise Refused(_known(outcome.reason), sealed.id, outcome.detail, breaches.problems(outcome.breaches))
    if outcome.state == "retry":
        raise Unreachable(_known(outcome.reason), sealed.id, outcome.detail, saved=True)
    if quiet and outcome.state == "released":
        return
    if terminal.wants_json:
        terminal.json(as_json.outcome(sealed, outcome))
        return
    if outcome.state == "waiting":
        _tell_waiting(terminal, sealed, outcome)
        return
    terminal.say(_("Released as {thread}").format(thread=outcome.thread_name), "bold green")
    terminal.pairs(
        [
            (_("Id"), sealed.id),
            *((display.event(proof), display.proof_text(proof)) for proof in outcome.proofs),
        ]
    )
    urgent = sealed.header.urgency in {message_pb2.URGENCY_FLASH, message_pb2.URGENCY_URGENT}
    terminal.note(
        _("Your node delivers it now. See what became of it with: paiza thread {id}").format(
            id=sealed.id[: display.SHORT_ID]
        )
    )
    if urgent:
        terminal.note(_("Call the recipient as well: it is urgent."))


def _tell_waiting(terminal: Terminal, sealed: Sealed, outcome: Outcome) -> None:
    """Say for whose signature a message waits; nothing of it has left the node."""
    terminal.say(_("Not sent yet: it waits for {officers}").format(officers=", ".join(outcome.missing)), "bold yellow")
    until = display.when(outcome.expires_time) if outcome.expires_time is not None else ""
    terminal.pairs(
        [
            (_("Id"), sealed.id),
            (_("Until"), until),
            *((display.event(proof), display.proof_text(proof)) for proof in outcome.proofs),
        ]
    )
    short = sealed.id[: display.SHORT_ID]
    terminal.note(_("The second officer reads and signs it with: paiza approve {id}").format(id=short))
    terminal.note(_("To take it back: paiza approve {id} --decline").format(id=short))


def _known(reason: str) -> str:
    from paiza_wire.reasons import REASONS  # noqa: PLC0415

    return reason if reason in REASONS else "unexpected_answer"
