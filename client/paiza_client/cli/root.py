"""The command `paiza` with everything below it; a command's module is loaded when the command is called for."""

from typing import Final

import click

from paiza_cli.commands import LazyGroup
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal
from paiza_client.language import N_, _

COMMANDS: Final = {
    "acknowledge": "paiza_client.cli.recalls:acknowledge",
    "attach": "paiza_client.cli.attachments:attach",
    "approve": "paiza_client.cli.approvals:approve",
    "audit": "paiza_client.cli.audit:audit",
    "border": "paiza_client.cli.laws:border",
    "bridge": "paiza_client.cli.console:bridge",
    "cd": "paiza_client.cli.controlled_delivery:cd",
    "contacts": "paiza_client.cli.contacts:contacts",
    "correct": "paiza_client.cli.recalls:correct",
    "directory": "paiza_client.cli.directory:directory",
    "draft": "paiza_client.cli.draft:draft",
    "enrol": "paiza_client.cli.enrolment:enrol",
    "erase": "paiza_client.cli.retention:erase",
    "erasures": "paiza_client.cli.retention:erasures",
    "export": "paiza_client.cli.exports:export",
    "feedback": "paiza_client.cli.recalls:feedback",
    "forward": "paiza_client.cli.forwarding:forward",
    "hold": "paiza_client.cli.retention:hold",
    "holders": "paiza_client.cli.forwarding:holders",
    "holds": "paiza_client.cli.retention:holds",
    "import": "paiza_client.cli.imports:import_",
    "inbox": "paiza_client.cli.inbox:inbox",
    "law": "paiza_client.cli.laws:law",
    "links": "paiza_client.cli.search:links",
    "open": "paiza_client.cli.inbox:open_",
    "lock": "paiza_client.cli.unlocking:lock",
    "operation": "paiza_client.cli.operations:operation",
    "outbox": "paiza_client.cli.local:outbox",
    "profile": "paiza_client.cli.laws:profile",
    "profiles": "paiza_client.cli.local:profiles",
    "recall": "paiza_client.cli.recalls:recall",
    "release": "paiza_client.cli.releases:release",
    "reply": "paiza_client.cli.sending:reply",
    "review": "paiza_client.cli.retention:review",
    "reviews": "paiza_client.cli.retention:reviews",
    "search": "paiza_client.cli.search:search",
    "send": "paiza_client.cli.sending:send",
    "statistics": "paiza_client.cli.statistics:statistics",
    "substance": "paiza_client.cli.substances:substance",
    "tasks": "paiza_client.cli.tasks:tasks",
    "thread": "paiza_client.cli.inbox:thread",
    "unlock": "paiza_client.cli.unlocking:unlock",
    "watch": "paiza_client.cli.watching:watch",
    "web": "paiza_client.cli.console:web",
}
"""Module and name of each command."""


@click.group(
    cls=LazyGroup,
    places=dict(sorted(COMMANDS.items())),
    translate=_,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=N_("Exchange sealed and signed messages with other members."),
    epilog=N_(
        "Exit codes: 0 done, 1 defect, 2 usage, 3 refused, 4 not now, 5 not proven, 6 profile or key, 7 done in part, "
        "130 interrupted."
    ),
)
@click.version_option(package_name="paiza", prog_name="paiza")
@click.pass_context
@shared
def paiza(context: click.Context) -> None:
    """Exchange messages."""
    context.ensure_object(Terminal)
