"""The commands that decide on a proposal: pending, show, sign, refuse, merge."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_cli.confirmation import confirm
from paiza_cli.language import LANGUAGES
from paiza_register.ceremony import Application, Base, Proposal
from paiza_trust import carried_files, describe, language, own_node, signing
from paiza_trust.cli import display, options
from paiza_trust.cli.places import Place, node_of, place_of
from paiza_trust.cli.publishing import FETCHED, write_register
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_, _, translations
from paiza_trust.own_node import Held, OwnNode
from paiza_wire.errors import Unavailable

DESCRIBED: Final = 50
"""Pending proposals that are fetched and described; more are listed by their fingerprints alone."""

_SUBJECT: Final = click.argument("subject", metavar="FILE|FINGERPRINT")
_REGISTER_OUTPUT: Final = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=N_("With --profile: file for the new register, once the proposal is published. A new member joins with it."),
)


@click.command(help=N_("List the proposals that wait for signatures, as your own node knows them."))
@options.OWN_PROFILE
@click.option("--all", "every", is_flag=True, help=N_("Also those that ended within the last day."))
@options.JSON
def pending(profile: str | None, *, every: bool, as_json: bool) -> None:
    """List proposals."""
    with own_node.connect(profile) as node:
        held = node.held(every=every)
        read = [_read(node, each) if place < DESCRIBED else None for place, each in enumerate(held)]
    if as_json:
        listed = [{**display.held_values(each), "about": _about(said)} for each, said in zip(held, read, strict=True)]
        display.show_json({"proposals": listed})
        return
    if not held:
        click.echo(_("No proposal waits for signatures."))
    for each, said in zip(held, read, strict=True):
        display.show_held(each, said, _about(said).get(language.current(), ""), node)


@click.command(
    help=N_(
        "Verify a file that a ceremony wrote, or with --profile the proposal at your own node that has this "
        "fingerprint, and show what it says; a proposal in both languages."
    )
)
@click.argument("subject", metavar="FILE|FINGERPRINT")
@options.PROFILE
@options.JSON
def show(subject: str, profile: str | None, *, as_json: bool) -> None:
    """Show a register, an application, a proposal."""
    with node_of(profile) as node:
        path, place = Path(subject), place_of(subject, node)
        read = place.read() if place.file is None else carried_files.read(path)
        if isinstance(read, Application):
            display.show_application(read, path, as_json=as_json)
        elif isinstance(read, Proposal):
            display.show_proposal(read, place.name, as_json=as_json)
        else:
            with carried_files.located(path):
                base = Base.verify(read, None)
            display.show_verified(base, as_json=as_json)
            if not as_json:
                display.show_digests(read)


@click.command(
    help=N_(
        "Show a proposal, ask, and sign it with the member's own keys: in FILE, or with --profile at your own node, "
        "where it is named by the beginning of its FINGERPRINT."
    )
)
@_SUBJECT
@options.PROFILE
@options.KEY_FOLDER
@options.INSTEAD
@_REGISTER_OUTPUT
@options.YES
@options.JSON
def sign(
    subject: str,
    profile: str | None,
    key_folder: Path,
    instead: str | None,
    output: Path | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Sign a proposal."""
    check_output(output, profile)
    with node_of(profile) as node:
        place = place_of(subject, node)
        dead = None if instead is None else place_of(instead, node).read()
        signed = ask_and_sign(place.read(), place.name, key_folder, dead, yes=yes, as_json=as_json)
        keep(signed, place, output, as_json=as_json)


@click.command(
    help=N_(
        "Show a proposal, ask, and sign that this custodian will never sign it: in FILE, or with --profile at your own "
        "node, where it is named by the beginning of its FINGERPRINT."
    )
)
@_SUBJECT
@options.PROFILE
@options.KEY_FOLDER
@options.YES
@options.JSON
def refuse(subject: str, profile: str | None, key_folder: Path, *, yes: bool, as_json: bool) -> None:
    """Refuse a proposal."""
    with node_of(profile) as node:
        place, folder = place_of(subject, node), KeyFolder(key_folder)
        proposal = place.read()
        if not as_json:
            display.show_proposal(proposal, place.name, as_json=False)
        own = signing.find_keys(folder, proposal)
        if not yes:
            confirm(_("Refuse this for ever?"), abort=True)
        with carried_files.located(place.name):
            refused = signing.refuse(folder, own, proposal, datetime.now(UTC))
        keep(refused, place, None, as_json=as_json)


@click.command(help=N_("Add to the proposal in FILE the signatures in other copies of it."))
@options.FILE
@click.argument("copies", type=click.Path(path_type=Path), nargs=-1, required=True)
@options.JSON
def merge(file: Path, copies: tuple[Path, ...], *, as_json: bool) -> None:
    """Merge signatures."""
    merged = carried_files.proposal(file)
    for copy in copies:
        with carried_files.located(copy):
            merged = merged.merged(carried_files.proposal(copy))
    keep(merged, Place(file, None), None, as_json=as_json)


def ask_and_sign(
    proposal: Proposal, name: str, key_folder: Path, instead: Proposal | None, *, yes: bool, as_json: bool
) -> Proposal:
    """Show a proposal, open the keys that may sign it, ask, and sign it."""
    now = datetime.now(UTC)
    signing.check_clock(proposal, now)
    folder = KeyFolder(key_folder)
    if not as_json:
        display.show_proposal(proposal, name, as_json=False)
        if not signing.knows_first_root(folder, proposal):
            click.echo(_("Nothing of this federation was signed here yet. Compare its first root by telephone:"))
            assert proposal.act.base is not None, "a founding has no root before it"
            display.show_words(display.both_languages(proposal.act.base.file.first_digest))
    own = signing.find_keys(folder, proposal)
    if not yes:
        confirm(_("Sign this?"), abort=True)
    with carried_files.located(name):
        return signing.sign(folder, own, proposal, now, instead)


def keep(proposal: Proposal, place: Place, output: Path | None, *, as_json: bool) -> None:
    """Write what was signed, hand it to the own node, and print what became of it.

    The publication of a complete proposal is awaited; with ``output`` the register is written then.
    """
    held = place.keep(proposal)
    if place.node is None or held is None:
        display.show_signed(proposal, place.name, as_json=as_json)
        return
    if not as_json:
        display.show_signatures(proposal)
    if held.state == own_node.COMPLETE:
        if not as_json:
            click.echo(_("Waiting up to a minute until it is published."), err=True)
        held = place.node.published(held)
    if not as_json:
        click.echo(display.state_text(held))
    if output is None or held.state != own_node.PUBLISHED:
        if as_json:
            display.show_json(display.held_values(held))
        elif output is not None:
            told = _("{file} was not written. Once it is published, write it with: {command}")
            command = f"paiza-trust export --profile {place.node.profile} -o {output}"
            click.echo(told.format(file=output, command=command))
        return
    write_register(place.node.register()[1], output, FETCHED, display.held_values(held), as_json=as_json)


def _read(node: OwnNode, held: Held) -> Proposal | None:
    """Return a proposal of the list; None if its file or its register is no longer at hand."""
    if not held.size:
        return None
    try:
        return node.read(held)
    except Unavailable:
        return None


def _about(proposal: Proposal | None) -> dict[str, str]:
    """Return what a proposal is about, by language; nothing of one that is not at hand."""
    if proposal is None:
        return {}
    return {each: describe.title(proposal.act, each, translations(each).gettext) for each in LANGUAGES}


def check_output(output: Path | None, profile: str | None) -> None:
    """Refuse a file for the register that exists, or that no node would fill."""
    if output is None:
        return
    if profile is None:
        raise click.UsageError(_("-o needs --profile: without a node nothing is published."))
    options.check_new(output)
