"""`paiza export`: opened messages as a file for others.

The node is asked for leave first, and logs it; then every message is opened through the node, which logs that too; then
the file is made here. It carries the strictest mark of all that is in it.
"""

from datetime import datetime
from pathlib import Path

import click

from paiza_client.cli import display
from paiza_client.cli.options import TimeParameter, shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.data import exports
from paiza_client.data.exports import ExportResult
from paiza_client.language import N_, _, ngettext, number_text
from paiza_client.sdk import wording
from paiza_domain import codes
from paiza_officer.errors import Refused, misused
from paiza_officer.profiles import write_private


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
@click.option("--since", type=TimeParameter(), help=N_("All received and sent since: 2026-11-23, or 8h, 3d, 2w ago."))
@click.option("--kind", default="", metavar="KIND", help=N_("Only this kind."))
@click.option("--from", "author", default="", metavar="MEMBER", help=N_("Only from this member."))
@click.option("--annex", is_flag=True, help=N_("Nominal annexes too; with the forms full and print."))
@click.option("--purpose", default="", metavar="CODE", help=N_("What it is to be used for: a code of the purposes."))
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
@shared
def export(
    *,
    ids: tuple[str, ...],
    name: str,
    since: datetime | None,
    kind: str,
    author: str,
    annex: bool,
    purpose: str,
    reason: str,
    audience: str,
    whom: str,
    partial: bool,
    form: str | None,
    output: Path | None,
) -> None:
    """Export messages."""
    if not ids and since is None:
        raise misused("paiza export", _("name messages, or --since"))
    terminal, formats = current_terminal(), exports.FORMS[name].formats
    written = form or ("json" if terminal.wants_json and "json" in formats else formats[0])
    if wrong := exports.misfit(name, written, kind, annex=annex):
        raise misused(f"--{wrong[0]}", wrong[1])
    if not reason.strip():
        raise Refused("reason_missing", "paiza export")
    if purpose not in codes.load("purpose"):
        raise misused("--purpose", _("one of: {codes}").format(codes=", ".join(codes.load("purpose"))))
    if audience != "own-unit" and not whom.strip():
        raise misused("--whom", _("say who exactly gets it"))
    if output is None and written == "xlsx":
        raise misused("--output", _("XLSX is written to a file"))
    if output is not None and output.exists():
        raise Refused("file_unwritable", str(output), _("it exists"))
    intent = exports.Intent(
        audience, whom.strip() or str(terminal.profile().id), purpose, reason.strip(), with_annex=annex
    )

    async def work() -> ExportResult:
        async with terminal.session() as session:
            with terminal.progress(_("Messages")) as on_progress:
                return await exports.export_messages(
                    session,
                    intent,
                    ids,
                    form=name,
                    file_format=written,
                    kind=kind,
                    author=author,
                    since=since,
                    partial=partial,
                    on_progress=on_progress,
                )

    _print(terminal, run(work()), output)


def _print(terminal: Terminal, result: ExportResult, output: Path | None) -> None:
    note_superseded(terminal, len(result.superseded))
    for each in result.left_out:
        terminal.warn(
            _("Left out: {id}: {reason}").format(
                id=each.message.id[: display.SHORT_ID], reason=each.detail or each.reason
            )
        )
    if output is None:
        click.echo(result.data, nl=False)
        return
    write_private(output, result.data)
    text = ngettext("{n} message written to {path}", "{n} messages written to {path}", len(result.messages))
    terminal.note(text.format(n=number_text(len(result.messages)), path=output))
    terminal.note(_("It carries the mark {mark}").format(mark=wording.handling(result.mark)))


def note_superseded(terminal: Terminal, count: int) -> None:
    """Print how many messages were left out as no longer in force or counted twice."""
    if count:
        terminal.note(_("Left out, because recalled or replaced: {n}").format(n=count))
