"""`paiza forward` and `paiza holders`: passing a message on as it is, and who holds it."""

from datetime import UTC
from typing import Any

import click

from paiza_client.cli import display
from paiza_client.cli.options import CodeParameter, MembersParameter, shared, split
from paiza_client.cli.terminal import Terminal, current_terminal, lang, run
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, fitting, messages, wording
from paiza_client.sdk.forwarding import Permission
from paiza_client.sdk.model import MessageSummary
from paiza_domain import handling
from paiza_officer.errors import Refused
from paiza_wire.reasons import REASONS


@click.command(
    help=N_("Pass a message on as it is, with its author's marks. Limited material needs the author's consent.")
)
@click.argument("message", metavar="ID")
@click.option(
    "--to", type=MembersParameter(), multiple=True, required=True, metavar="MEMBERS", help=N_("To whom: uzb,kgz.")
)
@click.option("--reason", required=True, help=N_("Why you pass it on; your node's log keeps it."))
@click.option(
    "--purpose",
    type=CodeParameter("purpose"),
    default="investigate",
    show_default=True,
    metavar="CODE",
    help=N_("What they are to use it for."),
)
@click.option("--without-annex", is_flag=True, help=N_("Leave the nominal annex behind."))
@shared
def forward(*, message: str, to: tuple[str, ...], reason: str, purpose: str, without_annex: bool) -> None:
    """Pass a message on."""
    terminal = current_terminal()
    recipients = list(dict.fromkeys(split(to)))
    summary, permissions = run(_forward(terminal, message, recipients, purpose, reason, without_annex=without_annex))
    refused = [permission for permission in permissions if permission.proof is None]
    if terminal.wants_json:
        terminal.json({"id": summary.id, "results": [_object(permission) for permission in permissions]})
    else:
        terminal.pairs(
            [
                (
                    permission.recipient,
                    display.proof_text(permission.proof) if permission.proof else f"{_('refused')}: {_why(permission)}",
                )
                for permission in permissions
            ]
        )
        terminal.pairs(marks(summary))
    if refused:
        raise Refused(
            refused[0].reason if refused[0].reason in REASONS else "unexpected_answer", summary.id, refused[0].detail
        )


@click.command(help=N_("Show who holds a message, as far as your node was told."))
@click.argument("message", metavar="ID")
@shared
def holders(*, message: str) -> None:
    """Show who holds a message."""
    terminal = current_terminal()
    found = run(_holders(terminal, message))
    if terminal.wants_json:
        terminal.json([_holder(each) for each in found])
        return
    terminal.table(
        (_("Member"), _("Passed on by"), _("Time")),
        [
            (
                each.member,
                each.forwarded_by,
                display.when(each.forwarded_time.ToDatetime(tzinfo=UTC)) if each.forwarded_by else "",
            )
            for each in found
        ],
    )


def marks(summary: MessageSummary) -> list[tuple[str, str]]:
    """Return the strictest marks of a message, each with what it allows."""
    found = handling.of_message(summary.header)
    labels = [f"TLP:{found.tlp}", found.code, *([f"PAP:{found.pap}"] if found.pap else [])]
    return [(label, handling.meaning(label.removeprefix("TLP:"), lang())) for label in labels]


async def _forward(
    terminal: Terminal, message: str, recipients: list[str], purpose: str, reason: str, *, without_annex: bool
) -> tuple[MessageSummary, list[Permission]]:
    async with terminal.session() as session:
        summary = await messages.find(session, message, fitting.stands)
        return summary, await session.forwarding.forward(
            summary, recipients, purpose=purpose, reason=reason, without_annex=without_annex
        )


async def _holders(terminal: Terminal, message: str) -> list[Any]:
    async with terminal.session() as session:
        return await session.forwarding.holders((await messages.find(session, message, fitting.stands)).digest)


def _why(permission: Permission) -> str:
    return wording.refusal(permission.reason, permission.detail)


def _object(permission: Permission) -> dict[str, Any]:
    if permission.proof is None:
        return {
            "recipient": permission.recipient,
            "state": "refused",
            "reason": permission.reason,
            "detail": permission.detail,
        }
    return {"recipient": permission.recipient, "state": "forwarded", "proof": as_json.proof(permission.proof)}


def _holder(holder: Any) -> dict[str, Any]:
    when = holder.forwarded_time.ToDatetime(tzinfo=UTC).isoformat() if holder.forwarded_by else None
    return {"member": holder.member, "passed_on_by": holder.forwarded_by, "passed_on_time": when}
