"""The desk: list what is to be done, give it to somebody, take it, acknowledge it, say that it is done."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from paiza_client.cli import messages
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.errors import Refused, misused
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, find_messages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paiza_client.sdk import Session
    from paiza_client.sdk.tasks import Scope, TaskItem, Tasks, Work

_STATES: Final = {
    "new": N_("new"),
    "acknowledged": N_("acknowledged"),
    "done": N_("done"),
    "unknown": N_("unknown"),
}


@click.group(help=N_("Your desk: what is to be done by you or your unit, and until when."))
def desk() -> None:
    """Work at the desk."""


@desk.command("list", help=N_("List what is to be done, what is due first ahead."))
@click.option("--mine", is_flag=True, help=N_("Only what is given to you."))
@click.option("--all", "everything", is_flag=True, help=N_("The work of all units; for those who oversee them."))
@shared
def list_(*, mine: bool, everything: bool) -> None:
    """List work."""
    if mine and everything:
        raise misused("paiza desk list", _("--mine and --all contradict each other"))
    terminal = current_terminal()
    scope: Scope = "mine" if mine else "all" if everything else "desk"

    async def work() -> "list[TaskItem]":
        async with terminal.session() as session:
            return await session.tasks.work(scope)

    found = run(work())
    if terminal.wants_json:
        terminal.json([{**as_json.summary(each.message), "work": as_object(each.work)} for each in found])
        return
    rows = [
        (
            each.message.id[: messages.SHORT_ID],
            messages.urgency(each.message.header),
            messages.kind_title(each.message.header),
            each.message.header.author,
            each.work.assignee.rpartition("/")[2] or each.work.unit or _("common desk"),
            _(_STATES[each.work.state]),
            _when(each.work.due_time or each.work.acknowledge_time),
            _("OVERDUE") if each.work.overdue else "",
        )
        for each in found
    ]
    columns = (_("Id"), _("Urgency"), _("Kind"), _("From"), _("With"), _("State"), _("Due"), "")
    terminal.table(columns, rows, empty=_("Nothing is to be done."))


@desk.command(help=N_("Give work to a unit or to an officer."))
@click.argument("message", metavar="ID")
@click.option("--unit", default="", metavar="UNIT", help=N_("The unit."))
@click.option("--officer", default="", metavar="OFFICER", help=N_("The officer: name or id."))
@click.option("--note", default="", metavar="TEXT", help=N_("A note, kept beside the log."))
@shared
def assign(*, message: str, unit: str, officer: str, note: str) -> None:
    """Assign."""
    if bool(unit) == bool(officer):
        raise misused("paiza desk assign", _("name either --unit or --officer"))
    _change(message, lambda desks, digest: desks.assign(digest, unit=unit, officer=officer, note=note))


@desk.command(help=N_("Take work yourself."))
@click.argument("message", metavar="ID")
@shared
def take(*, message: str) -> None:
    """Take."""
    _change(message, lambda desks, digest: desks.take(digest))


@desk.command(help=N_("Say that you have seen it and work on it."))
@click.argument("message", metavar="ID")
@shared
def ack(*, message: str) -> None:
    """Acknowledge."""
    _change(message, lambda desks, digest: desks.acknowledge(digest))


@desk.command(help=N_("Say that it is done."))
@click.argument("message", metavar="ID")
@click.option("--note", default="", metavar="TEXT", help=N_("A note, kept beside the log."))
@shared
def done(*, message: str, note: str) -> None:
    """Be done."""
    _change(message, lambda desks, digest: desks.complete(digest, note))


async def on_desk(session: "Session") -> "dict[bytes, Work]":
    """Return the work that the officer sees, by message; none where his role has no desk."""
    try:
        return {each.message.digest: each.work for each in await session.tasks.work()}
    except Refused as error:
        if error.reason != "policy_denied":
            raise
        return {}


def in_words(work: "Work") -> str:
    """Say with whom work is, and by when it is due."""
    if work.state == "done":
        return _("done")
    parts = [work.assignee.rpartition("/")[2] or work.unit]
    if due := work.due_time or work.acknowledge_time:
        parts.append((_("OVERDUE since {span}") if work.overdue else _("due {span}")).format(span=messages.when(due)))
    return ", ".join(filter(None, parts))


def as_object(work: "Work") -> dict[str, Any]:
    """Describe how work stands."""
    return {
        "unit": work.unit,
        "assignee": work.assignee,
        "state": work.state,
        "acknowledge_time": work.acknowledge_time,
        "due_time": work.due_time,
        "overdue": work.overdue,
        "escalations": work.escalations,
    }


def _change(message: str, act: "Callable[[Tasks, bytes], Awaitable[Work]]") -> None:
    terminal = current_terminal()

    async def work() -> "Work":
        async with terminal.session() as session:
            found = await find_messages.one(session, message)
            return await act(session.tasks, found.digest)

    now = run(work())
    if terminal.wants_json:
        terminal.json(as_object(now))
        return
    whose = now.assignee or now.unit or _("common desk")
    terminal.say(_("{state}: {whose}").format(state=_(_STATES[now.state]), whose=whose), "bold")


def _when(moment: datetime | None) -> str:
    return "" if moment is None else messages.when(moment)
