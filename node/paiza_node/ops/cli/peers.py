"""`paiza-node peers`: the state of every other member's node; blocking a member, ending its block."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from paiza.admin.v1 import admin_pb2
from paiza_cli.terminal import plain_line
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.admin.client import AdminClient
from paiza_node.ops.cli.node_status import node_status
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.cli.status import block_as_object, block_text, offset_text, peer_as_object
from paiza_node.ops.language import _, number_text
from paiza_node.ops.misbehaviour import in_words
from paiza_node.ops.terminal import print_json, print_table, shown_time, time_of
from paiza_wire.errors import Rejected


@click.group(
    "peers",
    invoke_without_command=True,
    help=N_("Show every other member's node: reachability, waiting deliveries, its log. Block and unblock members."),
)
@shared
@json_option
@click.pass_context
def command(context: click.Context, config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """Show the peers, unless a subcommand is called."""
    if context.invoked_subcommand is not None:
        return
    status, runs = node_status(settings(config_path, log_level))
    if as_json:
        print_json({"runs": runs, "peers": [peer_as_object(peer, runs=runs) for peer in status.peers]})
        return
    if not runs:
        click.echo(_("The node does not run; this is what its database says."), err=True)
    head = (
        _("member"),
        _("reached"),
        _("endpoint"),
        _("last answer"),
        _("waiting"),
        _("oldest"),
        _("log"),
        _("cosigned"),
        _("clock, s"),
        _("misbehaviour"),
        _("last failure"),
    )
    print_table(head, [_row(peer, runs=runs) for peer in status.peers])
    for peer in status.peers:
        if peer.HasField("block"):
            click.echo(_("Blocked: {block}").format(block=block_text(peer.block)))


@command.command(
    "block",
    help=N_(
        "Stop all exchange with a member at once, until it is unblocked. Its calls are refused and it is not called; "
        "messages for it wait. Your system user name and the reason are logged. The node must run."
    ),
)
@shared
@json_option
@click.argument("member")
@click.option("--reason", required=True, help=N_("Why, in your own words."))
def block(config_path: Path, log_level: str | None, member: str, reason: str, *, as_json: bool) -> None:
    """Block a member."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, _known(member):
        blocked = client.block(member, reason)
    if as_json:
        print_json(block_as_object(blocked))
        return
    click.echo(_("{member} is blocked. Messages for it wait until you unblock it.").format(member=plain_line(member)))


@command.command(
    "unblock",
    help=N_(
        "End the block of a member: waiting messages are delivered. Your system user name and the reason are logged. "
        "The node must run."
    ),
)
@shared
@json_option
@click.argument("member")
@click.option("--reason", required=True, help=N_("Why, in your own words."))
def unblock(config_path: Path, log_level: str | None, member: str, reason: str, *, as_json: bool) -> None:
    """End a block."""
    with AdminClient(settings(config_path, log_level).admin_socket) as client, _known(member):
        client.unblock(member, reason)
    if as_json:
        print_json({"member": member, "done": True})
        return
    click.echo(_("{member} is no longer blocked.").format(member=plain_line(member)))


@contextmanager
def _known(member: str) -> Iterator[None]:
    """Raise an operator's error if there is no such member, or it is not blocked."""
    try:
        yield
    except Rejected as error:
        if error.reason == "unknown_id":
            what, remedy = N_("{member} is not blocked."), N_("See the blocked members with `paiza-node peers`.")
        elif error.reason == "unknown_member":
            what, remedy = N_("The register has no member {member}."), N_("See the members with `paiza-node peers`.")
        elif error.reason == "wrong_member":
            what, remedy = N_("{member} is this node's own member."), N_("Name another member.")
        else:
            raise
        raise NodeStopped(error.reason, what=what, where="", remedy=remedy, member=plain_line(member)) from error


def _row(peer: admin_pb2.PeerStatus, *, runs: bool) -> tuple[str, ...]:
    tried = peer.reachable or peer.last_error
    return (
        peer.member,
        (_("yes") if peer.reachable else _("no")) if runs and tried and not peer.HasField("block") else "-",
        peer.endpoint or "-",
        shown_time(time_of(peer.last_seen_time)),
        number_text(peer.waiting),
        shown_time(time_of(peer.oldest_waiting_time)),
        number_text(peer.known_log_size),
        number_text(peer.cosigned_size) if peer.cosigned_size else peer.not_cosigned_reason or "-",
        offset_text(peer.clock_offset) if peer.HasField("clock_offset") else "-",
        in_words(list(peer.misbehaviour)),
        _("blocked") if peer.HasField("block") else peer.last_error or "-",
    )
