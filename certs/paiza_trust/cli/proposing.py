"""The `propose` commands: one for each change of the register. The custodian who proposes signs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from paiza_register.ceremony import Base, Proposal, change
from paiza_register.ceremony.change import ADMIT, CUSTODIAN, REINSTATE, REMOVE, SUSPEND, THRESHOLD
from paiza_trust import carried_files
from paiza_trust.cli import display, options
from paiza_trust.cli.deciding import ask_and_sign
from paiza_trust.files import write_private
from paiza_trust.language import N_

_APPLICATION: Final = click.argument("application", type=click.Path(path_type=Path))
_MEMBER: Final = click.argument("member")
_REGISTER: Final = click.option(
    "--register",
    type=click.Path(path_type=Path),
    required=True,
    help=N_("The newest register, in the file that `publish` wrote."),
)


@dataclass(frozen=True)
class _Given:
    """The options that every `propose` command has."""

    register: Path
    key_folder: Path
    instead: Path | None
    output: Path
    yes: bool
    as_json: bool


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every `propose` command has; the command gets them as one value."""

    @wraps(command)
    def with_given(
        register: Path, key_folder: Path, instead: Path | None, output: Path, *, yes: bool, as_json: bool, **own: Any
    ) -> None:
        options.check_new(output)
        command(_Given(register, key_folder, instead, output, yes, as_json), **own)

    for option in (options.JSON, options.OUTPUT, options.YES, options.INSTEAD, options.KEY_FOLDER, _REGISTER):
        option(with_given)
    return with_given


@click.group(help=N_("Propose a change of the register, and sign it."))
def propose() -> None:
    """Propose a change."""


@propose.command(help=N_("Admit the member whose application is APPLICATION."))
@_APPLICATION
@options.THRESHOLD
@_common
def admit(given: _Given, application: Path, threshold: int | None) -> None:
    """Propose to admit a member."""
    _change(given, ADMIT, applications=[carried_files.application(application)], threshold=threshold)


@propose.command(help=N_("Suspend MEMBER: nothing is exchanged with it."))
@_MEMBER
@options.THRESHOLD
@_common
def suspend(given: _Given, member: str, threshold: int | None) -> None:
    """Propose to suspend a member."""
    _change(given, SUSPEND, member=member, threshold=threshold)


@propose.command(help=N_("Make the suspended member active again whose application is APPLICATION."))
@_APPLICATION
@options.THRESHOLD
@_common
def reinstate(given: _Given, application: Path, threshold: int | None) -> None:
    """Propose to reinstate a member."""
    _change(given, REINSTATE, applications=[carried_files.application(application)], threshold=threshold)


@propose.command(help=N_("Remove MEMBER from the federation. Its keys stay pinned, for the evidence."))
@_MEMBER
@options.THRESHOLD
@_common
def remove(given: _Given, member: str, threshold: int | None) -> None:
    """Propose to remove a member."""
    _change(given, REMOVE, member=member, threshold=threshold)


@propose.command(help=N_("Replace a custodian's key by that in APPLICATION, signed with the member's own pair."))
@_APPLICATION
@_common
def custodian(given: _Given, application: Path) -> None:
    """Propose another custodian."""
    _change(given, CUSTODIAN, applications=[carried_files.application(application)])


@propose.command(help=N_("Let NUMBER custodians sign a change from now on."))
@click.argument("number", type=int)
@_common
def threshold(given: _Given, number: int) -> None:
    """Propose another threshold."""
    _change(given, THRESHOLD, threshold=number)


def _change(given: _Given, what: str, **about: Any) -> None:
    now = datetime.now(UTC)
    with carried_files.located(given.register):
        base = Base.verify(carried_files.register(given.register), now)
        proposal = Proposal(change.change(what, base, now, **about))
    signed = ask_and_sign(proposal, given.output, given.key_folder, given.instead, yes=given.yes, as_json=given.as_json)
    write_private(given.output, signed.to_bytes())
    display.show_signed(signed, given.output, as_json=given.as_json)
