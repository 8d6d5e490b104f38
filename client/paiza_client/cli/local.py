"""Commands about what is kept on this machine: the outbox, and the profiles."""

from datetime import UTC

import click

from paiza_cli.confirmation import confirm
from paiza_client.cli import display
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.language import N_, _
from paiza_client.local.outbox import Outbox
from paiza_client.sdk import as_json
from paiza_client.verify.model import Outcome
from paiza_officer import profiles as stored
from paiza_officer.errors import FieldProblem, Refused, Unreachable
from paiza_wire.errors import PaizaError


@click.group(help=N_("See, send or drop what waits to be sent. It is sealed: nobody can read it on this machine."))
@shared
def outbox() -> None:
    """Keep the outbox."""


@outbox.command("list", help=N_("List the messages that wait, and those the node refused."))
@shared
def list_() -> None:
    """List what waits."""
    terminal = current_terminal()
    waiting = Outbox(terminal.profile().outbox).listing()
    if terminal.wants_json:
        terminal.json(
            [{**as_json.header(each.header), "refused": each.refused, "second": each.second} for each in waiting]
        )
        return
    rows = [
        (
            each.header.message_id.hex()[: display.SHORT_ID],
            display.urgency(each.header),
            display.kind_title(each.header),
            display.recipients(each.header),
            _("refused: {reason}").format(reason=each.refused)
            if each.refused
            else _("waits for a second officer")
            if each.second
            else _("waiting"),
        )
        for each in waiting
    ]
    terminal.table((_("Id"), _("Urgency"), _("Kind"), _("To"), _("State")), rows, empty=_("The outbox is empty."))


@outbox.command(help=N_("Send everything that waits, now."))
@shared
def flush() -> None:
    """Send what waits."""
    terminal = current_terminal()
    profile = terminal.profile()

    async def work() -> list[Outcome]:
        from paiza_client.sdk import connect  # noqa: PLC0415 - grpc is slow to load, and not always needed

        async with connect(profile, terminal.passphrase, terminal.pin) as session:
            return await session.flush()

    kept = Outbox(profile.outbox)
    if not any(kept.batches()) and not any(kept.at_second_officers()):
        outcomes: list[Outcome] = []
    else:
        try:
            outcomes = run(work())
        except Unreachable as error:
            error.saved = True
            raise
    if terminal.wants_json:
        terminal.json(
            [
                {
                    "digest": each.digest,
                    "state": each.state,
                    "reason": each.reason,
                    "thread": each.thread_name,
                    "earlier": each.earlier,
                }
                for each in outcomes
            ]
        )
        return
    counts = {state: sum(each.state == state for each in outcomes) for state in ("released", "refused", "retry")}
    terminal.say(_("Sent: {released}, refused: {refused}, still waiting: {retry}").format(**counts))
    for each in outcomes:
        if each.earlier:
            text = _("Refused, because its row of a table was sent before: message {id}.")
            terminal.say(text.format(id=each.earlier.hex()[:16]))
    if second := sum(each.state == "waiting" for each in outcomes):
        terminal.say(_("Waiting for a second officer: {n}").format(n=second))


@outbox.command(help=N_("Give a waiting or refused message up. It cannot be brought back."))
@click.argument("message", metavar="ID")
@click.option("--yes", is_flag=True, help=N_("Do not ask."))
@shared
def drop(*, message: str, yes: bool) -> None:
    """Drop a message."""
    terminal = current_terminal()
    box = Outbox(terminal.profile().outbox)
    wanted = message.replace("-", "").lower()
    headers = {each.header.message_id: each.header for each in box.listing()}
    found = {key: header for key, header in headers.items() if key.hex().startswith(wanted)}
    if not found:
        raise Refused("unknown_id", message)
    if len(found) > 1:
        problems = [
            FieldProblem(
                key.hex(),
                f"{display.kind_title(header)}, → {display.recipients(header)}, "
                f"{display.when(header.author_time.ToDatetime(tzinfo=UTC))}",
            )
            for key, header in sorted(found.items())
        ]
        raise Refused("ambiguous_id", message, problems=problems)
    if not yes:
        confirm(_("Give this message up? Nobody can read or send it after that."), abort=True)
    dropped = box.drop(next(iter(found)))
    if terminal.wants_json:
        terminal.json({"dropped": dropped})
    else:
        terminal.say(_("Dropped."))


@click.command(help=N_("List the profiles of this machine: who can act, at which node."))
@shared
def profiles() -> None:
    """List profiles."""
    terminal = current_terminal()
    folder = stored.home()
    rows: list[tuple[str, str, str, str]] = []
    for name in stored.names(folder):
        try:
            profile = stored.load(folder / name)
            rows.append((name, str(profile.id), ", ".join(profile.nodes), ""))
        except PaizaError as error:
            rows.append((name, "", "", error.reason))
    if terminal.wants_json:
        terminal.json(
            [
                {"profile": name, "id": officer, "node": node, "problem": problem}
                for name, officer, node, problem in rows
            ]
        )
        return
    empty = _("No profiles in {folder}.").format(folder=folder)
    terminal.table((_("Profile"), _("Officer"), _("Node"), _("Problem")), rows, empty=empty)
