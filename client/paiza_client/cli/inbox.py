"""Commands that read: inbox, open, thread, watch."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from paiza.core.v1 import message_pb2
from paiza_cli.numbers import WholeNumber
from paiza_client.cli import attachments, display, request_statuses, substance_notes, tasks
from paiza_client.cli.options import KindParameter, MemberParameter, TimeParameter, check_period, shared
from paiza_client.cli.paging import paged, tell_more
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, fitting, messages, substances, threads
from paiza_client.sdk.model import MessageSummary, Page
from paiza_client.sdk.substances import Notes
from paiza_client.verify.model import OpenedPart
from paiza_domain.json_form.values import to_object
from paiza_domain.threads.request_status import RequestStatus
from paiza_domain.threads.thread import ThreadMessage
from paiza_officer.errors import Refused, misused

if TYPE_CHECKING:
    from paiza_client.sdk.tasks import Task

MAX_LISTED: Final = 10_000  # messages of one page; those beyond are shown by the next
URGENT: Final = frozenset({message_pb2.URGENCY_FLASH, message_pb2.URGENCY_URGENT})


@click.command(help=N_("List messages without opening them, newest first, page by page."))
@click.option("--unread", is_flag=True, help=N_("Only what you have not opened."))
@click.option("--sent", is_flag=True, help=N_("What your member sent, with its deliveries, instead."))
@click.option("--all", "everything", is_flag=True, help=N_("What was received and what was sent."))
@click.option("--kind", type=KindParameter(), default="", metavar="KIND", help=N_("Only this kind."))
@click.option(
    "--from", "author", type=MemberParameter(), default="", metavar="MEMBER", help=N_("Only from this member.")
)
@click.option(
    "--since",
    type=TimeParameter(),
    help=N_("Only what your node received or sent since: 2026-11-23, or 8h, 3d, 2w ago."),
)
@click.option("--until", type=TimeParameter(), help=N_("Only what your node received or sent before this time."))
@click.option("--limit", type=WholeNumber(1, MAX_LISTED), default=100, show_default=True, help=N_("Length of a page."))
@paged
@shared
def inbox(
    *,
    unread: bool,
    sent: bool,
    everything: bool,
    kind: str,
    author: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    page: str,
) -> None:
    """List messages."""
    if sent and everything:
        raise misused("paiza inbox", _("--sent and --all contradict each other"))
    check_period(since, until)
    terminal = current_terminal()

    async def work() -> "tuple[Page, dict[bytes, Task]]":
        async with terminal.session() as session:
            found = await messages.first_page(
                session,
                limit,
                token=page,
                box="sent" if sent else "both" if everything else "inbox",
                unread_only=unread,
                kind=kind,
                author=author,
                since=since,
                until=until,
                subjects=True,
            )
            return found, {} if sent or not found.messages else await session.tasks.by_message()

    found, own_tasks = run(work())
    if terminal.wants_json:
        shown = [_with_task(as_json.summary(each), own_tasks.get(each.digest)) for each in found.messages]
        terminal.json({"messages": shown, "next_page": found.next_token})
    else:
        remarks = {digest: tasks.in_words(each) for digest, each in own_tasks.items()}
        display.listing(terminal, found.messages, sent=sent, remarks=remarks)
        tell_more(terminal, found.next_token)


def _with_task(summary: dict[str, Any], task: "Task | None") -> dict[str, Any]:
    return {**summary, "task": None if task is None else tasks.as_object(task)}


@click.command("open", help=N_("Open a message: check its signatures and proofs, and show it. The opening is logged."))
@click.argument("message", metavar="ID")
@click.option("--part", default="main", metavar="PART", help=N_("main (as is), annex, or the number of a part."))
@click.option("--reason", default="", help=N_("Why you open it; required for the annex."))
@click.option("--attachment", type=WholeNumber(1), metavar="N", help=N_("Fetch and save this attachment instead."))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help=N_("Where to save the attachment.")
)
@shared
def open_(*, message: str, part: str, reason: str, attachment: int | None, output: Path | None) -> None:
    """Open one part."""
    terminal = current_terminal()
    if attachment is not None or output is not None:
        if attachment is None:
            raise misused("paiza open", _("-o goes with --attachment"))
        attachments.fetch(terminal, message, attachment, output, reason)
        return

    async def work() -> tuple[OpenedPart, dict[str, Any], list[tuple[str, str]], Notes]:
        async with terminal.session() as session:
            found = await messages.find(session, message, fitting.stands)
            number = display.part_number(found.header, part)
            if found.header.parts[number].kind == message_pb2.PART_KIND_NOMINAL_ANNEX and not reason.strip():
                raise Refused("opening_reason_missing", found.id)
            if found.header.parts[number].kind == message_pb2.PART_KIND_ATTACHMENT:
                raise misused("paiza open", _("part {n} is an attachment: use --attachment {n}").format(n=number))
            opened = await session.open_part(found.digest, number, reason.strip())
            return opened, *content(opened), substances.of_opened(session.register(), opened)

    opened, values, rows, notes = run(work())
    if terminal.wants_json:
        terminal.json({**as_json.opened(opened), "content": values, "substances": substance_notes.as_objects(notes)})
    else:
        show(terminal, opened, rows + substance_notes.rows(notes))


@click.command(help=N_("List the messages of a thread, oldest first, with what became of them."))
@click.argument("message", metavar="ID")
@click.option(
    "--open",
    "open_too",
    is_flag=True,
    help=N_("Open requests and answers, to show what was said question by question."),
)
@shared
def thread(*, message: str, open_too: bool) -> None:
    """List a thread, and how its requests stand."""
    terminal = current_terminal()

    async def work() -> tuple[list[MessageSummary], list[ThreadMessage], list[RequestStatus]]:
        async with terminal.session() as session:
            found = await threads.list_messages(session, await threads.find(session, message), subjects=True)
            wanted = threads.is_of_requests if open_too else threads.nothing
            opened = await threads.open_messages(session, found, wanted)
            return found, opened, await threads.request_statuses(session, opened)

    found, opened, standings = run(work())
    now = datetime.now(UTC)
    if terminal.wants_json:
        by_digest = {each.digest: request_statuses.as_object(each, now) for each in standings}
        terminal.json([{**as_json.summary(each), "answers": by_digest.get(each.digest)} for each in found])
    else:
        display.listing(terminal, found)
        request_statuses.tell(terminal, standings, opened, {each.digest: each.id for each in found}, now)
        if any(threads.in_workflow(each.header) for each in found):
            terminal.note(_("How the delivery stands is told by: paiza cd show {id}").format(id=found[0].thread_name))


def content(opened: OpenedPart) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return an opened part's content as an object and as rows for reading."""
    header = opened.message.header
    kind = display.kind_of(header)
    annex = header.parts[opened.part_number].kind == message_pb2.PART_KIND_NOMINAL_ANNEX
    parsed = messages.content(opened)
    rows = kind.show_annex(parsed, lang()) if annex else kind.show(parsed, lang())
    if not annex:
        rows += [("!", remark) for remark in kind.remarks(parsed, header.author_time.ToDatetime(tzinfo=UTC), lang())]
    shape = kind.annex_shape if annex else kind.shape
    assert shape is not None, "a part that was opened is of its kind"
    return to_object(shape, parsed), rows


def show(terminal: Terminal, opened: OpenedPart, rows: list[tuple[str, str]]) -> None:
    """Print an opened part: header, content, what is proven, what else there is."""
    header = opened.message.header
    style = "bold red" if header.urgency in URGENT else "bold"
    terminal.say(f"{display.kind_title(header)} — {display.part_name(header, opened.part_number)}", style)
    terminal.pairs(display.header_rows(header, opened.thread_name))
    terminal.say()
    terminal.pairs(rows)
    terminal.say()
    terminal.say(_("Proven:"), "bold green")
    terminal.pairs(display.proof_rows(opened))
    for number in range(len(header.parts)):
        if number != opened.part_number:
            if header.parts[number].kind == message_pb2.PART_KIND_ATTACHMENT:
                terminal.note(
                    _("Also: attachment {n}. To fetch it: paiza open {id} --attachment {n} -o FILE").format(
                        n=number, id=header.message_id.hex()[: display.SHORT_ID]
                    )
                )
                continue
            told = _("Also: {part}. To open it: paiza open {id}")
            if header.parts[number].kind == message_pb2.PART_KIND_NOMINAL_ANNEX:
                told = _('Also: {part}. To open it: paiza open {id} --part annex --reason "…"')
            part, message = display.part_name(header, number), header.message_id.hex()[: display.SHORT_ID]
            terminal.note(told.format(part=part, id=message))
