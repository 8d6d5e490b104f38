"""`paiza audit`: what the logs say, with proofs; and evidence that anybody can verify without a node."""

import re
from typing import TYPE_CHECKING, Final

import click

from paiza_client.cli import display, evidence
from paiza_client.cli.audit_log import log
from paiza_client.cli.options import shared
from paiza_client.cli.reconciliation import matrix, reconcile
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.errors import Refused
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, messages
from paiza_client.verify.model import LogState, Trail

if TYPE_CHECKING:
    from paiza_client.sdk import Session

COORDINATOR: Final = "coordinator"
CONSULTED: Final = "CONSULTED"
_FULL_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@click.group(help=N_("See and prove what the logs hold."))
def audit() -> None:
    """See and prove."""


audit.add_command(log)
audit.add_command(matrix)
audit.add_command(reconcile)


@audit.command(
    help=N_(
        "Show every log as your node knows it: size, last checkpoint, what speaks against it; of your own also who "
        "witnesses it now, and since when something is not witnessed."
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

    async def work() -> tuple[str, bytes, Trail, list[tuple[str, str]]]:
        async with terminal.session() as session:
            if _FULL_DIGEST.fullmatch(message) and COORDINATOR in (await session.whoami()).roles and not own_only:
                return await _trail_of_digest(session, bytes.fromhex(message))
            found = await messages.find(session, message)
            said = await session.trail(found.digest)
            if own_only or COORDINATOR not in (await session.whoami()).roles:
                return found.id, found.digest, said, []
            members = {found.header.author, *(each.member for each in found.header.recipients)}
            members |= {each.counterpart for each in said.own if each.counterpart}
            active = {each.id for each in session.register().active_members()}
            whole, silent = await session.ask_others(said, found.digest, sorted(members & active))
            return found.id, found.digest, whole, silent

    message_id, digest, found, silent = run(work())
    if terminal.wants_json:
        terminal.json(
            {
                "id": message_id,
                "digest": digest,
                "own": [as_json.proof(each) for each in found.own],
                "foreign": [as_json.proof(each) for each in found.foreign],
                "silent": [{"member": member, "reason": reason} for member, reason in silent],
            }
        )
        return
    for member, reason in silent:
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
        for each in sorted((*found.own, *found.foreign), key=lambda each: (each.time, each.origin, each.index))
    ]
    terminal.table((_("Time"), _("Log of"), _("Event"), _("With"), _("By"), _("Reason"), _("Entry")), rows)


async def _trail_of_digest(session: "Session", digest: bytes) -> tuple[str, bytes, Trail, list[tuple[str, str]]]:
    """Ask every log about a message by its whole digest, also where the own member has no part in it."""
    try:
        said = await session.trail(digest)
    except Refused as error:
        if error.reason != "unknown_id":
            raise
        said = Trail((), ())
    active = [each.id for each in session.register().active_members()]
    whole, silent = await session.ask_others(said, digest, active)
    # That we asked before is all that some logs say.
    if all(each.event == CONSULTED for each in (*whole.own, *whole.foreign)):
        raise Refused("unknown_id", digest.hex()[:16])
    return digest.hex(), digest, whole, silent


audit.add_command(evidence.evidence_)
audit.add_command(evidence.verify)
