"""The keys of an issuer's CAs, in sealed files or on tokens."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from paiza_node.core.errors import N_
from paiza_node.ops.issuer.settings import IssuerSettings
from paiza_node.ops.keys import refused_key
from paiza_node.ops.language import _
from paiza_node.ops.passphrase import issuer_sealer
from paiza_wire.errors import Rejected
from paiza_wire.identity import Role, key_files
from paiza_wire.identity.certificates import AuthorityKey
from paiza_wire.identity.private_keys import P256
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens

_LOST: Final = N_("Restore the key. If it is lost, make a new CA and publish it with the member's key.")


def load_authorities(settings: IssuerSettings, tokens: Tokens) -> Mapping[Role, AuthorityKey]:
    """Open the keys of both CAs; NodeStopped if one is missing or refused."""
    sealer = issuer_sealer(settings.passphrase_file)
    return {
        "node": open_key(settings.node_ca, sealer, tokens, sealed=settings.sealed),
        "officer": open_key(settings.officer_ca, sealer, tokens, sealed=settings.sealed),
    }


def open_key(place: Path | TokenUri, sealer: Sealer, tokens: Tokens, *, sealed: bool) -> AuthorityKey:
    """Open a P-256 key in a file or on a token."""
    try:
        if isinstance(place, TokenUri):
            return tokens.signer(place)
        return key_files.open_key(place, P256, sealer, sealed=sealed)
    except Rejected as error:
        if isinstance(place, TokenUri):
            raise
        raise refused_key(error, place, _LOST) from error


def ask_pin(label: str) -> bytes:
    """Ask for the PIN of a token on the terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Rejected("passphrase_missing", f"there is no terminal to ask for the PIN of {label}: name a pin-source")
    return str(click.prompt(_("PIN of the token {token}").format(token=label), hide_input=True, err=True)).encode()
