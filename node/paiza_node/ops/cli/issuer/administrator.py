"""`paiza-node issuer administrator`: make the key with which an administrator signs invitations."""

from base64 import b64encode
from pathlib import Path

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.cli.options import json_option, language_option
from paiza_node.ops.language import _
from paiza_node.ops.passphrase import administrator_sealer
from paiza_node.ops.terminal import print_json
from paiza_wire.identity import key_files, keys
from paiza_wire.identity.private_keys import P256


@click.command(
    "administrator",
    help=N_(
        "Make an administrator's key in the new file KEYFILE, under a passphrase, and print the public key for "
        "administrators in issuer.toml. Keep the file away from the node's machine."
    ),
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("Seal the key with the first line of this file; default: ask."),
)
@language_option
@json_option
@click.argument("keyfile", type=click.Path(path_type=Path))
def command(keyfile: Path, passphrase_file: Path | None, *, as_json: bool) -> None:
    """Make a key."""
    sealer = administrator_sealer(passphrase_file)
    sealer.passphrase()  # before anything is made: it may be refused
    key = keys.generate_p256()
    try:
        key_files.write_key(keyfile, P256, key, sealer)
    except OSError as error:
        raise NodeStopped(
            "file_unwritable",
            what=N_("The file cannot be made: {error}."),
            where="{path}",
            remedy=N_("Name another file; an existing one is left unchanged."),
            path=keyfile,
            error=error.strerror,
        ) from error
    public = b64encode(keys.public_key_to_spki(key.public_key())).decode()
    if as_json:
        print_json({"file": str(keyfile), "public_key": public})
        return
    click.echo(_("Made {file}. Add its public key to issuer.toml, and start the issuer anew:").format(file=keyfile))
    click.echo(f'administrators = ["{public}"]')
