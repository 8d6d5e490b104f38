"""`paiza operation`: joint operations. Who gets what follows from the participants' limits; figures are computed."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from paiza.content.v1.operation_pb2 import ResultSheet
from paiza_client.cli import display, drafting, sending
from paiza_client.cli.options import shared
from paiza_client.cli.recalls import overrides, written
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, drafts, operations
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.operations import JointOperation
from paiza_domain.json_form.values import to_object
from paiza_domain.kinds.operation import SHAPE as OPERATION_SHAPE
from paiza_domain.kinds.situation_report import RESULTS as RESULTS_SHAPE
from paiza_domain.operations.operations import NOTICE, OPERATION, REPORT, SHEET, OperationResult
from paiza_domain.schema import reading
from paiza_officer.errors import misused


@click.group(help=N_("Joint operations: open one, report, share notices, compute the results."))
@shared
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
    prepared = operations.opening(prepared, terminal.profile().member)
    if thread:
        prepared = operations.behind(_look(terminal, thread), prepared)
    sending.finish(terminal, prepared, None, dry_run=dry_run)


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
    sending.finish(terminal, operations.within(_look(terminal, thread), prepared), None, dry_run=dry_run)


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
        prepared = operations.within(_look(terminal, thread), prepared)
    else:
        chosen = overrides(urgency, reason_code)

        async def look() -> Prepared:
            async with terminal.session() as session:
                joint = await operations.find(session, thread)
                return operations.within(joint, await operations.own_notice(session, notice, chosen))

        prepared = run(look())
    sending.finish(terminal, prepared, None, dry_run=dry_run)


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
    joint = _look(terminal, thread, counted=True)
    as_of = datetime.now(UTC)
    content = operations.sheet(
        joint,
        final=final,
        reference=reference,
        changes=_changes(lets),
        because=because,
        assessment=assessment,
        as_of=as_of,
    )
    if not send:
        _tell_results(terminal, operations.compute(joint, as_of), content)
        return
    prepared = operations.result_sheet(joint, content, overrides(urgency, reason_code))
    sending.finish(terminal, prepared, None, dry_run=dry_run)


@operation.command(
    help=N_("Show an operation: its description, its participants with their limits, and its result sheets.")
)
@click.argument("thread", metavar="ID")
@shared
def show(*, thread: str) -> None:
    """Show an operation."""
    terminal = current_terminal()
    found = _look(terminal, thread, counted=True)
    sheets, sheet = operations.sheets(found), drafts.find_kind(SHEET).shape
    if terminal.wants_json:
        terminal.json(
            {
                "thread": found.listed[0].thread_name,
                "operation": to_object(OPERATION_SHAPE, found.operation),
                "messages": [as_json.summary(each) for each in found.listed],
                "sheets": [
                    {"digest": each.digest, "agrees": agrees, **to_object(sheet, content)}
                    for each, content, agrees in sheets
                ],
            }
        )
        return
    terminal.say(f"{found.listed[0].thread_name}  {found.operation.name}", "bold")
    terminal.pairs(reading.rows(OPERATION_SHAPE, found.operation, lang()))
    terminal.say()
    display.listing(terminal, found.listed)
    for each, content, agrees in sheets:
        state = _("agrees with the messages") if agrees else _("does not agree with the messages that were opened here")
        terminal.say(f"{each.digest.hex()[: display.SHORT_ID]}  {drafts.find_kind(SHEET).summary(content, lang())}")
        terminal.say(f"  {state}", "" if agrees else "yellow")


def _look(terminal: Terminal, thread: str, *, counted: bool = False) -> JointOperation:
    async def look() -> JointOperation:
        async with terminal.session() as session:
            return await operations.find(session, thread, counted=counted)

    return run(look())


def _template(kind: str) -> None:
    text = drafting.empty(current_terminal(), drafts.find_kind(kind), full=False)
    remark = _("by the participants' limits, filled in")
    click.echo(re.sub(r"(?m)^to: \[\].*$", f"# to: []  # {remark}", text), nl=False)


def _read(terminal: Terminal, path: str | None, kind: str, urgency: str | None, reason_code: str) -> Prepared:
    if path is None:
        raise misused("paiza operation", _("no draft: name a file, or use --template"))
    now = drafts.writing_time()
    draft = drafting.read(terminal, path, now)
    drafts.check_kind(draft, kind, path)
    return drafts.prepare(draft, path, overrides(urgency, reason_code), now)


def _changes(lets: Sequence[str]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for each in lets:
        name, _separator, text = (part.strip() for part in each.partition("="))
        changes[name] = text
    return changes


def _tell_results(terminal: Terminal, computed: OperationResult, content: ResultSheet) -> None:
    left_out = {digest.hex(): reason for digest, reason in computed.not_counted.items()}
    if terminal.wants_json:
        shown = to_object(drafts.find_kind(SHEET).shape, content)
        terminal.json({**shown, "corrected_in_words": list(computed.corrected_in_words)})
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
