"""The commands of a ceremony: apply, found, propose, sign, refuse, merge, publish, renew, show."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_cli.exit_codes import ExitCode
from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.language import LANGUAGES
from paiza_cli.terminal import plain_line
from paiza_register import Register, load_set
from paiza_register.ceremony import change, founding
from paiza_register.ceremony.application import Application
from paiza_register.ceremony.change import ADMIT, CUSTODIAN, REINSTATE, REMOVE, SUSPEND, THRESHOLD
from paiza_register.ceremony.proposal import Proposal
from paiza_register.register_file import RegisterFile
from paiza_trust import apply as member_application
from paiza_trust import carried_files, describe, publishing, signing
from paiza_trust import show as show_register
from paiza_trust.apply import NodeFolder
from paiza_trust.errors import TrustError
from paiza_trust.files import replace_private, write_private
from paiza_trust.key_folder import SETTINGS, KeyFolder
from paiza_trust.language import N_, _, translations
from paiza_trust.member import CLASSIFICATION_CEILING
from paiza_trust.reference_source import OURS, legal_base_titles, shared_documents

KEYS: Final = Path("trust")
"""Default folder of a member's own keys."""

JSON: Final = click.option("--json", "as_json", is_flag=True, help=N_("Print one JSON object."))
_OUTPUT: Final = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help=N_("File to write.")
)
_FILE: Final = click.argument("file", type=click.Path(path_type=Path))
_INSTEAD: Final = click.option(
    "--instead",
    type=click.Path(path_type=Path),
    help=N_("A proposal that was signed here, and that so many have refused that it can never count."),
)
_NODE: Final = click.option(
    "--node",
    "node_folder",
    type=click.Path(path_type=Path),
    required=True,
    help=N_("Folder of a member's node; its key signs that the new register is current."),
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
    _tell_application(made, output, as_json=as_json)


@click.command(help=N_("Propose to found the federation NAME on the applications of all its first members."))
@click.argument("name")
@click.argument("applications", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--threshold", type=int, required=True, help=N_("How many custodians must sign a change."))
@click.option("--name-ru", help=N_("Name of the federation in Russian; default: NAME."))
@click.option("--name-en", help=N_("Name of the federation in English; default: NAME."))
@_OUTPUT
@JSON
def found(
    name: str,
    applications: tuple[Path, ...],
    threshold: int,
    name_ru: str | None,
    name_en: str | None,
    output: Path,
    *,
    as_json: bool,
) -> None:
    """Propose a founding."""
    _new_file(output)
    read = [carried_files.application(path) for path in applications]
    for path, each in zip(applications, read, strict=True):
        if each.federation != name:
            what, remedy = N_("The application is to {federation}"), N_("Name that federation, or ask for another.")
            raise TrustError("conflict", what, str(path), remedy, values={"federation": each.federation})
    names = {"ru": name_ru or name, "en": name_en or name}
    documents, titles = shared_documents(OURS), legal_base_titles(OURS)
    with carried_files.located(output):
        act = founding.found(names, threshold, read, documents, titles, datetime.now(UTC))
        proposal = Proposal(act)
        data = proposal.to_bytes()
        _tell(proposal, output, as_json=as_json)
    write_private(output, data)


@click.command(
    help=N_(
        "Propose a change of the register, and sign it: admit, reinstate or custodian with the member's application, "
        "suspend or remove with its id, threshold with --threshold alone."
    )
)
@click.argument("what", type=click.Choice([ADMIT, SUSPEND, REINSTATE, REMOVE, CUSTODIAN, THRESHOLD]))
@click.argument("about", required=False, default="")
@click.option(
    "--register",
    type=click.Path(path_type=Path),
    required=True,
    help=N_("The newest register, in the file that `publish` wrote."),
)
@click.option("--threshold", type=int, help=N_("How many custodians must sign a change; default: as before."))
@_KEYS
@_INSTEAD
@click.option("--yes", is_flag=True, help=N_("Sign without asking. For exercises only."))
@_OUTPUT
@JSON
def propose(
    what: str,
    about: str,
    register: Path,
    threshold: int | None,
    key_folder: Path,
    instead: Path | None,
    output: Path,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Propose a change."""
    _new_file(output)
    with_application = what in {ADMIT, REINSTATE, CUSTODIAN}
    subject = carried_files.application(Path(about)) if with_application else about
    base = carried_files.register(register)
    with carried_files.located(register):
        proposal = Proposal(change.change(what, subject, threshold, base, datetime.now(UTC)))
    signed = _ask_and_sign(proposal, output, key_folder, instead, yes=yes, as_json=as_json)
    write_private(output, signed.to_bytes())
    _tell_signed(signed, output, as_json=as_json)


@click.command(help=N_("Show the proposal in FILE, ask, and sign it with the member's own keys."))
@_FILE
@_KEYS
@_INSTEAD
@click.option("--yes", is_flag=True, help=N_("Sign without asking. For exercises only."))
@JSON
def sign(file: Path, key_folder: Path, instead: Path | None, *, yes: bool, as_json: bool) -> None:
    """Sign a proposal."""
    signed = _ask_and_sign(carried_files.proposal(file), file, key_folder, instead, yes=yes, as_json=as_json)
    replace_private(file.absolute(), signed.to_bytes())
    _tell_signed(signed, file, as_json=as_json)


@click.command(help=N_("Show the proposal in FILE, ask, and sign that this custodian will never sign it."))
@_FILE
@_KEYS
@click.option("--yes", is_flag=True, help=N_("Sign without asking. For exercises only."))
@JSON
def refuse(file: Path, key_folder: Path, *, yes: bool, as_json: bool) -> None:
    """Refuse a proposal."""
    proposal, folder = carried_files.proposal(file), KeyFolder(key_folder)
    if not as_json:
        _tell(proposal, file, as_json=False)
    if not yes:
        click.confirm(_("Refuse this for ever?"), abort=True, err=True)
    with carried_files.located(file):
        refused = signing.refuse(folder, signing.find_keys(folder, proposal), proposal, datetime.now(UTC))
    replace_private(file.absolute(), refused.to_bytes())
    _tell_signed(refused, file, as_json=as_json)


@click.command(help=N_("Add to the proposal in FILE the signatures in other copies of it."))
@_FILE
@click.argument("copies", type=click.Path(path_type=Path), nargs=-1, required=True)
@JSON
def merge(file: Path, copies: tuple[Path, ...], *, as_json: bool) -> None:
    """Merge signatures."""
    merged = carried_files.proposal(file)
    for copy in copies:
        with carried_files.located(copy):
            merged = merged.merged(carried_files.proposal(copy))
    replace_private(file.absolute(), merged.to_bytes())
    _tell_signed(merged, file, as_json=as_json)


@click.command(help=N_("Publish the proposal in FILE, which enough have signed, with a node's key: one file to carry."))
@_FILE
@_NODE
@_OUTPUT
@JSON
def publish(file: Path, node_folder: Path, output: Path, *, as_json: bool) -> None:
    """Publish a proposal."""
    _new_file(output)
    register = publishing.publish(carried_files.proposal(file), NodeFolder.open(node_folder), datetime.now(UTC))
    _write_published(register, output, as_json=as_json)


@click.command(help=N_("Sign anew, with a node's key, that the register in FILE is current. Its content stays."))
@_FILE
@_NODE
@_OUTPUT
@JSON
def renew(file: Path, node_folder: Path, output: Path, *, as_json: bool) -> None:
    """Renew a register."""
    _new_file(output)
    with carried_files.located(file):
        register = publishing.renew(carried_files.register(file), NodeFolder.open(node_folder), datetime.now(UTC))
    _write_published(register, output, as_json=as_json)


@click.command(
    help=N_("Verify PATH, a register's folder or a carried file, and show what it says; a proposal in both languages.")
)
@click.argument("path", type=click.Path(path_type=Path))
@JSON
def show(path: Path, *, as_json: bool) -> None:
    """Show a register, an application, a proposal."""
    if path.is_dir():
        _tell_register(show_register.read_register(path), as_json=as_json)
        return
    read = carried_files.read(path)
    if isinstance(read, Application):
        _tell_application(read, path, as_json=as_json)
    elif isinstance(read, Proposal):
        _tell(read, path, as_json=as_json)
    else:
        with carried_files.located(path):
            register = load_set(read.files, read.first_root, datetime.now(UTC))
        _tell_register(register, as_json=as_json)
        if not as_json:
            _tell_digests(read)


def _write_published(register: RegisterFile, output: Path, *, as_json: bool) -> None:
    write_private(output, register.to_bytes())
    if as_json:
        click.echo(json.dumps({"file": str(output), **_digests(register)}, ensure_ascii=False))
        return
    click.echo(_("{file}: the register, to be carried to every member: paiza-node join").format(file=output))
    _tell_digests(register)


def _tell_register(register: Register, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(show_register.describe(register), ensure_ascii=False))
        return
    for line in show_register.lines(register):
        click.echo(plain_line(line))


def _tell_application(application: Application, file: Path, *, as_json: bool) -> None:
    values = {"file": str(file), "member": application.member, "federation": application.federation}
    words = _words(application.fingerprint)
    if as_json:
        found = {**values, "sha256": application.fingerprint.hex(), "words": words}
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    click.echo(_("{file}: the application of {member} to {federation}").format(**values))
    click.echo(_("Its fingerprint, to be compared by telephone:"))
    for each in words.values():
        click.echo(f"  {each}")


def _tell(proposal: Proposal, file: Path, *, as_json: bool) -> None:
    """Show a proposal: in both languages, since those who sign share no one language."""
    words = _words(proposal.fingerprint)
    if as_json:
        told = {
            "file": str(file),
            "federation": proposal.act.federation,
            "sha256": proposal.fingerprint.hex(),
            "words": words,
            "signed": proposal.custodians(signed=True),
            "not_signed": proposal.custodians(signed=False),
            "refused": proposal.refused_by(),
        }
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for language in LANGUAGES:
        translate = translations(language).gettext
        click.echo(translate(N_("What will be true that was not:")))
        for line in describe.lines(proposal.act, language, translate):
            click.echo(f"  {plain_line(line)}")
        click.echo(translate(N_("Fingerprint of this proposal, to be compared by telephone:")))
        click.echo(f"  {words[language]}")
        click.echo()
    _tell_signatures(proposal)


def _ask_and_sign(
    proposal: Proposal, file: Path, key_folder: Path, instead: Path | None, *, yes: bool, as_json: bool
) -> Proposal:
    dead = None if instead is None else carried_files.proposal(instead)
    now = datetime.now(UTC)
    signing.check_clock(proposal, now)
    folder = KeyFolder(key_folder)
    if not as_json:
        _tell(proposal, file, as_json=False)
    if not yes:
        click.confirm(_("Sign this?"), abort=True, err=True)
    with carried_files.located(file):
        return signing.sign(folder, signing.find_keys(folder, proposal), proposal, now, dead)


def _tell_signed(proposal: Proposal, file: Path, *, as_json: bool) -> None:
    if as_json:
        _tell(proposal, file, as_json=True)
    else:
        _tell_signatures(proposal)


def _tell_signatures(proposal: Proposal) -> None:
    signed, missing = proposal.custodians(signed=True), proposal.custodians(signed=False)
    click.echo(_("Custodians who have signed: {members}").format(members=", ".join(signed) or "-"))
    click.echo(_("Custodians who have not signed: {members}").format(members=", ".join(missing) or "-"))
    if refusing := proposal.refused_by():
        click.echo(_("Custodians who refuse: {members}").format(members=", ".join(refusing)))
    if proposal.is_dead:
        click.echo(_("So many refuse that this can never count: its version may be signed with another content."))


def _digests(register: RegisterFile) -> dict[str, object]:
    return {
        "first_root": {"sha256": register.first_digest.hex(), "words": _words(register.first_digest)},
        "newest_root": {
            "version": register.newest,
            "sha256": register.newest_digest.hex(),
            "words": _words(register.newest_digest),
        },
    }


def _tell_digests(register: RegisterFile) -> None:
    click.echo(_("Fingerprint of the first root:"))
    for words in _words(register.first_digest).values():
        click.echo(f"  {words}")
    if register.newest > 1:
        click.echo(_("Fingerprint of the newest root, version {version}:").format(version=register.newest))
        for words in _words(register.newest_digest).values():
            click.echo(f"  {words}")


def _words(digest: bytes) -> dict[str, str]:
    return {"ru": fingerprint_words(digest, "ru"), "en": fingerprint_words(digest, "en")}


def _new_file(path: Path) -> None:
    if path.exists():
        what, remedy = N_("The file exists already; nothing is overwritten"), N_("Name another file with -o.")
        raise TrustError("file_unwritable", what, str(path), remedy, ExitCode.UNAVAILABLE)
