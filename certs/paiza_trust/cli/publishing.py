"""The commands that publish with a node's key, and those between files and the own node: publish, export, import."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_register.ceremony import Proposal
from paiza_register.register_file import RegisterFile
from paiza_trust import carried_files, own_node, publishing
from paiza_trust.apply import NodeFolder
from paiza_trust.cli import display
from paiza_trust.cli.options import FILE, JSON, NODE_FOLDER, OUTPUT, OWN_PROFILE, check_new
from paiza_trust.errors import TrustError
from paiza_trust.files import write_private
from paiza_trust.language import N_, _

FETCHED: Final = N_(
    "{file}: the register. Only a new member joins with it (paiza-node join); the other nodes fetch it themselves."
)
"""What a register is for that a node published or holds."""


@click.command(help=N_("Publish the proposal in FILE, which enough have signed, with a node's key: one file to carry."))
@FILE
@NODE_FOLDER
@OUTPUT
@JSON
def publish(file: Path, node_folder: Path, output: Path, *, as_json: bool) -> None:
    """Publish a proposal."""
    check_new(output)
    proposal = carried_files.proposal(file)
    register = publishing.publish(proposal, NodeFolder.open(node_folder), datetime.now(UTC))
    text = N_(
        "{file}: the register. One node, stopped for it, and a new member's node join with it (paiza-node join); "
        "the other nodes fetch it."
    )
    if proposal.act.base is None:
        text = N_("{file}: the first register. The node of every member joins with it: paiza-node join")
    write_register(register, output, text, {}, as_json=as_json)


@click.command(
    "export",
    help=N_(
        "Write to a file, for a machine without a network, what your own node holds: the proposal of this fingerprint, "
        "or without one the newest register."
    ),
)
@click.argument("fingerprint", required=False)
@OWN_PROFILE
@OUTPUT
@JSON
def export(fingerprint: str | None, profile: str | None, output: Path, *, as_json: bool) -> None:
    """Write a file."""
    check_new(output)
    with own_node.connect(profile) as node:
        if fingerprint is None:
            write_register(node.register()[1], output, FETCHED, {}, as_json=as_json)
            return
        proposal = node.proposal(fingerprint)
        write_private(output, proposal.to_bytes())
        display.show_signed(proposal, str(output), as_json=as_json)


@click.command("import", help=N_("Hand the signatures and refusals of the proposal in FILE to your own node."))
@FILE
@OWN_PROFILE
@JSON
def import_(file: Path, profile: str | None, *, as_json: bool) -> None:
    """Hand a file to the node."""
    proposal = carried_files.read(file)
    if not isinstance(proposal, Proposal):
        what, remedy = (
            N_("Only a proposal is handed to a node"),
            N_("The operator puts a register into it: paiza-node join."),
        )
        raise TrustError("malformed", what, str(file), remedy)
    with own_node.connect(profile) as node:
        held = node.submit(proposal)
        if as_json:
            display.show_json(display.held_values(held))
            return
        display.show_signatures(proposal)
        click.echo(display.state_text(held))


def write_register(
    register: RegisterFile, output: Path, text: str, values: Mapping[str, object], *, as_json: bool
) -> None:
    """Write a register to a file, and print its fingerprints.

    ``text`` is what the file is for, with its name as {file}; ``values`` are further fields of the JSON object.
    """
    write_private(output, register.to_bytes())
    if as_json:
        display.show_json({**values, "file": str(output), **display.digests(register)})
        return
    click.echo(_(text).format(file=output))
    display.show_digests(register)
