"""The command `paiza-node` with its subcommands; a subcommand's module is loaded when it is called."""

from importlib import import_module
from typing import Final

import click
from typing_extensions import override

from paiza_node.core.errors import N_
from paiza_node.ops.cli.frame import localised
from paiza_node.ops.cli.options import language_option

COMMANDS: Final = {  # the module that defines each
    "init": "paiza_node.ops.cli.init",
    "run": "paiza_node.app.run",
    "status": "paiza_node.ops.cli.status",
    "queue": "paiza_node.ops.cli.queue",
    "peers": "paiza_node.ops.cli.peers",
    "misbehaviour": "paiza_node.ops.cli.misbehaviour",
    "audit": "paiza_node.ops.cli.audit",
    "verify": "paiza_node.ops.cli.verify",
    "policy": "paiza_node.ops.cli.policy",
    "doctor": "paiza_node.ops.cli.doctor",
    "backup": "paiza_node.ops.cli.backup",
    "restore": "paiza_node.ops.cli.restore",
}


class _Root(click.Group):
    """Loads commands on demand: `status` need not wait for the imports of `run`."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)
        return localised(command)


@click.group(
    cls=_Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=N_("Run and operate the node of one member."),
    epilog=N_(
        "Exit codes: 0 done, 1 internal error, 2 usage, 3 refused or misconfigured, 4 "
        "unavailable, 5 verification failed (verify), 10 warning and 11 failure (doctor), 130 "
        "interrupted."
    ),
)
@click.version_option(package_name="paiza", prog_name="paiza-node")
@language_option
def paiza_node() -> None:
    """Run and operate the node of one member."""
