"""`paiza-node passphrase`: seal the node's keys under another passphrase. A running node has read them already."""

from pathlib import Path

import click

from paiza_node.core.errors import N_
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.keys import change_passphrase
from paiza_node.ops.language import _
from paiza_node.ops.passphrase import CREDENTIAL, former_sealer, is_outdated, new_sealer
from paiza_node.ops.terminal import print_json


@click.command(
    "passphrase",
    help=N_(
        "Seal the node's keys under another passphrase. After a crash run it again with both passphrases. "
        "Neither is ever an argument: they are read from files or asked for."
    ),
)
@shared
@click.option(
    "--old-passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("File with the former passphrase; default: where the node finds it, else ask."),
)
@click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("File with the new passphrase; default: ask."),
)
@json_option
def command(
    config_path: Path,
    log_level: str | None,
    old_passphrase_file: Path | None,
    new_passphrase_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Change the passphrase."""
    config = settings(config_path, log_level)
    new = new_sealer(new_passphrase_file)
    changed = change_passphrase(config, former_sealer(config, old_passphrase_file), new)
    file = config.passphrase_file
    outdated = str(file) if file is not None and is_outdated(file, new) else None
    if as_json:
        print_json({"folder": str(config.keys), "changed": changed, "outdated_passphrase_file": outdated})
        return
    click.echo(_("{folder}: key files now under the new passphrase: {count}").format(folder=config.keys, count=changed))
    if outdated is not None:
        click.echo(_("{file} holds the former passphrase: replace it before the node starts.").format(file=outdated))
    elif file is None:
        click.echo(
            _("If the service hands the credential {credential}, replace it before the node starts.").format(
                credential=CREDENTIAL
            )
        )
    click.echo(_("Keep the former passphrase as long as backups of these keys."))
