"""The passphrase of the node's key folder: from a file, from the service manager, or from the operator's terminal.

Never from an argument or a variable, which others on the machine can read.
"""

import sys
from functools import cache, partial
from pathlib import Path
from typing import Final

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.config import Config
from paiza_node.ops.language import _
from paiza_wire.errors import Rejected
from paiza_wire.identity import key_files
from paiza_wire.identity.sealing import Sealer

CREDENTIAL: Final = "paiza-node.passphrase"
"""Name of the credential that a service manager hands to the node (systemd.exec(5), LoadCredentialEncrypted=)."""

ISSUER_CREDENTIAL: Final = "paiza-issuer.passphrase"
"""Name of the same for an issuer."""


def node_sealer(config: Config) -> Sealer:
    """Return what opens and seals this node's keys; the passphrase is read or asked for when it is first needed."""
    return Sealer(partial(_passphrase, config.passphrase_file))


def issuer_sealer(file: Path | None) -> Sealer:
    """Return what opens the keys of an issuer, whose configuration names this passphrase file or none."""
    return Sealer(partial(_passphrase, file, ISSUER_CREDENTIAL, N_("Passphrase of the issuer's keys")))


def administrator_sealer(file: Path | None) -> Sealer:
    """Return what seals an administrator's new key: under the passphrase of this file, else one asked for twice."""
    return _new_sealer(file, N_("Passphrase of the administrator's key"))


def administrator_opener(file: Path | None) -> Sealer:
    """Return what opens an administrator's key: with the passphrase of this file, else the one that is asked for."""
    prompt = N_("Passphrase of the administrator's key")
    return Sealer(partial(_from_file, file) if file is not None else partial(_asked, prompt, new=False))


def ask_passphrase(config: Config) -> None:
    """Ask for the passphrase where only the terminal has it, and refuse to go on where it cannot be read."""
    node_sealer(config).passphrase()


def sealer_of(file: Path | None) -> Sealer:
    """Return what seals the keys of a new node: under the passphrase of this file, else one asked for twice."""
    return _new_sealer(file, N_("Passphrase of the node's keys"))


def new_sealer(file: Path | None) -> Sealer:
    """Return what seals the keys anew: under the passphrase of this file, else one asked for twice."""
    return _new_sealer(file, N_("New passphrase of the node's keys"))


def former_sealer(config: Config, file: Path | None) -> Sealer:
    """Return what opens the keys before their passphrase is changed: this file's, else the one a node would use."""
    return node_sealer(config) if file is None else Sealer(partial(_from_file, file))


def is_outdated(file: Path, sealer: Sealer) -> bool:
    """Return whether a passphrase file holds another passphrase than this one."""
    return _from_file(file) != sealer.passphrase()


def _new_sealer(file: Path | None, prompt: str) -> Sealer:
    return Sealer(partial(_from_file, file) if file is not None else partial(_asked, prompt, new=True))


def _passphrase(
    file: Path | None, credential: str = CREDENTIAL, prompt: str = N_("Passphrase of the node's keys")
) -> bytes:
    if file is not None:
        return _from_file(file)
    try:
        handed = key_files.passphrase_from_credential(credential)
    except Rejected as error:
        raise _unreadable(error, credential) from error
    return _asked(prompt, credential, new=False) if handed is None else handed


def _from_file(file: Path) -> bytes:
    try:
        return key_files.passphrase_from_file(file)
    except Rejected as error:
        raise _unreadable(error, file) from error


@cache  # one command may open the keys more than once
def _asked(prompt: str, credential: str = CREDENTIAL, *, new: bool) -> bytes:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise NodeStopped(
            "passphrase_missing",
            what=N_("The keys are under a passphrase, and there is no terminal to ask for it."),
            where="passphrase_file",
            remedy=N_("Name a file as passphrase_file, or hand the credential {credential} to the service."),
            credential=credential,
        )
    return str(click.prompt(_(prompt), hide_input=True, err=True, confirmation_prompt=new)).encode()


def _unreadable(error: Rejected, path: Path | str) -> NodeStopped:
    return NodeStopped(
        error.reason,
        what=N_("The passphrase cannot be read: {error}."),
        where="{path}",
        remedy=N_("Write it as the first line of a file that belongs to the node's own user, and chmod 600."),
        path=path,
        error=error.detail,
    )
