"""`paiza cd`: controlled deliveries. Every command is one signed step; the own node refuses a step that breaks a rule.

What a step must name (the steps it follows from, everybody who takes part, the message it answers) is filled in from
the node's fold of the thread, so that an officer writes only what he knows.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import click

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import workflow_pb2
from paiza_client.cli import board, drafting, sending, step_fields
from paiza_client.cli.options import shared
from paiza_client.cli.step_fields import Filling
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.errors import FieldProblem, Refused, misused
from paiza_client.language import N_, _
from paiza_client.sdk import drafts, messages
from paiza_client.sdk.drafts import Overrides, Prepared
from paiza_domain import kinds

if TYPE_CHECKING:
    from paiza_domain.schema.kind import Kind

REQUEST: Final = "cd-request"


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the kind of its step, and what it fills in of what it answers."""

    kind: str
    told: str
    urgency: str = "urgent"
    filling: Filling | None = None


COMMANDS: Final[Mapping[str, Command]] = {
    "acknowledge": Command(
        "cd-acknowledgement",
        N_("Say that the request, a stop or a loss of control was taken note of."),
        filling=step_fields.ACKNOWLEDGED,
    ),
    "answer": Command(
        "cd-conditions-answer",
        N_("Answer the conditions that a state set."),
        filling=step_fields.CONDITIONS,
    ),
    "withdraw": Command("cd-withdrawal", N_("Withdraw the request, or your own authorisation.")),
    "confirm": Command("cd-confirmation", N_("Confirm an oral request in writing, within three days.")),
    "plan": Command("cd-plan", N_("Sign the plan, once every state on the route has authorised.")),
    "activate": Command("cd-activation", N_("Begin the delivery: you are responsible from now on.")),
    "offer": Command("cd-handover-offer", N_("Offer the consignment to the next state."), "flash"),
    "accept": Command(
        "cd-handover-acceptance",
        N_("Take the consignment over: you are responsible from now on."),
        "flash",
        filling=step_fields.OFFER,
    ),
    "decline": Command(
        "cd-handover-refusal", N_("Decline a handover that was offered."), "flash", filling=step_fields.OFFER
    ),
    "reroute": Command(
        "cd-route-change", N_("Change the route; a new state enters by its own authorisation."), "flash"
    ),
    "suspend": Command("cd-suspension", N_("Suspend the delivery on your territory."), "flash"),
    "resume": Command("cd-resumption", N_("Lift your suspension.")),
    "lost": Command("cd-control-lost", N_("Tell everybody at once that control was lost."), "flash"),
    "stop": Command("cd-stop", N_("Stop the delivery on your territory; it goes ahead of everything."), "flash"),
    "lift": Command("cd-stop-lifting", N_("Lift your stop; two officers sign."), filling=step_fields.OWN_STOP),
    "intervene": Command("cd-intervention", N_("Report the seizure or arrest that ended the delivery."), "flash"),
    "delivered": Command("cd-delivered", N_("Report that the consignment reached its destination."), "flash"),
    "substitute": Command("cd-substitution", N_("Record a substitution, with weights and seals before and after.")),
    "outcome": Command("cd-outcome", N_("Report the outcome, within 30 days of the end."), "routine"),
    "evidence": Command("cd-evidence-return", N_("Report what was returned as evidence."), "routine"),
    "close": Command("cd-closing", N_("Close the delivery."), "routine"),
}
DECISIONS: Final[Mapping[str, Command]] = {
    "authorise": Command("cd-authorisation", N_("Authorise it for your territory; two officers sign.")),
    "refuse": Command("cd-refusal", N_("Refuse it, with the reason code.")),
    "conditions": Command("cd-conditions", N_("Set conditions first.")),
}


@click.group(help=N_("Controlled deliveries: request, decide, plan, hand over, stop, report."))
def cd() -> None:
    """Work on controlled deliveries."""


def _step_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--dry-run", is_flag=True, help=N_("Check everything, send nothing.")),
        click.option("--template", is_flag=True, help=N_("Print an empty draft with comments, and stop.")),
        click.option("--short", is_flag=True, help=N_("With --template: the mandatory fields only.")),
        click.option("--second", default="", metavar="OFFICER", help=N_("The officer who signs as the second.")),
        click.option("--reason-code", default="", metavar="CODE", help=N_("Why it is URGENT or FLASH.")),
        click.option("--urgency", type=click.Choice(sending.URGENCIES), help=N_("How soon it must be acted on.")),
        click.option(
            "--set", "given", multiple=True, metavar="FIELD=TEXT", help=N_("Fill a field in, instead of a draft.")
        ),
    ):
        command = option(command)
    return shared(command)


@cd.command("request", help=N_("Request a controlled delivery from the states in the draft."))
@click.argument("draft", metavar="[DRAFT]", required=False)
@_step_options
def request(*, draft: str | None, template: bool, dry_run: bool, given: Sequence[str], **options: Any) -> None:
    """Open the thread."""
    kind = kinds.all_kinds()[REQUEST]
    if template:
        click.echo(kind.template(lang(), "short" if options["short"] else "long"), nl=False)
        return
    if draft is None:
        raise misused("paiza cd request", _("no draft: name a file, or use --template"))
    terminal, now = current_terminal(), drafts.writing_time()
    read = drafting.read(terminal, draft, now, _given(given))
    drafts.check_kind(read, REQUEST, draft)
    prepared = drafts.prepare(read, draft, _overrides(options, Command(REQUEST, "")), now)
    if not prepared.envelope.recipients:
        own = terminal.profile().member
        states = dict.fromkeys(each.member for each in prepared.content.states)  # type: ignore[attr-defined]
        recipients = tuple(message_pb2.Recipient(member=member) for member in states if member != own)
        prepared = replace(prepared, envelope=replace(prepared.envelope, recipients=recipients))
    sending.finish(terminal, prepared, None, dry_run=dry_run)


@cd.command("decide", help=N_("Decide on a request for your territory: authorise, refuse, or set conditions."))
@click.argument("thread", metavar="ID")
@click.argument("decision", type=click.Choice(list(DECISIONS)))
@click.argument("draft", metavar="[DRAFT]", required=False)
@_step_options
def decide(*, thread: str, decision: str, **options: Any) -> None:
    """Decide."""
    _take(DECISIONS[decision], thread, **options)


def _command(name: str, step: Command) -> click.Command:
    @cd.command(name, help=step.told)
    @click.argument("thread", metavar="ID")
    @click.argument("draft", metavar="[DRAFT]", required=False)
    @_step_options
    def take(*, thread: str, **options: Any) -> None:
        _take(step, thread, **options)

    return take


for _name, _command_of in COMMANDS.items():
    _command(_name, _command_of)
cd.add_command(board.board)
cd.add_command(board.show)


def _take(
    step: Command,
    thread: str,
    *,
    draft: str | None,
    template: bool,
    dry_run: bool,
    given: Sequence[str],
    **options: Any,
) -> None:
    """Make the step and send it; what the thread determines is filled in."""
    kind = kinds.all_kinds()[step.kind]
    if template:
        click.echo(_template(step, kind, short=options["short"]), nl=False)
        return
    terminal, now = current_terminal(), drafts.writing_time()
    fields = _given(given)

    async def look() -> tuple[workflow_pb2.GetWorkflowResponse, message_pb2.Header]:
        async with terminal.session() as session:
            found = await board.workflow_of(session, thread)
            first = await messages.find(session, found.steps[0].message_digest.hex())
            return found, first.header

    found, opening = run(look())
    named = draft is not None or (step.filling is not None and step.filling.fields[-1] in fields)
    fields = {**_filled_in(step, found, terminal.profile().member, strictly=not named), **fields}
    if draft is not None:
        read = drafting.read(terminal, draft, now, fields)
        drafts.check_kind(read, kind.name, draft)
    else:
        read = drafts.of_fields(kind, fields, opening, now)
    prepared = drafts.prepare(read, draft or f"paiza cd: {kind.name}", _overrides(options, step), now)
    sending.finish(terminal, _in_thread(prepared, found, terminal), None, dry_run=dry_run)


def _in_thread(prepared: Prepared, found: workflow_pb2.GetWorkflowResponse, terminal: Terminal) -> Prepared:
    """Address everybody who takes part, and follow from the heads of the thread."""
    own = terminal.profile().member
    members = dict.fromkeys([*found.participants, *(each.member for each in prepared.envelope.recipients)])
    attention = {each.member: each.attention for each in prepared.envelope.recipients}
    envelope = replace(
        prepared.envelope,
        recipients=tuple(
            message_pb2.Recipient(member=member, attention=attention.get(member, ""))
            for member in members
            if member != own
        ),
        thread_id=found.status.thread_id,
        parent_digests=tuple(found.heads),
    )
    return replace(prepared, envelope=envelope, parents=())


def _filled_in(step: Command, found: workflow_pb2.GetWorkflowResponse, own: str, *, strictly: bool) -> dict[str, str]:
    """Fill in what the step answers; Refused where there is nothing and nobody named it either."""
    if step.filling is None:
        return {}
    texts = step.filling.find(found, own)
    if not texts and strictly:
        thread = found.status.thread_name
        raise Refused("workflow_breach", thread, problems=[FieldProblem(thread, _(step.filling.nothing))])
    return dict(zip(step.filling.fields, texts, strict=False))


def _template(step: Command, kind: "Kind", *, short: bool) -> str:
    """Return the draft without what is filled in."""
    text, remark = kind.template(lang(), "short" if short else "long"), _("filled in")
    for name in step.filling.fields if step.filling else ():
        text = re.sub(rf"(?m)^  {name}:$", f"  # {name}:  # {remark}", text)
    for name in ("to", "in_reply_to"):
        text = re.sub(rf"(?m)^{name}: \[\]$", f"# {name}: []  # {remark}", text)
    return text


def _given(pairs: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for each in pairs:
        name, separator, text = each.partition("=")
        if not separator:
            raise misused("--set", _("{value!r} is not FIELD=TEXT").format(value=each))
        given[name.strip()] = text
    return given


def _overrides(options: Mapping[str, Any], step: Command) -> Overrides:
    urgency = options["urgency"] or ""
    reason = options["reason_code"]
    if not urgency and not reason:
        urgency = step.urgency
    if urgency in {"urgent", "flash"} and not reason:
        reason = "controlled-delivery"
    return Overrides((), urgency, reason, second=options["second"])
