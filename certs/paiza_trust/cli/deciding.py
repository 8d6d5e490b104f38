"""The commands that decide on a proposal: show, sign, refuse, merge."""

from datetime import UTC, datetime
from pathlib import Path

import click

from paiza_register import load_set
from paiza_register.ceremony import Application, Proposal
from paiza_trust import carried_files, signing
from paiza_trust import show as show_register
from paiza_trust.cli import display
from paiza_trust.cli.options import FILE, INSTEAD, JSON, KEY_FOLDER, YES
from paiza_trust.files import replace_private
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_, _


@click.command(
    help=N_("Verify PATH, a register's folder or a carried file, and show what it says; a proposal in both languages.")
)
@click.argument("path", type=click.Path(path_type=Path))
@JSON
def show(path: Path, *, as_json: bool) -> None:
    """Show a register, an application, a proposal."""
    if path.is_dir():
        display.show_verified(show_register.read_register(path), as_json=as_json)
        return
    read = carried_files.read(path)
    if isinstance(read, Application):
        display.show_application(read, path, as_json=as_json)
    elif isinstance(read, Proposal):
        display.show_proposal(read, path, as_json=as_json)
    else:
        with carried_files.located(path):
            register = load_set(read.files, read.first_root, datetime.now(UTC))
        display.show_verified(register, as_json=as_json)
        if not as_json:
            display.show_digests(read)


@click.command(help=N_("Show the proposal in FILE, ask, and sign it with the member's own keys."))
@FILE
@KEY_FOLDER
@INSTEAD
@YES
@JSON
def sign(file: Path, key_folder: Path, instead: Path | None, *, yes: bool, as_json: bool) -> None:
    """Sign a proposal."""
    signed = ask_and_sign(carried_files.proposal(file), file, key_folder, instead, yes=yes, as_json=as_json)
    replace_private(file.absolute(), signed.to_bytes())
    display.show_signed(signed, file, as_json=as_json)


@click.command(help=N_("Show the proposal in FILE, ask, and sign that this custodian will never sign it."))
@FILE
@KEY_FOLDER
@YES
@JSON
def refuse(file: Path, key_folder: Path, *, yes: bool, as_json: bool) -> None:
    """Refuse a proposal."""
    proposal, folder = carried_files.proposal(file), KeyFolder(key_folder)
    if not as_json:
        display.show_proposal(proposal, file, as_json=False)
    if not yes:
        click.confirm(_("Refuse this for ever?"), abort=True, err=True)
    with carried_files.located(file):
        refused = signing.refuse(folder, signing.find_keys(folder, proposal), proposal, datetime.now(UTC))
    replace_private(file.absolute(), refused.to_bytes())
    display.show_signed(refused, file, as_json=as_json)


@click.command(help=N_("Add to the proposal in FILE the signatures in other copies of it."))
@FILE
@click.argument("copies", type=click.Path(path_type=Path), nargs=-1, required=True)
@JSON
def merge(file: Path, copies: tuple[Path, ...], *, as_json: bool) -> None:
    """Merge signatures."""
    merged = carried_files.proposal(file)
    for copy in copies:
        with carried_files.located(copy):
            merged = merged.merged(carried_files.proposal(copy))
    replace_private(file.absolute(), merged.to_bytes())
    display.show_signed(merged, file, as_json=as_json)


def ask_and_sign(
    proposal: Proposal, file: Path, key_folder: Path, instead: Path | None, *, yes: bool, as_json: bool
) -> Proposal:
    """Show a proposal, ask, and sign it."""
    dead = None if instead is None else carried_files.proposal(instead)
    now = datetime.now(UTC)
    signing.check_clock(proposal, now)
    folder = KeyFolder(key_folder)
    if not as_json:
        display.show_proposal(proposal, file, as_json=False)
    if not yes:
        click.confirm(_("Sign this?"), abort=True, err=True)
    with carried_files.located(file):
        return signing.sign(folder, signing.find_keys(folder, proposal), proposal, now, dead)
