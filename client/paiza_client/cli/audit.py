"""`paiza audit`: what the logs say, with proofs; and evidence that anybody can verify without a node."""

import click

from paiza_client.cli import display, evidence
from paiza_client.cli.audit_log import log
from paiza_client.cli.options import shared
from paiza_client.cli.reconciliation import matrix, reconcile
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, trails
from paiza_client.sdk.trails import FoundTrail
from paiza_client.verify.model import LogState


@click.group(help=N_("See and prove what the logs hold."))
@shared
def audit() -> None:
    """See and prove."""


audit.add_command(log)
audit.add_command(matrix)
audit.add_command(reconcile)


@audit.command(
    help=N_(
        "Show every log as your node knows it: size, last checkpoint, what speaks against it; of your own also who "
        "witnesses it now, and since when something is not witnessed. Coordinators also see whose certificates end "
        "soon."
    )
)
@shared
def status() -> None:
    """Show the logs."""
    terminal = current_terminal()

    async def work() -> list[LogState]:
        async with terminal.session() as session:
            return await session.log_status()

    states = run(work())
    if terminal.wants_json:
        terminal.json([as_json.log_state(state) for state in states])
        return
    rows = [
        (
            state.member + (" *" if state.own else ""),
            state.origin,
            str(state.size),
            state.root.hex()[:16],
            display.when(state.accepted_time) if state.accepted_time else "",
            ", ".join(state.misbehaviour),
        )
        for state in states
    ]
    terminal.table((_("Member"), _("Log"), _("Entries"), _("Root"), _("Accepted"), _("Against it")), rows)
    terminal.note(_("* your own log. Every checkpoint is signed with the key in the register."))
    for state in states[:1]:
        if state.witnessed_size is None:
            terminal.note(_("Your own log is not witnessed by enough members yet."))
        else:
            witnesses = ", ".join(state.witnesses)
            text = _("Your own log is witnessed up to entry {n}, by {members}.")
            terminal.note(text.format(n=state.witnessed_size, members=witnesses))
        if state.unwitnessed_since is not None:
            terminal.note(
                _("Not witnessed yet: what is newer than {time}.").format(time=display.when(state.unwitnessed_since))
            )
        for officer, time in state.ending_certificates:
            text = _(
                "The certificates of {officer} end at {time}. Any `paiza` command of theirs renews them; if they "
                "cannot, ask the administrator for `paiza-node officer invite`."
            )
            terminal.warn(text.format(officer=officer.rpartition("/")[2], time=display.when(time)))


@audit.command(
    help=N_(
        "Show everything that the logs say about one message, each entry proven. Coordinators also ask the other "
        "members concerned for what they granted, which their logs note."
    )
)
@click.argument("message", metavar="ID")
@click.option("--own-only", is_flag=True, help=N_("Do not ask other members."))
@shared
def trail(*, message: str, own_only: bool) -> None:
    """Show a trail."""
    terminal = current_terminal()

    async def work() -> FoundTrail:
        async with terminal.session() as session:
            return await trails.find(session, message, own_only=own_only)

    told = run(work())
    found = told.trail
    if terminal.wants_json:
        terminal.json(
            {
                "id": told.id,
                "digest": told.digest,
                "own": [as_json.proof(each) for each in found.own],
                "foreign": [as_json.proof(each) for each in found.foreign],
                "silent": [{"member": member, "reason": reason} for member, reason in told.silent],
            }
        )
        return
    for member, reason in told.silent:
        terminal.warn(_("{member} gave no answer: {reason}").format(member=member, reason=reason))
    rows = [
        (
            display.when(each.time),
            each.member,
            display.event(each),
            each.counterpart,
            each.actor,
            each.reason,
            f"{each.origin} #{each.index}",
        )
        for each in told.entries
    ]
    terminal.table((_("Time"), _("Log of"), _("Event"), _("With"), _("By"), _("Reason"), _("Entry")), rows)


audit.add_command(evidence.evidence_)
audit.add_command(evidence.verify)
