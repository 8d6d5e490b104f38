"""`paiza tasks note` and `paiza tasks handover`: what one shift of a unit leaves to the next."""

from typing import TYPE_CHECKING, Any

import click

from paiza_client.cli import display
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paiza_client.sdk.tasks import ShiftNote


@click.command(
    help=N_(
        "Leave a note for your unit: `paiza tasks list` shows it until the next hand-over. Without a text: show all."
    )
)
@click.argument("text", default="")
@shared
def note(*, text: str) -> None:
    """Leave a note, or show those there are."""
    terminal = current_terminal()

    async def work() -> "list[ShiftNote]":
        async with terminal.session() as session:
            return [await session.tasks.note(text)] if text else await session.tasks.notes()

    found = run(work())
    if terminal.wants_json:
        terminal.json([_as_object(each) for each in found])
    elif text:
        terminal.say(_("Your unit sees the note until the shift is handed over next."), "bold")
    elif found:
        tell(terminal, found)
    else:
        terminal.note(_("There is no note."))


@click.command(
    help=N_("Hand the shift of your unit over, with a note to the next shift. The notes before it are no longer shown.")
)
@click.argument("text", default="")
@shared
def handover(*, text: str) -> None:
    """Hand the shift over."""
    terminal = current_terminal()

    async def work() -> "ShiftNote":
        async with terminal.session() as session:
            return await session.tasks.hand_over(text)

    done = run(work())
    if terminal.wants_json:
        terminal.json(_as_object(done))
        return
    terminal.say(_("The shift is handed over; the notes before are no longer shown."), "bold")


def tell(terminal: Terminal, notes: "Sequence[ShiftNote]") -> None:
    """Print notes, each on a line of its own."""
    for each in notes:
        officer = each.officer.rpartition("/")[2]
        text = each.text
        if each.hands_over:
            text = f"{_('shift handed over')}: {text}" if text else _("shift handed over")
        terminal.say("  ".join(filter(None, (display.when(each.note_time), each.unit, officer, text))), "yellow")


def _as_object(note: "ShiftNote") -> dict[str, Any]:
    return {
        "unit": note.unit,
        "officer": note.officer,
        "time": note.note_time,
        "text": note.text,
        "hands_over": note.hands_over,
    }
