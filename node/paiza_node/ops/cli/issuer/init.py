"""`paiza-node issuer init`: make the folder of an issuer: configuration, first root, and a copy of the register.

The keys of the CAs are not made here: they are those of the member's application, and the trust officer brings them.
"""

import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_cli.confirmation import confirm
from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.language import LANGUAGES
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.cli.options import json_option, language_option
from paiza_node.ops.issuer.journal import begin_journal
from paiza_node.ops.language import _
from paiza_node.ops.terminal import print_json
from paiza_register import joining
from paiza_register.register_file import MAX_BYTES, RegisterFile
from paiza_wire.errors import PaizaError

TEMPLATE: Final = """\
# The issuer of {member} in {federation}. Relative paths begin at this file's folder.
member = {member_text}
federation = {federation_text}

# SHA-256 of the first root, root.json. Anyone who can change it and that file decides whom the issuer believes.
root_sha256 = "{root_sha256}"

# The keys of the CAs: a sealed file, or a key on a token: "pkcs11:token=…;object=…?module-path=…". The issuer finds the
# certificate of each in the register.
officer_ca = {officer_ca}
node_ca = {node_ca}

# A file whose first line is the passphrase of the key files; only the issuer's own user may read it. Without it the
# service manager's credential "paiza-issuer.passphrase" is used, else the passphrase is asked for on the terminal.
{comment}passphrase_file = {passphrase_file}

# false also accepts keys that are under no passphrase. For machines that hold no secrets only.
# sealed = true

# The socket for the node. Whoever can open it can have certified what the member's log and another member's cosignature
# allow, and nothing else. socket_group is the group of the node's user; the issuer's user must be in it.
socket = {socket}
socket_group = {socket_group}

# The issuer's own copy of the register, and its journal. An issuer that loses its journal forgets which entries it has
# used: keep a copy, and never put an old one back.
# register = "register"
# journal = "journal.jsonl"

# Public keys of administrators, of whom one must have signed each invitation; the line that `paiza-node issuer
# administrator` prints. Without them everybody who administrates the node can invite.
# administrators = []

# debug, info, warning or error.
# log_level = "info"
"""


@click.command(
    "init",
    help=N_(
        "Make the folder of an issuer, with the register that `paiza-trust publish` wrote. A folder that is not empty "
        "is left unchanged."
    ),
)
@click.option("--member", required=True, help=N_("Member id, for example kaz."))
@click.option(
    "--register", "register", type=click.Path(path_type=Path), required=True, help=N_("The register in one file.")
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("issuer"),
    show_default=True,
    help=N_("Folder to create."),
)
@click.option(
    "--officer-ca", default="officer-ca.key", show_default=True, help=N_("Key of the officer CA: a file, or pkcs11:….")
)
@click.option(
    "--node-ca", default="node-ca.key", show_default=True, help=N_("Key of the node CA: a file, or pkcs11:….")
)
@click.option("--socket", default="issuer.sock", show_default=True, help=N_("The socket for the node."))
@click.option("--socket-group", default="", help=N_("Group of the node's user, who may open the socket."))
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("File with the passphrase of the keys, named in issuer.toml; default: the service's credential, else ask."),
)
@click.option("--yes", is_flag=True, help=N_("Do not ask whether a root was compared. For exercises only."))
@language_option
@json_option
def command(
    member: str,
    register: Path,
    folder: Path,
    officer_ca: str,
    node_ca: str,
    socket: str,
    socket_group: str,
    passphrase_file: Path | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Make an issuer's folder."""
    target = folder.absolute()
    _check_empty(target)
    carried = _read(register)
    if not yes:
        click.echo(_("Fingerprint of the first root, which everything is verified from:"))
        for language in LANGUAGES:
            click.echo(f"  {fingerprint_words(carried.first_digest, language)}")
        confirm(_("Did another member read out the same words?"), abort=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".paiza-new-", dir=target.parent))
    try:
        federation = _join(carried, building, member, register)
        text = TEMPLATE.format(
            member=member,
            federation=federation,
            member_text=json.dumps(member),
            federation_text=json.dumps(federation),
            root_sha256=carried.first_digest.hex(),
            officer_ca=json.dumps(_key(officer_ca), ensure_ascii=False),
            node_ca=json.dumps(_key(node_ca), ensure_ascii=False),
            comment="# " if passphrase_file is None else "",
            passphrase_file=json.dumps(str((passphrase_file or Path()).absolute()), ensure_ascii=False),
            socket=json.dumps(socket, ensure_ascii=False),
            socket_group=json.dumps(socket_group),
        )
        settings = building / "issuer.toml"
        settings.touch(mode=0o600)
        settings.write_text(text, "utf-8")
        begin_journal(building / "journal.jsonl")
        building.rename(target)  # replaces an empty folder; nothing is there before everything is
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    if as_json:
        print_json({"folder": str(target), "federation": federation, "member": member, **joining.digests(carried)})
        return
    click.echo(_("Made {folder} (federation {federation}).").format(folder=target, federation=federation))
    click.echo(_(NEXT).format(folder=target))


NEXT: Final = N_(
    "Next:\n"
    "1. Put the keys of both CAs where {folder}/issuer.toml names them; only the issuer's user may read them.\n"
    "2. paiza-node issuer run --config {folder}/issuer.toml\n"
    "3. Name the socket as issuer_socket in node.toml, beside enrol_listen and enrol_address, and start the node anew."
)


def _key(place: str) -> str:
    """Return where a key is: a file that is not in the folder by its whole path."""
    path = Path(place)
    return place if place.startswith("pkcs11:") or path.parent == Path() else str(path.absolute())


def _check_empty(target: Path) -> None:
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise NodeStopped(
            "folder_not_empty",
            what=N_("The folder is not empty; nothing is overwritten."),
            where="{path}",
            remedy=N_("Name an empty folder or one that does not exist, with --folder."),
            path=target,
        )


def _read(file: Path) -> RegisterFile:
    try:
        with file.open("rb") as stream:
            return RegisterFile.read(stream.read(MAX_BYTES + 1))
    except PaizaError as error:
        raise _refused(error, file) from error


def _join(carried: RegisterFile, folder: Path, member: str, file: Path) -> str:
    """Store the register in the folder; return the federation's name. The register must name the member."""
    try:
        accepted = joining.join(carried, folder / "register", folder / "root.json", datetime.now(UTC))
        accepted.described_member(member)
    except PaizaError as error:
        raise _refused(error, file) from error
    return accepted.federation


def _refused(error: PaizaError, file: Path) -> NodeStopped:
    return NodeStopped(
        error.reason,
        what=N_("The register in the file is refused: {detail}."),
        where="{path}",
        remedy=N_("Get the file again from the member that published it."),
        detail=error.detail or error.reason,
        path=file,
    )
