"""`paiza operation`: joint operations. Who gets what follows from the participants' limits; figures are computed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
from google.protobuf.message import Message

from paiza.content.v1.operation_pb2 import Operation, OperationResults, ResultSheet
from paiza.core.v1 import message_pb2
from paiza_client.cli import display, drafting, sending
from paiza_client.cli.options import shared
from paiza_client.cli.recalls import overrides, written
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.errors import Refused, misused
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, drafts, messages, replies, threads
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_domain.kinds.operation import SHAPE as OPERATION_SHAPE
from paiza_domain.kinds.situation_report import RESULTS as RESULTS_SHAPE
from paiza_domain.operations import operations
from paiza_domain.operations.figures import COUNTS
from paiza_domain.operations.operations import NOTICE, OPERATION, REPORT, SHEET, OperationResult
from paiza_domain.schema import quantity, reading
from paiza_domain.threads.thread import ThreadMessage

if TYPE_CHECKING:
    from paiza_client.sdk import Session

_COUNTED: Final = frozenset({OPERATION, REPORT, NOTICE, SHEET})


@dataclass(frozen=True, slots=True)
class _Found:
    """An operation as its thread gives it, with what was opened."""

    listed: list[MessageSummary]
    thread: list[ThreadMessage]
    message: ThreadMessage
    operation: Operation


@click.group(help=N_("Joint operations: open one, report, share notices, compute the results."))
def operation() -> None:
    """Work on operations."""


@operation.command(help=N_("Open an operation, or change its description with a higher version (--in ID)."))
@click.argument("draft", metavar="[DRAFT]", required=False)
@click.option("--in", "thread", default="", metavar="ID", help=N_("The operation whose description is changed."))
@click.option("--template", is_flag=True, help=N_("Print an empty draft with comments, and stop."))
@written
def new(
    *, draft: str | None, thread: str, template: bool, urgency: str | None, reason_code: str, dry_run: bool
) -> None:
    """Open an operation."""
    if template:
        _template(OPERATION)
        return
    terminal = current_terminal()
    prepared = _read(terminal, draft, OPERATION, urgency, reason_code)
    content = prepared.content
    assert isinstance(content, Operation)
    header = message_pb2.Header(author=terminal.profile().member, kind=OPERATION)
    recipients = operations.recipients(content, header, drafts.writing_time())
    if thread:
        found = run(_look(terminal, thread, {OPERATION}))
        prepared = drafts.in_thread(prepared, found.message.header.thread_id, [found.message.digest])
    sending.finish(terminal, _addressed(prepared, recipients), None, dry_run=dry_run)


@operation.command(help=N_("Send a situation report to those whose part in the operation includes it."))
@click.argument("thread", metavar="ID")
@click.argument("draft", metavar="[DRAFT]", required=False)
@click.option("--template", is_flag=True, help=N_("Print an empty draft with comments, and stop."))
@written
def report(
    *, thread: str, draft: str | None, template: bool, urgency: str | None, reason_code: str, dry_run: bool
) -> None:
    """Report."""
    if template:
        _template(REPORT)
        return
    terminal = current_terminal()
    prepared = _read(terminal, draft, REPORT, urgency, reason_code)
    found = run(_look(terminal, thread, {OPERATION}))
    sending.finish(terminal, _within(prepared, found, terminal), None, dry_run=dry_run)


@operation.command(
    help=N_("Share a seizure notice of your member in the operation: one that was sent (opens it), or a draft.")
)
@click.argument("thread", metavar="ID")
@click.argument("notice", metavar="NOTICE")
@click.option("--draft", "is_draft", is_flag=True, help=N_("NOTICE is a draft, not the id of a message."))
@written
def share(*, thread: str, notice: str, is_draft: bool, urgency: str | None, reason_code: str, dry_run: bool) -> None:
    """Share a notice."""
    terminal = current_terminal()
    if is_draft:
        prepared = _read(terminal, notice, NOTICE, urgency, reason_code)
        found = run(_look(terminal, thread, {OPERATION}))
    else:
        found, source, content = run(_own_notice(terminal, thread, notice))
        prepared = replies.prepare(content, source.header, [], [], overrides(urgency, reason_code))
    sending.finish(terminal, _within(prepared, found, terminal), None, dry_run=dry_run)


@operation.command(
    help=N_(
        "Compute the results from the operation's reports and notices; opens them, which is logged. "
        "With --send, sign them as the result sheet."
    )
)
@click.argument("thread", metavar="ID")
@click.option("--send", is_flag=True, help=N_("Sign and send the result sheet."))
@click.option("--final", is_flag=True, help=N_("The sheet is final; else it is interim."))
@click.option("--reference", default="", help=N_("Your own reference; else the operation's."))
@click.option(
    "--let", "lets", multiple=True, metavar="FIGURE=N", help=N_("Let a figure stand otherwise than computed.")
)
@click.option("--because", default="", metavar="TEXT", help=N_("Why it stands otherwise."))
@click.option("--assessment", default="", help=N_("Assessment of the operation."))
@written
def results(
    *,
    thread: str,
    send: bool,
    final: bool,
    reference: str,
    lets: Sequence[str],
    because: str,
    assessment: str,
    urgency: str | None,
    reason_code: str,
    dry_run: bool,
) -> None:
    """Compute the results."""
    terminal = current_terminal()
    found = run(_look(terminal, thread, _COUNTED))
    as_of = datetime.now(UTC)
    computed = operations.compute(found.thread, as_of)
    content = operations.sheet(
        computed,
        reference=reference or found.operation.reference,
        status="final" if final else "interim",
        as_of=as_of,
    )
    _let(content.results, lets)
    content.correction_note, content.assessment = because, assessment
    if not send:
        _tell_results(terminal, computed, content)
        return
    prepared = replies.prepare(content, found.message.header, [], [], overrides(urgency, reason_code))
    sending.finish(terminal, _within(prepared, found, terminal), None, dry_run=dry_run)


@operation.command(
    help=N_("Show an operation: its description, its participants with their limits, and its result sheets.")
)
@click.argument("thread", metavar="ID")
@shared
def show(*, thread: str) -> None:
    """Show an operation."""
    terminal = current_terminal()
    found = run(_look(terminal, thread, _COUNTED))
    sheets = [
        (each, operations.agrees(each.content, found.thread))
        for each in found.thread
        if isinstance(each.content, ResultSheet)
    ]
    if terminal.wants_json:
        terminal.json(
            {
                "thread": found.listed[0].thread_name,
                "operation": as_json.message(found.operation),
                "messages": [as_json.summary(each) for each in found.listed],
                "sheets": [
                    {"digest": each.digest, "agrees": agrees, **as_json.message(each.content)}
                    for each, agrees in sheets
                    if each.content is not None
                ],
            }
        )
        return
    terminal.say(f"{found.listed[0].thread_name}  {found.operation.name}", "bold")
    terminal.pairs(reading.rows(OPERATION_SHAPE, found.operation, lang()))
    terminal.say()
    display.listing(terminal, found.listed)
    for each, agrees in sheets:
        state = _("agrees with the messages") if agrees else _("does not agree with the messages that were opened here")
        terminal.say(
            f"{each.digest.hex()[: display.SHORT_ID]}  {drafts.find_kind(SHEET).summary(_content(each), lang())}"
        )
        terminal.say(f"  {state}", "" if agrees else "yellow")


def _content(message: ThreadMessage) -> Message:
    assert message.content is not None
    return message.content


async def _look(terminal: Terminal, thread: str, wanted: frozenset[str] | set[str]) -> _Found:
    async with terminal.session() as session:
        return await _operation(session, thread, wanted)


async def _operation(session: "Session", thread: str, wanted: frozenset[str] | set[str]) -> _Found:
    """Find an operation and open what is wanted of its thread; what was recalled stays closed."""
    listed = await threads.list_messages(session, await threads.find(session, thread))
    folded = await threads.open_messages(session, listed, lambda header: header.kind in wanted)
    found = operations.current(folded)
    if found is None:
        raise Refused("unknown_id", thread, "not an operation")
    return _Found(listed, folded, *found)


async def _own_notice(terminal: Terminal, thread: str, notice: str) -> tuple[_Found, MessageSummary, Message]:
    async with terminal.session() as session:
        found = await _operation(session, thread, {OPERATION})
        source = await messages.find_own(session, notice)
        if source.header.kind != NOTICE:
            raise misused(notice, _("this is no seizure notice"))
        part = await session.open_part(source.digest)
        return found, source, messages.content(part)


def _template(kind: str) -> None:
    click.echo(
        drafts.find_kind(kind).template(lang()).replace("to: []", "# to: by the participants' limits, filled in"),
        nl=False,
    )


def _read(terminal: Terminal, path: str | None, kind: str, urgency: str | None, reason_code: str) -> Prepared:
    if path is None:
        raise misused("paiza operation", _("no draft: name a file, or use --template"))
    now = drafts.writing_time()
    draft = drafting.read(terminal, path, now)
    drafts.check_kind(draft, kind, path)
    return drafts.prepare(draft, path, overrides(urgency, reason_code, otherwise=""), now)


def _within(prepared: Prepared, found: _Found, terminal: Terminal) -> Prepared:
    """Address a message of the operation to those within whose limits it is; one named beyond them is refused."""
    header = message_pb2.Header(author=terminal.profile().member, kind=prepared.kind.name)
    if operations.participant(found.operation, header.author) is None:
        raise Refused("policy_denied", found.operation.name, "your member does not take part in the operation")
    allowed = operations.recipients(found.operation, header, drafts.writing_time(), nominal=prepared.annex is not None)
    named = [each.member for each in prepared.envelope.recipients]
    if beyond := [member for member in named if member not in allowed]:
        raise Refused("policy_denied", ", ".join(beyond), "beyond the limits of its part in the operation")
    in_thread = drafts.in_thread(prepared, found.message.header.thread_id, [found.message.digest])
    return _addressed(in_thread, named or allowed)


def _addressed(prepared: Prepared, members: Sequence[str]) -> Prepared:
    attention = {each.member: each.attention for each in prepared.envelope.recipients}
    recipients = tuple(message_pb2.Recipient(member=member, attention=attention.get(member, "")) for member in members)
    return replace(prepared, envelope=replace(prepared.envelope, recipients=recipients))


def _let(stands: OperationResults, lets: Sequence[str]) -> None:
    """Change figures by hand: a count by its name, a substance by its drug type, with a unit."""
    for each in lets:
        name, separator, text = (part.strip() for part in each.partition("="))
        if separator and name in COUNTS and text.isascii() and text.isdigit() and len(text) < 10:  # noqa: PLR2004 - below the limit of a count
            setattr(stands, name, int(text))
            continue
        line = next(
            (line for line in stands.substances if name in {line.drug_type, line.as_named, line.substance_id}), None
        )
        amount, _space, unit = text.partition(" ")
        millionths = _amount(amount)
        if line is None or millionths is None or unit not in {"", line.quantity.unit}:
            known = ", ".join([*COUNTS, *(each.drug_type or each.as_named for each in stands.substances)])
            raise misused("--let", _("{value!r} is no FIGURE=N; figures are: {names}").format(value=each, names=known))
        line.quantity.millionths = millionths


def _amount(text: str) -> int | None:
    try:
        return quantity.parse_amount(text)
    except quantity.AmountError:
        return None


def _tell_results(terminal: Terminal, computed: OperationResult, content: ResultSheet) -> None:
    left_out = {digest.hex(): reason for digest, reason in computed.not_counted.items()}
    if terminal.wants_json:
        terminal.json({**as_json.message(content), "corrected_in_words": list(computed.corrected_in_words)})
        return
    terminal.pairs(reading.rows(RESULTS_SHAPE, content.results, lang()))
    terminal.say()
    rows = [(each.member, str(each.reports), str(each.notices)) for each in content.contributions]
    terminal.table((_("Member"), _("Reports"), _("Notices")), rows)
    if left_out:
        terminal.say()
        terminal.say(_("Not counted:"), "bold")
        terminal.pairs(
            [
                (digest[: display.SHORT_ID], reading.code_text("not_counted", reason, lang()))
                for digest, reason in left_out.items()
            ]
        )
    for digest in computed.corrected_in_words:
        terminal.warn(
            _("{id} was corrected in words and counts as it stands: look at it.").format(
                id=digest.hex()[: display.SHORT_ID]
            )
        )
