"""The command `paiza-node` with its subcommands; a subcommand's module is loaded when it is called."""

from typing import Final

import click

from paiza_cli.commands import LazyGroup
from paiza_node.core.errors import N_
from paiza_node.ops.cli.options import language_option
from paiza_node.ops.language import _

COMMANDS: Final = {
    "init": "paiza_node.ops.cli.init:command",
    "join": "paiza_node.ops.cli.join:command",
    "run": "paiza_node.app.lean:command",
    "status": "paiza_node.ops.cli.status:command",
    "queue": "paiza_node.ops.cli.queue:command",
    "peers": "paiza_node.ops.cli.peers:command",
    "officer": "paiza_node.ops.cli.officer:command",
    "register": "paiza_node.ops.cli.register:command",
    "misbehaviour": "paiza_node.ops.cli.misbehaviour:command",
    "audit": "paiza_node.ops.cli.audit:command",
    "verify": "paiza_node.ops.cli.verify:command",
    "policy": "paiza_node.ops.cli.policy:command",
    "doctor": "paiza_node.ops.cli.doctor:command",
    "rotate": "paiza_node.ops.cli.rotate:command",
    "passphrase": "paiza_node.ops.cli.passphrase:command",
    "backup": "paiza_node.ops.cli.backup:command",
    "restore": "paiza_node.ops.cli.restore:command",
    "issuer": "paiza_node.ops.cli.issuer.group:command",
}
"""Module and name of each command."""


@click.group(
    cls=LazyGroup,
    places=COMMANDS,
    translate=_,
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
