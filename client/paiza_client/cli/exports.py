"""`paiza export`: opened messages as a file for others.

The node is asked for leave first, and logs it; then every message is opened through the node, which logs that too; then
the file is made here. It carries the strictest mark of all that is in it. An interrupted export goes on where it was.
"""

import shlex
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from paiza_cli.exit_codes import ExitCode
from paiza_client.cli import display
from paiza_client.cli.options import CodeParameter, KindParameter, MemberParameter, TimeParameter, check_period, shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.data import exports
from paiza_client.data.exports import ExportResult
from paiza_client.language import N_, _, ngettext, number_text
from paiza_client.sdk import as_json, wording
from paiza_client.sdk.model import LeftOut
from paiza_domain import codes
from paiza_officer.errors import Refused, misused

_PIECE: Final = 1 << 20  # bytes of the file handed on together


@click.command(
    help=N_(
        "Write opened messages to a file: whole (JSON, YAML), as UNODC seizure rows, a short form for customs without "
        "names, precursor incidents (CSV, XLSX, JSON), or pages to print (HTML). Leave and openings are logged."
    )
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--form", "name", type=click.Choice(tuple(exports.FORMS)), default="full", show_default=True, help=N_("Form.")
)
@click.option(
    "--since",
    type=TimeParameter(),
    help=N_("All that your node received or sent since: 2026-11-23, or 8h, 3d, 2w ago."),
)
@click.option("--until", type=TimeParameter(), help=N_("All that your node received or sent before this time."))
@click.option("--kind", type=KindParameter(), default="", metavar="KIND", help=N_("Only this kind."))
@click.option(
    "--from", "author", type=MemberParameter(), default="", metavar="MEMBER", help=N_("Only from this member.")
)
@click.option("--annex", is_flag=True, help=N_("Nominal annexes too; with the forms full and print."))
@click.option(
    "--purpose",
    type=CodeParameter("purpose"),
    default="",
    metavar="CODE",
    help=N_("What it is to be used for: a code of the purposes."),
)
@click.option("--reason", default="", help=N_("Why it leaves the system."))
@click.option(
    "--for",
    "audience",
    type=click.Choice(tuple(exports.AUDIENCES)),
    default="own-unit",
    show_default=True,
    help=N_("For whom."),
)
@click.option("--whom", default="", metavar="TEXT", help=N_("Who exactly gets it; yourself where nothing is said."))
@click.option(
    "--partial", is_flag=True, help=N_("Leave out what must not be exported, and name it; else nothing is written.")
)
@click.option(
    "--format", "form", type=click.Choice(exports.FORMATS), default=None, help=N_("Format; else the form's usual.")
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help=N_("File to write; else standard output."))
@click.option("--exercise", is_flag=True, help=N_("Exercises alone. Without it a table holds none."))
@click.option("--continue", "go_on", is_flag=True, help=N_("Finish an interrupted export to the file of --output."))
@shared
def export(
    *,
    ids: tuple[str, ...],
    name: str,
    since: datetime | None,
    until: datetime | None,
    kind: str,
    author: str,
    annex: bool,
    purpose: str,
    reason: str,
    audience: str,
    whom: str,
    partial: bool,
    exercise: bool,
    form: str | None,
    output: Path | None,
    go_on: bool,
) -> None:
    """Export messages."""
    terminal, formats = current_terminal(), exports.FORMS[name].formats
    if go_on:
        if output is None or ids or since or until or reason:
            raise misused("--continue", _("it goes with --output alone: what was ordered is written there"))
        _print(terminal, run(_continued(terminal, output)), output)
        return
    if not ids and since is None and until is None:
        raise misused("paiza export", _("name messages, or --since"))
    check_period(since, until)
    written = form or ("json" if terminal.wants_json and "json" in formats else formats[0])
    if wrong := exports.misfit(name, written, kind, annex=annex):
        raise misused(f"--{wrong[0]}", wrong[1])
    intent = exports.Intent(audience, whom.strip(), purpose, reason.strip(), with_annex=annex)
    match exports.lacks(intent):
        case "reason":
            raise Refused("reason_missing", "paiza export")
        case "purpose":
            raise misused("--purpose", _("one of: {codes}").format(codes=", ".join(codes.load("purpose"))))
        case "recipient":
            raise misused("--whom", _("say who exactly gets it"))
    if output is None and written == "xlsx":
        raise misused("--output", _("XLSX is written to a file"))
    order = exports.Order(
        intent=replace(intent, recipient=intent.recipient or str(terminal.profile().id)),
        form=name,
        file_format=written,
        names=ids,
        kind=kind,
        author=author,
        since=since,
        until=until,
        partial=partial,
        exercise=exercise,
    )
    with tempfile.TemporaryDirectory() as folder:
        # For standard output too the file is made first: a part of it never looks like the whole.
        target = output or Path(folder) / "export"
        try:
            result = run(_made(terminal, target, order))
        except BaseException:
            if output is not None and exports.beside(output).exists():
                command = shlex.join(["paiza", "export", "--continue", "-o", str(output)])
                terminal.warn(_("The export is not finished. Finish it with: {command}").format(command=command))
            raise
        if output is None:
            with target.open("rb") as file:
                while piece := file.read(_PIECE):
                    click.echo(piece, nl=False)
        _print(terminal, result, output)


async def _made(terminal: Terminal, target: Path, order: exports.Order) -> ExportResult:
    async with terminal.session() as session:
        with terminal.progress(_("Messages")) as on_progress:
            return await exports.export_messages(session, target, order, on_progress=on_progress)


async def _continued(terminal: Terminal, target: Path) -> ExportResult:
    async with terminal.session() as session:
        with terminal.progress(_("Messages")) as on_progress:
            return await exports.continue_export(session, target, on_progress=on_progress)


def _print(terminal: Terminal, result: ExportResult, output: Path | None) -> None:
    note_superseded(terminal, result.superseded)
    note_exercises(terminal, result.exercises)
    for each in result.left_out.first:
        why = wording.why_left_out(each.reason, each.detail)
        terminal.warn(_("Left out: {id}: {reason}").format(id=each.name[: display.SHORT_ID], reason=why))
    if output is not None:
        text = ngettext("{n} message written to {path}", "{n} messages written to {path}", result.messages)
        terminal.note(text.format(n=number_text(result.messages), path=output))
        terminal.note(_("It carries the mark {mark}").format(mark=wording.handling(result.mark)))
        if terminal.wants_json:
            terminal.json(_object(result))
    warn_left_out(terminal, result.left_out)
    end_incomplete(result.left_out)


def _object(result: ExportResult) -> dict[str, Any]:
    return {
        "path": result.path,
        "format": result.file_format,
        "handling": wording.handling(result.mark),
        "messages": result.messages,
        "superseded": result.superseded,
        "exercises": result.exercises,
        "complete": result.complete,
        "left_out": as_json.left_out(result.left_out),
    }


def note_exercises(terminal: Terminal, count: int) -> None:
    """Print how many messages were left out because they are exercises."""
    if count:
        terminal.note(_("Left out, because they are exercises: {n}").format(n=number_text(count)))


def note_superseded(terminal: Terminal, count: int) -> None:
    """Print how many messages were left out as no longer in force or counted twice."""
    if count:
        terminal.note(_("Left out, because recalled or replaced: {n}").format(n=number_text(count)))


def warn_left_out(terminal: Terminal, left_out: LeftOut) -> None:
    """Print what a result lacks, and why."""
    for sentence in wording.left_out(left_out):
        terminal.warn(sentence)


def end_incomplete(left_out: LeftOut) -> None:
    """End the command with the exit code of a result that lacks something; return where it lacks nothing."""
    if left_out:
        click.get_current_context().exit(ExitCode.INCOMPLETE)
