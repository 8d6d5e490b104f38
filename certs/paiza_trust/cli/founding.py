"""The commands before there is a register: apply, found."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from paiza_register.ceremony import Proposal, founding
from paiza_trust import apply as member_application
from paiza_trust import carried_files, reference_source
from paiza_trust.apply import CLASSIFICATION_CEILING, NodeFolder
from paiza_trust.cli import display
from paiza_trust.cli.options import AGREEMENTS, GRACE, JSON, KEY_FOLDER, LIFE, MEMBER_PROFILE, OUTPUT, check_new
from paiza_trust.errors import TrustError
from paiza_trust.files import write_private
from paiza_trust.key_folder import SETTINGS, KeyFolder
from paiza_trust.language import N_, _
from paiza_trust.reference_source import OURS, legal_base_titles, shared_documents


@click.command(
    help=N_("Make the member's own keys, and of them and the node's folder FOLDER the member's application.")
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name-ru", required=True, help=N_("Name of the member in Russian."))
@click.option("--name-en", required=True, help=N_("Name of the member in English."))
@click.option(
    "--ceiling",
    type=click.IntRange(0, 9),
    metavar="NUMBER",
    default=CLASSIFICATION_CEILING,
    show_default=True,
    help=N_("Highest classification the member receives."),
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("Seal the keys with the first line of this file, and name it in keys.toml; default: ask."),
)
@click.option(
    "--revocations-anew",
    is_flag=True,
    help=N_("Begin the member's list of revocations anew, under a new pair of the node: a thief filled it."),
)
@MEMBER_PROFILE
@KEY_FOLDER
@OUTPUT
@JSON
def apply(
    folder: Path,
    name_ru: str,
    name_en: str,
    ceiling: int,
    passphrase_file: Path | None,
    member_profile: Path | None,
    key_folder: Path,
    output: Path,
    *,
    revocations_anew: bool,
    as_json: bool,
) -> None:
    """Make an application."""
    node = NodeFolder.open(folder)
    check_new(output)
    if passphrase_file is not None:
        settings = f"passphrase_file = {json.dumps(str(passphrase_file.absolute()))}\n"
        write_private(key_folder / SETTINGS, settings.encode())
    names = {"ru": name_ru, "en": name_en}
    documents = {} if member_profile is None else reference_source.member_profile(member_profile, node.member)
    own, now = KeyFolder(key_folder), datetime.now(UTC)
    made = member_application.apply(node, own, names, ceiling, now, documents, revocations_anew=revocations_anew)
    write_private(output, made.data)
    display.show_application(made, output, as_json=as_json)
    if not as_json:
        certificate, expiry = node.keys.folder / "tls.crt", member_application.certificate_expiry(made.time)
        told = _("The node's certificate is issued anew: {file}, valid until {day}.")
        click.echo(told.format(file=certificate, day=f"{expiry:%Y-%m-%d}"))


@click.command(help=N_("Propose to found the federation NAME on the applications of all its first members."))
@click.argument("name")
@click.argument("applications", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--threshold", type=int, required=True, help=N_("How many custodians must sign a change."))
@click.option("--name-ru", help=N_("Name of the federation in Russian; default: NAME."))
@click.option("--name-en", help=N_("Name of the federation in English; default: NAME."))
@click.option("--exercise", is_flag=True, help=N_("All messages of the federation are exercises. It never changes."))
@LIFE
@GRACE
@AGREEMENTS
@OUTPUT
@JSON
def found(
    name: str,
    applications: tuple[Path, ...],
    threshold: int,
    name_ru: str | None,
    name_en: str | None,
    timestamp_life_hours: int | None,
    grace_hours: int | None,
    agreements: tuple[Path, ...],
    output: Path,
    *,
    exercise: bool,
    as_json: bool,
) -> None:
    """Propose a founding."""
    check_new(output)
    read = [carried_files.application(path) for path in applications]
    for path, each in zip(applications, read, strict=True):
        if each.federation != name:
            what, remedy = N_("The application is to {federation}"), N_("Name that federation, or ask for another.")
            raise TrustError("conflict", what, str(path), remedy, values={"federation": each.federation})
    names = {"ru": name_ru or name, "en": name_en or name}
    documents, titles = shared_documents(OURS), legal_base_titles(OURS)
    documents |= {path.name: carried_files.text(path).encode() for path in agreements}
    given = {"timestamp_life_hours": timestamp_life_hours, "grace_hours": grace_hours}
    hours = {each: value for each, value in given.items() if value is not None}
    with carried_files.located(f"--threshold {threshold}"):
        founding.check_threshold(threshold, len(read))
    with carried_files.located(output):
        act = founding.found(names, threshold, read, documents, titles, datetime.now(UTC), **hours, exercise=exercise)
        proposal = Proposal(act)
        data = proposal.to_bytes()
        display.show_proposal(proposal, str(output), as_json=as_json)
    write_private(output, data)
