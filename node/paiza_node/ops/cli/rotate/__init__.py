"""`paiza-node rotate`: other keys for the running node, without a restart; one module for each kind of key."""

from typing import Final

import click

from paiza_cli.commands import LazyGroup
from paiza_node.core.errors import N_
from paiza_node.ops.cli.options import language_option
from paiza_node.ops.language import _

COMMANDS: Final = {
    "tls": "paiza_node.ops.cli.rotate.tls:command",
    "encryption": "paiza_node.ops.cli.rotate.encryption:command",
    "log": "paiza_node.ops.cli.rotate.signing:log",
    "witness": "paiza_node.ops.cli.rotate.signing:witness",
    "node-ca": "paiza_node.ops.cli.rotate.authorities:node_ca",
    "officer-ca": "paiza_node.ops.cli.rotate.authorities:officer_ca",
    "announce": "paiza_node.ops.cli.rotate.announce:command",
}
"""Module and name of each command."""


@click.group(
    "rotate",
    cls=LazyGroup,
    places=COMMANDS,
    translate=_,
    help=N_("Replace keys of the node and of the member. The node goes on serving."),
)
@language_option
def command() -> None:
    """Group the commands that replace keys."""
