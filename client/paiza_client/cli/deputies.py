"""`paiza tasks deputy`: appoint a deputy until a time, end an appointment, list the deputies."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from paiza_client.cli import display
from paiza_client.cli.options import UntilParameter, shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.language import N_, _
from paiza_officer.errors import misused

if TYPE_CHECKING:
    from paiza_client.sdk.deputies import Deputy

LIST: Final = "list"


@click.command(
    help=N_(
        "Appoint a deputy: until a time, an officer of your member sees what you see by unit and assignment. They act "
        "under their own name. End it with --end; see all deputies with: paiza tasks deputy list"
    )
)
@click.argument("name", metavar="[NAME|list]", default=LIST)
@click.option(
    "--until",
    type=UntilParameter(),
    help=N_("Until when: 2026-12-31 (to the end of that day), 2026-12-31T18:00, or 8h, 3d, 2w from now."),
)
@click.option(
    "--for",
    "officer",
    default="",
    metavar="OFFICER",
    help=N_("The deputy of an officer of your unit, whose head you are."),
)
@click.option("--end", is_flag=True, help=N_("End the appointment now."))
@shared
def deputy(*, name: str, until: datetime | None, officer: str, end: bool) -> None:
    """Appoint, end or list."""
    terminal = current_terminal()
    if end:
        if until is not None or name != LIST:
            raise misused("paiza tasks deputy", _("--end stands without a name and without --until"))
        _tell(terminal, run(_end(terminal, officer)), _("{deputy} is no longer the deputy of {officer}."))
        return
    if name == LIST:
        if until is not None or officer:
            raise misused("paiza tasks deputy", _("name the officer who is to be the deputy"))
        _list(terminal, run(_listed(terminal)))
        return
    if until is None:
        raise misused("--until", _("say until when, for example --until 3d"))
    _tell(
        terminal, run(_appoint(terminal, name, until, officer)), _("{deputy} is the deputy of {officer} until {time}.")
    )


async def _appoint(terminal: Terminal, name: str, until: datetime, officer: str) -> "Deputy":
    async with terminal.session() as session:
        return await session.deputies.appoint(name, until, officer=officer)


async def _end(terminal: Terminal, officer: str) -> "Deputy":
    async with terminal.session() as session:
        return await session.deputies.end(officer)


async def _listed(terminal: Terminal) -> "list[Deputy]":
    async with terminal.session() as session:
        return await session.deputies.listed()


def _list(terminal: Terminal, found: "list[Deputy]") -> None:
    if terminal.wants_json:
        terminal.json([_as_object(each) for each in found])
        return
    rows = [(_name(each.officer), _name(each.deputy), display.when(each.end_time)) for each in found]
    terminal.table((_("Officer"), _("Deputy"), _("Until")), rows, empty=_("Nobody has a deputy."))


def _tell(terminal: Terminal, appointed: "Deputy", sentence: str) -> None:
    if terminal.wants_json:
        terminal.json(_as_object(appointed))
        return
    told = {"deputy": _name(appointed.deputy), "officer": _name(appointed.officer)}
    terminal.say(sentence.format(**told, time=display.when(appointed.end_time)), "bold")


def _as_object(appointed: "Deputy") -> dict[str, Any]:
    return {"officer": appointed.officer, "deputy": appointed.deputy, "end_time": appointed.end_time}


def _name(officer: str) -> str:
    return officer.rpartition("/")[2]
