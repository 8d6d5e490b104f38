"""`paiza-node init`: create a new member's node folder (`paiza_register.node_folder`), all of it or nothing."""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.cli.options import json_option, language_option
from paiza_node.ops.config import ADDRESS, MAX_SOCKET_PATH
from paiza_node.ops.language import _
from paiza_node.ops.passphrase import sealer_of
from paiza_node.ops.terminal import print_json
from paiza_register.node_folder import NewNode, make_node_folder
from paiza_wire.identity import FEDERATION_NAME, MEMBER_ID

DEFAULT_PORT: Final = "7401"


@click.command(
    "init",
    help=N_(
        "Create the folder of a new node: configuration, keys, signing request. "
        "A folder that is not empty is left unchanged."
    ),
)
@click.option("--member", required=True, help=N_("Member id, for example kaz."))
@click.option("--federation", required=True, help=N_("Name of the federation, for example paiza.example."))
@click.option("--folder", type=click.Path(path_type=Path), help=N_("Folder to create; default: the member id."))
@click.option(
    "--listen",
    help=N_("Address to serve on; default: every address, with the port of the first endpoint, else 7401."),
)
@click.option(
    "--endpoint",
    help=N_(
        "host:port under which others reach it, several separated by commas; default: this machine's name and the port."
    ),
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("Seal the keys with the first line of this file, and name it in node.toml; default: ask."),
)
@language_option
@json_option
def command(
    member: str,
    federation: str,
    folder: Path | None,
    listen: str | None,
    endpoint: str | None,
    passphrase_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Make a node folder."""
    target = (folder or Path(member)).absolute()
    port = (listen or (endpoint or "").split(",")[0] or DEFAULT_PORT).rpartition(":")[2]
    reached = (endpoint or f"{os.uname().nodename}:{port}").split(",")
    listened = listen or f"0.0.0.0:{port}"
    _check(member, federation, listened, reached, target)
    phrase_path = None if passphrase_file is None else passphrase_file.absolute()
    sealer = sealer_of(phrase_path)
    sealer.passphrase()  # before anything is made: it may be refused
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".paiza-new-", dir=target.parent))
    try:
        node = NewNode(member, federation, listened, reached, _socket(target, member), phrase_path)
        published = make_node_folder(building, node, sealer, datetime.now(UTC))
        building.rename(target)  # replaces an empty folder; nothing is there before everything is
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    if as_json:
        print_json({"folder": str(target), "federation": federation, "listen": listened, "member": published})
        return
    click.echo(_("Made {folder} (federation {federation}).").format(folder=target, federation=federation))
    served = _("The node listens on {listen}; others reach it at {endpoints}.")
    click.echo(served.format(listen=listened, endpoints=", ".join(reached)))
    click.echo(_(NEXT).format(folder=target, member=member))


NEXT: Final = N_(
    "Next:\n"
    "1. Make the member's own keys and its application: paiza-trust apply {folder} --name-ru NAME --name-en NAME "
    "-o {member}.application\n"
    "2. When the custodians have admitted {member}: paiza-node join FILE --config {folder}/node.toml, then "
    "issuer init and issuer run for the issuer, which certifies officers (without one: paiza-trust ca certify), then "
    "run and doctor.\n"
    "3. Invite your officers: paiza-node officer invite NAME --role ROLE --unit UNIT --config {folder}/node.toml\n"
    "Keep {folder}/keys safe: a lost log key ends this log, a lost encryption seed what was encrypted for it."
)


def _check(member: str, federation: str, listen: str, endpoints: Sequence[str], target: Path) -> None:
    if not MEMBER_ID.fullmatch(member):
        raise _usage(N_("{value!r} is not a member id such as kaz."), "--member", value=member)
    if not FEDERATION_NAME.fullmatch(federation):
        raise _usage(N_("{value!r} is not a federation's name."), "--federation", value=federation)
    for option, address in (*(("--endpoint", each) for each in endpoints), ("--listen", listen)):
        if not ADDRESS.fullmatch(address):
            raise _usage(N_("{value!r} is not host:port."), option, value=address)
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise NodeStopped(
            "folder_not_empty",
            what=N_("The folder is not empty; nothing is overwritten."),
            where="{path}",
            remedy=N_("Name an empty folder or one that does not exist, with --folder."),
            path=target,
        )


def _socket(target: Path, member: str) -> str:
    """Return the admin socket: in the data folder or, where that path would be too long, in the run-time folder."""
    if len(os.fsencode(target / "data/admin.sock")) <= MAX_SOCKET_PATH:
        return "data/admin.sock"
    run_time = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return f"{run_time}/paiza-{re.sub('[^a-z0-9-]', '', member)}.sock"


def _usage(what: str, where: str, **values: object) -> NodeStopped:
    remedy = N_("See paiza-node init --help.")
    return NodeStopped("usage", what=what, where=where, remedy=remedy, **values)
