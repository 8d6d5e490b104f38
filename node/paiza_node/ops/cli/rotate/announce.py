"""`paiza-node rotate announce`: hand a signed announcement to the node, which publishes it."""

from pathlib import Path

import click

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.language import _
from paiza_node.ops.terminal import HASH_DIGITS, print_json
from paiza_register.ceremony import Proposal
from paiza_register.ceremony.proposal import MAX_BYTES
from paiza_wire.errors import Rejected


@click.command(
    "announce",
    help=N_(
        "Hand the signed announcement in FILE to the running node. What the member says of itself is published at "
        "once, and every member that can be reached has it within a minute; other changes wait for the custodians."
    ),
)
@shared
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def command(config_path: Path, log_level: str | None, file: Path, *, as_json: bool) -> None:
    """Publish an announcement."""
    config = settings(config_path, log_level)
    try:
        with file.open("rb") as lines:
            proposal = Proposal.read(lines.read(MAX_BYTES + 1))
        with AdminClient(config.admin_socket) as client:
            done = client.submit_announcement(proposal.to_bytes(with_register=False))
    except OSError as error:
        raise _refused("file_unreadable", error.strerror or "", file) from error
    except Rejected as error:
        raise _refused(error.reason, error.detail or error.reason, file) from error
    if as_json:
        version = done.register_version.hex() or None
        print_json(
            {"fingerprint": done.fingerprint.hex(), "register_version": version, "waits_for": list(done.waits_for)}
        )
    elif done.register_version:
        version = done.register_version.hex()[:HASH_DIGITS]
        click.echo(_("Published in the register {version}.").format(version=version))
    elif done.waits_for:
        click.echo(_("Waits for signatures of {members}.").format(members=", ".join(done.waits_for)))
    else:
        click.echo(_("Waits to be published: see `paiza-node register show`."))


def _refused(reason: str, detail: str, file: Path) -> NodeStopped:
    return NodeStopped(
        reason,
        what=N_("The announcement cannot be published: {error}."),
        where="{path}",
        remedy=N_("Have the announcement signed with the member's key; or write it anew and have that signed."),
        path=file,
        error=detail,
    )
