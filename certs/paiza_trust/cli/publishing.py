"""The commands that publish what was signed, with a node's key: publish, renew."""

from datetime import UTC, datetime
from pathlib import Path

import click

from paiza_register.register_file import RegisterFile
from paiza_trust import carried_files, publishing
from paiza_trust.apply import NodeFolder
from paiza_trust.cli import display
from paiza_trust.cli.options import FILE, JSON, NODE_FOLDER, OUTPUT, check_new
from paiza_trust.files import write_private
from paiza_trust.language import N_, _


@click.command(help=N_("Publish the proposal in FILE, which enough have signed, with a node's key: one file to carry."))
@FILE
@NODE_FOLDER
@OUTPUT
@JSON
def publish(file: Path, node_folder: Path, output: Path, *, as_json: bool) -> None:
    """Publish a proposal."""
    check_new(output)
    register = publishing.publish(carried_files.proposal(file), NodeFolder.open(node_folder), datetime.now(UTC))
    write_register(register, output, as_json=as_json)


@click.command(help=N_("Sign anew, with a node's key, that the register in FILE is current. Its content stays."))
@FILE
@NODE_FOLDER
@OUTPUT
@JSON
def renew(file: Path, node_folder: Path, output: Path, *, as_json: bool) -> None:
    """Renew a register."""
    check_new(output)
    with carried_files.located(file):
        register = publishing.renew(carried_files.register(file), NodeFolder.open(node_folder), datetime.now(UTC))
    write_register(register, output, as_json=as_json)


def write_register(register: RegisterFile, output: Path, *, as_json: bool) -> None:
    """Write a register to a file, and print its fingerprints."""
    write_private(output, register.to_bytes())
    if as_json:
        display.show_json({"file": str(output), **display.digests(register)})
        return
    click.echo(_("{file}: the register, to be carried to every member: paiza-node join").format(file=output))
    display.show_digests(register)
