"""`paiza cd`: controlled deliveries. Every command is one signed step; the own node refuses a step that breaks a rule.

What a step must name (the steps it follows from, everybody who takes part, the message it answers) is filled in from
the node's fold of the thread, so that an officer writes only what they know.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import click

from paiza_client import error_help
from paiza_client.cli import board, doubts, drafting, sending
from paiza_client.cli.options import CodeParameter, shared
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.language import N_, _
from paiza_client.sdk import controlled_delivery, copying, drafts
from paiza_client.sdk.controlled_delivery import Delivery
from paiza_client.sdk.drafts import Overrides
from paiza_domain.drafts.drafts import Draft
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import FieldProblem, Unreachable, misused

_UTC_TIME: Final = re.compile(r"^( +(?:- )?[a-z_]+: )(\d{4}-\d\d-\d\dT\d\d:\d\d:00Z)(?=$|  #)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the kind of its step, and its help."""

    kind: str
    told: str


COMMANDS: Final[Mapping[str, Command]] = {
    "acknowledge": Command(
        "cd-acknowledgement",
        N_("Say that the request, a stop or a loss of control was taken note of."),
    ),
    "answer": Command(
        "cd-conditions-answer",
        N_("Answer the conditions that a state set."),
    ),
    "withdraw": Command("cd-withdrawal", N_("Withdraw the request, or your own authorisation.")),
    "confirm": Command("cd-confirmation", N_("Confirm an oral request in writing, within three days.")),
    "plan": Command("cd-plan", N_("Sign the plan, once every state on the route has authorised.")),
    "activate": Command("cd-activation", N_("Begin the delivery: you are responsible from now on.")),
    "offer": Command("cd-handover-offer", N_("Offer the consignment to the next state.")),
    "accept": Command(
        "cd-handover-acceptance",
        N_("Take the consignment over: you are responsible from now on."),
    ),
    "decline": Command("cd-handover-refusal", N_("Decline a handover that was offered.")),
    "reroute": Command("cd-route-change", N_("Change the route; a new state enters by its own authorisation.")),
    "suspend": Command("cd-suspension", N_("Suspend the delivery on your territory.")),
    "resume": Command("cd-resumption", N_("Lift your suspension.")),
    "lost": Command("cd-control-lost", N_("Tell everybody at once that control was lost.")),
    "stop": Command("cd-stop", N_("Stop the delivery on your territory; it goes ahead of everything.")),
    "lift": Command("cd-stop-lifting", N_("Lift your stop; two officers sign.")),
    "intervene": Command("cd-intervention", N_("Report the seizure or arrest that ended the delivery.")),
    "delivered": Command("cd-delivered", N_("Report that the consignment reached its destination.")),
    "substitute": Command("cd-substitution", N_("Record a substitution, with weights and seals before and after.")),
    "outcome": Command("cd-outcome", N_("Report the outcome, within 30 days of the end.")),
    "evidence": Command("cd-evidence-return", N_("Report what was returned as evidence.")),
    "close": Command("cd-closing", N_("Close the delivery.")),
}
DECISIONS: Final[Mapping[str, Command]] = {
    "authorise": Command("cd-authorisation", N_("Authorise it for your territory; two officers sign.")),
    "refuse": Command("cd-refusal", N_("Refuse it, with the reason code.")),
    "conditions": Command("cd-conditions", N_("Set conditions first.")),
}


@click.group(help=N_("Controlled deliveries: request, decide, plan, hand over, stop, report."))
@shared
def cd() -> None:
    """Work on controlled deliveries."""


def _step_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--yes", is_flag=True, help=N_("Do not ask: what is warned of is right.")),
        click.option("--dry-run", is_flag=True, help=N_("Check everything, send nothing.")),
        click.option(
            "--template",
            is_flag=True,
            help=N_("Print a draft with comments, filled in with what the delivery says, and stop."),
        ),
        click.option("--full", is_flag=True, help=N_("With --template: every field, and all of them empty.")),
        click.option("--second", default="", metavar="OFFICER", help=N_("The officer who signs as the second.")),
        click.option(
            "--reason-code",
            type=CodeParameter("urgency_reason"),
            default="",
            metavar="CODE",
            help=N_("Why it is URGENT or FLASH."),
        ),
        click.option(
            "--urgency", type=CodeParameter("urgency"), metavar="CODE", help=N_("How soon it must be acted on.")
        ),
        click.option(
            "--exercise", is_flag=True, help=N_("Mark the message as an exercise. Its answers are marked too.")
        ),
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
    if template:
        kind = drafts.find_kind(controlled_delivery.REQUEST)
        click.echo(drafting.empty(current_terminal(), kind, full=options["full"]), nl=False)
        return
    if draft is None:
        raise misused("paiza cd request", _("no draft: name a file, or use --template"))
    terminal, now = current_terminal(), drafts.writing_time()
    read = drafting.read(terminal, draft, now, _given(given))
    prepared = controlled_delivery.request(read, draft, terminal.profile().member, _overrides(options), now)
    sending.finish(terminal, prepared, None, dry_run=dry_run, yes=options["yes"])


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
    if template:
        _print_template(drafts.find_kind(step.kind), thread, full=options["full"])
        return
    terminal, now = current_terminal(), drafts.writing_time()
    fields, overrides = _given(given), _overrides(options)

    async def look() -> Delivery:
        async with terminal.session() as session:
            return await controlled_delivery.find(session, thread)

    delivery = run(look())
    if draft is None:
        prepared = controlled_delivery.step(delivery, step.kind, fields, overrides, now)
    else:
        filled = controlled_delivery.fill(delivery, step.kind, fields, lenient=True)
        header = controlled_delivery.header_of_step(delivery, step.kind, overrides)
        read = drafting.read(terminal, draft, now, filled, header)
        drafts.check_kind(read, step.kind, draft)
        prepared = controlled_delivery.step_of_draft(delivery, read, draft, overrides, now)
    unusual = [FieldProblem("", each, "unusual") for each in controlled_delivery.warnings(delivery, prepared)]
    if unusual:  # nobody is asked about a step that the node would refuse all the same
        controlled_delivery.check_possible(delivery, step.kind)
    doubts.confirm_found(terminal, thread, unusual, yes=options["yes"] or dry_run)
    sending.finish(terminal, prepared, None, dry_run=dry_run, yes=options["yes"])


def _print_template(kind: Kind, thread: str, *, full: bool) -> None:
    """Print the draft of a step that begins with what the delivery says; an empty one while the node is away."""
    terminal = current_terminal()

    async def begin() -> Draft:
        async with terminal.session() as session:
            return await copying.as_step(session, await controlled_delivery.find(session, thread), kind)

    begun = None
    if not full:
        try:
            begun = run(begin())
        except Unreachable as error:
            away = _("What the delivery says is not filled in: {reason}")
            terminal.warn(away.format(reason=_(error_help.remedy(error.reason).what)))
    text = in_local_time(drafting.empty(terminal, kind, full=full, begun=begun))
    click.echo(without_filled(text, kind), nl=False)


def in_local_time(text: str) -> str:
    """Return a draft with its times of the protocol, in UTC, in the zone of this machine."""

    def here(found: re.Match[str]) -> str:
        return found[1] + datetime.fromisoformat(found[2]).astimezone().isoformat(" ", "minutes")

    return _UTC_TIME.sub(here, text)


def without_filled(text: str, kind: Kind) -> str:
    """Return an empty draft of a step with what is filled in commented out."""
    remark = _("filled in")
    for name in controlled_delivery.filled_fields(kind.name):
        text = re.sub(rf"(?m)^  {name}:(?:  #.*)?$", f"  # {name}:  # {remark}", text)
    for name in ("to", "in_reply_to"):
        text = re.sub(rf"(?m)^{name}: \[\](?:  #.*)?$", f"# {name}: []  # {remark}", text)
    return text


def _given(pairs: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for each in pairs:
        name, separator, text = each.partition("=")
        if not separator:
            raise misused("--set", _("{value!r} is not FIELD=TEXT").format(value=each))
        given[name.strip()] = text
    return given


def _overrides(options: Mapping[str, Any]) -> Overrides:
    second, exercise = options["second"], options["exercise"]
    return Overrides((), options["urgency"] or "", options["reason_code"], second=second, exercise=exercise)
