"""The command `passphrase`: seal the member's own keys under another passphrase."""

from pathlib import Path

import click

from paiza_trust.cli.display import show_json
from paiza_trust.cli.options import JSON, KEY_FOLDER
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_, _


@click.command(
    help=N_(
        "Seal the member's own keys under another passphrase. After a crash run it again with both passphrases. "
        "Neither is ever an argument: they are read from files or asked for."
    )
)
@KEY_FOLDER
@click.option(
    "--old-passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("File with the former passphrase; default: that of keys.toml, else ask."),
)
@click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("File with the new passphrase; default: ask."),
)
@JSON
def passphrase(
    key_folder: Path, old_passphrase_file: Path | None, new_passphrase_file: Path | None, *, as_json: bool
) -> None:
    """Change the passphrase."""
    folder = KeyFolder(key_folder)
    changed = folder.change_passphrase(old_passphrase_file, new_passphrase_file)
    outdated = folder.outdated_passphrase_file(new_passphrase_file)
    if as_json:
        file = None if outdated is None else str(outdated)
        show_json({"folder": str(key_folder), "changed": changed, "outdated_passphrase_file": file})
        return
    click.echo(_("{folder}: key files now under the new passphrase: {count}").format(folder=key_folder, count=changed))
    if outdated is not None:
        click.echo(_("{file} holds the former passphrase: replace it before the keys are used.").format(file=outdated))
    click.echo(_("Keep the former passphrase as long as backups of these keys."))
