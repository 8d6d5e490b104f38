"""The command `paiza` with everything below it; a command's module is loaded when the command is called for."""

from importlib import import_module
from typing import Final

import click
from typing_extensions import override

from paiza_client.cli.frame import localised
from paiza_client.cli.options import shared
from paiza_client.cli.terminal import Terminal
from paiza_client.language import N_

COMMANDS: Final = {
    "acknowledge": "recalls:acknowledge",
    "attach": "attachments:attach",
    "approve": "approvals:approve",
    "audit": "audit:audit",
    "border": "laws:border",
    "cd": "controlled_delivery:cd",
    "contacts": "inbox:contacts",
    "correct": "recalls:correct",
    "erase": "retention:erase",
    "erasures": "retention:erasures",
    "export": "exports:export",
    "feedback": "recalls:feedback",
    "forward": "forwarding:forward",
    "hold": "retention:hold",
    "holders": "forwarding:holders",
    "holds": "retention:holds",
    "import": "imports:import_",
    "inbox": "inbox:inbox",
    "law": "laws:law",
    "links": "search:links",
    "open": "inbox:open_",
    "operation": "operations:operation",
    "outbox": "local:outbox",
    "profile": "laws:profile",
    "profiles": "local:profiles",
    "recall": "recalls:recall",
    "release": "releases:release",
    "reply": "sending:reply",
    "review": "retention:review",
    "reviews": "retention:reviews",
    "search": "search:search",
    "send": "sending:send",
    "statistics": "statistics:statistics",
    "substance": "substances:substance",
    "tasks": "tasks:tasks",
    "thread": "inbox:thread",
    "watch": "watching:watch",
}
"""Where each command stands: module of this package, and name in it."""


class _Root(click.Group):
    """Loads commands when they are asked for: an inbox need not wait for the import's code lists."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(import_module(f"paiza_client.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return localised(command)


@click.group(
    cls=_Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=N_("Exchange sealed and signed messages with other members."),
    epilog=N_(
        "Exit codes: 0 done, 1 defect, 2 usage, 3 refused, 4 not now, 5 not proven, 6 profile or key, 130 interrupted."
    ),
)
@click.version_option(package_name="paiza", prog_name="paiza")
@click.pass_context
@shared
def paiza(context: click.Context) -> None:
    """Exchange messages."""
    context.ensure_object(Terminal)
