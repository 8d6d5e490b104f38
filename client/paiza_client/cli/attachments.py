"""Commands about attachments: look at a file before it is sent, list those of a message, fetch and open one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from paiza_cli.numbers import WholeNumber
from paiza_client.cli import display
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.files import attaching
from paiza_client.files.attaching import Attachment
from paiza_client.language import N_, _, number_text
from paiza_client.sdk import as_json, fitting, messages
from paiza_client.sdk.model import AttachmentStatus, MessageSummary

if TYPE_CHECKING:
    from paiza_client.sdk.attachments import SavedAttachment

STATES: Final = {
    "pending": N_("pending"),
    "received": N_("received"),
    "refused": N_("refused"),
    "expired": N_("given up"),
    "erased": N_("erased"),
    "unknown": N_("unknown"),
}


@click.group(help=N_("Look at files before they are sent; list and fetch the attachments of messages."))
@shared
def attach() -> None:
    """Keep attachments."""


@attach.command(help=N_("Say what a file is, whether it may be sent, and whether it tells where it was made."))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@shared
def check(*, files: tuple[Path, ...]) -> None:
    """Look at files."""
    terminal = current_terminal()
    rows: list[dict[str, Any]] = []
    for path in files:
        info = attaching.look_at(path).info
        place = attaching.place_of(path)
        rows.append({"file": str(path), "media_type": info.media_type, "size": info.size, "place": place})
    if terminal.wants_json:
        terminal.json(rows)
        return
    shown = [(each["file"], each["media_type"], number_text(each["size"]), _place(each["place"])) for each in rows]
    terminal.table((_("File"), _("Type"), _("Size"), _("Place it was made")), shown)


@attach.command("list", help=N_("List the attachments of a message and where they stand. Nothing is opened."))
@click.argument("message", metavar="ID")
@shared
def list_(*, message: str) -> None:
    """List attachments."""
    terminal = current_terminal()

    async def work() -> MessageSummary:
        async with terminal.session() as session:
            return await messages.find(session, message, fitting.with_attachments)

    found = run(work())
    if terminal.wants_json:
        terminal.json([as_json.attachment_standing(each) for each in found.attachments])
        return
    rows = [
        (str(each.part_number), number_text(each.size), each.member, state(each), each.reason)
        for each in found.attachments
    ]
    columns = (_("Part"), _("Sealed size"), _("At"), _("State"), _("Reason"))
    terminal.table(columns, rows, empty=_("The message has no attachments."))


@attach.command(help=N_("Fetch attachment N of a message, check it and save it. The opening is logged."))
@click.argument("message", metavar="ID")
@click.argument("number", type=WholeNumber(1), metavar="N")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help=N_("Where to; else here, under its name.")
)
@click.option("--reason", default="", help=N_("Why you open it."))
@shared
def get(*, message: str, number: int, output: Path | None, reason: str) -> None:
    """Fetch one."""
    fetch(current_terminal(), message, number, output, reason)


def fetch(terminal: Terminal, message: str, number: int, output: Path | None, reason: str) -> None:
    """Fetch attachment ``number`` (its part number) of a message and say what is proven."""

    async def work() -> "SavedAttachment":
        async with terminal.session() as session:
            found = await messages.find(session, message, fitting.with_attachments)
            with bars(terminal) as bar:
                return await session.save_attachment(
                    found, number, output, reason.strip(), on_progress=bar(_("Fetching"))
                )

    saved = run(work())
    if terminal.wants_json:
        terminal.json({**as_json.opened(saved.opened), "saved": as_json.saved(saved.info, saved.path)})
        return
    terminal.say(_("Saved as {path}").format(path=saved.path), "bold green")
    note = [(_("Note"), saved.info.note)] if saved.info.note else []
    terminal.pairs(
        [
            (_("Name"), saved.info.name),
            (_("Type"), saved.info.media_type),
            (_("Size"), number_text(saved.info.size)),
            *note,
            *display.proof_rows(saved.opened),
        ]
    )


@contextmanager
def bars(terminal: Terminal) -> Iterator[Callable[[str], attaching.Progress]]:
    """Show how far files are, a bar for each; yield what makes the callback of one kind of work from its name.

    Nothing is shown where nobody watches.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=terminal.err,
        disable=terminal.wants_json or not terminal.err.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def bar(what: str) -> attaching.Progress:
        def update(name: str, done: int, total: int) -> None:
            title = f"{what} {name}"
            if title not in tasks:
                tasks[title] = progress.add_task(title, total=total)
            progress.update(tasks[title], completed=done)

        return update

    with progress:
        yield bar


def tell_removed(terminal: Terminal, attachments: Sequence[Attachment]) -> None:
    """Print what was removed from each file whose location was to be removed."""
    for each in attachments:
        if not each.stripped:
            continue
        found = ", ".join(_(what) for what in each.removal.found)
        text = _("{file}: taken out: {what}") if found else _("{file}: it does not tell where it was made.")
        terminal.note(text.format(file=each.info.name, what=found))


def as_objects(attachments: Sequence[Attachment]) -> list[dict[str, Any]]:
    """Describe what was attached."""
    return [
        {
            "name": each.info.name,
            "media_type": each.info.media_type,
            "size": each.info.size,
            "removed": list(each.removal.found),
        }
        for each in attachments
    ]


def state(standing: AttachmentStatus) -> str:
    """Name where an attachment stands."""
    return _(STATES[standing.state])


def _place(found: Sequence[str] | None) -> str:
    if found is None:
        return _("cannot be told for this kind of file")
    return ", ".join(_(what) for what in found) or _("not told")
