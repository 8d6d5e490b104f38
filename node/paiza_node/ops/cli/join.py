"""`paiza-node join`: put a register that came in a file into the node's folder, at its first start or when cut off.

1. The node does not run. The file is in its one form, and its two digests are those of its roots
   (`paiza_register.register_file`).
2. A node that has a root keeps it: the file must begin at the same first root, and hold the newest root noted here.
   A node that has none asks its operator to compare the first root by telephone.
3. If two roots of one version froze the membership here and the file follows one of them, the operator is asked
   whether the members decided for that one. The other is refused from then on.
4. The set is verified from the first root, as every set is, and must name this member. Its timestamp may have expired:
   the others have a newer one.
5. It is stored in the node's folder (`paiza_register.joining`).
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from tuf.api.metadata import Timestamp

from paiza_cli.confirmation import confirm
from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.language import LANGUAGES
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import prepare_data
from paiza_node.ops.language import _, number_text
from paiza_node.ops.terminal import print_json, shown_time
from paiza_register import Register, joining, load_set
from paiza_register.register_file import MAX_BYTES, RegisterFile
from paiza_register.tuf_workflow import root_path
from paiza_wire.errors import PaizaError, Unavailable


@click.command(
    "join",
    help=N_(
        "Put the register in FILE, which `paiza-trust publish` wrote, into the node's folder: at its first start, or "
        "when no peer can bring it up to date. The node must not run."
    ),
)
@shared
@json_option
@click.option("--yes", is_flag=True, help=N_("Do not ask whether a root was compared. For exercises only."))
@click.argument("file", type=click.Path(path_type=Path))
def command(config_path: Path, log_level: str | None, file: Path, *, as_json: bool, yes: bool) -> None:
    """Join a federation."""
    config = settings(config_path, log_level)
    # 1.
    _check_stopped(config)
    carried = _read(file)
    # 2.
    is_first = not config.bootstrap_root.exists()
    if not is_first:
        _check_continues(config, carried, file)
    elif not yes:
        _ask(carried)
    # 3.
    if not yes:
        _ask_which_root(config, carried)
    # 4.-5.
    register = _accept(config, carried, file)
    outdated = datetime.now(UTC) > register.role_expiries[Timestamp.type]
    if as_json:
        digests = joining.digests(carried)
        print_json({"federation": register.federation, "member": config.member, **digests, "outdated": outdated})
        return
    text = _("{member} is in {federation}; the register has {count} members.")
    click.echo(
        text.format(
            member=config.member, federation=register.federation, count=len(register.members) + len(register.unusable)
        )
    )
    if outdated:
        click.echo(
            _(
                "The file is of {time}, and a newer register may exist. The node fetches it from the other members "
                "when it runs, and exchanges nothing until then."
            ).format(time=shown_time(register.issued_time))
        )
    if is_first:
        click.echo(
            _(
                "Next: the issuer (paiza-node issuer init) if it is to certify your officers, then paiza-node run and "
                "doctor."
            )
        )
    else:
        click.echo(_("Next: paiza-node run."))


def _check_stopped(config: Config) -> None:
    """Refuse while the node runs: it holds the register in memory, and writes the same files."""
    try:
        with AdminClient(config.admin_socket) as client:
            client.status()
    except Unavailable:
        return
    raise NodeStopped(
        "standby",
        what=N_("The node runs."),
        where="{path}",
        remedy=N_("Stop it first. A running node gets the register from the others: `paiza-node register refresh`."),
        path=config.admin_socket,
    )


def _read(file: Path) -> RegisterFile:
    try:
        with file.open("rb") as stream:
            return RegisterFile.read(stream.read(MAX_BYTES + 1))
    except PaizaError as error:
        raise _refused(error, file) from error


def _ask(carried: RegisterFile) -> None:
    click.echo(_("Fingerprint of the first root, which everything is verified from:"))
    for language in LANGUAGES:
        click.echo(f"  {fingerprint_words(carried.first_digest, language)}")
    confirm(_("Did another member read out the same words?"), abort=True)


def _ask_which_root(config: Config, carried: RegisterFile) -> None:
    """Ask which of two roots counts if the file would end a freeze (step 3)."""
    fork = joining.fork_of(carried, config.data / "register")
    if fork is None:
        return
    text = _("Two roots {version} were signed, and froze the membership. Fingerprint of the one in the file:")
    click.echo(text.format(version=number_text(fork.version)))
    for language in LANGUAGES:
        click.echo(f"  {fingerprint_words(carried.root_digest(fork.version), language)}")
    confirm(_("Did all members decide for this one, and read out the same words?"), abort=True)


def _check_continues(config: Config, carried: RegisterFile, file: Path) -> None:
    """Refuse a file of another federation, or of another history of roots (step 2)."""
    if config.bootstrap_root.read_bytes() != carried.first_root:
        raise NodeStopped(
            "register_invalid",
            what=N_("The file begins at another first root than this node."),
            where="{path}",
            remedy=N_("Ask the other members which federation the file is of. A node never changes its first root."),
            path=file,
        )
    digests = config.bootstrap_root.with_name(joining.DIGESTS)
    if not digests.exists():
        return
    noted = json.loads(digests.read_bytes())["newest_root"]
    version = noted["version"]
    fork = joining.fork_of(carried, config.data / "register")
    if fork is not None and version >= fork.version:
        return  # people decide which root of that version counts
    if root_path(version) not in carried.files or carried.root_digest(version).hex() != noted["sha256"]:
        raise NodeStopped(
            "register_rolled_back",
            what=N_("The file does not hold the newest root that this node knows, version {version}."),
            where="{path}",
            remedy=N_("Get a newer file. If its root of that version is another one, inform all members at once."),
            version=version,
            path=file,
        )


def _accept(config: Config, carried: RegisterFile, file: Path) -> Register:
    """Verify the set, then store it (steps 4 and 5)."""
    try:
        register = load_set(carried.files, carried.first_root, datetime.now(UTC), outdated=True)
        register.described_member(config.member)
    except PaizaError as error:
        raise _refused(error, file) from error
    if register.federation != config.federation:
        raise NodeStopped(
            "register_invalid",
            what=N_("The register is of {federation}, this node of {own}."),
            where="{path}",
            remedy=N_("Name the register of this node's federation."),
            federation=register.federation,
            own=config.federation,
            path=file,
        )
    prepare_data(config)
    try:
        return joining.join(carried, config.data / "register", config.bootstrap_root, datetime.now(UTC))
    except PaizaError as error:
        raise _refused(error, file) from error


def _refused(error: PaizaError, file: Path) -> NodeStopped:
    return NodeStopped(
        error.reason,
        what=N_("The register in the file is refused: {detail}."),
        where="{path}",
        remedy=N_("Get the file again from the member that published it."),
        detail=error.detail or error.reason,
        path=file,
    )
