"""`paiza-node peers`: the state of every other member's node."""

from pathlib import Path

import click

from paiza.admin.v1 import admin_pb2
from paiza_node.core.errors import N_
from paiza_node.ops.cli.node_status import node_status
from paiza_node.ops.cli.options import json_option, settings, shared
from paiza_node.ops.cli.status import peer_as_object
from paiza_node.ops.language import _, number_text
from paiza_node.ops.misbehaviour import in_words
from paiza_node.ops.terminal import print_json, print_table, shown_time, time_of


@click.command("peers", help=N_("Show every other member's node: reachability, waiting deliveries, its log."))
@shared
@json_option
def command(config_path: Path, log_level: str | None, *, as_json: bool) -> None:
    """Show the peers."""
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
        _("misbehaviour"),
        _("last failure"),
    )
    print_table(head, [_row(peer, runs=runs) for peer in status.peers])


def _row(peer: admin_pb2.PeerStatus, *, runs: bool) -> tuple[str, ...]:
    tried = peer.reachable or peer.last_error
    return (
        peer.member,
        (_("yes") if peer.reachable else _("no")) if runs and tried else "-",
        peer.endpoint or "-",
        shown_time(time_of(peer.last_seen_time)),
        number_text(peer.waiting),
        shown_time(time_of(peer.oldest_waiting_time)),
        number_text(peer.known_log_size),
        number_text(peer.cosigned_size) if peer.cosigned_size else peer.not_cosigned_reason or "-",
        in_words(list(peer.misbehaviour)),
        peer.last_error or "-",
    )
