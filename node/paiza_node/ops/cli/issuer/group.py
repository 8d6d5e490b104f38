"""`paiza-node issuer`: make, run and look at the issuer of the member's certificates."""

from typing import Final

import click

from paiza_cli.commands import LazyGroup
from paiza_node.core.errors import N_
from paiza_node.ops.language import _

COMMANDS: Final = {
    "init": "paiza_node.ops.cli.issuer.init:command",
    "run": "paiza_node.app.run_issuer:command",
    "show": "paiza_node.ops.cli.issuer.show:command",
    "administrator": "paiza_node.ops.cli.issuer.administrator:command",
}
"""Module and name of each command."""


@click.group(
    "issuer",
    cls=LazyGroup,
    places=COMMANDS,
    translate=_,
    help=N_(
        "Make, run and look at the issuer: the process that holds the member's CAs and certifies its officers and its "
        "node. Run it as another system user than the node."
    ),
)
def command() -> None:
    """Make, run and look at the issuer."""
