"""The command `paiza-node` with everything below it; a command's module is loaded when the command is called for."""

from importlib import import_module
from typing import Final

import click
from typing_extensions import override

from paiza_node.cli.frame import localised
from paiza_node.cli.options import language_option
from paiza_node.errors import N_

COMMANDS: Final = (
    "init",
    "run",
    "status",
    "queue",
    "peers",
    "convictions",
    "audit",
    "verify",
    "policy",
    "doctor",
    "backup",
    "restore",
)


class _Root(click.Group):
    """Loads commands when they are asked for: `status` need not wait for what `run` needs."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"paiza_node.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return localised(command)


@click.group(
    cls=_Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=N_("Run and look after the node of one member."),
    epilog=N_(
        "Exit codes: 0 done, 1 defect, 2 usage, 3 refused or misconfigured, 4 not now, 5 not proven (verify), "
        "10 warning and 11 failure (doctor), 130 interrupted."
    ),
)
@click.version_option(package_name="paiza", prog_name="paiza-node")
@language_option
def paiza_node() -> None:
    """Run and look after the node of one member."""
