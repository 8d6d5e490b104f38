"""Views of controlled deliveries: the board of all, and one delivery with every step."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click
from google.protobuf.json_format import MessageToDict

from paiza.core.v1 import text_pb2
from paiza.officer.v1 import workflow_pb2
from paiza_client.cli import display
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.language import N_, _, span_text
from paiza_client.sdk import breaches, controlled_delivery, threads, wording
from paiza_domain import kinds


@click.command("board", help=N_("Show where every controlled delivery stands that your node knows of."))
@click.option("--all", "over_too", is_flag=True, help=N_("Those that are over, too."))
@shared
def board(*, over_too: bool) -> None:
    """Show the board."""
    terminal = current_terminal()

    async def work() -> list[workflow_pb2.WorkflowStatus]:
        async with terminal.session() as session:
            return await controlled_delivery.board(session, over_too=over_too)

    found = run(work())
    if terminal.wants_json:
        terminal.json([status_json(each) for each in found])
        return
    now, own = datetime.now(UTC), terminal.profile().member
    columns = [_("Thread"), _("Stands"), _("States"), _("Responsible"), _("Due"), _("Alarms")]
    rows = [
        (
            wording.thread_title(each.thread_name, exercise=each.exercise),
            text(each.overall_text) + (f" → {each.offered_to}" if each.offered_to else ""),
            "; ".join(f"{state.member}: {text(state.status_text)}" for state in each.states),
            each.responsible or "–",
            "; ".join(deadline(one, now) for one in _most_urgent(each.deadlines, own)),
            "; ".join(_alarms(each)),
        )
        for each in found
    ]
    terminal.table(columns, rows, empty=_("No controlled delivery is under way."))


@click.command("show", help=N_("Show one controlled delivery: where it stands, what is due, and every step."))
@click.argument("thread", metavar="ID")
@shared
def show(*, thread: str) -> None:
    """Show one delivery."""
    terminal = current_terminal()

    async def work() -> tuple[workflow_pb2.GetWorkflowResponse, dict[bytes, str]]:
        async with terminal.session() as session:
            found = await controlled_delivery.status(session, thread)
            listed = await threads.list_messages(session, found.status.thread_id)
            return found, {each.digest: each.id for each in listed}

    found, ids = run(work())
    if terminal.wants_json:
        terminal.json(_as_json(found))
    else:
        _tell(terminal, found, ids)


def _tell(terminal: Terminal, found: workflow_pb2.GetWorkflowResponse, ids: Mapping[bytes, str]) -> None:
    status, now = found.status, datetime.now(UTC)
    rows = [
        (_("Thread"), wording.thread_title(status.thread_name, exercise=status.exercise)),
        (_("Stands"), text(status.overall_text)),
        (_("Responsible"), status.responsible or "–"),
        (_("Offered to"), status.offered_to),
        *((state.member, state_text(state)) for state in status.states),
        *((_("Due"), deadline(each, now)) for each in status.deadlines),
        *((_("Alarm"), alarm) for alarm in _alarms(status)),
        *((_("Lacking"), breaches.text(each)) for each in status.lacking),
        *((_("Shares"), f"{each.thread_name}: {', '.join(each.fields)}") for each in status.overlaps),
        (_("Missing steps"), str(status.missing_count) if status.missing_count else ""),
    ]
    terminal.pairs([(label, value) for label, value in rows if value])
    terminal.say()
    terminal.table(
        [_("Released"), _("Id"), _("Step"), _("From"), _("Effect")],
        [
            (
                display.when(each.release_time.ToDatetime(tzinfo=UTC)),
                ids.get(each.message_digest, "")[: display.SHORT_ID],
                text(each.title),
                each.author,
                effect(each),
            )
            for each in found.steps
        ],
    )


def state_text(state: workflow_pb2.WorkflowState) -> str:
    """Return where one state stands, and until when."""
    words = text(state.status_text)
    if state.HasField("until_time"):
        until = display.when(state.until_time.ToDatetime(tzinfo=UTC))
        words += " " + _("until {time}").format(time=until)
    return words


def effect(step: workflow_pb2.WorkflowStep) -> str:
    """Return whether a step counts, or which rules it breaks."""
    if step.waiting:
        return _("waits for earlier steps")
    if step.effective:
        return _("in effect")
    return _("no effect: {why}").format(why="; ".join(map(breaches.text, step.breaches)))


def _most_urgent(deadlines: Sequence[workflow_pb2.WorkflowDeadline], own: str) -> list[workflow_pb2.WorkflowDeadline]:
    """Return the first that is ours and the first of all; all stand in `paiza cd show`."""
    ours = [each for each in deadlines if each.member == own][:1]
    return (ours + [each for each in deadlines if each not in ours])[:2]


def _alarms(status: workflow_pb2.WorkflowStatus) -> list[str]:
    found = []
    for each in status.alarms:
        if not each.in_force:
            continue
        kind = kinds.all_kinds().get(each.kind)
        words = f"{kind.titles[lang()] if kind else each.kind} ({each.author})"
        if each.acknowledged_by:
            words += ", " + _("acknowledged by {members}").format(members=", ".join(each.acknowledged_by))
        if each.waiting_for:
            words += ", " + _("not yet acknowledged by {members}").format(members=", ".join(each.waiting_for))
        found.append(words)
    return found


def deadline(due: workflow_pb2.WorkflowDeadline, now: datetime) -> str:
    """Return what is due, by whom and in what time; overdue in capitals, since colours do not reach every reader."""
    time = due.due_time.ToDatetime(tzinfo=UTC)
    words = f"{text(due.text)} ({due.member})" if due.member else text(due.text)
    when = _("OVERDUE by {span}") if due.overdue else _("in {span}")
    return f"{words}: {when.format(span=span_text(time - now))}"


def text(both: text_pb2.BilingualText) -> str:
    """Return a text in the language in use."""
    return both.ru if lang() == "ru" else both.en


def status_json(status: workflow_pb2.WorkflowStatus) -> dict[str, object]:
    """Return a standing as JSON: names of the protocol, ids in hexadecimal digits."""
    shown: dict[str, object] = MessageToDict(
        status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    shown["thread_id"] = status.thread_id.hex()
    shown["alarms"] = [
        {**one, "message_digest": each.message_digest.hex()}
        for one, each in zip(_dicts(status.alarms), status.alarms, strict=True)
    ]
    shown["states"] = [
        {**one, "step_digest": each.step_digest.hex()}
        for one, each in zip(_dicts(status.states), status.states, strict=True)
    ]
    return shown


def _dicts(records: Sequence[workflow_pb2.WorkflowAlarm | workflow_pb2.WorkflowState]) -> list[dict[str, object]]:
    return [
        MessageToDict(each, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        for each in records
    ]


def _as_json(found: workflow_pb2.GetWorkflowResponse) -> dict[str, object]:
    return {
        **status_json(found.status),
        "participants": list(found.participants),
        "heads": [each.hex() for each in found.heads],
        "missing": [each.hex() for each in found.missing_digests],
        "steps": [
            {
                "digest": each.message_digest.hex(),
                "kind": each.kind,
                "author": each.author,
                "release_time": each.release_time.ToDatetime(tzinfo=UTC),
                "effective": each.effective,
                "waiting": each.waiting,
                "breaches": [
                    {"rule": one.rule, "values": dict(one.values), "text": breaches.text(one)} for one in each.breaches
                ],
            }
            for each in found.steps
        ],
    }
