"""`paiza statistics`: seizures counted by period, substance, route, place or member, small numbers hidden."""

import io
from datetime import date, datetime
from pathlib import Path
from typing import Final

import click

from paiza_client.cli.exports import end_incomplete, note_exercises, note_superseded, warn_left_out
from paiza_client.cli.options import DayParameter, MemberParameter, TimeParameter, WordParameter, check_period, shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.data.exports import missing_package
from paiza_client.data.statistics import DIMENSIONS, HIDDEN, REASON, Measure, Period, Statistics, count_seizures
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, wording
from paiza_officer.errors import Refused, misused
from paiza_officer.profiles import write_private

FORMATS: Final = ("csv", "xlsx", "json")
_BY: Final = {name: (each.title,) for name, each in DIMENSIONS.items()} | {
    "place": (DIMENSIONS["place"].title, N_("Place"), N_("Country"))
}
_MEASURES: Final = {"count": (N_("Seizures"),), "kg": (N_("Kilograms"), N_("kg"))}


@click.command(
    help=N_(
        "Count seizures by one or two of: year, quarter, month, group, substance, origin, route, place, place-type, "
        "member. Numbers behind which fewer than three notices stand are hidden, and whatever would give them away. "
        "Each notice is opened, which your node logs. --seized-since and --seized-until go by the day of the seizure, "
        "--since and --until by when your node received or sent a notice. A count that is interrupted begins anew."
    )
)
@click.option("--by", type=WordParameter(_BY), default="substance", show_default=True, help=N_("Rows."))
@click.option("--across", type=WordParameter(_BY), default=None, help=N_("Columns."))
@click.option(
    "--measure",
    type=WordParameter(_MEASURES),
    default="count",
    show_default=True,
    help=N_("Seizures, or kilograms where they are known."),
)
@click.option("--seized-since", type=DayParameter(), help=N_("Only seizures made on this day or later: 2026-11-23."))
@click.option("--seized-until", type=DayParameter(), help=N_("Only seizures made on this day or earlier."))
@click.option(
    "--since",
    type=TimeParameter(),
    help=N_("Only notices that your node received or sent since: 2026-11-23, or 8h, 3d, 2w ago."),
)
@click.option(
    "--until", type=TimeParameter(), help=N_("Only notices that your node received or sent before this time.")
)
@click.option(
    "--from", "author", type=MemberParameter(), default="", metavar="MEMBER", help=N_("Only from this member.")
)
@click.option("--reason", default=REASON, show_default=True, help=N_("Why you open them."))
@click.option("--format", "form", type=click.Choice(FORMATS), default=None, help=N_("Format of the file; else CSV."))
@click.option("-o", "--output", type=click.Path(path_type=Path), help=N_("File to write; else a table is shown."))
@shared
def statistics(
    *,
    by: str,
    across: str | None,
    measure: Measure,
    seized_since: date | None,
    seized_until: date | None,
    since: datetime | None,
    until: datetime | None,
    author: str,
    reason: str,
    form: str | None,
    output: Path | None,
) -> None:
    """Count seizures."""
    if across == by:
        raise misused("--across", _("rows and columns are the same"))
    if seized_since and seized_until and seized_until < seized_since:
        raise misused("--seized-until", _("the last day is before the first"))
    check_period(since, until)
    if form and output is None:
        raise misused("--format", _("name the file with --output"))
    if missing := missing_package(form or ""):
        raise misused("--format", missing)
    if output is not None and output.exists():
        raise Refused("file_unwritable", str(output), _("it exists"))
    terminal = current_terminal()

    async def work() -> Statistics:
        async with terminal.session() as session:
            with terminal.progress(_("Messages")) as on_progress:
                return await count_seizures(
                    session,
                    by,
                    across or "",
                    measure=measure,
                    period=Period(seized_since, seized_until),
                    author=author,
                    since=since,
                    until=until,
                    reason=reason.strip() or REASON,
                    on_progress=on_progress,
                )

    counted = run(work())
    note_superseded(terminal, counted.superseded)
    note_exercises(terminal, counted.exercises)
    _print(terminal, counted, form or FORMATS[0], output)
    if output is not None or terminal.wants_json:  # on the screen it stands below the table
        warn_left_out(terminal, counted.left_out)
    end_incomplete(counted.left_out)


def _print(terminal: Terminal, counted: Statistics, form: str, output: Path | None) -> None:
    table = counted.table
    if output is not None:
        from paiza_client.data.exports.writing import WRITERS  # noqa: PLC0415 - a table on the screen needs no writer

        stream = io.BytesIO()
        WRITERS[form](table, stream)
        write_private(output, stream.getvalue())
        terminal.note(_("Written to {path}").format(path=output))
    elif terminal.wants_json:
        rows = [
            {
                column: None if cell == HIDDEN else cell if isinstance(cell, int) else str(cell)
                for column, cell in zip(table.columns, row, strict=True)
            }
            for row in table.rows
        ]
        terminal.json({
            "title": table.title,
            "handling": wording.handling(table.mark),
            "notes": list(table.notes),
            "notices": counted.notices,
            "superseded": counted.superseded,
            "exercises": counted.exercises,
            "date_unsure": counted.unsure,
            "complete": counted.complete,
            "left_out": as_json.left_out(counted.left_out),
            "rows": rows,
        })  # fmt: skip
    else:
        terminal.say(table.title, "bold")
        terminal.say(wording.handling(table.mark))
        terminal.table(table.columns, [[str(cell) for cell in row] for row in table.rows])
        for note in table.notes:
            terminal.note(note)
