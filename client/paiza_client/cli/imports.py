"""`paiza import seizures`: a table of another system, row by row into signed messages."""

from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from paiza_client.cli.options import shared, split
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.data.imports import (
    EqualRows,
    ImportInterrupted,
    ImportResult,
    check_members,
    check_readable,
    import_seizures,
    load_map,
)
from paiza_client.data.imports.suggest import suggest_map
from paiza_client.language import N_, _, ngettext, number_text
from paiza_domain import handling as marks
from paiza_officer import profiles
from paiza_officer.errors import FieldProblem, Refused, misused


@click.group("import", help=N_("Take records over from other systems."))
@shared
def import_() -> None:
    """Import records."""


@import_.command(
    help=N_("Send each row of a table of seizures as a signed notice; a second run sends only what is missing.")
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map", "layout", default="ids", show_default=True, metavar="NAME|FILE", help=N_("Layout: a name, or a TOML map.")
)
@click.option(
    "--as",
    "actors",
    multiple=True,
    metavar="PROFILE",
    help=N_("Profiles, one per reporting state; each sends its own state's rows to every other member."),
)
@click.option(
    "--rejects", type=click.Path(path_type=Path), help=N_("Where rejected rows go; else into the current folder.")
)
@click.option(
    "--tlp", type=click.Choice(marks.TLP), default="AMBER", show_default=True, help=N_("Mark of the notices.")
)
@click.option(
    "--equal-rows",
    type=click.Choice(["once", "each"]),
    help=N_("Rows that are equal in every column: one seizure, or each its own."),
)
@click.option("--dry-run", is_flag=True, help=N_("Check and count everything, send nothing."))
@shared
def seizures(
    *,
    file: Path,
    layout: str,
    actors: tuple[str, ...],
    rejects: Path | None,
    tlp: str,
    equal_rows: EqualRows | None,
    dry_run: bool,
) -> None:
    """Import seizures."""
    terminal = current_terminal()
    acting = [profiles.find(name) for name in split(actors)] or [terminal.profile()]
    members = [profile.member for profile in acting]
    if len(set(members)) != len(members):
        raise misused("--as", _("two profiles of one member"))
    chosen = load_map(layout)
    check_members(members, chosen)
    check_readable(file)

    async def work() -> ImportResult:
        async with AsyncExitStack() as stack:
            sessions = [await stack.enter_async_context(terminal.session(each)) for each in acting]
            with terminal.progress(_("Rows")) as on_progress:
                return await import_seizures(
                    sessions,
                    file,
                    chosen,
                    rejects=rejects,
                    tlp=tlp,
                    equal_rows=equal_rows or "",
                    dry_run=dry_run,
                    on_progress=on_progress,
                )

    try:
        result = run(work())
    except ImportInterrupted as error:
        if not dry_run:
            terminal.note(error.result.report.text())
        raise
    _print(terminal, result)


@import_.command(help=N_("Propose a map of a table, to be edited; nothing is sent."))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help=N_("File for the map; else it is printed."))
@shared
def suggest(*, file: Path, output: Path | None) -> None:
    """Propose a map."""
    terminal = current_terminal()
    text = suggest_map(file)
    if output is None:
        terminal.say(text.rstrip("\n"))
        return
    with profiles.new_private(output) as written:  # it names values of the table
        written.write(text.encode())
    terminal.say(_("Written to {path}: edit it, then check it with --dry-run.").format(path=output))


def _print(terminal: Terminal, result: ImportResult) -> None:
    if terminal.wants_json:
        terminal.json(_object(result))
    else:
        _print_text(terminal, result)
    if result.refused:
        problems = [FieldProblem(message, outcome.detail, outcome.reason) for message, outcome in result.refused]
        raise Refused("invalid_draft", _("messages refused by the node"), result.refused[0][1].reason, problems)


def _print_text(terminal: Terminal, result: ImportResult) -> None:
    terminal.say(result.report.text())
    terminal.say()
    if result.dry_run:
        terminal.say(_("Nothing was sent: this was a dry run."))
    else:
        rate = result.sent / result.seconds if result.seconds else 0.0
        text = ngettext(
            "{n} message sent in {seconds} s ({rate} a second).",
            "{n} messages sent in {seconds} s ({rate} a second).",
            result.sent,
        )
        seconds = number_text(Decimal(f"{result.seconds:.1f}"))
        terminal.say(text.format(n=number_text(result.sent), seconds=seconds, rate=number_text(round(rate))))
        if result.repeated_at_node:
            terminal.say(_("Already at the node: {n}.").format(n=number_text(result.repeated_at_node)))
    for officer, rows in sorted(result.sent_before_by.items()):
        text = _("Sent before in notices that {officer} signed: {n}.")
        terminal.say(text.format(officer=officer, n=number_text(rows)))
    if result.waiting:
        text = _("Waiting in the outbox, sent at the next command: {n}.")
        terminal.warn(text.format(n=number_text(result.waiting)))
    if result.rejects is not None:
        text = _("Rejected rows are in {path}: correct them there and import that file.")
        terminal.say(text.format(path=result.rejects))


def _object(result: ImportResult) -> dict[str, Any]:
    return {
        **result.report.to_json(),
        "dry_run": result.dry_run,
        "sent": result.sent,
        "repeated_at_node": result.repeated_at_node,
        "sent_before_by": dict(result.sent_before_by),
        "waiting": result.waiting,
        "refused": [
            {"id": message, "reason": outcome.reason, "detail": outcome.detail} for message, outcome in result.refused
        ],
        "rejects_file": str(result.rejects) if result.rejects else "",
        "seconds": round(result.seconds, 3),
    }
