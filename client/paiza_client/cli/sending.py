"""Commands that send: send and reply. A message is in the outbox before it is on the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click
from typing_extensions import override

from paiza.core.v1 import message_pb2
from paiza_cli.exit_codes import ExitCode
from paiza_client import error_help
from paiza_client.cli import display, doubts, drafting, duplicates, interactive, substance_notes
from paiza_client.cli.attachments import bars, tell_removed
from paiza_client.cli.options import CodeParameter, MembersParameter, shared, split
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.compose.composer import Sealed
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, drafts, fitting, messages, replies, sending, substances
from paiza_client.sdk.drafts import Overrides, Prepared
from paiza_client.sdk.sending import Sent
from paiza_client.sdk.substances import Notes
from paiza_client.verify.model import Outcome
from paiza_domain import kinds
from paiza_domain.drafts.drafts import Draft
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import FieldProblem, Refused, Unreachable, misused
from paiza_wire.errors import PaizaError

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
        click.option(
            "--exercise", is_flag=True, help=N_("Mark the message as an exercise. Its answers are marked too.")
        ),
        click.option("--yes", is_flag=True, help=N_("Do not ask: what is warned of is right.")),
        click.option("--dry-run", is_flag=True, help=N_("Check everything, send nothing.")),
        click.option(
            "--reason-code",
            type=CodeParameter("urgency_reason"),
            default="",
            metavar="CODE",
            help=N_("Why it is URGENT or FLASH."),
        ),
        click.option(
            "--urgency", type=CodeParameter("urgency"), metavar="CODE", help=N_("How soon it must be acted on.")
        ),
        click.option(
            "--to",
            type=MembersParameter(),
            multiple=True,
            metavar="MEMBERS",
            help=N_("Recipients: kaz,uzb. Instead of the draft's."),
        ),
        click.option("--full", is_flag=True, help=N_("With --template or -i: every field, not only those needed.")),
        click.option("--template", is_flag=True, help=N_("Print an empty draft with comments, and stop.")),
        click.option("-i", "--interactive", "ask", is_flag=True, help=N_("Fill the fields in at prompts.")),
    ):
        command = option(command)
    return shared(command)


class _ListsKinds(click.Command):
    """A command whose help ends with the kinds of message, each with its title."""

    @override
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, kind.titles[lang()]) for name, kind in kinds.all_kinds().items() if not kind.workflow]
        with formatter.section(_("Kinds")):
            formatter.write_dl([*rows, ("cd-…", _("Steps of a controlled delivery: see paiza cd --help"))])


@click.command(
    cls=_ListsKinds,
    help=N_("Send a message of a KIND (seizure, free-message …), written as a YAML draft (- is standard input)."),
)
@click.argument("kind", metavar="KIND")
@click.argument("draft", metavar="[DRAFT]", required=False)
@_options
def send(
    *, kind: str, draft: str | None, ask: bool, template: bool, full: bool, dry_run: bool, yes: bool, **options: Any
) -> None:
    """Send a message."""
    chosen = drafts.find_kind(kind)
    if template:
        click.echo(drafting.empty(current_terminal(), chosen, full=full), nl=False)
        return
    prepared, written = _prepared(current_terminal(), chosen, draft, _overrides(options), ask=ask, full=full)
    finish(current_terminal(), prepared, written, dry_run=dry_run, yes=yes)


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
    full: bool,
    dry_run: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Answer a message."""
    terminal = current_terminal()

    async def customary() -> Kind:
        async with terminal.session() as session:
            return replies.usual_kind(await messages.find(session, message, fitting.asks, fitting.received))

    chosen = drafts.find_kind(kind) if kind else None
    if chosen is None and draft is None:
        chosen = run(customary())
    if template and chosen is not None:
        text = drafting.empty(terminal, chosen, full=full)
        click.echo(text.replace("in_reply_to: []", f"in_reply_to: [{message}]"), nl=False)
        return
    prepared, written = _prepared(
        terminal, chosen, draft, _overrides(options, message), ask=ask or draft is None, full=full
    )
    finish(terminal, prepared, written, dry_run=dry_run, yes=yes)


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
        exercise=options["exercise"],
    )


def _prepared(
    terminal: Terminal, kind: Kind | None, path: str | None, overrides: Overrides, *, ask: bool, full: bool
) -> tuple[Prepared, Draft | None]:
    """Read or ask for a draft; the draft itself is given where it exists nowhere else and must not be lost."""
    now = drafts.writing_time()
    if path is not None:
        try:
            draft = drafting.read(terminal, path, now, overrides=overrides)
        except Refused as wrong:
            if kind is None or not overrides.second or wrong.reason != "invalid_draft":
                raise
            raise run(_with_second(terminal, wrong, overrides.second, kind)) from wrong
        if kind is not None:
            drafts.check_kind(draft, kind.name, path)
        return drafts.prepare(draft, path, overrides, now), None
    if not ask or kind is None:
        raise misused("paiza send", _("no draft: name a file, or use -i or --template"))
    draft = interactive.fill(terminal, kind, "long" if full else "short", now, overrides.recipients)
    return drafts.prepare(draft, kind.name, overrides, now), draft


async def _with_second(terminal: Terminal, wrong: Refused, second: str, kind: Kind) -> Refused:
    """Return the refusal of a draft together with what is wrong with the second officer, if the node can be asked."""
    try:
        async with terminal.session() as session:
            await session.approvals.second(second, kind)
    except Refused as also:
        problems = [*wrong.problems, *sending.as_problems([also])]
        return Refused(wrong.reason, wrong.where, wrong.detail, problems)
    except PaizaError:
        return wrong
    return wrong


def finish(
    terminal: Terminal,
    prepared: Prepared,
    written: Draft | None,
    *,
    dry_run: bool,
    yes: bool | None = None,
    quiet: bool = False,
) -> bytes:
    """Send or only check, and tell the result; a draft that was typed in is kept where it could not be sent.

    Return the digest of what was released; nothing after a dry run, nor where it waits for a second officer. A dry run
    that the node took no part in ends with exit code 7. ``yes``: what is warned of was confirmed; None for a command
    without that option, which goes on where nobody can be asked. ``quiet``: tell only where it was not released.
    """
    now = drafts.writing_time()
    tell_removed(terminal, prepared.envelope.attachments)
    if not dry_run:
        substance_notes.warn(terminal, substances.of_draft(terminal.profile(), prepared, now))
    done: _Tried | Sent
    try:
        done = run(_try_out(terminal, prepared, now)) if dry_run else run(_send(terminal, prepared, now, yes=yes))
    except BaseException as error:
        if written is not None and not (isinstance(error, Unreachable) and error.saved):
            interactive.keep(terminal, written, now)
        raise
    if isinstance(done, _Tried):
        _tell_tried(terminal, done, quiet=quiet)
        if done.unasked is not None:
            click.get_current_context().exit(ExitCode.INCOMPLETE)
        return b""
    if not (quiet and done.is_released):
        _tell_sent(terminal, done)
    return done.digest if done.is_released else b""


@dataclass(frozen=True, slots=True)
class _Tried:
    """A message that could be sent. ``unasked``: why the node did not judge it; None where it did."""

    prepared: Prepared
    warnings: tuple[FieldProblem, ...]
    notes: Notes
    missing: tuple[str, ...] = ()
    unasked: Unreachable | None = None


async def _try_out(terminal: Terminal, prepared: Prepared, now: datetime) -> _Tried:
    """Check a message here and at the node; only here where the node cannot be asked."""
    missing: tuple[str, ...] = ()
    unasked: Unreachable | None = None
    try:
        async with terminal.session() as session:
            prepared = await sending.check(session, prepared, now=now)
            await duplicates.warn(terminal, session, prepared)
            register = session.register()
            try:
                missing = (await sending.try_out(session, prepared, now=now)).missing
            except Unreachable as error:
                unasked = error
    except Unreachable as error:
        known = sending.check_offline(terminal.profile(), prepared, now=now)
        if known is None:
            raise
        prepared, register = known
        unasked = error
    warnings = doubts.warn(terminal, prepared)
    notes = substances.of_prepared(register, terminal.profile().member, prepared, now)
    return _Tried(prepared, tuple(warnings), notes, missing, unasked)


async def _send(terminal: Terminal, prepared: Prepared, now: datetime, *, yes: bool | None) -> Sent:
    try:
        async with terminal.session() as session:
            prepared = await sending.check(session, prepared, now=now)
            await duplicates.warn(terminal, session, prepared)
            doubts.settle(terminal, prepared, yes=yes)
            with bars(terminal) as bar:
                return await sending.send(
                    session, prepared, now=now, on_sealing=bar(_("Sealing")), on_upload=bar(_("Bringing"))
                )
    except Unreachable as error:
        if error.saved:
            raise
        # The node is away before there is a message: make it from what is known here, and keep it.
        doubts.settle(terminal, prepared, yes=yes)
        with bars(terminal) as bar:
            sealed = sending.seal_offline(
                terminal.profile(),
                prepared,
                passphrase=terminal.passphrase,
                pin=terminal.pin,
                now=now,
                on_sealing=bar(_("Sealing")),
            )
        if not sealed:
            raise
        raise Unreachable(error.reason, error.where, error.detail, saved=True) from error


def _tell_tried(terminal: Terminal, tried: _Tried, *, quiet: bool) -> None:
    """Print what a dry run found; ``quiet``: only where the node was not asked."""
    prepared, unasked = tried.prepared, tried.unasked
    if terminal.wants_json:
        if not quiet:
            terminal.json(
                {
                    "state": "checked",
                    "checked_by": "this_machine" if unasked else "node",
                    "not_asked": unasked.reason if unasked else "",
                    "kind": prepared.kind.name,
                    "missing": list(tried.missing),
                    "warnings": [{"path": each.path, "code": each.code, "what": each.what} for each in tried.warnings],
                    "substances": substance_notes.as_objects(tried.notes),
                }
            )
        return
    if not quiet:
        terminal.say(
            _("The draft can be sent once the warnings are confirmed; nothing was sent.")
            if tried.warnings
            else _("The draft is complete and correct; nothing was sent."),
            "yellow" if tried.warnings or unasked else "green",
        )
        terminal.say(prepared.kind.summary(prepared.content, lang()))
        terminal.pairs(substance_notes.rows(tried.notes))
    if tried.missing:
        terminal.note(_("Sent, it would wait for {officers}.").format(officers=", ".join(tried.missing)))
    if unasked is not None:
        why = _(error_help.remedy(unasked.reason).what)
        terminal.warn(_("Only this machine checked it, the node did not: {reason}").format(reason=why))


def _tell_sent(terminal: Terminal, sent: Sent) -> None:
    sealed, outcome = sent.sealed, sent.outcome
    if terminal.wants_json:
        terminal.json(as_json.outcome(sealed, outcome))
        return
    if not sent.is_released:
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
    """Print whose signature a message waits for; nothing of it has left the node."""
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
