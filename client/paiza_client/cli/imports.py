"""`paiza import seizures`: a table of another system, row by row into signed messages."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any, Final

import click

from paiza.core.v1 import message_pb2
from paiza_client.cli.options import shared, split
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.data.imports.maps import ImportMap, load_map
from paiza_client.data.imports.seizures import ImportResult, SeizureImport, rejects_path
from paiza_client.errors import FieldProblem, Refused, Unreachable, misused
from paiza_client.language import N_, _
from paiza_client.local import profiles
from paiza_client.local.profiles import Profile
from paiza_domain import handling as marks

STEP_ROWS: Final = 64  # rows between two movements of the progress bar
COUNT_BYTES: Final = 1 << 20  # read at once to count the lines


@click.group("import", help=N_("Take records over from other systems."))
def import_() -> None:
    """Take records over."""


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
@click.option("--dry-run", is_flag=True, help=N_("Check and count everything, send nothing."))
@shared
def seizures(
    *, file: Path, layout: str, actors: tuple[str, ...], rejects: Path | None, tlp: str, dry_run: bool
) -> None:
    """Import seizures."""
    terminal = current_terminal()
    acting = [profiles.find(name) for name in split(actors)] or [terminal.profile()]
    members = [profile.member for profile in acting]
    if len(set(members)) != len(members):
        raise misused("--as", _("two profiles of one member"))
    chosen = load_map(layout)
    total = _lines(file)
    started = monotonic()
    handling = message_pb2.Handling(tlp=tlp, code="H0", classification=1, purposes=["statistics"])
    result = run(_work(terminal, acting, file, chosen, rejects or rejects_path(file), total, handling, dry_run=dry_run))
    _tell(terminal, result, monotonic() - started, dry_run=dry_run)


async def _work(
    terminal: Terminal,
    acting: list[Profile],
    file: Path,
    layout: ImportMap,
    rejects: Path,
    total: int,
    handling: message_pb2.Handling,
    *,
    dry_run: bool,
) -> ImportResult:
    async with AsyncExitStack() as stack:
        sessions = {each.member: await stack.enter_async_context(terminal.session(each)) for each in acting}
        composers = {member: await session.composer() for member, session in sessions.items()}
        with terminal.progress() as progress:
            task = progress.add_task(_("Rows"), total=total)

            def step(row: int) -> None:
                if row % STEP_ROWS == 0:
                    progress.update(task, completed=min(row, total))

            job = SeizureImport(
                sessions, composers, asyncio.get_running_loop(), handling=handling, dry_run=dry_run, step=step
            )
            try:
                result = await asyncio.to_thread(job.run, file, layout, rejects)
            except Unreachable as error:
                if not dry_run:
                    terminal.note(job.result.report.text(_))
                    error.saved = True
                raise
            progress.update(task, completed=total)
        return result


def _tell(terminal: Terminal, result: ImportResult, seconds: float, *, dry_run: bool) -> None:
    if terminal.wants_json:
        terminal.json(_object(result, seconds, dry_run=dry_run))
    else:
        terminal.say(result.report.text(_))
        terminal.say()
        if dry_run:
            terminal.say(_("Nothing was sent: this was a dry run."))
        else:
            rate = result.sent / seconds if seconds else 0.0
            terminal.say(
                _("{n} messages sent in {seconds:.1f} s ({rate:.0f} a second).").format(
                    n=result.sent, seconds=seconds, rate=rate
                )
            )
            if result.repeated_at_node:
                terminal.say(_("{n} were at the node already.").format(n=result.repeated_at_node))
            if result.waiting:
                terminal.warn(_("{n} wait in the outbox; they go at the next command.").format(n=result.waiting))
        if result.rejects is not None:
            terminal.say(
                _("Rejected rows are in {path}: mend them there and import that file.").format(path=result.rejects)
            )
    if result.refused:
        problems = [FieldProblem(message, outcome.detail, outcome.reason) for message, outcome in result.refused]
        raise Refused("invalid_draft", _("messages refused by the node"), result.refused[0][1].reason, problems)


def _object(result: ImportResult, seconds: float, *, dry_run: bool) -> dict[str, Any]:
    return {
        **result.report.to_json(),
        "dry_run": dry_run,
        "sent": result.sent,
        "repeated_at_node": result.repeated_at_node,
        "waiting": result.waiting,
        "refused": [
            {"id": message, "reason": outcome.reason, "detail": outcome.detail} for message, outcome in result.refused
        ],
        "rejects_file": str(result.rejects) if result.rejects else "",
        "seconds": round(seconds, 3),
    }


def _lines(path: Path) -> int:
    """Count lines, for the progress bar only."""
    try:
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(COUNT_BYTES), b""))
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
