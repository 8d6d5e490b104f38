"""`paiza tasks`: list, assign, take, acknowledge and complete tasks."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from paiza_cli.numbers import WholeNumber
from paiza_client.cli import display, shift_notes
from paiza_client.cli.deputies import deputy
from paiza_client.cli.options import shared
from paiza_client.cli.paging import paged, tell_more
from paiza_client.cli.search import tell_matches
from paiza_client.cli.terminal import current_terminal, lang, run
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, fitting, messages, saved_searches, wording
from paiza_domain.schema import subjects
from paiza_officer.errors import misused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paiza_client.sdk.saved_searches import SavedSearch
    from paiza_client.sdk.tasks import Scope, ShiftNote, Task, TaskPage, Tasks

_STATES: Final = {
    "new": N_("new"),
    "acknowledged": N_("acknowledged"),
    "done": N_("done"),
    "unknown": N_("unknown"),
}


@click.group(help=N_("Your tasks: what you or your unit must do, and until when."))
@shared
def tasks() -> None:
    """Work on tasks."""


@tasks.command("list", help=N_("List tasks, the first due first."))
@click.option("--mine", is_flag=True, help=N_("Only your own."))
@click.option("--all", "everything", is_flag=True, help=N_("The tasks of all units; for those who oversee them."))
@click.option("--limit", type=WholeNumber(1, 500), default=100, show_default=True, help=N_("At most so many."))
@paged
@shared
def list_(*, mine: bool, everything: bool, limit: int, page: str) -> None:
    """List tasks."""
    if mine and everything:
        raise misused("paiza tasks list", _("--mine and --all contradict each other"))
    terminal = current_terminal()
    scope: Scope = "mine" if mine else "all" if everything else "unit"

    async def work() -> "tuple[TaskPage, list[ShiftNote], list[SavedSearch]]":
        async with terminal.session() as session:
            found = await session.tasks.page(scope, page_size=limit, token=page, subjects=True)
            if terminal.wants_json:
                return found, [], []
            return found, await session.tasks.notes(), await saved_searches.listed(session)

    found, notes, searches = run(work())
    shift_notes.tell(terminal, notes)
    tell_matches(terminal, searches)
    if terminal.wants_json:
        shown = [{**as_json.summary(each.message), "task": as_object(each.task)} for each in found.items]
        terminal.json({"tasks": shown, "next_page": found.next_token})
        return
    rows = [
        (
            each.message.id[: display.SHORT_ID],
            display.urgency(each.message.header),
            display.kind_title(each.message.header),
            subjects.text(each.message.subject, lang()),
            wording.sender(each.message.header),
            each.task.assignee.rpartition("/")[2] or each.task.unit or _("shared tasks"),
            _(_STATES[each.task.state]),
            _when(each.task.due_time or each.task.acknowledge_time),
            _("OVERDUE") if each.task.overdue else "",
        )
        for each in found.items
    ]
    columns = (_("Id"), _("Urgency"), _("Kind"), _("Subject"), _("From"), _("Assigned to"), _("State"), _("Due"), "")
    terminal.table(columns, rows, empty=_("Nothing is to be done."))
    tell_more(terminal, found.next_token)


@tasks.command(help=N_("Assign a task to a unit or to an officer."))
@click.argument("message", metavar="ID")
@click.option("--unit", default="", metavar="UNIT", help=N_("The unit."))
@click.option("--officer", default="", metavar="OFFICER", help=N_("The officer: name or id."))
@click.option("--note", default="", metavar="TEXT", help=N_("A note, kept beside the log."))
@shared
def assign(*, message: str, unit: str, officer: str, note: str) -> None:
    """Assign."""
    if bool(unit) == bool(officer):
        raise misused("paiza tasks assign", _("name either --unit or --officer"))
    _change(message, lambda service, digest: service.assign(digest, unit=unit, officer=officer, note=note))


@tasks.command(help=N_("Take a task yourself."))
@click.argument("message", metavar="ID")
@shared
def take(*, message: str) -> None:
    """Assign a task to the caller."""
    _change(message, lambda service, digest: service.take(digest))


@tasks.command(help=N_("Acknowledge a task: you have seen it. What expects no answer is done then."))
@click.argument("message", metavar="ID")
@shared
def ack(*, message: str) -> None:
    """Acknowledge."""
    _change(message, lambda service, digest: service.acknowledge(digest))


@tasks.command(help=N_("Complete a task."))
@click.argument("message", metavar="ID")
@click.option("--note", default="", metavar="TEXT", help=N_("A note, kept beside the log."))
@shared
def done(*, message: str, note: str) -> None:
    """Be done."""
    _change(message, lambda service, digest: service.complete(digest, note))


tasks.add_command(deputy)
tasks.add_command(shift_notes.note)
tasks.add_command(shift_notes.handover)


def in_words(task: "Task") -> str:
    """Return whose a task is, and when it is due."""
    if task.state == "done":
        return _("done")
    parts = [task.assignee.rpartition("/")[2] or task.unit]
    if due := task.due_time or task.acknowledge_time:
        parts.append((_("OVERDUE since {time}") if task.overdue else _("due {time}")).format(time=display.when(due)))
    return ", ".join(filter(None, parts))


def as_object(task: "Task") -> dict[str, Any]:
    """Return a task as `--json` prints it."""
    return {
        "unit": task.unit,
        "assignee": task.assignee,
        "state": task.state,
        "acknowledge_time": task.acknowledge_time,
        "due_time": task.due_time,
        "overdue": task.overdue,
        "escalations": task.escalations,
    }


def _change(message: str, act: "Callable[[Tasks, bytes], Awaitable[Task]]") -> None:
    terminal = current_terminal()

    async def work() -> "Task":
        async with terminal.session() as session:
            own_tasks = await session.tasks.by_message() if messages.is_thread_name(message) else {}
            found = await messages.find(session, message, fitting.among(own_tasks), fitting.received)
            return await act(session.tasks, found.digest)

    now = run(work())
    if terminal.wants_json:
        terminal.json(as_object(now))
        return
    whose = now.assignee or now.unit or _("shared tasks")
    terminal.say(_("{state}: {whose}").format(state=_(_STATES[now.state]), whose=whose), "bold")


def _when(moment: datetime | None) -> str:
    return "" if moment is None else display.when(moment)
