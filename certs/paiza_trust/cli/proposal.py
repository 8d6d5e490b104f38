"""What every `propose` command does: its options, the signature of who proposes, and where the proposal goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from paiza_register.ceremony import Act, Base, Proposal, publication
from paiza_trust import carried_files, signing
from paiza_trust.cli import options
from paiza_trust.cli.deciding import ask_and_sign, keep
from paiza_trust.cli.places import Place, node_of, place_of
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_, _

_REGISTER: Final = click.option(
    "--register",
    type=click.Path(path_type=Path),
    help=N_(
        "The newest register, in the file that `publish` or `export` wrote. With --profile it comes from the node."
    ),
)
_OUTPUT: Final = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=N_("File for the proposal; with --profile it also goes to the node."),
)


@dataclass(frozen=True)
class Given:
    """The options that every `propose` command has."""

    register: Path | None
    profile: str | None
    key_folder: Path
    instead: str | None
    output: Path | None
    yes: bool
    as_json: bool


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every `propose` command has; the command gets them as one value."""

    @wraps(command)
    def with_given(
        register: Path | None,
        profile: str | None,
        key_folder: Path,
        instead: str | None,
        output: Path | None,
        *,
        yes: bool,
        as_json: bool,
        **own: Any,
    ) -> None:
        if profile is None and register is None:
            raise click.UsageError(_("Name the newest register with --register, or your profile with --profile."))
        if profile is None and output is None:
            raise click.UsageError(_("Name a file for the proposal with -o, or your profile with --profile."))
        if output is not None:
            options.check_new(output)
        command(Given(register, profile, key_folder, instead, output, yes, as_json), **own)

    for option in (
        options.JSON,
        options.YES,
        _OUTPUT,
        options.INSTEAD,
        options.KEY_FOLDER,
        _REGISTER,
        options.PROFILE,
    ):
        option(with_given)
    return with_given


def publish_role(given: Given, role: str, files: Callable[[Base], Mapping[str, bytes]]) -> None:
    """Propose to publish a role, in a version of which nothing was signed here."""

    def act(base: Base) -> Act:
        known = base.version_of(role)
        version = signing.free_version(KeyFolder(given.key_folder), base.register.federation, role, known)
        return publication.publication(role, files(base), base, now(), version=version)

    propose_act(given, act)


def propose_act(given: Given, act: Callable[[Base], Act]) -> None:
    """Propose an act on the newest register, sign it, and write it or hand it to the own node."""
    with node_of(given.profile) as node:
        source = str(given.register) if node is None or given.register is not None else node.where
        with carried_files.located(source):
            if given.register is not None:
                file = carried_files.register(given.register)
            else:
                assert node is not None, "without a register there is a profile"
                file = node.register()[1]
            proposal = Proposal(act(Base.verify(file, None)))
        place = Place(given.output, node, proposal.fingerprint.hex())
        dead = None if given.instead is None else place_of(given.instead, node).read()
        signed = ask_and_sign(proposal, place.name, given.key_folder, dead, yes=given.yes, as_json=given.as_json)
        keep(signed, place, None, as_json=given.as_json)


def now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)
