"""The commands of a ceremony: apply, found, sign, merge, publish. Each reads and writes files that people carry."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_cli.exit_codes import ExitCode
from paiza_cli.fingerprint_words import fingerprint_words
from paiza_trust import apply as member_application
from paiza_trust.apply import NodeFolder
from paiza_trust.errors import TrustError
from paiza_trust.files import write_private
from paiza_trust.key_folder import SETTINGS, KeyFolder
from paiza_trust.language import N_, _
from paiza_trust.member import CLASSIFICATION_CEILING

KEYS: Final = Path("trust")
"""Default folder of a member's own keys."""

JSON: Final = click.option("--json", "as_json", is_flag=True, help=N_("Print one JSON object."))
_OUTPUT: Final = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help=N_("File to write.")
)
_KEYS: Final = click.option(
    "--keys",
    "key_folder",
    type=click.Path(path_type=Path),
    default=KEYS,
    show_default=True,
    help=N_("Folder of the member's own keys. It is no part of the node's folder."),
)


@click.command(
    help=N_("Make the member's own keys, and of them and the node's folder FOLDER the member's application.")
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name-ru", required=True, help=N_("Name of the member in Russian."))
@click.option("--name-en", required=True, help=N_("Name of the member in English."))
@click.option(
    "--ceiling",
    type=click.IntRange(0, 9),
    default=CLASSIFICATION_CEILING,
    show_default=True,
    help=N_("Highest classification the member receives."),
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("Seal the keys with the first line of this file, and name it in keys.toml; default: ask."),
)
@_KEYS
@_OUTPUT
@JSON
def apply(
    folder: Path,
    name_ru: str,
    name_en: str,
    ceiling: int,
    passphrase_file: Path | None,
    key_folder: Path,
    output: Path,
    *,
    as_json: bool,
) -> None:
    """Make an application."""
    node = NodeFolder.open(folder)
    _new_file(output)
    if passphrase_file is not None:
        settings = f"passphrase_file = {json.dumps(str(passphrase_file.absolute()))}\n"
        write_private(key_folder / SETTINGS, settings.encode())
    names = {"ru": name_ru, "en": name_en}
    made = member_application.apply(node, KeyFolder(key_folder), names, ceiling, datetime.now(UTC))
    write_private(output, made.data)
    if as_json:
        told = {"file": str(output), "member": made.member, "federation": made.federation}
        click.echo(
            json.dumps(
                {**told, "sha256": made.fingerprint.hex(), "words": _words(made.fingerprint)}, ensure_ascii=False
            )
        )
        return
    click.echo(
        _("{file}: the application of {member} to {federation}").format(
            file=output, member=made.member, federation=made.federation
        )
    )
    click.echo(_("Its fingerprint, to be compared by telephone:"))
    for words in _words(made.fingerprint).values():
        click.echo(f"  {words}")


def _words(digest: bytes) -> dict[str, str]:
    return {"ru": fingerprint_words(digest, "ru"), "en": fingerprint_words(digest, "en")}


def _new_file(path: Path) -> None:
    if path.exists():
        what, remedy = N_("The file exists already; nothing is overwritten"), N_("Name another file with -o.")
        raise TrustError("file_unwritable", what, str(path), remedy, ExitCode.UNAVAILABLE)
